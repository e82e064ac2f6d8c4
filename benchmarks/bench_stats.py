"""Speed and memory of the statistics engine: 200,000 comparisons, one experiment, and the peers beside it.

`python -m benchmarks.bench_stats [--no-peers] [--output PATH]`
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

EXPERIMENTS, METRICS, SEGMENTS, LOOKS = 1000, 20, 10, 5
LIMIT_SECONDS, LIMIT_BYTES = 2.0, 1_000_000_000
#: Peers loop in Python, so their cost per comparison is measured on a sample.
PEER_COMPARISONS = 1000
FACTORS = {"gbstats": 150.0, "tea-tasting": 1000.0}
PEERS = {"gbstats": "gbstats==0.8.0", "tea-tasting": "tea-tasting>=1.14"}
PEER_SCRIPT = Path(__file__).with_name("peer_stats.py")


def one_core() -> None:
    """The promise is per core, so linear algebra and Polars must not spread over several; before NumPy loads."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
        os.environ[variable] = "1"


def random_sums(seed: int, comparisons: int) -> dict[str, Any]:
    """Two arms' n, sums and sums of products of outcome y and covariate x, every comparison different."""
    import numpy as np  # noqa: PLC0415 - after the thread limits

    rng = np.random.default_rng(seed)
    arms: dict[str, Any] = {}
    mean = rng.gamma(2.0, 5.0, comparisons) + 0.5
    spread = mean * rng.uniform(0.5, 2.0, comparisons)
    correlation = rng.uniform(0.1, 0.9, comparisons)
    for arm, lift in (("c", 0.0), ("t", rng.normal(0.02, 0.03, comparisons))):
        n = rng.integers(2_000, 60_000, comparisons).astype(np.float64)
        my = mean * (1.0 + lift) + spread * rng.normal(size=comparisons) / np.sqrt(n)
        mx = mean * 0.8 + spread * rng.normal(size=comparisons) / np.sqrt(n)
        vy, vx = spread**2, (0.9 * spread) ** 2
        cross = correlation * np.sqrt(vy * vx)
        arms[arm] = {
            "n": n,
            "y": n * my,
            "x": n * mx,
            "yy": (n - 1) * vy + n * my**2,
            "yx": (n - 1) * cross + n * my * mx,
            "xx": (n - 1) * vx + n * mx**2,
        }
    return arms


def as_frame(arm: dict[str, Any]) -> Any:
    """The arm as the warehouse holds it: exact sums of millionths in 128-bit integers."""
    import polars as pl  # noqa: PLC0415

    power = {"y": 1e6, "x": 1e6, "yy": 1e12, "yx": 1e12, "xx": 1e12}
    columns = {
        f"sum_{key}": pl.Series(arm[key] * scale).round(0).cast(pl.Int128) for key, scale in power.items()
    }
    return pl.DataFrame({"n": arm["n"].astype("int64")} | columns).with_columns(scale=pl.lit(10**6))


def moments(arm: dict[str, Any]) -> Any:
    from fairsplit.analysis.statistics.moments import JointMoments  # noqa: PLC0415

    products = {(0, 0): arm["yy"], (0, 1): arm["yx"], (1, 1): arm["xx"]}
    return JointMoments.from_sums(arm["n"], [arm["y"], arm["x"]], products)


def outcome(arm: dict[str, Any]) -> Any:
    from fairsplit.analysis.statistics.moments import Moments  # noqa: PLC0415

    return Moments.from_sums(arm["n"], arm["y"], arm["yy"])


def everything(frames: dict[str, Any], experiments: int, information: Any, counts: Any) -> dict[str, Any]:
    """What a day's judgement needs: exact moments, CUPED, lift intervals, sequential bounds, corrections, SRM."""
    import numpy as np  # noqa: PLC0415

    from fairsplit.analysis.statistics.confidence_sequences import confidence_sequence  # noqa: PLC0415
    from fairsplit.analysis.statistics.covariates import cuped  # noqa: PLC0415
    from fairsplit.analysis.statistics.group_sequential import lan_demets_bounds  # noqa: PLC0415
    from fairsplit.analysis.statistics.moments import JointMoments  # noqa: PLC0415
    from fairsplit.analysis.statistics.multiplicity import adjust_p_values  # noqa: PLC0415
    from fairsplit.analysis.statistics.srm import srm_chi_square  # noqa: PLC0415

    scales = {"y": "scale", "x": "scale"}
    control, treatment = (JointMoments.from_frame(frames[arm], "yx", scales=scales) for arm in "ct")
    adjusted = cuped(control, treatment).comparison
    per_experiment = adjusted.diff.size // experiments
    family = np.repeat(np.arange(experiments), per_experiment)
    bounds = lan_demets_bounds(information)
    total = control.n + treatment.n
    return {
        "comparison": adjusted,
        "sequence": confidence_sequence(adjusted.diff, adjusted.se, total, 50_000.0),
        "bounds": bounds,
        "crossed": np.abs(adjusted.statistic) > np.repeat(bounds.upper[:, -1], per_experiment),
        "adjusted": adjust_p_values(adjusted.p_value, family, method="holm"),
        "srm": srm_chi_square(counts, [1, 1]),
    }


def best_of(repeats: int, work: Callable[[], Any]) -> float:
    """The shortest of some runs, in seconds of one core: other work on the machine only ever adds."""
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return min(times)


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def engine(seed: int = 20260105) -> dict[str, float]:
    import numpy as np  # noqa: PLC0415

    from fairsplit.analysis.statistics.covariates import cuped  # noqa: PLC0415
    from fairsplit.analysis.statistics.means import welch  # noqa: PLC0415

    rng = np.random.default_rng(seed)
    comparisons = EXPERIMENTS * METRICS * SEGMENTS
    arms = random_sums(seed, comparisons)
    information = np.cumsum(rng.uniform(0.1, 1.0, (EXPERIMENTS, LOOKS)), axis=1)
    information = information / information[:, -1:] * rng.uniform(0.6, 1.0, (EXPERIMENTS, 1))
    counts = rng.poisson(20_000, (EXPERIMENTS * SEGMENTS, 2))
    frames, single, complex_one = (
        {arm: as_frame(columns) for arm, columns in sums.items()}
        for sums in (arms, random_sums(seed + 1, METRICS * SEGMENTS), random_sums(seed + 2, 13 * 60 * 30))
    )
    everything(single, 1, information[:1], counts[:SEGMENTS])  # imports and first-call set-up
    results = {
        "all_seconds": best_of(3, lambda: everything(frames, EXPERIMENTS, information, counts)),
        "plain_us": best_of(5, lambda: welch(outcome(arms["c"]), outcome(arms["t"]))) / comparisons * 1e6,
        "cuped_us": best_of(5, lambda: cuped(moments(arms["c"]), moments(arms["t"]))) / comparisons * 1e6,
        "single_ms": best_of(9, lambda: everything(single, 1, information[:1], counts[:SEGMENTS])) * 1e3,
        "complex_ms": best_of(3, lambda: everything(complex_one, 1, information[:1], counts[:30])) * 1e3,
    }
    return results | {"peak_bytes": float(peak_bytes())}


def peer(name: str, folder: Path) -> dict[str, float] | str:
    """Cost per comparison of a peer in an environment of its own, or why it could not be measured."""
    home = folder / name
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    installed = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", PEERS[name]], capture_output=True, text=True, check=False
    )
    if installed.returncode:
        return f"not installable: {(installed.stderr.strip().splitlines() or ['no message'])[-1]}"
    sums = {
        arm: {key: value.tolist() for key, value in columns.items()} for arm, columns in peer_sums().items()
    }
    data = folder / "sums.json"
    data.write_text(json.dumps(sums), encoding="utf-8")
    run = subprocess.run([python, PEER_SCRIPT, name, data], capture_output=True, text=True, check=False)
    if run.returncode:
        return f"failed: {(run.stderr.strip().splitlines() or ['no message'])[-1]}"
    out: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return out


def peer_sums() -> dict[str, Any]:
    return random_sums(7, PEER_COMPARISONS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-peers", action="store_true", help="leave gbstats and tea-tasting out")
    parser.add_argument("--output", type=Path, help="write the measurements as JSON")
    options = parser.parse_args()
    one_core()
    ours = engine()
    report: dict[str, Any] = {"fairsplit": ours}
    failures = [
        text
        for wrong, text in (
            (ours["all_seconds"] > LIMIT_SECONDS, "200,000 comparisons take more than 2 s"),
            (ours["peak_bytes"] > LIMIT_BYTES, "more than 1 GB"),
            (ours["single_ms"] > 5.0, "one experiment takes more than 5 ms"),
            (ours["complex_ms"] > 500.0, "a complex experiment takes more than 500 ms"),
        )
        if wrong
    ]
    print(
        f"200,000 comparisons, everything: {ours['all_seconds']:.2f} s, peak {ours['peak_bytes'] / 1e6:.0f} MB"
    )
    print(f"per comparison: plain {ours['plain_us']:.3f} us, with CUPED {ours['cuped_us']:.3f} us")
    print(
        f"one experiment {ours['single_ms']:.1f} ms; 14 arms x 60 metrics x 30 segments {ours['complex_ms']:.0f} ms"
    )
    if not options.no_peers:
        with tempfile.TemporaryDirectory() as folder:
            for name in PEERS:
                measured = peer(name, Path(folder))
                report[name] = measured
                if isinstance(measured, str):
                    print(f"{name}: skipped, {measured}")
                    continue
                for kind in ("plain_us", "cuped_us"):
                    factor = measured[kind] / ours[kind]
                    print(f"{name} {kind}: {measured[kind]:.1f} us, {factor:.0f} times ours")
                    if factor < FACTORS[name]:
                        failures.append(f"under {FACTORS[name]:.0f} times faster than {name} ({kind})")
    if options.output:
        options.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
