"""What people put into nginx snippets, and what says the same to Higress. Finds words, doesn't parse."""

from __future__ import annotations

import re

_HINTS = (
    (r"more_set_headers|add_header", "higress.io/response-header-control-update for the response fields"),
    (r"more_clear_headers|proxy_hide_header", "higress.io/response-header-control-remove for the response fields"),
    (r"proxy_set_header|more_set_input_headers", "higress.io/request-header-control-update for the request fields"),
    (r"more_clear_input_headers", "higress.io/request-header-control-remove for the request fields"),
    (r"rewrite", "rewrite-target for the rewrites"),
    (r"return", "permanent-redirect or temporal-redirect for redirects, plugin custom-response for other answers"),
    (r"deny|allow", "whitelist-source-range or plugin ip-restriction for addresses"),
    (r"auth_request|auth_basic", "plugin ext-auth or basic-auth for the authentication"),
    (r"limit_req|limit_conn", "plugin cluster-key-rate-limit for the rates"),
    (r"client_max_body_size", "proxy-body-size for the size of bodies"),
    (r"proxy_read_timeout|proxy_send_timeout", "proxy-read-timeout for the time limits"),
    (r"proxy_buffering|proxy_request_buffering|proxy_cache", "nothing for buffering: bodies stream"),
    (r"gzip|brotli", "higress-config for compression"),
    (r"sub_filter", "plugin transformer for changes of bodies"),
    (r"\w+_by_lua\w*", "a Wasm plugin of your own for the Lua"),
    (r"if", "higress.io/match-header-… and match-query-… on Ingresses of their own for the conditions"),
    (r"location", "an Ingress of its own for the location"),
)
_DIRECTIVES = tuple((re.compile(words), text) for words, text in _HINTS)


def hint(snippet: str) -> str:
    """What to use for the directives in it, "" when none is known."""
    statements = re.split(r"[;{}\n]", re.sub(r"#[^\n]*", "", snippet))
    first_words = {word[1] for one in statements if (word := re.match(r"\s*(\w+)", one))}
    found = [text for pattern, text in _DIRECTIVES if any(map(pattern.fullmatch, first_words))]
    return "Use " + "; ".join(found) if found else ""
