from __future__ import annotations

import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from entryproxy.kubernetes.errors import ApiError
from entryproxy.kubernetes.session import translated

KEY = ConnectionKey("10.0.0.1", 443, True, True, None, None, None)


@pytest.mark.parametrize(
    ("problem", "says"),
    [
        (TimeoutError(), "did not answer in time"),
        (aiohttp.SocketTimeoutError(), "did not answer in time"),
        (aiohttp.ClientConnectorError(KEY, OSError(111, "Connection refused")), "10.0.0.1:443: Connection refused"),
        (
            aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError("self-signed certificate")),
            "is not trusted: ",
        ),
        (aiohttp.ServerDisconnectedError(), "cut the connection"),
        (aiohttp.ClientPayloadError(), "cut the connection"),
        (ConnectionResetError(), "cut the connection"),
        (ValueError("Bearer secret"), "can't be understood (ValueError)"),
    ],
)
def test_what_aiohttp_raises_is_an_api_error(problem: Exception, says: str) -> None:
    with pytest.raises(ApiError) as caught, translated():
        raise problem
    assert (caught.value.status, caught.value.reason) == (0, "Unreachable")
    assert says in caught.value.message
    assert "secret" not in caught.value.message


def test_our_own_errors_pass() -> None:
    with pytest.raises(ApiError, match="own"), translated():
        raise ApiError(404, "NotFound", "own")
