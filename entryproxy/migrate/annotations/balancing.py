"""Which pod gets a request, and what happens when it fails: all of it the gateway's."""

from __future__ import annotations

from collections.abc import Mapping

from entryproxy.migrate.verdicts import FALSE, OFF, Known, default, differs, gateway

_COOKIE = gateway("Higress reads it for its sticky cookie.")
_NO_SUCH_ATTRIBUTE = differs(
    "Higress's sticky cookie has a name, a path and an age, no other attributes.",
    "Check that browsers still send the cookie where they should",
)
_HASHED_TO_ONE = differs("Higress hashes to single pods, not to subsets.")
_HASH_KEYS = r"\$(request_uri|host|remote_addr|http_[a-z0-9_]+|arg_[A-Za-z0-9_]+)"

BALANCING: Mapping[str, Known] = {
    "affinity": gateway("Higress keeps clients on pods by a cookie; they change pods once, when the host moves."),
    "affinity-mode": differs(
        "Higress hashes the cookie's value: when pods come or go, some sessions move.",
        on={"balanced": gateway("Some sessions move when pods come or go, in Higress as well.")},
    ),
    "affinity-canary-behavior": differs(
        "Higress decides about the canary first, for every request; a cookie doesn't keep clients on it.",
        on={"legacy": default("Higress decides about the canary first, as `legacy` does.")},
    ),
    "session-cookie-name": _COOKIE,
    "session-cookie-path": _COOKIE,
    "session-cookie-max-age": _COOKIE,
    "session-cookie-expires": gateway("Higress takes it for the cookie's age unless session-cookie-max-age says it."),
    "session-cookie-domain": _NO_SUCH_ATTRIBUTE,
    "session-cookie-samesite": _NO_SUCH_ATTRIBUTE,
    "session-cookie-conditional-samesite-none": _NO_SUCH_ATTRIBUTE,
    "session-cookie-secure": _NO_SUCH_ATTRIBUTE,
    "session-cookie-change-on-failure": differs("Higress moves a session when its pod is gone, not when it fails."),
    "load-balance": differs(
        "Higress knows ROUND_ROBIN, LEAST_REQUEST and RANDOM.",
        "Choose one of them",
        on={
            "round_robin": gateway("Higress reads it."),
            "least_request|least_conn|random": gateway("Higress reads it."),
            "ewma": differs("Higress doesn't measure latencies; LEAST_REQUEST comes close.", "Write LEAST_REQUEST"),
        },
    ),
    "upstream-hash-by": differs(
        "Higress hashes by one of $request_uri, $host, $remote_addr, $http_<field> and $arg_<parameter>.",
        "Choose one of them",
        on={_HASH_KEYS: gateway("Higress hashes by it.")},
    ),
    "upstream-hash-by-subset": differs(_HASHED_TO_ONE.note, on={FALSE: OFF}),
    "upstream-hash-by-subset-size": _HASHED_TO_ONE,
    "service-upstream": differs(
        "Higress balances over pods, never over a Service's address.",
        on={FALSE: default("Pods are balanced over, as in Higress.")},
    ),
    "proxy-next-upstream": gateway(
        "Higress tries again as Envoy does: error, timeout and invalid_header become 5xx.",
        on={"off": gateway("Higress doesn't try again then. The entry does so on a connection that died idle.")},
    ),
    "proxy-next-upstream-timeout": gateway("Higress takes it for each try, not for all of them."),
    "proxy-next-upstream-tries": gateway("Higress counts the tries after the first."),
}
