"""One benchmark job in a process of its own: the product beside its floor in turn, a peer, or peak memory.

usage: python tests/benchmarks/jobs.py JOB ROWS ITEMS TOOL REPEATS      prints one JSON object

The frame and the floors are those of floor.py: county as text, float weights, answers as small integers.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import floor
import numpy as np
import pandas as pd
from memory import peak_mb

from satisfaction import SurveyDesign, calibrate, estimate, rank
from satisfaction.sampling.design import SampleDesign

Job = Callable[[], object]


def design(table: Any) -> SampleDesign:
    """Declare the bench frame's sample design."""
    return SurveyDesign(table, strata="stratum", psu="psu", base_weight="base_weight")


def product(job: str, table: Any, items: list[str], margins: dict[str, Any]) -> Job:
    """Return a call of the product; what is prepared here is not timed."""
    held = design(table)
    if job == "design":
        return lambda: design(table)
    if job == "domain":
        return lambda: estimate(held, items, by="county")
    if job == "rake":
        return lambda: calibrate(held, margins, tolerance=1e-6).weights
    if job == "calibrated":
        return lambda: estimate(calibrate(held, margins), items, by="county")
    raked = calibrate(held, margins, tolerance=1e-6)
    if job == "bootstrap":
        return lambda: estimate(raked, items, by="county", variance="rao-wu", replicates=200)
    if job == "jackknife":
        return lambda: estimate(raked, items, by="county", variance="jkn")
    by_county = estimate(raked, items[:1], by="county")
    return lambda: rank(by_county)


def floor_of(job: str, frame: pd.DataFrame, margins: dict[str, Any]) -> Job | None:
    """Return the plain-numpy floor of a job, where there is one."""
    code, weight, values = floor.arrays(frame)
    targets = [np.array([margin[level] for level in sorted(margin)]) for margin in margins.values()]
    return {
        "domain": lambda: floor.domain_table(code, weight, values),
        "rake": lambda: floor.rake(code, weight, targets),
        "calibrated": lambda: floor.calibrated_se(code, weight, values, targets),
        "bootstrap": lambda: floor.bootstrap_raked(code, weight, values, targets),
    }.get(job)


def peer(job: str, frame: pd.DataFrame, items: list[str], margins: dict[str, Any]) -> Job | None:
    """Return the same work by svy."""
    import polars as pl
    import svy

    columns = {c: frame[c].tolist() if c == "county" else frame[c].to_numpy() for c in frame}
    sample = svy.Sample(
        pl.DataFrame(columns), svy.Design(stratum="stratum", psu="psu", wgt="base_weight")
    )

    def raked() -> Any:
        return sample.weighting.rake(controls=margins, tol=1e-6)

    return {
        "domain": lambda: sample.estimation.mean(items, by="county"),
        "rake": raked,
        "calibrated": lambda: raked().estimation.mean(items, by="county"),
    }.get(job)


def timed(jobs: list[Job], repeats: int) -> list[list[float]]:
    """Run the jobs in turn, once unmeasured and then `repeats` times: seconds by job."""
    seconds: list[list[float]] = [[] for _ in jobs]
    for turn in range(repeats + 1):
        for own, job in zip(seconds, jobs, strict=True):
            start = time.perf_counter()
            job()
            if turn or repeats == 1:
                own.append(time.perf_counter() - start)
    return seconds


def memory(job: str, rows: int, items: int) -> dict[str, float]:
    """Run a job from a Parquet file, so that the rows are never here; memory before the job and at its peak."""
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.parquet"
        frame = floor.bench_frame(rows, items)
        margins = floor.margins(frame)
        duckdb.connect().execute(f"copy frame to '{path}' (format parquet)")
        Path(folder, "margins.json").write_text(json.dumps(margins), encoding="utf-8")
        del frame
        import subprocess

        code = [sys.executable, __file__, job, str(rows), str(items), str(path), "1"]
        return json.loads(subprocess.run(code, check=True, capture_output=True, text=True).stdout)


def from_parquet(job: str, path: Path, items: int) -> dict[str, float]:
    """Run the product once on a Parquet file in a fresh process."""
    margins = json.loads(path.with_name("margins.json").read_text(encoding="utf-8"))
    margins = {
        name: {level if name == "county" else int(level): n for level, n in one.items()}
        for name, one in margins.items()
    }
    before = peak_mb()
    start = time.perf_counter()
    product(job, str(path), [f"q{i}" for i in range(items)], margins)()
    return {"seconds": time.perf_counter() - start, "start_mb": before, "peak_mb": peak_mb()}


def main() -> None:
    """Run the job named on the command line and print its figures."""
    job, rows, items, tool, repeats = (
        sys.argv[1],
        int(sys.argv[2]),
        int(sys.argv[3]),
        sys.argv[4],
        int(sys.argv[5]),
    )
    if tool == "memory":
        found: dict[str, Any] = memory(job, rows, items)
    elif tool.endswith(".parquet"):
        found = from_parquet(job, Path(tool), items)
    else:
        frame = floor.bench_frame(rows, items)
        names = [f"q{i}" for i in range(items)]
        margins = floor.margins(frame)
        calls = {"satisfaction": product, "svy": peer}[tool](job, frame, names, margins)
        below = (
            floor_of(job, frame, margins)
            if tool == "satisfaction" and items == len(floor.ITEMS)
            else None
        )
        seconds = timed([one for one in (calls, below) if one is not None], repeats)
        found = {
            name: statistics.median(one)
            for name, one in zip((tool, "floor"), seconds, strict=False)
        }
        found |= (
            {"low": min(seconds[0]), "high": max(seconds[0]), "peak_mb": peak_mb()}
            if seconds
            else {}
        )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
