"""The pod of `entryproxy serve`: the edge server in its workers, the cluster or a folder as its source."""

from __future__ import annotations

from entryproxy.compiler.compile import Compiler
from entryproxy.config.yaml import parse_yaml
from entryproxy.edge.budgets import BudgetTable
from entryproxy.edge.server import EdgeServer
from entryproxy.process import pod
from entryproxy.process.control import Source
from entryproxy.process.worker import Server, WorkerContext
from entryproxy.settings import KUBERNETES, EdgeLimits, ServeSettings
from entryproxy.telemetry.access_log import AccessLog
from entryproxy.telemetry.counters import WorkerReport


def serve(settings: ServeSettings) -> int:
    """Serve in the foreground until a signal ends it; the exit status."""
    return pod.run(settings, _make_server, _make_source, _make_compiler)


def _make_server(context: WorkerContext, report: WorkerReport, access_log: AccessLog) -> Server:
    budgets = BudgetTable(context.budgets, context.settings.workers, context.slot)
    return EdgeServer(context.settings, EdgeLimits(), report, access_log, budgets, context.ticket_secret)


def _make_source(settings: ServeSettings) -> Source:
    # Whatever is followed, nobody pays for the other one's libraries, and only the control process for its own.
    if settings.source != KUBERNETES:
        from entryproxy.config.folder import FolderSource

        return FolderSource(settings.source, namespace=settings.namespace)
    from entryproxy.config.kubernetes.source import KubernetesSource

    return KubernetesSource(namespace=settings.namespace, kubeconfig=settings.kubeconfig, context=settings.context)


def _make_compiler(settings: ServeSettings) -> Compiler:
    return Compiler(parse_yaml, endpoints_known=settings.source == KUBERNETES)
