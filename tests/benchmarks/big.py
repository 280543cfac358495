"""The one pass over rows that do not fit the memory: product beside plain DuckDB SQL in the same run, Spark beside them.

usage: python tests/benchmarks/big.py --rows 1000000 10000000 100000000 --folder FOLDER [--repeats 3] [--spark ROWS] [--keep]

Rows are simulated into FOLDER first. Every job runs in a process of its own; figures are medians, peaks are those of the
process. Not a test.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from memory import peak_mb

ITEMS = ("q0", "q1", "q2", "q3")
KEYS = "stratum, psu, county, base_weight"


def plain(folder: Path) -> None:
    """The same group-by in SQL, by hand: counts, valid answers, sums and sums of squares."""
    import duckdb

    connection = duckdb.connect()
    if limit := os.environ.get("SATISFACTION_MEMORY"):
        connection.execute(f"set memory_limit = '{limit}'")
    sums = ", ".join(f"count({q}), sum({q}::int), sum({q}::int * {q}::int)" for q in ITEMS)
    found = connection.execute(
        f"select {KEYS}, count(*), {sums} from read_parquet(?) group by {KEYS}",
        [f"{folder}/*.parquet"],
    )
    assert len(found.df()) == 3520


def product(folder: Path) -> float:
    """Checks of the design, then the tally; returns the seconds of the checks."""
    from satisfaction import SurveyDesign
    from satisfaction.sampling.tally import tally

    started = time.perf_counter()
    design = SurveyDesign(folder, strata="stratum", psu="psu", base_weight="base_weight")
    checked = time.perf_counter() - started
    counted = tally(design, list(ITEMS), by=["county"])
    assert len(counted.n) == 3520
    return checked


def table(folder: Path) -> None:
    """Checks, tally, 88 county means of 4 measures with se and full covariance."""
    from satisfaction import SurveyDesign, estimate

    design = SurveyDesign(folder, strata="stratum", psu="psu", base_weight="base_weight")
    assert len(estimate(design, list(ITEMS), by="county").table) == 88 * 4


def spark(folder: Path) -> float:
    """The tally on a local Spark; returns the seconds until the session was there."""
    import warnings

    warnings.simplefilter("ignore")
    from satisfaction import SurveyDesign
    from satisfaction.foundation.engines import session
    from satisfaction.sampling.tally import tally

    started = time.perf_counter()
    rows = session().read.parquet(str(folder))
    ready = time.perf_counter() - started
    counted = tally(
        SurveyDesign(rows, strata="stratum", psu="psu", base_weight="base_weight"),
        list(ITEMS),
        by=["county"],
    )
    print(counted.digest(), file=sys.stderr)
    return ready


JOBS = {"plain SQL": plain, "product": product, "table": table, "spark": spark}


def one(job: str, folder: Path) -> None:
    """Run a job and print its figures."""
    import duckdb  # noqa: F401  what is measured is the work, not the import

    from satisfaction import SurveyDesign, estimate  # noqa: F401

    started = time.perf_counter()
    before = JOBS[job](folder) or 0.0
    wall = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "wall": wall,
                "work": wall - before,
                "cpu": used.ru_utime + used.ru_stime,
                "peak_mb": peak_mb(),
            }
        )
    )


def measured(job: str, folder: Path, repeats: int, **environment: str) -> dict[str, float]:
    """Run a job several times in processes of their own; medians."""
    command = [sys.executable, __file__, "--one", job, "--folder", str(folder)]
    runs = []
    for _ in range(repeats):
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, env=os.environ | environment
        )
        runs.append(json.loads(done.stdout.strip().splitlines()[-1]))
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def main() -> None:
    """Make the rows, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--spark", type=int, default=0, help="rows at which Spark is measured too")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--one", choices=list(JOBS))
    asked = parser.parse_args()
    if asked.one:
        one(asked.one, asked.folder)
        return
    from poll import simulate_rows

    for rows in asked.rows:
        folder = asked.folder / f"rows-{rows}"
        started = time.perf_counter()
        data = folder / "rows" if folder.exists() else simulate_rows(rows, folder)
        print(
            f"{rows:,} rows: simulated in {time.perf_counter() - started:.1f} s, load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
        pairs = [
            (measured("plain SQL", data, 1), measured("product", data, 1))
            for _ in range(asked.repeats)
        ]  # in turn: noise hits both
        floor, own = (
            {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            for runs in zip(*pairs, strict=True)
        )
        ratio = statistics.median(one["work"] / base["wall"] for base, one in pairs)
        whole = measured("table", data, asked.repeats)
        small = measured(
            "product",
            data,
            1,
            SATISFACTION_MEMORY="512MB",
            SATISFACTION_SPILL=str(asked.folder / "spill"),
        )
        print(f"  plain SQL      {floor['wall']:8.2f} s  peak {floor['peak_mb']:6.0f} MB")
        print(
            f"  tally          {own['work']:8.2f} s  = {ratio:.2f} x SQL (median of the pairs); with the checks of the design {own['wall']:.2f} s; peak {own['peak_mb']:.0f} MB"
        )
        print(f"  domain table   {whole['wall']:8.2f} s  peak {whole['peak_mb']:6.0f} MB")
        print(
            f"  within 512 MB  {small['work']:8.2f} s  peak {small['peak_mb']:6.0f} MB", flush=True
        )
        if rows == asked.spark:
            other = measured("spark", data, 1)
            print(
                f"  Spark local    {other['work']:8.2f} s  (session {other['wall'] - other['work']:.1f} s)",
                flush=True,
            )
        if not asked.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
