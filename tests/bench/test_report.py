"""Medians, spread and ratios, and what is said where a figure is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.report import Run, interquartile_range, plot, summarize, table, write_json
from bench.rows import ROWS, Sample
from bench.tenants import TenantsResult, percentile


def samples(*values: float) -> list[Sample]:
    return [Sample(value) for value in values]


@pytest.fixture
def run() -> Run:
    run = Run(machine={"cores": 2}, options={"rounds": 3})
    run.samples["browser"] = {
        "entry": [Sample(100.0, worker=110.0, cores=0.9), Sample(90.0, worker=100.0, cores=1.0)],
        "nginx": samples(190.0, 200.0, 240.0),
    }
    run.tenants["entry"] = [TenantsResult(1_000, 1.25, 20.0, 45.5, 20, [90.0, 60.0])]
    run.could_not["haproxy"] = "haproxy is not installed"
    return run


@pytest.mark.parametrize(
    ("values", "expected"), [([], 0.0), ([7.0], 0.0), ([1.0, 2.0, 3.0, 4.0, 5.0], 2.0), ([10.0, 10.0, 10.0], 0.0)]
)
def test_spread_is_between_the_quartiles(values: list[float], expected: float) -> None:
    assert interquartile_range(values) == expected


def test_one_wild_sample_moves_neither_median_nor_ratio() -> None:
    summaries = summarize({"entry": samples(99, 100, 5), "nginx": samples(50, 50, 9_000)})
    assert summaries["entry"].median == 99
    assert summaries["entry"].ratio == pytest.approx(99 / 50)
    assert summaries["nginx"].ratio == 1.0


def test_the_worker_alone_is_compared_with_the_whole_reference(run: Run) -> None:
    entry = summarize(run.samples["browser"])["entry"]
    assert entry.median == 95.0
    assert entry.ratio == pytest.approx(0.475)
    assert entry.worker_median == 105.0
    assert entry.worker_ratio == pytest.approx(0.525)


def test_without_the_reference_there_are_no_ratios() -> None:
    assert summarize({"entry": samples(1.0)})["entry"].ratio is None


def test_a_contender_without_samples_is_left_out() -> None:
    assert set(summarize({"entry": [], "nginx": samples(1.0)})) == {"nginx"}


def test_the_table_names_figures_and_what_could_not_run(run: Run) -> None:
    text = table(list(ROWS.values()), run)
    assert "browser's fields" in text
    assert "10 MB bodies" not in text
    assert "0.47" in text or "0.48" in text
    assert "haproxy: haproxy is not installed" in text
    assert "45.5 ms" in text


def test_json_keeps_every_sample(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    write_json(path, list(ROWS.values()), run)
    document = json.loads(path.read_text())
    nginx = document["rows"]["browser"]["contenders"]["nginx"]
    assert [sample["value"] for sample in nginx["samples"]] == [190.0, 200.0, 240.0]
    assert nginx["median"] == 200.0
    assert document["couldNot"] == {"haproxy": "haproxy is not installed"}


def test_the_plot_is_a_picture(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bench.png"
    plot(path, list(ROWS.values()), run)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_no_picture_of_nothing(tmp_path: Path) -> None:
    plot(tmp_path / "bench.png", list(ROWS.values()), Run(machine={}, options={}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("percent", "expected"), [(50, 5.0), (99, 10.0), (100, 10.0), (1, 1.0)])
def test_percentiles_are_values_that_occurred(percent: float, expected: float) -> None:
    assert percentile([float(n) for n in range(1, 11)], percent) == expected
