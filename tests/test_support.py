from __future__ import annotations

import pytest

from tests.support import MissingTool, require_tool

NO_TOOL = "entryproxy-has-no-such-tool"


def test_a_tool_that_is_there() -> None:
    assert require_tool("sh").endswith("/sh")


def test_a_missing_tool_skips_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.warns(MissingTool, match="NOT tested"), pytest.raises(pytest.skip.Exception, match=NO_TOOL):
        require_tool(NO_TOOL)


def test_a_missing_tool_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=NO_TOOL):
        require_tool(NO_TOOL)
