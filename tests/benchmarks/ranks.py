"""How fast, and in how much memory, ranks are: the product beside csranks' algorithm in plain numpy, in turn, in one process.

usage: python tests/benchmarks/ranks.py [--repeats 5] [--quick]      bench.py runs the same as its last section

Simulated counties with estimated se, 23 df. The peer simulates (1,000 draws, step-down, its defaults): every marginal set by
a simulation of its own, or all sets at once. With many units it is asked for every k-th set and its time multiplied by k.
Every job runs in a process of its own, and once more, alone, for its peak memory. Figures are medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from jobs import Job, timed  # noqa: E402
from memory import peak_mb  # noqa: E402

from coverage_study import csranks  # noqa: E402 - the folder above is on the path only now
from satisfaction import rank  # noqa: E402

COUNTIES, MANY, QUICK_MANY = 88, 2_850, 300
SLOW_AFTER, PEER_SETS = (
    500,
    50,
)  # units from which on jobs run once, and of how many the peer then makes the sets
NAMES = {
    "default": "rank: table and summary, default methods",
    "marginal": "rank with exact max-t marginal sets",
    "simultaneous": "rank with max-t simultaneous sets, 100,000 draws",
}
PEERS = {
    "default": "marginal sets",
    "marginal": "marginal sets",
    "simultaneous": "simultaneous sets, 1,000 draws",
}
BARS = {
    ("default", COUNTIES): "1 s",
    ("marginal", COUNTIES): "5 s",
    ("simultaneous", COUNTIES): "15 s, 500 MB",
}


def counties(units: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return scores, se and df as the shipped wave has them, simulated."""
    random = np.random.default_rng(units)
    se = 1.45 * np.sqrt(random.chisquare(23, units) / 23)
    return random.normal(68.5, 4.1, units) + random.normal(0, 1.45, units), se, np.full(units, 23.0)


def product(job: str, units: int) -> Job:
    """Return a call of the product."""
    score, se, df = counties(units)
    options = {
        "default": {},
        "marginal": {"marginal": "maxt"},
        "simultaneous": {"simultaneous": "maxt", "draws": 100_000},
    }
    return partial(rank, score, se, df=df, **options[job])  # type: ignore[arg-type]


def peer(job: str, units: int) -> tuple[Job, int]:
    """Return the peer's call and what its time is to be multiplied by."""
    score, se, _ = counties(units)
    random, every = (
        np.random.default_rng(1),
        max(1, units // PEER_SETS) if units > SLOW_AFTER else 1,
    )
    if job == "simultaneous":
        return partial(csranks.simultaneous_sets, score, se, alpha=0.05, random=random), 1
    asked = range(0, units, every)
    return lambda: [
        csranks.marginal_set(score, se, unit, alpha=0.05, random=random) for unit in asked
    ], every


def times(job: str, units: int, repeats: int) -> dict[str, float]:
    """Time the product and the peer in turn."""
    other, factor = peer(job, units)
    own, theirs = timed([product(job, units), other], repeats)
    found = {"seconds": statistics.median(own), "low": min(own), "high": max(own)}
    return found | {
        "peer_seconds": factor * statistics.median(theirs),
        "peer_x": factor * statistics.median(theirs) / found["seconds"],
    }


def memory(job: str, units: int) -> dict[str, float]:
    """Run the product once; memory before the job and at its peak."""
    before = peak_mb()
    product(job, units)()
    return {"start_mb": before, "peak_mb": peak_mb()}


def figures(job: str, units: int, repeats: int) -> dict[str, float]:
    """Run one job in a process of its own; 0 repeats: for its memory."""
    done = subprocess.run(
        [sys.executable, __file__, "--job", job, "--units", str(units), "--repeats", str(repeats)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{job}, {units} units: {done.stderr.strip().splitlines()[-1]}")
    return dict(json.loads(done.stdout))


def section(repeats: int, *, quick: bool = False) -> pd.DataFrame:
    """Time all jobs; one row each."""
    many = QUICK_MANY if quick else MANY
    rows = []
    for job, units in (*((job, COUNTIES) for job in NAMES), ("default", many)):
        found = figures(job, units, 1 if units > SLOW_AFTER else repeats) | figures(job, units, 0)
        bar = "60 s" if units == MANY else BARS.get((job, units), "")
        rows.append(
            {
                "job": NAMES[job],
                "units": units,
                **found,
                "peer": f"csranks, {PEERS[job]}",
                "bar": bar,
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    """Run the section, or one job of it."""
    options = argparse.ArgumentParser()
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--quick", action="store_true")
    options.add_argument("--job", choices=list(NAMES))
    options.add_argument("--units", type=int, default=COUNTIES)
    chosen = options.parse_args()
    if chosen.job is None:
        print(section(chosen.repeats, quick=chosen.quick).round(3).to_string(index=False))
    elif chosen.repeats:
        print(json.dumps(times(chosen.job, chosen.units, chosen.repeats)))
    else:
        print(json.dumps(memory(chosen.job, chosen.units)))


if __name__ == "__main__":
    main()
