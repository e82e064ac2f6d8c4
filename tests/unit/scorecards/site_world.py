"""A small world of plausible result frames, computed with SciPy here and by nothing of the project."""

# ruff: noqa: DTZ001 - instants of the warehouse are naive and in UTC

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from fairsplit.analysis.errors import Problem
from fairsplit.analysis.judgement.programme import Declared, programme_rows
from fairsplit.analysis.scorecards import (
    ArmView,
    DefinitionChange,
    ExperimentMetric,
    ExperimentView,
    FailedDefinition,
    FlagView,
    MetricView,
    PlanView,
    Provenance,
    SegmentView,
    SiteInputs,
)

START = dt.date(2026, 1, 5)
CUT_OFF = dt.date(2026, 2, 1)
DAYS = 28
HOSTILE = (
    '<script>alert(1)</script><img src=x onerror="alert(2)">\'"&amp; =1+1 ../../etc \u202egnp.exe 🎉 {{7*7}}'
)
LONG = ("The very long name of an experiment that says everything about what it changes and for whom " * 3)[
    :200
]

METRICS = {
    "checkout_conversion": MetricView(
        "checkout_conversion",
        "Checkout conversion",
        "Units with a checkout.",
        "proportion",
        "",
        "increase",
        "first 7 days",
    ),
    "revenue_per_user": MetricView(
        "revenue_per_user", "Revenue per user", "Sum of value.", "revenue", "USD", "increase", "first 7 days"
    ),
    "error_rate": MetricView(
        "error_rate", "Error rate", "Units with an error.", "proportion", "", "decrease", "first 7 days"
    ),
    "session_seconds": MetricView(
        "session_seconds", "Engagement time", "Seconds.", "duration", "s", "increase", "first 7 days"
    ),
}
BASE = {"checkout_conversion": 0.12, "revenue_per_user": 4.2, "error_rate": 0.031, "session_seconds": 184.0}
SPREAD = {"revenue_per_user": 11.0, "session_seconds": 150.0}

FLAGS = [
    FlagView(
        "one_tap",
        "Checkout in one tap",
        "pay@example.com",
        "string",
        "ufc",
        True,
        "one-tap",
        "cart",
        rollout=0.25,
        targeting="country is US or CA and (age is at least 18 or from 09:00 to 17:00 (Europe/Berlin time))",
        depends_on=[("wallet", True)],
        overrides=2,
        experiment="checkout_cta",
    ),
    FlagView("wallet", "Payments by wallet", "pay@example.com", "boolean", "ufc", True, True, False),
    FlagView(
        "theme",
        "Theme",
        "brand@example.com",
        "json",
        "growthbook",
        False,
        {"accent": "#0b7a75"},
        {"accent": "#1f6feb", "fonts": ["Inter"]},
        rollout=0.1,
        overrides=1,
        description=HOSTILE,
    ),
    FlagView(
        "long",
        "A" * 90,
        "brand@example.com",
        "string",
        "flagd",
        True,
        HOSTILE,
        "x" * 200,
        targeting=f"city is {HOSTILE}",
        experiment="gone",
    ),
]
SEGMENTS = [
    SegmentView("na", "People in North America", True, "user", "country is US or CA", START, 12345, 4321, 45),
    SegmentView("none", HOSTILE, False, "session", f"city is {HOSTILE}", START, 0, 0, 0, "Nobody yet."),
]


def _variance(metric: str, mean: float) -> float:
    return mean * (1 - mean) if metric not in SPREAD else SPREAD[metric] ** 2


def _row(
    experiment: str, metric: str, role: str, arm: str, cut_off: dt.date, n: int, mean: float, **extra: Any
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "experiment_id": experiment,
        "cut_off": cut_off,
        "metric": metric,
        "role": role,
        "segment": "all",
        "segment_level": "all",
        "analysis": "default",
        "variant_id": arm,
        "comparison": None,
        "method": "welch",
        "n": n,
        "n_open": 0,
        "total": n * mean,
        "mean": mean,
        "variance": _variance(metric, mean),
        "std_error": math.sqrt(_variance(metric, mean) / n) if n else None,
        "lift_abs": None,
        "lift_abs_low": None,
        "lift_abs_high": None,
        "lift_rel": None,
        "lift_rel_low": None,
        "lift_rel_high": None,
        "lift_rel_bounded": True,
        "ci_level": 0.95,
        "statistic": None,
        "df": None,
        "p_value": None,
        "p_adjusted": None,
        "seq_low": None,
        "seq_high": None,
        "seq_rel_low": None,
        "seq_rel_high": None,
        "seq_p_value": None,
        "information_fraction": None,
        "effect_size": None,
        "effect_label": None,
        "power": None,
        "mde_rel": None,
        "finding": None,
        "prob_beat": None,
        "prob_best": None,
        "expected_loss": None,
        "cuped": False,
        "variance_reduction": None,
        "status": "ok",
        "reason": None,
        "unit": "",
        "direction": METRICS[metric].direction if metric in METRICS else "increase",
        "definition_hash": "d" * 64,
        "code_hash": "c" * 64,
    }
    return row | extra


def compared(
    control: dict[str, Any], row: dict[str, Any], comparisons: int, fraction: float
) -> dict[str, Any]:
    """`row` against `control` by a normal approximation, with a wider interval for repeated looks."""
    diff = row["mean"] - control["mean"]
    error = math.hypot(row["std_error"], control["std_error"])
    z = diff / error
    p = 2 * stats.norm.sf(abs(z))
    half, wide = 1.959964 * error, 2.8 / math.sqrt(max(fraction, 0.05)) * error
    base = control["mean"]
    pooled = math.sqrt((row["variance"] + control["variance"]) / 2)
    effect = diff / pooled
    label = "negligible" if abs(effect) < 0.2 else "small"
    return row | {
        "comparison": control["variant_id"],
        "lift_abs": diff,
        "lift_abs_low": diff - half,
        "lift_abs_high": diff + half,
        "lift_rel": diff / base,
        "lift_rel_low": (diff - half) / base,
        "lift_rel_high": (diff + half) / base,
        "statistic": z,
        "p_value": p,
        "p_adjusted": min(1.0, p * comparisons),
        "seq_low": diff - wide,
        "seq_high": diff + wide,
        "seq_rel_low": (diff - wide) / base,
        "seq_rel_high": (diff + wide) / base,
        "seq_p_value": min(1.0, p * 4),
        "information_fraction": fraction,
        "effect_size": effect,
        "effect_label": label,
        "power": float(stats.norm.sf(1.96 - abs(z))),
        "mde_rel": 2.8 * error / base,
        "prob_beat": float(stats.norm.cdf(z)),
        "prob_best": float(stats.norm.cdf(z)) / comparisons,
        "expected_loss": float(error * (stats.norm.pdf(z) - z * stats.norm.sf(z))),
        "finding": _finding(row, diff, half, wide, base),
    }


def _finding(row: dict[str, Any], diff: float, half: float, wide: float, base: float) -> str:
    """What the intervals show; the only guardrail is the error rate, with a margin of 5 % of the control."""
    gain = -diff if row["direction"] == "decrease" else diff
    if row["role"] == "guardrail":
        if gain - half > -0.05 * base:
            return "within_margin"
        return "harmed" if gain + wide < -0.05 * base else "not_yet_safe"
    return "unclear" if abs(gain) <= wide else "better" if gain > 0 else "worse"


def experiment(identity: str, arms: tuple[str, ...] = ("control", "red"), **extra: Any) -> ExperimentView:
    names = {"control": "Control", "red": "Red"}
    colours = ["blue", "red", "green", "teal", "amber", "plum"]
    defaults: dict[str, Any] = {
        "id": identity,
        "name": identity.replace("_", " ").capitalize(),
        "owner": "growth@example.com",
        "status": "running",
        "type": "ab" if len(arms) == 2 else "abn",
        "unit": "user",
        "hypothesis": "A red button raises checkout conversion by 5% relative.",
        "start": dt.datetime(2026, 1, 5),
        "end": dt.datetime(2026, 2, 2),
        "arms": [
            ArmView(
                arm,
                names.get(arm, arm.capitalize()),
                place == 0,
                1 / len(arms),
                {"button_color": colours[place % 6], "title": f"Buy now, option {place}", "layout": "wide"},
            )
            for place, arm in enumerate(arms)
        ],
        "metrics": [
            ExperimentMetric("checkout_conversion", "primary", minimum_effect=0.02),
            ExperimentMetric("error_rate", "guardrail", non_inferiority_margin=0.05),
            ExperimentMetric("revenue_per_user", "secondary"),
            ExperimentMetric("session_seconds", "secondary"),
        ],
        "plan": PlanView("group_sequential", cuped_days=14, min_sample=10000, max_duration_days=28),
        "segments": ["country", "platform"],
        "stopping": {"harm": True, "futility": True, "automatic": False},
        "source": f"id: {identity}\nname: Checkout button colour\nowner: growth@example.com\n",
        "definition_hash": "d41d8cd98f00b204e9800998ecf8427e" * 2,
        "history": [
            DefinitionChange(dt.datetime(2026, 1, 4, 9, 30), "created as draft"),
            DefinitionChange(dt.datetime(2026, 1, 5), "started", "ab12cd34ef56"),
        ],
    }
    return ExperimentView(**(defaults | extra))


def factorial() -> ExperimentView:
    """Two factors of two levels each."""
    cells = {"list_photo": ("list", "photo"), "list_drawing": ("list", "drawing"), "grid_photo": ("grid", "photo"),
             "grid_drawing": ("grid", "drawing")}  # fmt: skip
    arms = [
        ArmView(arm, arm, place == 0, 0.25, {}, {"layout": layout, "image": image})
        for place, (arm, (layout, image)) in enumerate(cells.items())
    ]
    factors = (("layout", ("list", "grid")), ("image", ("photo", "drawing")))
    view = experiment("factorial", tuple(cells), type="multivariate", factors=factors, plan=PlanView("fixed"))
    return replace(view, arms=arms)


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame()


class World:
    """Collects rows of several experiments and turns them into `SiteInputs`."""

    def __init__(self, seed: int = 7) -> None:
        self.rng = np.random.default_rng(seed)
        self.experiments: list[ExperimentView] = []
        self.metrics = dict(METRICS)
        self.rows: list[dict[str, Any]] = []
        self.validity: list[dict[str, Any]] = []
        self.decisions: list[dict[str, Any]] = []
        self.exposures: list[dict[str, Any]] = []
        self.losses: list[dict[str, Any]] = []
        self.funnels: list[dict[str, Any]] = []
        self.failed: list[FailedDefinition] = []

    def add(
        self,
        view: ExperimentView,
        lifts: dict[str, float],
        *,
        units: int = 24000,
        decision: str = "continue",
        srm: str = "pass",
        history: bool = True,
        segments: bool = True,
        around: bool = True,
    ) -> None:
        """Adds an experiment; `lifts` are relative to control for the last arm, smaller for those before."""
        self.experiments.append(view)
        arms = [arm.id for arm in view.arms]
        looks = [START + dt.timedelta(days=d) for d in range(6, DAYS)] if history else [CUT_OFF]
        noise = {(m.metric, a): self.rng.normal() for m in view.metrics for a in arms}
        for cut_off in looks:
            fraction = ((cut_off - START).days + 1) / DAYS
            n = int(units * fraction)
            for entry in view.metrics:
                self._metric(view, entry, arms, cut_off, n, fraction, lifts, noise)
            if cut_off == CUT_OFF and segments:
                self._segments(view, arms, n, lifts)
        if around:
            self._around(view, arms, units, decision, srm)

    def _metric(self, view, entry, arms, cut_off, n, fraction, lifts, noise, **extra: Any) -> None:
        base = BASE.get(entry.metric, 0.2)
        made = []
        for place, arm in enumerate(arms):
            lift = lifts.get(entry.metric, 0.0) * place / max(len(arms) - 1, 1)
            row = _row(view.id, entry.metric, entry.role, arm, cut_off, n, base, **extra)
            wobble = noise.get((entry.metric, arm), 0.0) * (row["std_error"] or 0.0) * 0.7
            row = row | {"mean": base * (1 + lift) + wobble}
            row["variance"] = _variance(entry.metric, row["mean"])
            row["std_error"] = math.sqrt(row["variance"] / n)
            made.append(row)
        control, *others = made
        self.rows.append(control)
        self.rows += [compared(control, row, len(others), fraction) for row in others]

    def _segments(self, view, arms, n, lifts) -> None:
        primary = next(entry for entry in view.metrics if entry.role == "primary")
        levels = {
            "country": {"US": 0.5, "CA": 0.3, "DE": 0.2},
            "platform": {"ios": 0.45, "android": 0.35, "web": 0.2},
        }
        for segment, shares in levels.items():
            for level, share in shares.items():
                noise = {(primary.metric, arm): self.rng.normal() for arm in arms}
                part = int(n * share)
                self._metric(
                    view,
                    primary,
                    arms,
                    CUT_OFF,
                    part,
                    1.0,
                    lifts,
                    noise,
                    segment=segment,
                    segment_level=level,
                )

    def _around(self, view, arms, units, decision, srm) -> None:
        for check, status, p, sentence in (
            (
                "srm",
                srm,
                1e-9 if srm == "fail" else 0.44,
                "Arms have the units that the weights promise."
                if srm == "pass"
                else "Red has 1,204 units fewer than its weight promises: units of one arm are being lost.",
            ),
            ("audit", "pass", None, "Every logged arm is the arm that the hash assigns."),
            ("loss:filter:bots", "pass", 0.61, "The arms lose units alike."),
            ("crossovers", "warn" if srm == "warn" else "pass", 0.21, "0.4% of units were seen in two arms."),
            ("pre_period:revenue_per_user", "pass", 0.73, "The arms were alike before the experiment."),
        ):
            self.validity.append(
                {
                    "experiment_id": view.id,
                    "cut_off": CUT_OFF,
                    "check": check,
                    "segment": "all",
                    "segment_level": "all",
                    "status": status,
                    "statistic": 1.2,
                    "p_value": p,
                    "observed": "24,112 / 23,890",
                    "expected": "24,001 / 24,001",
                    "reason": None,
                    "sentence": sentence,
                }
            )
        of_whole = self.validity[-5]
        for segment, level in (("country", "US"), ("country", "CA"), ("platform", "ios")):
            self.validity.append(
                of_whole
                | {
                    "segment": segment,
                    "segment_level": level,
                    "status": "pass",
                    "p_value": 0.3,
                    "sentence": "Alike.",
                }
            )
        reasons = {"continue": "collecting", "extend": "underpowered", "harm": "guardrail_harmed"}
        for cut_off, said in ((START + dt.timedelta(days=13), "continue"), (CUT_OFF, decision)):
            kind, reason = "stop" if said in {"win", "loss", "harm"} else said, reasons.get(said, "")
            if said in {"win", "loss"}:
                reason = "primary_improved" if said == "win" else "primary_harmed"
            words = {
                "win": "Ship it: the primary metric rose, and no guardrail is harmed.",
                "loss": "Roll back: the primary metric fell.",
                "continue": "Keep running: day 14 of 28, and nothing may be concluded yet.",
            }
            self.decisions.append(
                {
                    "experiment_id": view.id,
                    "cut_off": cut_off,
                    "decision": kind,
                    "action": {"win": "ship", "loss": "roll_back"}.get(said, "wait"),
                    "variant_id": {"win": arms[-1], "loss": arms[0]}.get(said),
                    "reasons": [reason],
                    "sentence": words.get(said, "See the reasons."),
                }
            )
        for d in range(DAYS):
            for place, arm in enumerate(arms):
                lost = 0.9 if srm == "fail" and place == 1 else 1.0
                self.exposures.append(
                    {
                        "experiment_id": view.id,
                        "segment": "all",
                        "segment_level": "all",
                        "phase": 0,
                        "exposure_day": START + dt.timedelta(days=d),
                        "variant_id": arm,
                        "crossovers": 1,
                        "units": int(
                            units / DAYS * lost * (1 + 0.3 * math.sin(d)) + self.rng.integers(0, 40)
                        ),
                    }
                )
        for place, arm in enumerate(arms):
            for step, share in (
                ("landed", 1.3),
                ("assigned", 1.2),
                ("filter:bots", 0.02),
                ("outside_period", 0.001),
            ):
                self.losses.append(
                    {
                        "experiment_id": view.id,
                        "variant_id": arm,
                        "step": step,
                        "units": int(units * share) - 31 * place,
                        "events": None,
                    }
                )
            for position, (step, share) in enumerate((("visit", 1.0), ("basket", 0.4), ("checkout", 0.12))):
                self.funnels.append(
                    {
                        "experiment_id": view.id,
                        "metric": "checkout_funnel",
                        "variant_id": arm,
                        "position": position,
                        "step": step,
                        "units": int(units * share * (1 + 0.02 * place)),
                    }
                )

    def programme(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """What the programme's figures are of these rows."""
        declared = [
            Declared(
                id=view.id,
                owner=view.owner,
                area=next(iter(view.tags), ""),
                type=view.type,
                status=view.status,
                started_on=view.start.date(),
                ends_on=view.end.date() - dt.timedelta(days=1) if view.end else None,
                metric=next((use.metric for use in view.metrics if use.role == "primary"), ""),
                analysis=view.analysis,
                read_on=view.read_on,
                shipped=view.shipped,
                control=next(arm.id for arm in view.arms if arm.is_control),
                first_weights={arm.id: arm.weight for arm in view.arms},
                last_weights={arm.id: arm.weight for arm in view.arms},
            )
            for view in self.experiments
        ]
        rows = (self.rows, self.decisions, self.validity, self.exposures)
        return programme_rows(declared, *map(frame, rows), CUT_OFF)

    def inputs(self, **extra: Any) -> SiteInputs:
        figures, of_experiments = self.programme()

        accounts = [
            {
                "file_hash": f"{i:064x}",
                "path": f"events-{START + dt.timedelta(days=i)}.ndjson.gz",
                "rows_read": 41000 + 97 * i,
                "accepted": 40400 + 96 * i,
                "duplicates": 580 + i,
                "quarantined": 20,
                "conflicts": 0,
                "arrived_at": dt.datetime(2026, 1, 6, 2, 10) + dt.timedelta(days=i),
            }
            for i in range(DAYS)
        ]
        known: dict[str, Any] = {
            "cut_off": CUT_OFF,
            "experiments": self.experiments,
            "metrics": self.metrics
            | {"checkout_funnel": MetricView("checkout_funnel", "Checkout funnel", kind="funnel")},
            "flags": FLAGS,
            "segments": SEGMENTS,
            "failed": self.failed,
            "comparisons": frame(self.rows),
            "validity": frame(self.validity),
            "decisions": frame(self.decisions),
            "daily_exposures": frame(self.exposures),
            "losses": frame(self.losses),
            "funnels": frame(self.funnels),
            "file_accounts": frame(accounts),
            "quarantine": frame(
                [
                    {"reason": "not_json", "rows": 311},
                    {"reason": "no_unit_id", "rows": 204},
                    {"reason": "wrong_type", "rows": 45},
                ]
            ),
            "programme": figures,
            "programme_experiments": of_experiments,
            "days": frame(
                [
                    {"event_day": START + dt.timedelta(days=i), "rows": 40000 + 700 * (i % 7)}
                    for i in range(DAYS)
                    if i != 17
                ]
            ),
            "provenance": Provenance("c7aa49b1d2e3", "c" * 64, 28, "2026-02-01.1"),
            "links": {"dbt": "dbt/index.html"},
        }
        return SiteInputs(**(known | extra))


def many_metrics(count: int) -> tuple[list[ExperimentMetric], dict[str, MetricView]]:
    names = [f"metric_{i:02d}" for i in range(count)]
    entries = [ExperimentMetric(name, "primary" if i == 0 else "secondary") for i, name in enumerate(names)]
    return entries, {name: MetricView(name, f"Metric {i}", kind="proportion") for i, name in enumerate(names)}


def demo() -> World:
    """One experiment of each kind that a page must cope with."""
    world = World()
    win = {
        "checkout_conversion": 0.07,
        "revenue_per_user": 0.05,
        "error_rate": -0.02,
        "session_seconds": 0.01,
    }
    world.add(
        experiment("checkout_cta", name="Checkout button colour", status="completed", shipped="red"),
        win,
        decision="win",
    )
    world.add(experiment("price_page"), {"checkout_conversion": -0.06}, decision="loss")
    world.add(experiment("search_rank"), {"checkout_conversion": 0.01})
    world.add(experiment("srm_world", name="New onboarding"), win, srm="fail")
    world.add(experiment("warned"), win, srm="warn", decision="extend")
    world.add(experiment("plain_fixed", plan=PlanView("fixed")), win, history=False, decision="win")
    fourteen = ("control", *(f"arm_{i:02d}" for i in range(1, 14)))
    world.add(experiment("fourteen_arms", fourteen), win, units=9000)
    entries, views = many_metrics(60)
    world.metrics |= views
    world.add(
        experiment("sixty_metrics", metrics=entries), {"metric_00": 0.05}, history=False, segments=False
    )
    world.add(experiment("long_name", name=LONG), win)
    world.add(factorial(), {"checkout_conversion": 0.09})
    world.add(experiment("put_away", name="Kept for the record", status="archived"), win)
    hostile = experiment("hostile", name=HOSTILE, owner=HOSTILE, hypothesis=HOSTILE, source=HOSTILE)
    hostile.arms[1].config["title"] = HOSTILE  # type: ignore[index]
    world.add(hostile, win)
    world.experiments.append(experiment("no_data", name="Not yet seen by anybody", status="draft"))
    early = experiment("too_early", name="Started yesterday")
    world.experiments.append(early)
    world.rows += [
        _row(
            "too_early",
            "checkout_conversion",
            "primary",
            arm,
            CUT_OFF,
            120,
            0.1,
            comparison=None if arm == "control" else "control",
            n_open=120,
            status="insufficient_sample",
            reason="no_closed_window",
        )
        for arm in ("control", "red")
    ]
    world.failed.append(
        FailedDefinition(
            "broken_weights.yaml",
            [
                Problem(
                    "weights do not sum to 1",
                    "catalog/experiments/broken_weights.yaml:12: variants",
                    "0.9",
                    "the sum must be 1",
                    "raise the weight of 'red' to 0.5",
                )
            ],
        )
    )
    return world
