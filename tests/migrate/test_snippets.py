from __future__ import annotations

import pytest

from entryproxy.migrate.snippets import hint


@pytest.mark.parametrize(
    ("snippet", "expected"),
    [
        ('more_set_headers "A: b";', ["response-header-control-update"]),
        ("  proxy_set_header A b;\n", ["request-header-control-update"]),
        ("if ($a) { return 301 /; }", ["temporal-redirect", "match-header"]),
        ("location /x {deny all;}", ["Ingress of its own", "ip-restriction"]),
        ("access_by_lua_block { ngx.exit(403) }", ["Wasm"]),
        ("client_max_body_size 8m; proxy_read_timeout 5m;", ["proxy-body-size", "proxy-read-timeout"]),
    ],
)
def test_directives(snippet: str, expected: list[str]) -> None:
    text = hint(snippet)
    assert all(part in text for part in expected)
    assert text.count(";") == len(expected) - 1, "and nothing else"


@pytest.mark.parametrize("snippet", ["", "# return 301 /;", "set $returned 1;", 'log_format a "return";', "etag off;"])
def test_nothing_known(snippet: str) -> None:
    assert hint(snippet) == ""


@pytest.mark.parametrize("part", ["\n", " ", ";", "{ ", "a", "a_by_lu", "# ", "#", "if ;"])
def test_time_grows_with_the_length_alone(part: str) -> None:
    """An annotation may have 256 KiB, and whoever may write an Ingress writes it. Hours, if it grew with the square."""
    hint(part * (262_144 // len(part)))
