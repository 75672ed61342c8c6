"""HTML that can't be forgotten to escape: elements are built, text is always escaped, only `Html` passes as it is."""

from __future__ import annotations

from html import escape

_VOID = frozenset({"input", "meta", "link", "br"})


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def element(tag: str, *children: str | None, **attributes: str | None) -> Html:
    """One element. What is None is left out; of "_" in attribute names the last goes, the others become "-"."""
    parts = [f"<{tag}"]
    for name, value in attributes.items():
        if value is not None:
            parts.append(f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"')
    parts.append(">")
    if tag in _VOID:
        return Html("".join(parts))
    parts.extend(_markup(child) for child in children if child is not None)
    parts.append(f"</{tag}>")
    return Html("".join(parts))


def joined(*children: str | None, separator: str = "") -> Html:
    """Children one after the other, without an element around them."""
    return Html(_markup(separator).join(_markup(child) for child in children if child is not None))


def _markup(child: str) -> str:
    return child if isinstance(child, Html) else escape(child)
