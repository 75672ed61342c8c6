"""Who gets the page and who the problem document."""

from __future__ import annotations

import pytest

from entryproxy.http1.negotiation import prefers_html


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        (b"text/html", True),
        (b"Text/HTML; charset=utf-8", True),
        (b"text/html;q=0.5, application/json;q=0.5", True),
        (b"text/html;q=0.5, application/json;q=0.4", True),
        (b"text/html;q=0.5, */*;q=0.1", True),
        (b"text/*", True),
        (b"text/*;q=0.1, text/html", True),
        (b"text/html;level=1;q=0.7", True),
        (b"", False),
        (b"*/*", False),
        (b"application/json", False),
        (b"text/plain", False),
        (b"text/html;q=0", False),
        (b"text/html;q=0.4, application/json;q=0.5", False),
        (b"text/html;q=0.4, application/problem+json;q=0.5, application/json;q=0.1", False),
        (b"text/html;q=0.4, application/*;q=0.5", False),
        (b"text/html;q=0.4, */*", False),
        (b"text/html;q=2, application/json;q=0.1", False),
        (b"text/html;q=x, application/json;q=0.1", False),
    ],
)
def test_prefers_html(accept: bytes, html: bool) -> None:
    assert prefers_html(accept) is html


def test_only_the_first_ranges_are_read() -> None:
    assert not prefers_html(b"a/b," * 32 + b"text/html")
