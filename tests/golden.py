"""Scenarios as pairs of files: <scenario>.in.yaml is what a test works on, <scenario>.out.yaml says what comes of it.

`pytest --regenerate-golden` writes the outputs; read the difference before committing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml


class Golden:
    """The pairs of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.scenarios = self._names(".in.yaml")

    def input(self, scenario: str) -> Any:
        return yaml.safe_load((self._folder / f"{scenario}.in.yaml").read_text())

    def check(self, scenario: str, actual: Any, config: pytest.Config) -> None:
        """`actual`, of what YAML has, is the output that is written down."""
        output = self._folder / f"{scenario}.out.yaml"
        if config.getoption("--regenerate-golden"):
            output.write_text(yaml.safe_dump(actual, sort_keys=False, width=200, allow_unicode=True))
        assert actual == yaml.safe_load(output.read_text())

    def check_names(self) -> None:
        """There are pairs, and no output has lost its input."""
        assert self.scenarios
        assert self._names(".out.yaml") == self.scenarios

    def _names(self, end: str) -> list[str]:
        return sorted(path.name.removesuffix(end) for path in self._folder.glob(f"*{end}"))
