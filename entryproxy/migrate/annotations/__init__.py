"""Every annotation of ingress-nginx by name (without its prefix), and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping

from entryproxy.migrate.annotations.access import ACCESS
from entryproxy.migrate.annotations.balancing import BALANCING
from entryproxy.migrate.annotations.bodies import BODIES
from entryproxy.migrate.annotations.removed import REMOVED
from entryproxy.migrate.annotations.routes import ROUTES
from entryproxy.migrate.annotations.tls import TLS
from entryproxy.migrate.annotations.watching import WATCHING
from entryproxy.migrate.verdicts import Known

PREFIX = "nginx.ingress.kubernetes.io/"

ANNOTATIONS: Mapping[str, Known] = {**ACCESS, **BALANCING, **BODIES, **ROUTES, **TLS, **WATCHING, **REMOVED}
