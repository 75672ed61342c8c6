"""The commands that the documentation shows: they must at least be understood."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from entryproxy.cli import _parser
from entryproxy.config.manifests import read_object
from entryproxy.config.yaml import parse_yaml

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/**/*.md")])
EXCLUDED = ("--version", "demo", "serve", "controller", "…")


def blocks(page: Path, *languages: str) -> list[str]:
    """Fenced blocks of these languages, without the indent of a list."""
    found = re.findall(r"^( *)```(\w+)\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{indent}", "", text, flags=re.MULTILINE) for indent, kind, text in found if kind in languages]


def commands() -> list[tuple[str, str]]:
    """Page and arguments of each `entryproxy …` that is shown."""
    found = [
        (page.name, shown.strip())
        for page in PAGES
        for block in blocks(page, "sh", "console")
        for shown in re.findall(r"^(?:\$ )?entryproxy ([^|>#&\n]+)", block.replace("\\\n", " "), re.MULTILINE)
    ]
    return [one for one in found if not one[1].startswith(EXCLUDED)]


@pytest.mark.parametrize(("page", "arguments"), commands())
def test_commands_are_understood(page: str, arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("fullchain.pem", "key.pem", "ca.pem"):
        (tmp_path / name).write_text("PEM")
    monkeypatch.chdir(tmp_path)
    assert _parser().parse_args(shlex.split(arguments)).run


def test_there_are_commands() -> None:
    shown = {arguments.split()[0] for _, arguments in commands()}
    assert {"check", "explain", "tenant"} <= shown


def test_objects_are_read_as_they_are_meant() -> None:
    """Everything with the label, or with a part of its data, in the page about tenants."""
    texts = blocks(ROOT / "docs/tenants.md", "yaml")
    assert len(texts) >= 4
    for text in texts:
        value = yaml.safe_load(text)
        for document in (value.get("data") or {}).values():
            assert parse_yaml(document)
        if value.get("kind") == "ConfigMap":
            labelled = read_object(value, "", "")
            assert labelled is not None
            assert labelled.tenant == value["metadata"]["name"].removesuffix("-tls")
