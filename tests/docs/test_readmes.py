"""Both READMEs say the same, each in its language."""

from __future__ import annotations

import re

import pytest

from tests.docs.test_docs import ROOT

ENGLISH = (ROOT / "README.md").read_text()
CHINESE = (ROOT / "README.zh.md").read_text()


def commands(text: str) -> list[str]:
    """The lines of all shell blocks, without comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [re.sub(r"\s+# .*", "", line) for block in blocks for line in block.splitlines()]


def outline(text: str) -> list[str]:
    """Levels of headings, and what stands under them: how many tables' rows, items, pictures."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [match[1] for match in re.finditer(r"^(#+ |\| |- |!\[)", text, re.MULTILINE)]


def links(text: str) -> set[str]:
    return set(re.findall(r"\]\(([^)\s]+)\)", text)) - {"README.md", "README.zh.md"}


def in_code(text: str) -> set[str]:
    """What is set as code in the text: names, options, paths."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)))


def test_the_same_commands() -> None:
    assert len(commands(ENGLISH)) > 50
    assert commands(CHINESE) == commands(ENGLISH)


def test_the_same_structure() -> None:
    assert outline(CHINESE) == outline(ENGLISH)


def test_the_same_links_and_names() -> None:
    assert links(CHINESE) == links(ENGLISH)
    assert in_code(CHINESE) == in_code(ENGLISH)


@pytest.mark.parametrize(("text", "other"), [(ENGLISH, "README.zh.md"), (CHINESE, "README.md")])
def test_each_leads_to_the_other(text: str, other: str) -> None:
    assert f"]({other})" in text.partition("\n\n")[2].partition("\n\n")[0]
