"""The proxies that are compared, in the order of the report."""

from __future__ import annotations

from bench.contenders.aiohttp_proxy import AiohttpProxy
from bench.contenders.base import Contender
from bench.contenders.entry import Entry
from bench.contenders.envoy import Envoy
from bench.contenders.haproxy import HAProxy
from bench.contenders.nginx import Nginx

CONTENDERS: dict[str, type[Contender]] = {
    contender.name: contender for contender in (Entry, Nginx, HAProxy, Envoy, AiohttpProxy)
}

__all__ = ["CONTENDERS", "Contender", "Entry", "Nginx"]
