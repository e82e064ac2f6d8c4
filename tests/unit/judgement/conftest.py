from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from fairsplit.analysis.catalogue import MetricDefinition, load_catalogue
from fairsplit.analysis.judgement import Facts, judge_cut_offs

if TYPE_CHECKING:
    from pathlib import Path

SCALE = 1_000_000


def metric(name: str, **changes) -> MetricDefinition:
    base = MetricDefinition(
        name=name,
        label=name.replace("_", " ").capitalize(),
        description="",
        kind="mean",
        unit="USD",
        direction="increase",
        window_start=timedelta(0),
        window_end=timedelta(days=7),
        cuped=False,
        winsorize=None,
        percentile=None,
        funnel=(),
        test="welch",
        numerator=name,
        denominator=None,
        scale_y=SCALE,
        scale_d=1,
        definition_hash=name,
    )
    return replace(base, **changes)


METRICS = {
    "revenue": metric("revenue"),
    "conversion": metric("conversion", kind="proportion", test="proportion", unit="share", scale_y=1),
    "ctr": metric("ctr", kind="ratio", test="ratio", denominator="views", scale_y=1),
    "errors": metric("errors", direction="decrease", scale_y=1),
    "losses": metric("losses", direction="decrease"),
    "revenue_p90": metric("revenue_p90", kind="percentile", test="percentile", percentile=0.9),
    "revenue_rank": metric("revenue_rank", test="mann_whitney"),
    "revenue_ks": metric("revenue_ks", test="ks"),
}


class World:
    """A catalogue on disk and the facts of its experiments, from unit values in plain NumPy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metrics = METRICS
        (folder / "experiments").mkdir()
        (folder / "project.yaml").write_text("first_day: 2026-01-05\n")
        self.statistics: list[dict] = []
        self.histograms: list[dict] = []
        self.daily: list[dict] = []

    def define(self, identifier: str = "cta", **changes) -> None:
        fields = {
            "id": identifier,
            "name": "Button",
            "owner": "growth@example.com",
            "type": "ab",
            "status": "running",
            "start": "2026-01-05",
            "end": "2026-01-19",
            "variants": "[{id: control, control: true}, {id: red}]",
            "metrics": "{primary: [revenue]}",
            **changes,
        }
        text = "".join(f"{key}: {value}\n" for key, value in fields.items() if value is not None)
        (self.folder / "experiments" / f"{identifier}.yaml").write_text(text)

    @property
    def catalogue(self):
        loaded = load_catalogue(self.folder, METRICS)
        assert loaded.problems == ()
        return loaded

    def values(
        self,
        variant: str,
        y,
        *,
        metric: str = "revenue",
        d=None,
        x=None,
        w=None,
        cut_off: date = date(2026, 1, 25),
        experiment: str = "cta",
        segment: tuple[str, str] = ("all", "all"),
        analysis: str = "default",
        n_open: int = 0,
    ) -> None:
        """Add the sufficient statistics of one arm from scaled whole unit values."""
        arrays = {
            name: None if v is None else [int(i) for i in v]
            for name, v in zip("ydxw", (y, d, x, w), strict=True)
        }
        row = {
            "cut_off": cut_off,
            "experiment_id": experiment,
            "metric": metric,
            "segment": segment[0],
            "segment_level": segment[1],
            "variant_id": variant,
            "analysis": analysis,
            "n": len(y),
            "n_open": n_open,
            "scale_y": METRICS[metric].scale_y,
            "scale_d": METRICS[metric].scale_d if d is not None else None,
            "covariate_status": "not_declared" if x is None else "ok",
            "cap_low": None,
            "cap_high": None,
        }
        for i, a in enumerate("ydxw"):
            row[f"sum_{a}"] = None if arrays[a] is None else sum(arrays[a])
            for b in "ydxw"[i:]:
                both = arrays[a] is not None and arrays[b] is not None
                row[f"sum_{a}{b}"] = (
                    sum(p * q for p, q in zip(arrays[a], arrays[b], strict=True)) if both else None
                )
        self.statistics.append(row)

    def histogram(self, variant: str, values, metric: str, cut_off: date = date(2026, 1, 25)) -> None:
        """Add an arm's value histogram beside its statistics."""
        scaled = np.round(np.asarray(values) * SCALE).astype(np.int64)
        self.values(variant, scaled, metric=metric, cut_off=cut_off)
        place = {"cut_off": cut_off, "experiment_id": "cta", "segment": "all", "segment_level": "all"}
        for value, units in zip(*np.unique(scaled, return_counts=True), strict=True):
            cell = {"metric": metric, "variant_id": variant, "value": int(value), "units": int(units)}
            self.histograms.append({**place, **cell})

    def exposures(
        self,
        counts: dict[str, int],
        *,
        day: date = date(2026, 1, 6),
        experiment: str = "cta",
        segment: tuple[str, str] = ("all", "all"),
        phase: int = 0,
        crossovers: dict[str, int] | None = None,
    ) -> None:
        for variant, units in counts.items():
            self.daily.append(
                {
                    "experiment_id": experiment,
                    "segment": segment[0],
                    "segment_level": segment[1],
                    "exposure_day": day,
                    "phase": phase,
                    "variant_id": variant,
                    "units": units,
                    "crossovers": (crossovers or {}).get(variant, 0),
                }
            )

    def statistics_frame(self) -> pl.DataFrame:
        sums = [name for name in self.statistics[0] if name.startswith("sum_")]
        schema = dict.fromkeys(sums, pl.Int128) | {
            "cap_low": pl.Int64,
            "cap_high": pl.Int64,
            "scale_d": pl.Int64,
        }
        frame = pl.DataFrame(self.statistics, schema_overrides=schema)
        return frame.with_columns(pl.col(sums).cast(pl.Decimal(38, 0)))

    def daily_frame(self) -> pl.DataFrame:
        schema = {
            "experiment_id": pl.String,
            "segment": pl.String,
            "segment_level": pl.String,
            "exposure_day": pl.Date,
            "phase": pl.Int32,
            "variant_id": pl.String,
            "units": pl.Int64,
            "crossovers": pl.Int64,
        }
        return pl.DataFrame(self.daily, schema=schema)

    def judge(self, cut_off: date = date(2026, 1, 25), *, custom=None, code_hash="", **more):
        statistics = self.statistics_frame()
        days = sorted({day for day in statistics["cut_off"].to_list() if day < cut_off} | {cut_off})
        facts = Facts(sufficient_statistics=statistics, daily_exposures=self.daily_frame(), **more)
        found = judge_cut_offs(facts, self.catalogue, METRICS, days, custom=custom, code_hash=code_hash)
        asked = pl.col("cut_off") == cut_off
        return replace(found, validity=found.validity.filter(asked), decisions=found.decisions.filter(asked))


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


@pytest.fixture
def valued(world: World) -> World:
    """A defined world with a few values in both arms."""
    world.define()
    world.values("control", [1, 2, 3])
    world.values("red", [1, 2, 4])
    return world


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20260105)
