from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate-reports",
        action="store_true",
        help="write what is beside the manifests of tests/migrate/manifests",
    )
