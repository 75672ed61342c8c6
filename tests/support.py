"""What tests of several packages share."""

from __future__ import annotations

import os
import warnings

import pytest

from tests import tools


class Clock:
    """Stands still until a test moves it. now: seconds."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class MissingTool(UserWarning):
    """An outside program that a test drives is not installed here."""


def require_tool(name: str) -> str:
    """The path of the outside program `name`.

    Without it the test is skipped with a warning in the summary, except under CI=true, where it fails: what CI doesn't
    run, nobody notices to be broken.
    """
    path = tools.find(name)
    if path is not None:
        return path
    reason = f"{name} is not installed: what depends on it was NOT tested"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason + " (CI=true makes this a failure)", pytrace=False)
    with warnings.catch_warnings():
        warnings.simplefilter("always", MissingTool)  # elsewhere warnings are errors; this one is meant to be read
        warnings.warn(reason, MissingTool, stacklevel=2)
    pytest.skip(reason)
