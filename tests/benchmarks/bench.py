"""How fast, and in how much memory: the product beside plain-numpy floors and svy in the same run.

usage: python tests/benchmarks/bench.py [--rows 100000 1000000 5000000] [--repeats 5] [--peer PYTHON]

Every job runs in a process of its own; figures are medians. The table goes to the terminal and tests/out/bench.csv.
Not a test: nothing fails because a machine is busy. svy is timed once, by the Python of an environment of its own that has
it: the libraries it brings would change how the product's tables are held.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from ranks import section

HERE = Path(__file__).parent
OUT = HERE.parent / "out"
NAMES = {
    "design": "checks of the design",
    "domain": "domain table, se and covariance, tally included",
    "rake": "raking 4 margins to 1e-6, weights per respondent",
    "calibrated": "raking to 1e-10, county means with calibrated se",
    "bootstrap": "200 Rao-Wu bootstraps, each raked again",
    "jackknife": "3,520 jackknife replicates, each raked again",
    "rank": "rank table of 88 counties, default methods",
}
BARS = {
    "domain": "6 x floor",
    "rake": "0.15 s",
    "calibrated": "6 x floor",
    "bootstrap": "3 x floor",
    "rank": "1 s",
}
ROWS_OF_BARS = 1_000_000  # with fewer, what does not grow with the rows weighs more than they
PEER_LIMIT = {"domain": 1_000_000, "rake": 1_000_000, "calibrated": 100_000}
MANY_ITEMS = 20
QUICK_ROWS = 100_000  # up to here ranks are timed with fewer units too


def figures(
    job: str, rows: int, items: int, tool: str, repeats: int, *, python: str = sys.executable
) -> dict[str, float]:
    """Run one job in a process of its own."""
    call = [python, str(HERE / "jobs.py"), job, str(rows), str(items), tool, str(repeats)]
    done = subprocess.run(call, capture_output=True, text=True)
    if done.returncode:
        sys.exit(
            f"{job}, {rows} rows, {items} items, {tool}: {done.stderr.strip().splitlines()[-1]}"
        )
    return json.loads(done.stdout)


def row(job: str, rows: int, items: int, repeats: int, *, peer: str | None) -> dict[str, Any]:
    """Time one job at one size: product, floor, peer and their ratios."""
    own = figures(job, rows, items, "satisfaction", repeats)
    found = {
        "job": NAMES[job],
        "rows": rows,
        "items": items,
        "seconds": own["satisfaction"],
        "low": own["low"],
        "high": own["high"],
    }
    if "floor" in own:
        found |= {"floor": own["floor"], "x_floor": own["satisfaction"] / own["floor"]}
    if peer and rows <= PEER_LIMIT.get(job, 0) and items == 4:
        other = figures(job, rows, items, "svy", 1, python=peer)
        found |= {"svy": other["svy"], "svy_x": other["svy"] / own["satisfaction"]}
    if rows >= ROWS_OF_BARS:
        found["bar"] = BARS.get(job, "")
    return found


def in_words(timed: dict[str, Any]) -> str:
    """Return a line for whoever waits."""
    words = f"{timed['job']}, {timed['rows']:,} rows: {timed['seconds']:.3f} s"
    if "x_floor" in timed:
        words += f", {timed['x_floor']:.1f} x floor"
    return words


def main() -> None:
    """Run all jobs and write the tables."""
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 5_000_000])
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--peer", help="Python of an environment that has svy")
    chosen = options.parse_args()
    times = []
    for rows in chosen.rows:
        for job in NAMES:
            times.append(row(job, rows, 4, chosen.repeats, peer=chosen.peer))
            print(in_words(times[-1]), flush=True)
        times.append(row("domain", rows, MANY_ITEMS, chosen.repeats, peer=None))
    largest = (
        max(r for r in chosen.rows if r <= 1_000_000)
        if min(chosen.rows) <= 1_000_000
        else chosen.rows[0]
    )
    peaks = [
        {
            "job": NAMES[job],
            "rows": largest,
            "items": items,
            **figures(job, largest, items, "memory", 1),
        }
        for job, items in (
            ("domain", MANY_ITEMS),
            ("calibrated", MANY_ITEMS),
            ("bootstrap", 4),
            ("jackknife", 4),
        )
    ]
    ranked = section(chosen.repeats, quick=max(chosen.rows) <= QUICK_ROWS)
    OUT.mkdir(exist_ok=True)
    for name, table in (
        ("bench", pd.DataFrame(times)),
        ("bench_memory", pd.DataFrame(peaks)),
        ("bench_ranks", ranked),
    ):
        table.to_csv(OUT / f"{name}.csv", index=False)
        print(f"\n{name}\n{table.round(4).to_string(index=False)}")


if __name__ == "__main__":
    main()
