"""How often each plan is wrong: every method, split, outcome, number of looks and arms, weights constant and changed.

`python -m benchmarks.error_rates` draws sufficient statistics, has them judged as a run judges them, and writes
docs/error-rates.md. Experiments are rows: one call judges every run of a cell. Batches of cells that are done are kept
in build/error-rates, where an interrupted study goes on; delete them after a change of what is judged.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from benchmarks.simulated_sums import CHANGE, DAYS, OUTCOMES, World, drawn_sums, drawn_units
from scipy import stats

from fairsplit.analysis.catalogue import MetricDefinition, load_catalogue
from fairsplit.analysis.judgement import Facts, judge_cut_offs
from fairsplit.analysis.judgement.pairing import SUMS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from fairsplit.analysis.catalogue import Catalogue

METHODS = ("fixed", "group_sequential", "always_valid", "sprt", "bayesian")
SPLITS, ARMS = (1, 9, 99), (2, 4)
ALPHA, MARGIN = 0.05, 0.1
START = date(2026, 1, 5)
_ROOT = Path(__file__).parents[1]
PAGE, DONE = _ROOT / "docs" / "error-rates.md", _ROOT / "build" / "error-rates"
#: Experiments judged in one call, by the number of looks.
BATCH = {1: 100, DAYS: 10}
#: No effect anywhere; a guardrail at its margin beside a clear improvement; the planned effect; with their metrics.
QUESTIONS = {"null": ("outcome", "guard"), "margin": ("signal", "bounded"), "planned": ("planned",)}
_PLACE = {"segment": "all", "segment_level": "all", "analysis": "default"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One line of the table: rates over the runs, and for harm over runs and arms.

    Attributes:
        world: What the experiments have in common.
        method: Of the plan.
        looks: How often it was judged.
        rates: Name to events and trials.
    """

    world: World
    method: str
    looks: int
    rates: dict[str, tuple[int, int]]


#: Rates with the level that they must keep: ship, harm and clear are errors in one direction.
BOUNDS = {"false ship": ALPHA / 2, "false harm": ALPHA / 2, "false clearance": ALPHA / 2}
_NAMES = (*BOUNDS, "power", "refused")


def measure(world: World, runs: int, looks: int, seed: Sequence[int]) -> list[Cell]:
    """Every method on the same draws of one world, arguments as of `judged`."""
    found = judged(world, runs, looks, seed)
    return [Cell(world, method, looks, _rates(*found, method, runs)) for method in METHODS]


def judged(world: World, runs: int, looks: int, seed: Sequence[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Comparisons and decisions of experiments ``question-method-run`` of one world, all methods on the same draws.

    Args:
        world: What they have in common.
        runs: Experiments per question and method.
        looks: 1 or `DAYS`.
        seed: Of all draws.
    """
    rng = np.random.default_rng(seed)
    units, effect = drawn_units(world, runs, rng), world.planned_effect()
    clear = World("rate 30 %", world.split, world.arms, changed=world.changed)
    kinds = {
        "outcome": drawn_sums(world, units, 0.0, rng),
        "guard": drawn_sums(world, units, 0.0, rng),
        "bounded": drawn_sums(world, units, -MARGIN, rng),
        "planned": drawn_sums(world, units, effect, rng, arms=1),
        "signal": drawn_sums(clear, units, 0.6, rng, arms=1),
    }
    metrics = {name: _metric(name, clear if name == "signal" else world) for name in kinds}
    with tempfile.TemporaryDirectory() as folder:
        catalogue = _copies(_templates(Path(folder), world, effect, metrics), runs)
    added = _added(world, units, kinds, metrics)
    return _judge(added, catalogue, metrics, looks)


def _kept(seed: Sequence[int]) -> Path:
    return DONE / f"{'-'.join(str(part) for part in seed)}.json"


def measured(world: World, looks: int, seed: Sequence[int]) -> list[Cell]:
    """The cells of one batch, from the file that an earlier study left or measured now."""
    kept = _kept(seed)
    if kept.exists():
        found = json.loads(kept.read_text())
    else:
        cells = measure(world, BATCH[looks], looks, seed)
        found = {cell.method: cell.rates for cell in cells}
        DONE.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_suffix(".part")
        unfinished.write_text(json.dumps(found))
        unfinished.rename(kept)
    return [
        Cell(world, method, looks, {name: (events, trials) for name, (events, trials) in rates.items()})
        for method, rates in found.items()
    ]


def _judge(
    added: pl.DataFrame, catalogue: Catalogue, metrics: dict[str, MetricDefinition], looks: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    days = [START + timedelta(days=day) for day in range(DAYS)]
    totals = added.sort("experiment_id", "metric", "variant_id", "day").with_columns(
        pl.col("n", *SUMS).cum_sum().over("experiment_id", "metric", "variant_id")
    )
    statistics = totals.rename({"day": "cut_off"}).drop("phase")
    if looks == 1:
        days = days[-1:]
        statistics = statistics.filter(pl.col("cut_off") == days[0])
    first = added.filter(pl.col("metric") == pl.col("metric").first().over("experiment_id"))
    daily = first.select(
        "experiment_id",
        "segment",
        "segment_level",
        pl.col("day").alias("exposure_day"),
        "phase",
        "variant_id",
        pl.col("n").alias("units"),
        pl.lit(0).alias("crossovers"),
    )
    facts = Facts(sufficient_statistics=statistics, daily_exposures=daily, phase_sums=added)
    found = judge_cut_offs(facts, catalogue, metrics, days)
    return found.comparisons, found.decisions


def _rates(
    comparisons: pl.DataFrame, decisions: pl.DataFrame, method: str, runs: int
) -> dict[str, tuple[int, int]]:
    mine = pl.col("experiment_id").str.contains(f"-{method}-", literal=True)
    said = decisions.filter(mine).with_columns(question=pl.col("experiment_id").str.extract(r"^(\w+)-"))
    shipped = dict(
        said.filter(pl.col("action") == "ship")
        .group_by("question")
        .agg(pl.col("experiment_id").n_unique())
        .iter_rows()
    )
    guards = comparisons.filter(
        mine
        & (pl.col("metric") == "guard")
        & pl.col("comparison").is_not_null()
        & (pl.col("segment") == "all")
    )
    pairs = guards.group_by("experiment_id", "variant_id").agg(
        harmed=(
            pl.col("seq_crossed").fill_null(value=False)
            & (pl.col("lift_abs") < 0)
            & pl.col("requirements_met").fill_null(value=True)
        ).any()
    )
    planned = comparisons.filter(
        mine
        & (pl.col("metric") == "planned")
        & (pl.col("variant_id") == "arm1")
        & (pl.col("cut_off") == pl.col("cut_off").max())
    )
    return {
        "false ship": (shipped.get("null", 0), runs),
        "false harm": (int(pairs["harmed"].sum()), pairs.height),
        "false clearance": (shipped.get("margin", 0), runs),
        "power": (shipped.get("planned", 0), runs),
        "refused": ((~planned["requirements_met"]).sum(), runs),
    }


def _metric(name: str, world: World) -> MetricDefinition:
    kind = world.kind
    return MetricDefinition(
        name=name,
        label=name,
        description="",
        kind=kind,
        unit="share" if kind == "proportion" else "USD",
        direction="increase",
        window_start=timedelta(0),
        window_end=None,
        cuped=False,
        winsorize=None,
        percentile=None,
        funnel=(),
        test={"proportion": "proportion", "ratio": "ratio", "mean": "welch"}[kind],
        numerator=name,
        denominator="d" if kind == "ratio" else None,
        scale_y=1 if kind == "proportion" else 100,
        scale_d=1,
        definition_hash=name,
    )


def _templates(folder: Path, world: World, effect: float, metrics: dict[str, MetricDefinition]) -> Catalogue:
    """One experiment for each question and method, as somebody would declare it."""
    (folder / "experiments").mkdir()
    (folder / "project.yaml").write_text("first_day: 2026-01-05\n")
    names = world.names
    starts = [START, START + timedelta(days=CHANGE)] if world.changed else [START]
    phases = [
        f"{{start: {start}, weights: {{{', '.join(f'{n}: {w:.4f}' for n, w in zip(names, weights, strict=True))}}}}}"
        for start, weights in zip(starts, world.weights, strict=False)
    ]
    minimum = f"minimum_effect: {effect:.9f}"
    asked = {
        "null": f"{{primary: [{{metric: outcome, {minimum}}}], guardrails: [guard]}}",
        "margin": "{primary: [{metric: signal, minimum_effect: 0.5}],"
        f" guardrails: [{{metric: bounded, non_inferiority_margin: {MARGIN}}}]}}",
        "planned": f"{{primary: [{{metric: planned, {minimum}}}]}}",
    }
    for (question, uses), method in itertools.product(asked.items(), METHODS):
        name = f"{question}-{method.replace('_', '-')}"
        (folder / "experiments" / f"{name}.yaml").write_text(
            f"id: {name}\nname: x\nowner: x@example.com\ntype: {'ab' if world.arms == 2 else 'abn'}\n"
            f"status: running\nstart: {START}\nend: {START + timedelta(days=DAYS)}\nphases: [{', '.join(phases)}]\n"
            f"variants: [{{id: control, control: true}}{''.join(f', {{id: {n}}}' for n in names[1:])}]\n"
            f"metrics: {uses}\nplan: {{method: {method}, min_sample: 1, alpha: {ALPHA}}}\n"
            "stopping: {whole_weeks: false, futility: false}\n"
        )
    loaded = load_catalogue(folder, metrics)
    if loaded.problems:
        raise ValueError(loaded.problems)
    return loaded


def _copies(templates: Catalogue, runs: int) -> Catalogue:
    copies = {
        name: templates.experiments[f"{question}-{method.replace('_', '-')}"].model_copy(update={"id": name})
        for question, method, run in itertools.product(QUESTIONS, METHODS, range(runs))
        for name in [f"{question}-{method}-{run}"]
    }
    return replace(templates, experiments=copies)


def _added(
    world: World,
    units: NDArray[np.int64],
    kinds: dict[str, dict[str, NDArray[np.int64]]],
    metrics: dict[str, MetricDefinition],
) -> pl.DataFrame:
    """What each day added, for the experiments of every question and method and their metrics."""
    run, day, arm = (axis.ravel() for axis in np.indices(units.shape))
    frames = []
    for question, uses in QUESTIONS.items():
        for metric in uses:
            sums = {f"sum_{name}": values.ravel() for name, values in kinds[metric].items()}
            frame = pl.DataFrame(
                {
                    "run": run,
                    "variant_id": np.array(world.names)[arm],
                    "phase": np.where(world.changed & (day >= CHANGE), 1, 0).astype(np.int32),
                    "day": np.datetime64(START) + day,
                    "n": units.ravel(),
                    **sums,
                }
            )
            frames.append(
                frame.with_columns(
                    *(pl.lit(None, pl.Int64).alias(name) for name in SUMS if name not in sums),
                    question=pl.lit(question),
                    metric=pl.lit(metric),
                    scale_y=pl.lit(metrics[metric].scale_y),
                    scale_d=pl.lit(1 if "sum_d" in sums else None, pl.Int64),
                )
            )
    columns = frames[0].columns
    return (
        pl.concat([frame.select(columns) for frame in frames])
        .join(pl.DataFrame({"method": METHODS}), how="cross")
        .with_columns(
            pl.format("{}-{}-{}", "question", "method", "run").alias("experiment_id"),
            *(pl.lit(value).alias(name) for name, value in _PLACE.items()),
            n_open=pl.lit(0),
            covariate_status=pl.lit("not_declared"),
            cap_low=pl.lit(None, pl.Int64),
            cap_high=pl.lit(None, pl.Int64),
        )
        .drop("question", "method", "run")
    )


_HEAD = """# Error rates

`make error-rates` writes this page: {cells:,} of {all:,} cells (seed {seed}), through the judgement that a run uses. An
experiment has 2,000 new units a day for 28 days; it is judged once, on the last day, or on every day. **Runs** are the
experiments of each question. A rate is followed by its 95 % Monte-Carlo interval (Clopper and Pearson); one cell alone
shows only gross errors, the sums over cells show the level.

- **false ship**: no arm has an effect and one is shipped, on any look; at most {error:.1%}.
- **false harm**: a guardrail without effect is called harmed, per arm, on any look; at most {error:.1%}.
- **false clearance**: an arm that is clearly better is shipped although a guardrail is truly at its margin of
  {margin:.0%}; at most {error:.1%}.
- **power**: an arm is shipped whose effect is the one that a fixed test of one look, at the arm's share of 5 %, finds
  with a chance of 80 %.
- **refused**: of the experiments of the power's question, those whose data do not meet what the test requires on the
  last day, so that nothing is decided. Where that is every one (**no verdict**, {refused:,} cells) the product refuses
  a verdict: too few events, or values too skewed for the split.

A Bayesian plan promises a probability, not an error rate: its false ships are what its threshold of 95 % costs under
so many looks. **Bold** is above its level by more than chance (one in a thousand).
"""


def page(batches: Sequence[Cell], seed: int) -> str:
    """The table, first summed up over cells, then cell by cell."""
    cells = _summed(batches, lambda cell: (*cell.world.words, cell.method, f"{cell.looks}"))
    lines = [
        _HEAD.format(
            cells=len(cells),
            all=len(worlds()) * len(METHODS) * len(BATCH),
            seed=seed,
            error=ALPHA / 2,
            margin=MARGIN,
            refused=sum(_refuses(*rates["refused"]) for rates in cells.values()),
        ),
        "## Over all cells",
        "",
        *_table(_summed(batches, lambda cell: (cell.method, f"{cell.looks}")), ("method", "looks")),
        "",
        "## By outcome",
        "",
        *_table(
            _summed(batches, lambda cell: (cell.world.outcome, cell.method, f"{cell.looks}")),
            ("outcome", "method", "looks"),
        ),
        "",
        "## Every cell",
        "",
        *_table(cells, ("outcome", "split", "arms", "weights", "method", "looks")),
    ]
    return "\n".join(lines) + "\n"


def _summed(
    cells: Sequence[Cell], key: Callable[[Cell], tuple[str, ...]]
) -> dict[tuple[str, ...], dict[str, tuple[int, int]]]:
    found: dict[tuple[str, ...], dict[str, tuple[int, int]]] = {}
    for cell in cells:
        so_far = found.setdefault(key(cell), dict.fromkeys(_NAMES, (0, 0)))
        for name, (events, trials) in cell.rates.items():
            so_far[name] = (so_far[name][0] + events, so_far[name][1] + trials)
    return found


def _table(rows: dict[tuple[str, ...], dict[str, tuple[int, int]]], heads: tuple[str, ...]) -> list[str]:
    columns = (*heads, "runs", *_NAMES)
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for key, rates in rows.items():
        runs = rates["power"][1]
        shown = (*key, f"{runs:,}", *(_rate(name, *rates[name]) for name in _NAMES))
        lines.append(f"| {' | '.join(shown)} |")
    return lines


def _rate(name: str, events: int, trials: int) -> str:
    interval = stats.binomtest(events, trials).proportion_ci(method="exact")
    text = f"{events / trials:.1%} ({interval.low:.1%}–{interval.high:.1%})"
    if name == "refused" and _refuses(events, trials):
        return f"{text}: no verdict"
    return f"**{text}**" if is_above(name, events, trials) else text


def _refuses(events: int, trials: int) -> bool:
    return events == trials


def is_above(name: str, events: int, trials: int) -> bool:
    """Whether a rate is above its level by more than chance (one in a thousand)."""
    return name in BOUNDS and bool(events > stats.binom.isf(1e-3, trials, BOUNDS[name]))


def worlds() -> list[World]:
    """Every world of the table."""
    grid = itertools.product(OUTCOMES, SPLITS, ARMS, (False, True))
    return [World(outcome, split, arms, changed=changed) for outcome, split, arms, changed in grid]


def main() -> None:
    """Measure every world, all of them a little before any of them more, and write the page after each round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="experiments that are judged once")
    parser.add_argument("--daily", type=int, default=40, help="experiments that are judged on every day")
    parser.add_argument("--seed", type=int, default=20261129)
    parser.add_argument(
        "--kept", action="store_true", help="only write the page of the batches that are done"
    )
    given = parser.parse_args()
    # Batch by batch, so that an interruption leaves as many runs of the one as of the other.
    rounds = sorted(
        (batch, looks)
        for looks, runs in ((1, given.runs), (DAYS, given.daily))
        for batch in range(-(-runs // BATCH[looks]))
    )
    grid = worlds()
    # What costs least comes first, so that an interruption leaves most cells: two arms, and many events.
    order = sorted(
        enumerate(grid), key=lambda item: (item[1].arms, OUTCOMES[item[1].outcome] <= 0.01, item[1].changed)
    )
    done: list[Cell] = []
    for batch, looks in rounds:
        for number, world in order:
            seed = (given.seed, number, looks, batch)
            if given.kept and not _kept(seed).exists():
                continue
            done += measured(world, looks, seed)
            if not given.kept:
                print(", ".join(world.words), looks, batch, f"{time.process_time():.0f} s", flush=True)
        PAGE.write_text(page(sorted(done, key=lambda cell: (grid.index(cell.world), cell.looks)), given.seed))


if __name__ == "__main__":
    main()
