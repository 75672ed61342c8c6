"""`entryproxy controller`: everything put together, from the settings to the exit status."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import monotonic

import msgspec
import uvloop

from entryproxy.config.kubernetes.resources import of_entry
from entryproxy.config.kubernetes.source import KubernetesSource
from entryproxy.config.manifests import split_documents
from entryproxy.config.yaml import parse_yaml
from entryproxy.console.admin import listen
from entryproxy.controller.admin import admin_app
from entryproxy.controller.controller import Controller
from entryproxy.controller.helm.charts import ChartStore, YamlReader
from entryproxy.controller.helm.driver import Helm, Limits
from entryproxy.controller.helm.outcome import HelmError
from entryproxy.controller.helm.process import GRACE_SECONDS
from entryproxy.controller.kubeconfig import helm_kubeconfig
from entryproxy.controller.lease import DURATION_SECONDS, FENCE_SECONDS, RENEW_SECONDS, Elector, FenceError
from entryproxy.controller.rounds import Round
from entryproxy.kubernetes.client import ClusterClient, connect
from entryproxy.kubernetes.errors import FORBIDDEN, ApiError, CredentialsError
from entryproxy.listening import address_of, listen_on
from entryproxy.settings import ControllerSettings
from entryproxy.tasks import cancel_all, run_together
from entryproxy.telemetry.log import log_as
from entryproxy.telemetry.releases import ControllerReport

LEASE = "entryproxy-controller"
PATIENCE_SECONDS = 10.0
"""For the first look at the tenants, before it is called trouble."""
_log = logging.getLogger(__name__)


class StartError(Exception):
    """The controller can't work as it is called, or in this cluster. The message is a sentence, and in further lines
    what to do. status: of the process, 1 or 2."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


class _Parts(msgspec.Struct, frozen=True):
    """What a term of office is made of, again and again."""

    settings: ControllerSettings
    client: ClusterClient
    helm: Helm
    charts: ChartStore
    report: ControllerReport

    def controller(self) -> Controller:
        settings = self.settings
        source = KubernetesSource(
            namespace=settings.namespace, kubeconfig=settings.kubeconfig, context=settings.context
        )
        return Controller(self.client, source, self.helm, self.charts, settings, self.report)


def run(settings: ControllerSettings) -> None:
    """Provision in the foreground until a signal ends it. Raises StartError."""
    log_as("controller")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings))


def preview(settings: ControllerSettings) -> Mapping[str, Round]:
    """What would be done for each tenant now, by id. Writes nothing. Raises StartError."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_preview(settings))


async def _serve(settings: ControllerSettings) -> None:
    async with _equipped(settings) as parts:
        office = _Office(parts)
        try:
            admin = listen_on(settings.admin_bind, settings.admin_port)
        except OSError as error:
            raise StartError(f"can't listen: {error.strerror}") from error
        _log.info("%s is a candidate; admin on %s", office.identity, address_of(admin))
        runner = await listen(admin_app(office.take_report, office.trouble), admin)
        try:
            await run_together(office.hold(), _signalled())
        finally:
            await runner.cleanup()
            await cancel_all()
        _log.info("%s leaves", office.identity)


async def _preview(settings: ControllerSettings) -> Mapping[str, Round]:
    async with _equipped(settings) as parts:
        await _check_reading(parts.client, settings.namespace)
        try:
            return await parts.controller().preview(time.time())
        except (ApiError, HelmError) as error:
            raise StartError(str(error)) from error
        except TimeoutError:
            raise StartError(f"the tenants can't be read from {parts.client.server}") from None


async def _check_reading(client: ClusterClient, namespace: str) -> None:
    """Following a cluster means to wait for an API server that is away, and for rights, and to take a namespace that
    isn't there for an empty one. Whoever wants an answer asks once before. Raises StartError."""
    try:
        for resource in of_entry(namespace):
            if resource.is_vital:
                await client.get(resource.path, {**resource.selectors, "limit": "1"})
        await _check_namespace(client, namespace)
    except ApiError as error:
        raise StartError(
            f"the tenants can't be read from {client.server}: {error.message.rstrip('.')}\n"
            "  --kubeconfig and --context say which cluster is meant, --namespace where in it the entry runs."
        ) from None


async def _check_namespace(client: ClusterClient, namespace: str) -> None:
    try:
        await client.get(f"/api/v1/namespaces/{namespace}")
    except ApiError as error:
        if error.status != FORBIDDEN:  # who may list in it needn't be allowed to look at it
            raise


class _Office:
    """One candidate for the lead: takes it whenever it is to be had, with a new controller each time."""

    def __init__(self, parts: _Parts) -> None:
        self.identity = parts.settings.identity or _new_identity()
        self._parts = parts
        self._elector = _elector(parts.client, parts.settings, self.identity)
        self._controller: Controller | None = None
        self._leads_since = 0.0

    async def hold(self) -> None:
        """For ever. Ends the process when our work goes on without the lease."""
        while True:
            try:
                await self._elector.run(self._lead)
            except FenceError as error:
                _log.error("%s", error)
                os._exit(1)  # from here: whoever called us would wait for that work

    def take_report(self) -> ControllerReport:
        """As of now."""
        report = self._parts.report
        report.is_leader = self._controller is not None
        report.waiting = self._controller.waiting if self._controller is not None else 0
        return report

    def trouble(self) -> str:
        """Why it couldn't do its work, "" if it could."""
        if self._elector.trouble:
            return f"the lease can't be had: {self._elector.trouble}"
        since = self._leads_since
        if self._controller is not None and not self._controller.is_complete and monotonic() - since > PATIENCE_SECONDS:
            return "the tenants can't be read"
        return ""

    async def _lead(self) -> None:
        self._controller, self._leads_since = self._parts.controller(), monotonic()
        try:
            await self._controller.lead()
        finally:
            self._controller = None
            self._parts.report.releases.clear()  # the next leader tells them


def _new_identity() -> str:
    """As client-go's users make theirs: of two processes on one host, neither takes the other's lease for its own."""
    return f"{socket.gethostname()}_{secrets.token_hex(4)}"


@asynccontextmanager
async def _equipped(settings: ControllerSettings) -> AsyncIterator[_Parts]:
    """A client, Helm, and a private folder for as long as that takes."""
    program = shutil.which(settings.helm)  # absolute only if PATH is
    if program is None:
        raise StartError(f"Helm isn't here: {settings.helm!r} is no program (--helm says which one)")
    with _work_folder(settings) as folder:
        try:
            kubeconfig = helm_kubeconfig(folder / "kube", settings.kubeconfig, settings.context)
            limits = Limits(
                operation_seconds=round(settings.operation_seconds),
                grace_seconds=GRACE_SECONDS * _pace(settings),
                parallel_max=settings.parallel,
            )
            helm = Helm(Path(program), folder / "helm", kubeconfig, limits=limits)
            version = await helm.version()
            client = await connect(settings.kubeconfig, settings.context)
        except OSError as error:
            raise StartError(f"{folder} can't be used: {error.strerror}") from error
        except CredentialsError as error:
            raise StartError(f"no way to a cluster: {error}\n  --kubeconfig and --context say which one.", 2) from error
        except HelmError as error:
            raise StartError(str(error)) from error
        _log.info("Helm %s", version)
        async with client:
            charts = ChartStore(
                helm,
                folder / "charts",
                yaml=YamlReader(parse=parse_yaml, split=split_documents),
                repository=settings.chart_repository,
                charts_dir=Path(settings.charts_dir) if settings.charts_dir else None,
                plain_http=settings.chart_plain_http,
            )
            yield _Parts(settings, client, helm, charts, ControllerReport())


@contextmanager
def _work_folder(settings: ControllerSettings) -> Iterator[Path]:
    """The operator's own, which keeps fetched charts, or a temporary one."""
    if settings.work_dir:
        yield Path(settings.work_dir).resolve()
        return
    with tempfile.TemporaryDirectory(prefix="entryproxy-controller-") as temporary:
        yield Path(temporary).resolve()


def _elector(client: ClusterClient, settings: ControllerSettings, identity: str) -> Elector:
    return Elector(
        client,
        settings.namespace,
        LEASE,
        identity,
        duration_seconds=settings.lease_seconds,
        renew_seconds=RENEW_SECONDS * _pace(settings),
        fence_seconds=FENCE_SECONDS * _pace(settings),
    )


def _pace(settings: ControllerSettings) -> float:
    """All times of a lease keep their proportions, and so does Helm's grace, which has to fit in."""
    return settings.lease_seconds / DURATION_SECONDS


async def _signalled() -> None:
    """Until somebody asks us to end."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    await asked.wait()
