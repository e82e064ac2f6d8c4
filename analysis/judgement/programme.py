"""How the programme of experiments does: how soon it decides, what it wins, and what it gives to arms that lose.

Every figure is computed here once, as rows; the page, the API, the index and the digest read them. docs/scorecards.md
defines each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from scipy import stats

from fairsplit.analysis.judgement.direction import gain_of, sign_of
from fairsplit.analysis.judgement.rules import ENDED
from fairsplit.analysis.statistics.portfolio import shrink_effects
from fairsplit.analysis.statistics.status import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

Row = dict[str, Any]

#: What a decision comes to, by the action that it proposes; any other action leaves the question open.
OUTCOMES: Final = {"ship": "won", "roll_back": "lost", "keep_control": "flat"}
_LOSING: Final = {"worse", "harmed"}
_SAVED: Final = ("saved_by_stopping", "saved_by_weights")
_SOON_DAYS: Final = 2
_LEVEL: Final = 0.95

#: `results.programme_experiments`: one row per experiment, as of `cut_off`. `days` are those from the start to the
#: decision, or so far; `losing_units` were exposed to arms that do harm, `saved_*` were not. `effect` is relative and
#: in the good direction, of the arm that is remembered; `likely` is what remains of it beside its peers.
PROGRAMME_EXPERIMENTS: Mapping[str, pl.DataType] = {
    "experiment_id": pl.String(),
    "cut_off": pl.Date(),
    "owner": pl.String(),
    "area": pl.String(),
    "status": pl.String(),
    "started_on": pl.Date(),
    "ends_on": pl.Date(),
    "valid": pl.Boolean(),
    "outcome": pl.String(),
    "decided_on": pl.Date(),
    "days": pl.Int64(),
    "units": pl.Int64(),
    "losing_units": pl.Int64(),
    "saved_by_stopping": pl.Float64(),
    "saved_by_weights": pl.Float64(),
    "metric": pl.String(),
    "shipped": pl.String(),
    "effect": pl.Float64(),
    "std_error": pl.Float64(),
    "likely": pl.Float64(),
    "likely_low": pl.Float64(),
    "likely_high": pl.Float64(),
    "chance_better": pl.Float64(),
    "code_hash": pl.String(),
}
#: `results.programme`: one row per figure and scope (`all`, `owner`, `area` or `metric`, with its `level`). `value`
#: lies in the closed interval from `low` to `high` where one is known; a share is `n` of `base`.
PROGRAMME: Mapping[str, pl.DataType] = {
    "cut_off": pl.Date(),
    "figure": pl.String(),
    "scope": pl.String(),
    "level": pl.String(),
    "value": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "n": pl.Float64(),
    "base": pl.Float64(),
    "code_hash": pl.String(),
}


@dataclass(frozen=True, slots=True)
class Declared:
    """What the programme needs of a definition.

    Attributes:
        id: The experiment.
        owner: Who answers for it.
        area: Its first tag, empty without one.
        type: As declared; an A/A test decides nothing of the product.
        status: As declared.
        started_on: First day (UTC).
        ends_on: Last planned day, None where none is planned.
        metric: First primary metric, empty without one.
        analysis: The declared analysis.
        read_on: The day whose results are its verdict, None before.
        shipped: The shipped variant, empty while none is.
        control: The control.
        first_weights: Shares of the arms in the first phase.
        last_weights: Shares of the arms in the latest phase.
    """

    id: str
    owner: str
    area: str
    type: str
    status: str
    started_on: date
    ends_on: date | None
    metric: str
    analysis: str
    read_on: date | None
    shipped: str
    control: str
    first_weights: Mapping[str, float]
    last_weights: Mapping[str, float]


@dataclass(slots=True)
class _Known:
    """The rows of one experiment."""

    comparisons: list[Row] = field(default_factory=list)
    decisions: list[Row] = field(default_factory=list)
    exposures: list[Row] = field(default_factory=list)
    closed: bool = False


def programme_rows(
    experiments: Sequence[Declared],
    comparisons: pl.DataFrame,
    decisions: pl.DataFrame,
    validity: pl.DataFrame,
    exposures: pl.DataFrame,
    cut_off: date,
    code_hash: str = "",
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The programme's figures and the experiments that they are made of.

    Args:
        experiments: Every definition.
        comparisons: `results.comparisons`.
        decisions: `results.decisions` of every cut-off.
        validity: `results.validity`.
        exposures: `fct_daily_exposures`.
        cut_off: Last day that counts.
        code_hash: Of the code that computes the rows.

    Returns:
        Rows of `PROGRAMME` and of `PROGRAMME_EXPERIMENTS`, sorted by key.
    """
    known = {one.id: _Known() for one in experiments}
    read_on = {one.id: min(one.read_on or cut_off, cut_off) for one in experiments}
    for name, frame in (
        ("comparisons", _newest(comparisons, "cut_off", read_on)),
        ("decisions", _until(decisions, "cut_off", dict.fromkeys(known, cut_off))),
        ("exposures", _until(exposures, "exposure_day", dict.fromkeys(known, cut_off))),
    ):
        for row in frame.iter_rows(named=True):
            if row.get("segment", "all") == "all":
                getattr(known[row["experiment_id"]], name).append(row)
    checks = _newest(validity, "cut_off", dict.fromkeys(known, cut_off))
    for row in checks.iter_rows(named=True):
        known[row["experiment_id"]].closed |= row["status"] == "fail"
    lines = [_line(one, known[one.id], cut_off) for one in sorted(experiments, key=lambda one: one.id)]
    spread = _shrink(lines)
    treated = [line for line in lines if line["type"] != "aa"]
    figures = [*_figures(treated, cut_off), *spread, *_worth(treated)]
    stamp = {"cut_off": cut_off, "code_hash": code_hash}
    return (
        pl.DataFrame([stamp | row for row in figures], schema=dict(PROGRAMME)).sort(
            "figure", "scope", "level"
        ),
        pl.DataFrame([stamp | row for row in lines], schema=dict(PROGRAMME_EXPERIMENTS)),
    )


def _until(frame: pl.DataFrame, day: str, last: Mapping[str, date]) -> pl.DataFrame:
    """The rows of known experiments up to the last day of each, in their order."""
    if frame.is_empty():
        return frame
    ends = pl.DataFrame({"experiment_id": list(last), "_last": list(last.values())})
    rows = frame.join(ends, on="experiment_id", how="inner", maintain_order="left")
    return rows.filter(pl.col(day) <= pl.col("_last")).drop("_last")


def _newest(frame: pl.DataFrame, day: str, last: Mapping[str, date]) -> pl.DataFrame:
    """Of each experiment the rows of its newest day up to its last: history is long, and little of it is read."""
    rows = _until(frame, day, last)
    return rows if rows.is_empty() else rows.filter(pl.col(day) == pl.col(day).max().over("experiment_id"))


def _line(one: Declared, known: _Known, cut_off: date) -> Row:
    """One experiment; `type` and `gains`, whether another variant than the control shipped, stand in no table."""
    decided_on, decision = _settled(known.decisions)
    arms: dict[str, list[Row]] = {}
    for row in known.exposures:
        arms.setdefault(row["variant_id"], []).append(row)
    current = [row for row in known.comparisons if row.get("analysis", "default") == one.analysis]
    losing = set() if known.closed else _losing(one, current)
    lost = sum(row["units"] for arm in losing for row in arms.get(arm, ()))
    outcome = OUTCOMES[decision["action"]] if decision and not known.closed else ""
    over = min(decided_on or cut_off, cut_off)
    effect, error = (None, None) if known.closed or one.type == "aa" else _effect(one, current, decision)
    return {
        "experiment_id": one.id,
        "owner": one.owner,
        "area": one.area,
        "type": one.type,
        "status": one.status,
        "started_on": one.started_on,
        "ends_on": one.ends_on,
        "valid": not known.closed,
        "outcome": outcome or None,
        "decided_on": decided_on if outcome else None,
        "days": max((over - one.started_on).days + 1, 0) if known.exposures else None,
        "units": sum(row["units"] for rows in arms.values() for row in rows),
        "losing_units": lost,
        "saved_by_stopping": sum(_not_exposed(one, arm, arms, cut_off) for arm in sorted(losing)),
        "saved_by_weights": _kept_away(one, losing, arms) if one.type == "bandit" else 0.0,
        "metric": one.metric,
        "shipped": one.shipped or None,
        "gains": one.shipped not in {"", one.control},
        "effect": effect,
        "std_error": error,
    }


def _settled(decisions: Sequence[Row]) -> tuple[date | None, Row | None]:
    """When the last unbroken run of settling decisions began, and the newest of them."""
    since = None
    rows = sorted(decisions, key=lambda row: row["cut_off"])
    for row in rows:
        if row["action"] not in OUTCOMES:
            since = None
        elif since is None:
            since = row["cut_off"]
    return (since, rows[-1]) if since is not None else (None, None)


def _losing(one: Declared, current: Sequence[Row]) -> set[str]:
    """Arms that are worse in a primary metric or harm a guardrail."""
    return {
        row["variant_id"]
        for row in current
        if row.get("comparison") is not None
        and row.get("finding") in _LOSING
        and row["role"] in {"primary", "guardrail"}
        and one.type != "aa"
    }


def _not_exposed(one: Declared, arm: str, arms: Mapping[str, Sequence[Row]], cut_off: date) -> float:
    """Units that a losing arm would have had from its last day to the planned end, at its intake so far."""
    days = [row["exposure_day"] for row in arms.get(arm, ())]
    stopped = one.status in ENDED or not one.last_weights.get(arm)
    if not days or one.ends_on is None or not stopped:
        return 0.0
    left = (min(one.ends_on, cut_off) - max(days)).days
    a_day = sum(row["units"] for row in arms[arm]) / ((max(days) - min(days)).days + 1)
    return float(max(left, 0) * a_day)


def _kept_away(one: Declared, losing: set[str], arms: Mapping[str, Sequence[Row]]) -> float:
    """Units that losing arms would have had by the first weights, less those that they had."""
    everybody = sum(row["units"] for rows in arms.values() for row in rows)
    return float(
        sum(
            everybody * one.first_weights.get(arm, 0.0) - sum(row["units"] for row in arms.get(arm, ()))
            for arm in sorted(losing)
        )
    )


def _effect(one: Declared, current: Sequence[Row], decision: Row | None) -> tuple[float | None, float | None]:
    """Relative effect and standard error of the arm that is remembered: shipped, decided on, or leading."""
    rows = [
        row
        for row in current
        if row["metric"] == one.metric and row["role"] == "primary" and row.get("comparison") is not None
    ]
    by_arm = {row["variant_id"]: row for row in rows}
    named = [by_arm.get(one.shipped), by_arm.get(decision["variant_id"] or "") if decision else None]
    row = next((row for row in named if row), None) or max(rows, key=_lead, default=None)
    if row is None or row["status"] != "ok" or row.get("shown_as", "relative") == "absolute":
        return None, None
    error = standard_error(row)
    return (None, None) if error is None else (sign_of(row.get("direction")) * row["lift_rel"], error)


def _lead(row: Row) -> float:
    gain = gain_of(row)
    return -math.inf if gain is None else gain


def standard_error(row: Row) -> float | None:
    """Standard error of the relative lift as its interval implies it; None without a bounded interval."""
    low, high = row.get("lift_rel_low"), row.get("lift_rel_high")
    if low is None or high is None or not math.isfinite(high - low) or high <= low:
        return None
    reach = NormalDist().inv_cdf(0.5 + (row.get("ci_level") or _LEVEL) / 2)
    return float(high - low) / 2 / reach


def _shrink(lines: Sequence[Row]) -> list[Row]:
    """Fill in what the peers make likely of each effect; the portfolio's mean and spread as figures."""
    for line in lines:
        line.update(dict.fromkeys(("likely", "likely_low", "likely_high", "chance_better")))
    known = [line for line in lines if line["effect"] is not None]
    found = shrink_effects(
        np.array([line["effect"] for line in known]), np.array([line["std_error"] for line in known]) ** 2
    )
    if int(found.status) != Reason.OK:
        return []
    columns = (found.effect, found.ci_low, found.ci_high, found.chance_positive)
    for place, line in enumerate(known):
        likely, low, high, chance = (float(column[place]) for column in columns)
        line.update(likely=likely, likely_low=low, likely_high=high, chance_better=chance)
    return [
        _figure("effect_mean", value=float(found.mean), n=len(known)),
        _figure("effect_spread", value=math.sqrt(float(found.tau2)), n=len(known)),
    ]


def _figure(figure: str, scope: str = "all", level: str = "all", **values: float | None) -> Row:
    return {"figure": figure, "scope": scope, "level": level} | values


def _share(figure: str, n: int, base: int, scope: str = "all", level: str = "all") -> Row:
    """A share with Wilson's interval (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    if base == 0:
        return _figure(figure, scope, level, n=0, base=0)
    ends = stats.binomtest(n, base).proportion_ci(_LEVEL, method="wilson")
    return _figure(figure, scope, level, value=n / base, low=ends.low, high=ends.high, n=n, base=base)


def _figures(lines: Sequence[Row], cut_off: date) -> list[Row]:
    decided = [line for line in lines if line["outcome"]]
    seen = [line for line in lines if line["days"]]
    soon = [line for line in seen if line["outcome"] or line["days"] >= _SOON_DAYS]
    planned = [line for line in seen if line["ends_on"] and (line["outcome"] or line["ends_on"] <= cut_off)]
    in_time = [line for line in planned if line["outcome"] and line["decided_on"] <= line["ends_on"]]
    valid = [line for line in seen if line["valid"]]
    units, lost = (sum(line[name] for line in valid) for name in ("units", "losing_units"))
    quartiles = [time_to(seen, share) for share in (0.5, 0.25, 0.75)]
    rows = [
        _figure(
            "days_to_decision",
            value=quartiles[0],
            low=quartiles[1],
            high=quartiles[2],
            n=len(decided),
            base=len(seen),
        ),
        _share("decided_within_48_hours", sum(line["days"] <= _SOON_DAYS for line in decided), len(soon)),
        _share("decided_within_plan", len(in_time), len(planned)),
        _figure("losing_exposure", value=lost / units if units else None, n=lost, base=units),
        *(_figure(name, value=math.fsum(line[name] for line in valid)) for name in _SAVED),
    ]
    for scope in ("all", "owner", "area"):
        for level, part in _by(lines, scope):
            over = [line for line in part if line["outcome"]]
            won = sum(line["outcome"] == "won" for line in over)
            rows += [
                _figure("experiments", scope, level, value=len(part)),
                _figure("running", scope, level, value=sum(line["status"] == "running" for line in part)),
                _share("win_rate", won, len(over), scope, level),
            ]
    return rows


def _by(lines: Sequence[Row], scope: str) -> list[tuple[str, list[Row]]]:
    if scope == "all":
        return [("all", list(lines))]
    parts: dict[str, list[Row]] = {}
    for line in lines:
        parts.setdefault(line[scope], []).append(line)
    return sorted(parts.items())


def time_to(lines: Sequence[Row], share: float) -> float | None:
    """Days after which a share of the experiments is decided, by Kaplan and Meier (1958, doi:10.2307/2281868).

    What runs without a decision counts with its days so far: leaving it out would flatter the programme.

    Args:
        lines: With `days`, and `decided_on` where one is decided.
        share: 0 to 1.

    Returns:
        None where so large a share is not decided yet.

    >>> time_to([{"days": 3, "decided_on": 1}, {"days": 5, "decided_on": None}, {"days": 9, "decided_on": 1}], 0.5)
    9.0
    """
    open_share = 1.0
    for day in sorted({line["days"] for line in lines if line["decided_on"]}):
        at_risk = sum(line["days"] >= day for line in lines)
        ended = sum(line["days"] == day and line["decided_on"] is not None for line in lines)
        open_share *= 1 - ended / at_risk
        if open_share <= 1 - share + 1e-12:
            return float(day)
    return None


def _worth(lines: Sequence[Row]) -> list[Row]:
    """What has shipped on each metric, all together: likely effects multiply, their logarithms add."""
    parts: dict[str, list[Row]] = {}
    for line in lines:
        if line["gains"] and line["likely"] is not None:
            parts.setdefault(line["metric"], []).append(line)
    reach = NormalDist().inv_cdf(0.5 + _LEVEL / 2)
    rows = []
    for metric, part in sorted(parts.items()):
        logs = [math.log1p(max(line["likely"], -0.999)) for line in part]
        errors = [
            (line["likely_high"] - line["likely_low"]) / 2 / reach / (1 + max(line["likely"], -0.999))
            for line in part
        ]
        total, error = math.fsum(logs), math.sqrt(math.fsum(error**2 for error in errors))
        value, low, high = (math.expm1(total + side * reach * error) for side in (0, -1, 1))
        rows.append(
            _figure("cumulative_worth", "metric", metric, value=value, low=low, high=high, n=len(part))
        )
    return rows
