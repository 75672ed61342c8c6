"""Figures of one run: medians, spread, ratios to the reference; as a table, as JSON, as a plot."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from bench.rows import Row, Sample
from bench.tenants import TenantsResult

REFERENCE = "nginx"
_WORTH_TELLING_APART = 1.005


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """One contender in one row.

    iqr: distance between the quartiles, 0 below two samples. ratio: to the reference's median. worker_…: the same
    figures with the CPU time of the busiest process alone.
    """

    median: float
    iqr: float
    ratio: float | None
    worker_median: float | None
    worker_ratio: float | None
    cores: float | None
    samples: tuple[Sample, ...]


@dataclasses.dataclass(slots=True)
class Run:
    """Everything one run has to say. samples: row key → contender → its samples; could_not: what did not run → why."""

    machine: dict[str, Any]
    options: dict[str, Any]
    samples: dict[str, dict[str, list[Sample]]] = dataclasses.field(default_factory=dict)
    tenants: dict[str, list[TenantsResult]] = dataclasses.field(default_factory=dict)
    could_not: dict[str, str] = dataclasses.field(default_factory=dict)


def interquartile_range(values: Sequence[float]) -> float:
    """Third quartile minus first, with the ends included; 0 for a single value."""
    if len(values) < 2:
        return 0.0
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return third - first


def summarize(samples: Mapping[str, Sequence[Sample]], reference: str = REFERENCE) -> dict[str, Summary]:
    """Summaries of one row; ratios are None when the reference has no sample."""
    base = _median([sample.value for sample in samples.get(reference, ())])
    return {name: _summary(taken, base) for name, taken in samples.items() if taken}


def table(rows: Sequence[Row], run: Run) -> str:
    """The figures for people."""
    lines = []
    for row in rows:
        summaries = summarize(run.samples.get(row.key, {}))
        if not summaries:
            continue
        lines += ["", f"{row.title} ({row.unit}, {'more' if row.higher_is_better else 'less'} is better)"]
        lines.append(f"  {'':10}{'median':>12}{'IQR':>10}{'× ' + REFERENCE:>10}{'worker alone':>22}{'core busy':>11}")
        lines += [_line(name, summary) for name, summary in summaries.items()]
    lines += _tenant_lines(run.tenants)
    if run.could_not:
        lines += ["", "Could not run:", *(f"  {what}: {why}" for what, why in run.could_not.items())]
    return "\n".join(lines).lstrip("\n")


def write_json(path: Path, rows: Sequence[Row], run: Run) -> None:
    """The figures for programs, every sample included."""
    document = {
        "machine": run.machine,
        "options": run.options,
        "rows": {
            row.key: {
                "title": row.title,
                "unit": row.unit,
                "higherIsBetter": row.higher_is_better,
                "contenders": {
                    name: dataclasses.asdict(summary) for name, summary in summarize(run.samples[row.key]).items()
                },
            }
            for row in rows
            if row.key in run.samples
        },
        "tenants": {name: [dataclasses.asdict(one) for one in results] for name, results in run.tenants.items()},
        "couldNot": run.could_not,
    }
    path.write_text(json.dumps(document, indent=2) + "\n")


def plot(path: Path, rows: Sequence[Row], run: Run) -> None:
    """One panel per row: a bar per contender at its median, a whisker as long as the IQR, the ratio beside it."""
    mpl.use("Agg")
    from matplotlib import pyplot

    shown = [row for row in rows if any(run.samples.get(row.key, {}).values())]
    if not shown:
        return
    figure, axes = pyplot.subplots(len(shown), 1, figsize=(9, 2.1 * len(shown)), squeeze=False, layout="constrained")
    for row, axis in zip(shown, axes[:, 0], strict=True):
        summaries = summarize(run.samples[row.key])
        names = list(summaries)
        bars = axis.barh(
            names,
            [summary.median for summary in summaries.values()],
            xerr=[summary.iqr / 2 for summary in summaries.values()],
            color=["#c8553d" if name == "entry" else "#8aa1b1" for name in names],
            error_kw={"ecolor": "#333333", "capsize": 2, "elinewidth": 1},
        )
        labels = [_figure(s.median) + (f"  ({s.ratio:.2f} ×)" if s.ratio else "") for s in summaries.values()]
        axis.bar_label(bars, labels, padding=6, fontsize=8)
        axis.margins(x=0.2)
        axis.invert_yaxis()
        axis.set_title(row.title, loc="left", fontsize=10)
        axis.set_xlabel(f"{row.unit}, {'more' if row.higher_is_better else 'less'} is better", fontsize=8)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.1f}"


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _ratio(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base else None


def _summary(samples: Sequence[Sample], base: float | None) -> Summary:
    values = [sample.value for sample in samples]
    median = statistics.median(values)
    worker = _median([sample.worker for sample in samples if sample.worker is not None])
    return Summary(
        median=median,
        iqr=interquartile_range(values),
        ratio=_ratio(median, base),
        worker_median=worker,
        worker_ratio=_ratio(worker, base),
        cores=_median([sample.cores for sample in samples if sample.cores is not None]),
        samples=tuple(samples),
    )


def _line(name: str, summary: Summary) -> str:
    worker = ""
    if summary.worker_median is not None and summary.worker_median > summary.median * _WORTH_TELLING_APART:
        worker = f"{summary.worker_median:,.0f}" + (f" ({summary.worker_ratio:.2f} ×)" if summary.worker_ratio else "")
    ratio = f"{summary.ratio:.2f}" if summary.ratio is not None else ""
    cores = f"{summary.cores:.0%}" if summary.cores is not None else ""
    return f"  {name:10}{_figure(summary.median):>12}{_figure(summary.iqr):>10}{ratio:>10}{worker:>22}{cores:>11}"


def _tenant_lines(tenants: Mapping[str, Sequence[TenantsResult]]) -> list[str]:
    if not any(tenants.values()):
        return []
    lines = ["", "Many tenants (start to first answer; change to first answer of a new tenant; memory per process)"]
    lines.append(f"  {'':10}{'tenants':>9}{'start':>10}{'change p50':>13}{'p99':>11}   MB")
    for name, results in tenants.items():
        for one in results:
            sizes = " + ".join(f"{size:.0f}" for size in one.process_megabytes)
            lines.append(
                f"  {name:10}{one.tenants:>9,}{one.start_seconds:>8.2f} s"
                f"{one.change_p50_ms:>10.1f} ms{one.change_p99_ms:>8.1f} ms   {sizes}"
            )
    return lines
