from __future__ import annotations

from entryproxy.migrate.sentences import entry_does


def test_what_the_entry_does() -> None:
    assert entry_does("acme", {"httpsRedirect": True, "limits": {}, "timeouts": {}}) == (
        "redirects http to https (308)",
        "sends every request to higress-gateway.acme-gateway.svc:80",
        "takes bodies of any size",
        "waits 300 s for an answer and 300 s between two pieces",
    )
    effective = {
        "httpsRedirect": False,
        "hsts": {"maxAge": 60, "includeSubDomains": True},
        "limits": {"requestBodyBytes": 1024},
        "timeouts": {"firstByte": 5, "idle": 6},
    }
    assert entry_does("acme", effective)[::2] == (
        "serves http in the clear, sends Strict-Transport-Security: max-age=60; includeSubDomains",
        "takes bodies of up to 1,024 bytes",
    )
