from __future__ import annotations

from entryproxy.preface.errors import PrefaceError


def test_the_detail_is_the_message() -> None:
    error = PrefaceError("no PROXY header")
    assert (str(error), error.detail, error.alert) == ("no PROXY header", "no PROXY header", None)
