"""What may have been meant by a field, or a value, that the model doesn't have."""

from __future__ import annotations

import difflib
import re
from typing import Any

_STEP = re.compile(r"\.([A-Za-z]+)|\[\.{3}\]")
"""Of a path as msgspec writes it: a field by its name, any item of a list or mapping as "[...]"."""
_NAME_CHARACTERS_MAX = 100
"""A name comes from outside, and comparing takes longer than its length does."""


def nearest_field(kind: type, path: str, name: str) -> str:
    """The known field beside which `name` stands that is most like it, "" for none. path: "$.release", of what it is
    in."""
    known = [field.encode_name for field in getattr(_find(kind, path), "fields", ())]
    nearest = difflib.get_close_matches(name[:_NAME_CHARACTERS_MAX], known, n=1)
    return nearest[0] if nearest else ""


def allowed_values(kind: type, path: str) -> tuple[str, ...]:
    """The words that may stand at `path`, none where it isn't a choice of words."""
    return tuple(str(value) for value in getattr(_find(kind, path), "values", ()))


def _find(kind: type, path: str) -> Any:
    """What msgspec knows of the type at a path, None where the path can't be followed."""
    from msgspec import inspect  # here: nobody needs it whose documents are right

    found: Any = inspect.type_info(kind)
    for step in _STEP.finditer(path):
        fields = {field.encode_name: field.type for field in getattr(found, "fields", ())}
        found = fields.get(step[1]) if step[1] else getattr(found, "item_type", getattr(found, "value_type", None))
        if isinstance(found, inspect.UnionType):  # "or nothing"
            found = next((one for one in found.types if not isinstance(one, inspect.NoneType)), None)
    return found
