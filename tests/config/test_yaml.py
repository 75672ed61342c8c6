from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.config.yaml import CHARACTERS_MAX, DEPTH_MAX, YamlError, parse_yaml


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("# nothing", None),
        ("---\n", None),
        (
            "a: 1\nb: [x, 'y', \"z\"]\nc: {d: null, e: ~, f: }",
            {"a": 1, "b": ["x", "y", "z"], "c": dict.fromkeys("def")},
        ),
        ("[true, False, TRUE, yes, on, off, 'true']", [True, False, True, "yes", "on", "off", "true"]),
        ("[0, -7, +3, 012, 0x10, 1_000, 1:30]", [0, -7, 3, "012", "0x10", "1_000", "1:30"]),
        ("[1.5, .5, 1., 1e3, 1.5e-3, .inf, .nan, 1.2.3]", [1.5, 0.5, 1.0, 1e3, 1.5e-3, ".inf", ".nan", "1.2.3"]),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01", "2026-01-01"),
        ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
        ("'1': x", {"1": "x"}),
        ("a: []\nb: {}", {"a": [], "b": {}}),
        ("a: =", {"a": "="}),
        ("9999999999999999999999", "9999999999999999999999"),
    ],
)
def test_values(text: str, expected: object) -> None:
    assert parse_yaml(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", 'line 3: the key "a" a second time'),
        ("a: 1\n'a': 3", 'line 2: the key "a" a second time'),
        ("a: &x 1", "line 1: anchors are not allowed"),
        ("a: &x [1]", "line 1: anchors are not allowed"),
        ("a: *x", "line 1: aliases are not allowed"),
        ("a: {<<: {b: 1}}", "line 1: merge keys are not allowed"),
        ("a: !!binary aGk=", "line 1: the tag tag:yaml.org,2002:binary is not allowed"),
        ("a: !!python/object:os.system {}", "line 1: the tag"),
        ("a: 1\n---\nb: 1", "line 2: a second document"),
        ("1: x", "line 1: the key 1 is not a string"),
        ("? \n: x", "line 1: the key (nothing) is not a string"),
        ("[a]: x", "line 1: a key that is not a string"),
        ("? {a: b}\n: x", "line 1: a key that is not a string"),
        ("a: [1, 2", "line 2"),
        ("a:\n\t- b", "line 2"),
        ("a: \x00", "line 1: a character"),
        ("[" * 200_000, f"line 1: nested deeper than {DEPTH_MAX}"),
        ("a: " + "x" * CHARACTERS_MAX, "line 1: longer than"),
    ],
    ids=lambda value: value[:20],
)
def test_refusals(text: str, message: str) -> None:
    with pytest.raises(YamlError) as caught:
        parse_yaml(text)
    assert str(caught.value).startswith(message)


def test_the_deepest_that_passes() -> None:
    parse_yaml("[" * DEPTH_MAX + "]" * DEPTH_MAX)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(st.characters(codec="utf-8",
    exclude_categories=["Cc", "Cs"]), max_size=8), lambda inner: st.lists(inner, max_size=3) |
    st.dictionaries(st.text("abc<~1 ", max_size=3), inner, max_size=3), max_leaves=12,
)  # fmt: skip


@given(PLAIN)
def test_what_another_library_writes_is_read_back(value: object) -> None:
    text = yaml.safe_dump(value, allow_unicode=True, default_style='"' if isinstance(value, str) else None)
    try:
        assert parse_yaml(text) == value
    except YamlError as refused:
        assert "anchors" in str(refused) or "<<" in text


@given(st.text("ab:-[]{}&*!|>'\"#,? \n\t%", max_size=40))
def test_any_text_is_what_libyaml_makes_of_it_or_an_error(text: str) -> None:
    try:
        ours = parse_yaml(text)
    except YamlError:
        return
    assert _as_text(ours) == _as_text(yaml.load(text, Loader=yaml.CBaseLoader))


def _as_text(value: object) -> object:
    """Scalars as another loader gives them that resolves none."""
    if isinstance(value, dict):
        return {key: _as_text(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_text(inner) for inner in value]
    return value or ""
