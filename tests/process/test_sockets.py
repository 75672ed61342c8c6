from __future__ import annotations

import errno
import socket

import pytest

from entryproxy.listening import address_of
from entryproxy.process.sockets import open_admin_socket, open_worker_sockets
from entryproxy.settings import ServeSettings


def settings(bind: str = "127.0.0.1", workers: int = 3, https_port: int = 0, http_port: int = 0) -> ServeSettings:
    return ServeSettings(
        source="", bind=bind, admin_bind=bind, workers=workers, https_port=https_port, http_port=http_port, admin_port=0
    )


@pytest.mark.parametrize("bind", ["127.0.0.1", "::1"])
def test_every_worker_has_its_own_socket_on_the_same_port(bind: str) -> None:
    pairs = open_worker_sockets(settings(bind))
    assert len({pair.https.getsockname() for pair in pairs}) == 1
    assert len({pair.http.getsockname() for pair in pairs}) == 1
    assert pairs[0].https.getsockname() != pairs[0].http.getsockname()
    assert len({sock.fileno() for pair in pairs for sock in (pair.https, pair.http)}) == 6
    assert not any(pair.https.getblocking() for pair in pairs)
    for pair in pairs:
        pair.close()


def test_the_unspecified_ipv6_address_takes_ipv4_too() -> None:
    pairs = open_worker_sockets(settings("::", workers=1))
    with socket.create_connection(("127.0.0.1", pairs[0].https.getsockname()[1])):
        pass
    pairs[0].close()


def test_a_port_in_use_is_refused_even_where_the_kernel_would_share_it() -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as taken:
        port = taken.getsockname()[1]
        for wanted in (settings(https_port=port), settings(http_port=port)):
            with pytest.raises(OSError, match=f"127.0.0.1 port {port}: Address already in use") as caught:
                open_worker_sockets(wanted)
            assert caught.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize(("bind", "shown"), [("127.0.0.1", "127.0.0.1:"), ("::1", "[::1]:")])
def test_addresses_are_shown_as_clients_write_them(bind: str, shown: str) -> None:
    with open_admin_socket(settings(bind)) as admin:
        assert address_of(admin) == f"{shown}{admin.getsockname()[1]}"
