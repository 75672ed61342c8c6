from __future__ import annotations

import gc

import pytest

from entryproxy.process.collector import BULK_TENANTS, bulk, pause, resume


def test_the_collector_rests_for_many_and_leaves_them_alone_after() -> None:
    frozen = gc.get_freeze_count()
    try:
        with bulk(BULK_TENANTS):
            assert not gc.isenabled()
        assert gc.isenabled()
        assert gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()


def test_it_comes_back_after_an_error() -> None:
    try:
        with pytest.raises(ValueError, match="poison"), bulk(BULK_TENANTS):
            raise ValueError("poison")
        assert gc.isenabled()
    finally:
        gc.unfreeze()


def test_few_are_no_reason() -> None:
    frozen = gc.get_freeze_count()
    with bulk(BULK_TENANTS - 1):
        assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_many_during_a_pause_do_not_end_it() -> None:
    try:
        pause()
        with bulk(BULK_TENANTS):
            pass
        assert not gc.isenabled()
        resume()
        assert gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
