from __future__ import annotations

import pytest

from entryproxy.console.html import Html, element, joined


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (element("p", "a < b & c"), "<p>a &lt; b &amp; c</p>"),
        (element("p", element("b", "<"), "<"), "<p><b>&lt;</b>&lt;</p>"),
        (element("a", "x", href='"><script>'), '<a href="&quot;&gt;&lt;script&gt;">x</a>'),
        (element("td", class_="number", data_label="a_b"), '<td class="number" data-label="a_b"></td>'),
        (element("td", None, "x", class_=None), "<td>x</td>"),
        (element("input", name="host", value="'"), '<input name="host" value="&#x27;">'),
        (joined("<", Html("<br>"), None, ">"), "&lt;<br>&gt;"),
        (joined("a", "b", separator=" & "), "a &amp; b"),
    ],
)
def test_text_is_escaped_and_markup_is_not(built: Html, expected: str) -> None:
    assert built == expected
    assert isinstance(built, Html)
