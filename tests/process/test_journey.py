"""A change's journey without I/O: objects, one compiler, one publisher, three workers, and whatever may happen to them.

Wherever it has led, once everything is calm the workers have what a fresh compiler makes of the same objects.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from entryproxy.compiler.compile import Compilation, Compiler
from entryproxy.config.yaml import parse_yaml
from entryproxy.model.objects import (
    ENDPOINT_SLICE,
    LabelledConfigMap,
    LabelledEndpointSlice,
    LabelledObject,
    LabelledSecret,
    SliceEndpoint,
)
from entryproxy.model.reading import Reading
from entryproxy.model.snapshot import Change, Snapshot
from entryproxy.model.tenant import Tenant
from entryproxy.process import ledger, messages
from entryproxy.process.ledger import BudgetSlots, Ledger, create_memory
from entryproxy.process.publisher import Publisher, Subscriber
from entryproxy.routing.table import RoutingTable
from tests.compiler.objects import DOMAIN, config, endpoint_slice, secret
from tests.compiler.objects import settings as settings_of
from tests.compiler.pairs import DAY, NOW

OTHER_DOMAIN = "other.example.com"
TENANTS = st.sampled_from("ab")
LABELS = st.sampled_from(["a", "b", "system", "NOT-A-TENANT"])
NAMES = st.sampled_from("pqab")
HOSTS = st.sampled_from(["x.org", "x.org", "*.x.org", f"app.a.{DOMAIN}"])
SANS = st.sampled_from(["x.org", "*.x.org", f"*.{DOMAIN}", f"*.a.{DOMAIN}", f"b.{OTHER_DOMAIN}"])
CREATED = st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"])
PODS = st.builds(SliceEndpoint, address=st.sampled_from(["10.0.0.1", "fd00::1"]), ready=st.booleans())
LIMITS = st.sampled_from([{"connections": 2}, {"requestsPerSecond": 3}, {"connections": 0}])
GATEWAYS = st.sampled_from(
    [
        {"balance": "endpoints", "port": "http"},
        {"balance": "endpoints", "namespace": "a-gateway", "port": 8080},
        {"service": "other"},
    ]
)
SPECS = st.fixed_dictionaries(
    {"domains": st.lists(HOSTS, min_size=1, max_size=2)},
    optional={"limits": LIMITS, "hsts": st.booleans(), "gateway": GATEWAYS},
)
PLATFORM = settings_of().reference
VALIDITY = st.sampled_from([(-9, 90), (-9, 30), (4, 60), (-9, -1)])
"""Days from NOW: good, soon to expire, not yet valid, expired."""

_begins: dict[bytes, float] = {}


@functools.cache
def pair(names: tuple[str, ...], start: int, end: int) -> LabelledSecret:
    """Made once, since signing takes time and no two signatures are the same."""
    made = secret("any", *names, start=start, end=end)
    _begins[made.certificate_pem] = NOW + start * DAY
    return made


CONFIG_MAPS = st.builds(
    lambda tenant, name, spec, created: config(tenant, spec, name=name, created=created),
    LABELS.filter(lambda label: label != "system"),
    NAMES,
    SPECS,
    CREATED,
)
SECRETS = st.builds(
    lambda tenant, name, names, validity: msgspec.structs.replace(
        pair(tuple(names), *validity), tenant=tenant, name=name
    ),
    LABELS,
    NAMES,
    st.lists(SANS, min_size=1, max_size=2, unique=True),
    VALIDITY,
)
SLICES = st.builds(
    lambda tenant, namespace, name, pods: endpoint_slice(tenant, *pods, name=name, namespace=f"{namespace}-gateway"),
    LABELS,
    TENANTS,
    NAMES,
    st.lists(PODS, max_size=2),
)
SETTINGS = st.builds(
    lambda domain, limits: settings_of(systemDomain=domain, limits=limits),
    st.sampled_from([DOMAIN, DOMAIN, OTHER_DOMAIN]),
    LIMITS,
)


class SimulatedWorker:
    """Applies what it is sent when it is told to."""

    def __init__(self) -> None:
        self.table = RoutingTable()
        self.publisher: Publisher | None = None

    @property
    def generation(self) -> int:
        return self.table.generation

    @property
    def running(self) -> Snapshot | None:
        """What it would tell a control process that asks."""
        whole = self.table.as_change()
        return (
            Snapshot.build(whole.platform, whole.tenants, whole.generation)
            if whole.platform and self.generation
            else None
        )

    def connect(self, publisher: Publisher) -> None:
        """To a control process; what another one sent and nobody applied is lost."""
        self.publisher = publisher
        self._sent: list[Change] = []
        self.subscriber = Subscriber(self._take, self.generation)
        publisher.join(self.subscriber)

    def die(self) -> None:
        assert self.publisher is not None
        self.publisher.leave(self.subscriber, 0.0)
        self.table = RoutingTable()
        self.connect(self.publisher)

    def answer(self) -> bool:
        if not self._sent:
            return False
        assert self.publisher is not None
        change = self._sent.pop()
        self.table.follow(change, change.tenants)
        self.publisher.applied(self.subscriber, change.generation, 0.0)
        return True

    def refuse(self) -> None:
        if self._sent:
            assert self.publisher is not None
            self.publisher.refused(self.subscriber, self._sent.pop().generation)

    def _take(self, payload: bytes) -> None:
        message = messages.worker_decoder.decode(payload)
        assert isinstance(message, messages.Arrival)
        assert not self._sent, "a second change under way"
        self._sent.append(message.change.decode())


class Journey(RuleBasedStateMachine):
    """objects: what there is. told: what the compiler has been told of it. good: the versions that are to be in force,
    as far as that can be told."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.uids = 0
        self.objects: dict[str, LabelledObject] = {}
        self.poisoned: set[str] = set()
        self.memory = create_memory()
        self.workers = [SimulatedWorker() for _ in range(3)]
        self.start(None)

    def start(self, running: Snapshot | None) -> None:
        """A control process."""
        self.told: dict[str, LabelledObject] = {}
        self.good: dict[str, LabelledObject] = {}
        self.is_sure_of_last_good = running is None
        self.compiler = Compiler(parse_yaml, endpoints_known=True)
        self.budgets = BudgetSlots(self.memory)
        self.publisher = Publisher(Ledger(self.memory), self.budgets, lambda _: None)
        for worker in self.workers:
            worker.connect(self.publisher)
        if running is not None:
            self.publisher.resume(running)
            self.compiler.resume(running)

    # -- objects

    @initialize(spec=SPECS, other=SPECS, created=CREATED)
    def begin(self, spec: dict[str, Any], other: dict[str, Any], created: str) -> None:
        """Two tenants that have to do with each other; what is drawn seldom comes to that."""
        self.put(settings_of())
        self.put(config("a", spec, name="p", created=created))
        self.put(config("b", other, name="q"))
        for tenant in "ab":
            made = pair(("x.org", f"*.{tenant}.{DOMAIN}"), -9, 90)
            self.put(msgspec.structs.replace(made, tenant=tenant, name=tenant))
            self.put(endpoint_slice(tenant, "10.0.0.9"))

    def put(self, one: LabelledObject, *, poisoned: bool = False) -> None:
        before = self.objects.get(one.reference)
        self.uids += before is None
        uid = before.uid if before is not None else str(self.uids)
        self.objects[one.reference] = msgspec.structs.replace(one, uid=uid)
        (self.poisoned.add if poisoned else self.poisoned.discard)(one.reference)

    @rule(
        some=st.lists(st.one_of(CONFIG_MAPS, CONFIG_MAPS, SECRETS, SECRETS, SLICES, SETTINGS), min_size=1, max_size=3),
        told=st.booleans(),
    )
    def put_some(self, some: list[LabelledObject], told: bool) -> None:
        for one in some:
            self.put(one)
        if told:
            self.tell()

    @rule(
        data=st.data(),
        how=st.sampled_from(["poison", "relabel", "remove", "make anew"]),
        tenant=TENANTS,
        told=st.booleans(),
    )
    @precondition(lambda self: len(self.objects) > 1)
    def meddle(self, data: st.DataObject, how: str, tenant: str, told: bool) -> None:
        """Not with the settings: without any the last ones stay, which a fresh compiler can't know."""
        one = self.objects[data.draw(st.sampled_from(sorted(self.objects.keys() - {PLATFORM})))]
        was_poisoned = one.reference in self.poisoned
        if how == "poison":
            self.poison(one)
        elif how == "relabel":
            self.put(msgspec.structs.replace(one, tenant=tenant), poisoned=was_poisoned)
        else:
            self.remove(one.reference)
            if how == "make anew":
                self.put(one, poisoned=was_poisoned)
        if told:
            self.tell()

    @rule()
    def poison_settings(self) -> None:
        self.poison(self.objects[PLATFORM])

    def remove(self, reference: str) -> None:
        del self.objects[reference]
        self.poisoned.discard(reference)

    def poison(self, one: LabelledObject) -> None:
        if isinstance(one, LabelledConfigMap):
            self.put(msgspec.structs.replace(one, data=dict.fromkeys(one.data, "bad: [1")), poisoned=True)
        elif isinstance(one, LabelledSecret):
            self.put(msgspec.structs.replace(one, certificate_pem=b"garbage"), poisoned=True)

    @rule(days=st.sampled_from([1, 3, 20]))
    def let_time_pass(self, days: int) -> None:
        self.now += days * DAY

    # -- a reading

    @rule()
    def tell(self) -> None:
        """Everything that changed."""
        compilation = self.read(self.objects, frozenset())
        is_calm = not any(map(self.is_bad, self.objects.values()))
        if is_calm or self.is_sure_of_last_good:
            self.compare_with_a_fresh_start(compilation, is_calm)

    @rule(data=st.data(), unread=st.sampled_from(["", ENDPOINT_SLICE]))
    @precondition(lambda self: not self.told)
    def tell_a_part(self, data: st.DataObject, unread: str) -> None:
        """What a source says that can't read everything yet."""
        if unread:
            part = {reference for reference in self.objects if not reference.startswith(unread)}
        else:
            part = data.draw(st.sets(st.sampled_from(sorted(self.objects))))
        self.read({reference: self.objects[reference] for reference in part}, frozenset({unread}))

    def read(self, objects: Mapping[str, LabelledObject], unread: frozenset[str]) -> Compilation:
        difference = Reading.between(self.told, objects)
        compilation = self.compile(difference.changed, difference.removed, unread)
        self.told = dict(objects)
        self.good = {
            reference: one
            for reference in objects
            if (one := self.version_in_force(objects[reference], self.good.get(reference))) is not None
        }
        if compilation.platform is not None:
            assert self.publisher.snapshot is not None
            assert self.publisher.snapshot.platform == compilation.platform
            assert without_rows(self.publisher.snapshot.tenants) == dict(compilation.tenants)
            limited = [one for one in self.publisher.snapshot.tenants.values() if one.budget_slot >= 0]
            assert all(self.budgets.row_of(one.id) == one.budget_slot for one in limited)
        return compilation

    def compile(
        self, changed: tuple[LabelledObject, ...], removed: tuple[str, ...], unread: frozenset[str]
    ) -> Compilation:
        compilation = self.compiler.compile(Reading(changed=changed, removed=removed, unread=unread), self.now)
        assert compilation.stale_at > self.now
        if compilation.platform is not None:
            self.publisher.publish(compilation.platform, compilation.tenants, compilation.touched, 0.0)
        return compilation

    def version_in_force(self, one: LabelledObject, before: LabelledObject | None) -> LabelledObject | None:
        if not self.is_bad(one):
            return one
        is_same = before is not None and (before.uid, before.tenant) == (one.uid, one.tenant)
        return before if is_same else None

    def is_bad(self, one: LabelledObject) -> bool:
        """By itself, at this time."""
        is_early = isinstance(one, LabelledSecret) and self.now < _begins.get(one.certificate_pem, self.now)
        has_bad_label = one.tenant == "NOT-A-TENANT" and not isinstance(one, LabelledEndpointSlice)
        return is_early or has_bad_label or one.reference in self.poisoned

    # -- processes

    @rule(which=st.integers(0, 2), what=st.sampled_from(["answers", "answers", "refuses", "dies"]))
    def a_worker(self, which: int, what: str) -> None:
        worker = self.workers[which]
        if what == "answers":
            worker.answer()
        elif what == "refuses":
            worker.refuse()
        else:
            worker.die()

    @rule()
    def restart_control(self) -> None:
        newest = max(self.workers, key=lambda one: one.generation)
        self.start(newest.running)

    # -- what must hold

    @invariant()
    def workers_hold_what_their_tenants_say(self) -> None:
        for worker in self.workers:
            fresh = Snapshot.build(worker.table.platform, worker.table.tenants.values())
            assert worker.table.owners == dict(fresh.owners)

    @invariant()
    def rows_belong_to_one_tenant_each(self) -> None:
        if self.publisher.snapshot is not None:
            rows = {
                key: one.budget_slot for key, one in self.publisher.snapshot.tenants.items() if one.budget_slot >= 0
            }
            assert len(set(rows.values())) == len(rows)

    def teardown(self) -> None:
        """Everything settles; then once more without what is bad, about which only one control process knows all."""
        if not self.objects:
            return
        self.settle()
        for one in [one for one in self.objects.values() if self.is_bad(one)]:
            if one.reference == PLATFORM:
                self.put(settings_of())
            else:
                self.remove(one.reference)
        self.settle()

    def settle(self) -> None:
        self.tell()
        for worker in self.workers:
            while worker.answer():
                pass
        newest = self.publisher.snapshot
        for worker in self.workers:
            if newest is None:
                assert worker.generation == 0
            elif worker.subscriber.refused != newest.generation:
                assert (worker.generation, worker.table.platform) == (newest.generation, newest.platform)
                assert worker.table.tenants == dict(newest.tenants)

    def compare_with_a_fresh_start(self, seasoned: Compilation, is_calm: bool) -> None:
        wanted = self.objects.values() if is_calm else self.good.values()
        fresh = Compiler(parse_yaml, endpoints_known=True).compile(Reading(changed=tuple(wanted)), self.now)
        if any("last good" in one.message for one in seasoned.findings if one.reason == "CertificateNames"):
            fresh, seasoned = without_certificates(fresh), without_certificates(seasoned)
        assert seasoned.platform == fresh.platform
        assert seasoned.tenants == fresh.tenants
        if is_calm:
            assert sorted(map(str, seasoned.findings)) == sorted(map(str, fresh.findings))


def without_certificates(one: Compilation) -> Compilation:
    """Which certificate stays where a newer one has no name to serve is a matter of what happened."""
    return Compilation(
        platform=one.platform and msgspec.structs.replace(one.platform, certificates=()),
        tenants={key: msgspec.structs.replace(each, certificates=()) for key, each in one.tenants.items()},
        findings=tuple(each for each in one.findings if each.reason not in ("CertificateNames", "UncoveredHost")),
    )


def without_rows(tenants: Mapping[str, Tenant]) -> dict[str, Tenant]:
    return {key: msgspec.structs.replace(one, budget_slot=-1) for key, one in tenants.items()}


@pytest.fixture(autouse=True)
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every control process looks at all of them."""
    monkeypatch.setattr(ledger, "BUDGET_ROWS_MAX", 16)


TestJourney = Journey.TestCase
TestJourney.settings = settings(max_examples=150, stateful_step_count=40, phases=set(Phase) - {Phase.explain})
