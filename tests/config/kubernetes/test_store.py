from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.config.kubernetes.decode import Decoded
from entryproxy.config.kubernetes.store import Store
from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledConfigMap, LabelledEndpointSlice, LabelledObject, LabelledSecret
from entryproxy.model.secret import PrivateBytes


def there(name: str, text: str = "", version: str = "1", uid: str = "u") -> Decoded:
    one = LabelledConfigMap(
        namespace="ns", name=name, tenant=name, created="c", uid=uid, version=version, data={"tenant.yaml": text}
    )
    return Decoded(one.reference, one)


def broken(name: str, message: str = "bad", uid: str = "u") -> Decoded:
    reference = f"ConfigMap ns/{name}" if name else ""
    problem = Finding(severity="error", reason="InvalidObject", object=reference or "?", field="data", message=message)
    return Decoded(reference, problem=problem, uid=uid)


def endpoint_slice(namespace: str, service: str) -> Decoded:
    one = LabelledEndpointSlice(
        namespace=namespace, name=f"{service}-x", tenant="t", created="c", service=service, ports=(), endpoints=()
    )
    return Decoded(one.reference, one)


def gone(name: str) -> Decoded:
    return Decoded(f"ConfigMap ns/{name}")


def names(store: Store) -> dict[str, str | None]:
    """The changes: name → version, None for what is gone."""
    return {
        reference.rpartition("/")[2]: None if one is None else one.version
        for reference, one in store.take_changes().items()
    }


def test_additions_changes_and_removals() -> None:
    store = Store()
    assert store.replace([there("a"), there("b")])
    assert names(store) == {"a": "1", "b": "1"}
    assert not store.take_changes()
    assert store.apply(there("a", "new", "2"))
    assert store.apply(gone("b"))
    assert names(store) == {"a": "2", "b": None}
    assert len(store) == 1
    assert not store.apply(gone("b"))
    assert not store.take_changes()


def test_a_list_that_says_nothing_new_changes_nothing() -> None:
    store = Store()
    store.replace([there("a", "x", "1"), there("b", "x", "2")])
    store.take_changes()
    assert not store.replace([there("b", "x", "2"), there("a", "x", "1")])
    assert not store.take_changes()


def test_versions_are_opaque() -> None:
    """Whichever of two looks greater: it is different, and what the server says last counts."""
    store = Store()
    store.apply(there("a", "x", "100"))
    assert store.apply(there("a", "y", "99"))
    assert store.apply(there("a", "z", "beta"))
    assert names(store) == {"a": "beta"}


def test_a_change_of_what_we_do_not_read_is_none() -> None:
    store = Store()
    store.apply(there("a", "x", "1"))
    store.take_changes()
    assert not store.apply(there("a", "x", "2"))
    assert not store.apply(there("a", "x", "2"))
    assert not store.take_changes()


def test_the_same_name_again_is_another_object() -> None:
    store = Store()
    store.apply(there("a", "x", "1", uid="first"))
    store.take_changes()
    assert store.apply(there("a", "x", "1", uid="second"))
    assert names(store) == {"a": "1"}


def test_a_key_alone_is_a_change() -> None:
    def pair(key: bytes) -> Decoded:
        one = LabelledSecret(
            namespace="ns",
            name="s",
            tenant="t",
            created="",
            version=key.decode(),
            certificate_pem=b"c",
            key_pem=PrivateBytes(key),
        )
        return Decoded(one.reference, one)

    store = Store()
    assert store.apply(pair(b"1"))
    assert store.apply(pair(b"2"))


def test_the_last_good_version_stays_while_an_object_cannot_be_read() -> None:
    store = Store()
    store.replace([there("a"), there("b")])
    store.take_changes()
    assert store.apply(broken("a"))
    assert not store.apply(broken("a"))
    assert store.apply(broken("a", "worse"))
    assert not store.take_changes()
    assert len(store) == 2
    assert list(store.unread) == ["ConfigMap ns/a"]
    assert [finding.message for finding in store.findings] == ["worse"]
    assert store.apply(there("a"))  # as it was: no change, but the finding is gone
    assert not store.take_changes()
    assert not store.findings


def test_a_broken_object_that_goes_takes_its_last_good_version_with_it() -> None:
    store = Store()
    store.replace([there("a"), there("b")])
    store.apply(broken("a"))
    store.take_changes()
    assert store.apply(gone("a"))
    assert names(store) == {"a": None}
    assert not store.findings
    store.apply(broken("c"))
    assert store.replace([there("b")])  # one that never was good is gone
    assert not store.findings
    assert not store.take_changes()


@pytest.mark.parametrize("is_list", [True, False])
def test_an_object_made_anew_that_cannot_be_read_ends_the_one_before(is_list: bool) -> None:
    """A list, or a watch that resumes, may tell of the new object without ever having told that the old one went."""
    store = Store()
    store.replace([there("a", uid="first"), there("b")])
    store.take_changes()
    anew = broken("a", uid="second")
    assert store.replace([anew, there("b")]) if is_list else store.apply(anew)
    assert names(store) == {"a": None}
    assert list(store.unread) == ["ConfigMap ns/a"]
    assert not store.apply(anew)
    assert store.apply(there("a", uid="second"))
    assert names(store) == {"a": "1"}


@pytest.mark.parametrize(("known", "now"), [("", "u"), ("u", ""), ("", "")])
def test_where_a_uid_is_not_known_the_name_decides(known: str, now: str) -> None:
    store = Store()
    store.apply(there("a", uid=known))
    store.take_changes()
    assert store.apply(broken("a", uid=now))
    assert names(store) == {}
    assert len(store) == 1


def test_an_object_that_cannot_be_told_could_be_any_that_is_missing() -> None:
    store = Store()
    store.replace([there("a"), there("b"), there("c")])
    store.take_changes()
    assert store.missing([there("a"), broken("")]) == set()
    assert store.replace([there("a", "new", "2"), broken("")])
    assert names(store) == {"a": "2"}
    assert len(store) == 3
    assert list(store.unread) == [""]
    assert store.replace([there("a", "new", "2"), there("b")])
    assert names(store) == {"c": None}
    assert not store.unread


def test_missing() -> None:
    store = Store()
    store.replace([there("a"), there("b"), there("c")])
    assert store.missing([there("a"), broken("b"), there("d")]) == {"ConfigMap ns/c"}


STATES = st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.sampled_from("xyz"), st.integers(1, 3)))


@given(st.lists(st.tuples(STATES, st.booleans())))
def test_whoever_follows_the_changes_knows_everything(steps: list[tuple[dict[str, tuple[str, int]], bool]]) -> None:
    store = Store()
    known: dict[str, LabelledObject] = {}
    for state, is_list in steps:
        items = [there(name, text, f"{text}{version}") for name, (text, version) in state.items()]
        absent = [gone(name) for name in "abcdef" if name not in state]
        is_changed = store.replace(items) if is_list else sum(map(store.apply, (*items, *absent))) > 0
        changes = store.take_changes()
        assert is_changed == bool(changes)
        for reference, one in changes.items():
            if one is None:
                del known[reference]
            else:
                known[reference] = one
        # Versions that changed nothing else are not told.
        assert {one.reference: msgspec.structs.replace(one, version="") for one in known.values()} == {
            one.reference: msgspec.structs.replace(one.object, version="") for one in items if one.object is not None
        }
        assert len(store) == len(items)


def test_what_is_expected_is_missed_by_the_first_list_only() -> None:
    store = Store()
    store.expect(["ConfigMap ns/a", "ConfigMap ns/b"])
    items = [there("b"), there("c")]
    assert store.missing(items) == {"ConfigMap ns/a"}
    assert len(store) == 2
    assert store.replace(items)
    assert names(store) == {"b": "1", "c": "1"}
    assert store.missing(items) == set()
    assert len(store) == 2


def test_an_endpoint_slice_answers_for_its_service() -> None:
    """Of the slices a snapshot knows no names, only whose pods they held."""
    store = Store()
    store.expect(["Service a/gateway", "Service b/gateway", "Service c/gateway"])
    items = [endpoint_slice("a", "gateway"), endpoint_slice("b", "other"), endpoint_slice("d", "gateway")]
    assert store.missing(items) == {"Service b/gateway", "Service c/gateway"}
    assert store.replace(items)
    assert len(store) == 3
    assert store.missing(items[:1]) == {"EndpointSlice b/other-x", "EndpointSlice d/gateway-x"}


def test_a_list_that_names_what_is_withdrawn_lacks_nothing() -> None:
    """All that it no longer holds for ours may go at once, be it the first list or a later one."""
    items = [there("a"), there("b")]
    withdrawn = [gone("a"), gone("b")]
    later, first = Store(), Store()
    later.replace(items)
    later.take_changes()
    first.expect(["ConfigMap ns/a", "ConfigMap ns/b"])
    assert later.missing(withdrawn) == first.missing(withdrawn) == set()
    assert later.replace(withdrawn)
    assert names(later) == {"a": None, "b": None}
    assert not first.replace(withdrawn)
    assert (len(first), names(first)) == (0, {})


def test_a_status_that_says_nothing_new_is_no_change() -> None:
    store = Store()
    one = there("a").object
    assert isinstance(one, LabelledConfigMap)
    for version, state, is_changed in (("1", "unknown", True), ("2", "unknown", False), ("3", "served", True)):
        other = msgspec.structs.replace(one, version=version, release_state=state)
        assert store.apply(Decoded(other.reference, other)) == is_changed
