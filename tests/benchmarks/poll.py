"""A poll of any size as Parquet files, with a known truth, written part by part: for trying engines, never for results.

usage: python tests/benchmarks/poll.py ROWS FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from satisfaction.foundation.files import new_folder
from satisfaction.foundation.tables import write_csv, write_json, write_text

COUNTIES = 88
PER_STRATUM = 20
AGES = 6
STRATA = 2 * COUNTIES
PSUS = STRATA * PER_STRATUM
PART = 5_000_000  # rows a file
MARK = "simulated data, not a real survey"
SCALE = 1_000_000  # a hash is drawn from


def simulate_rows(rows: int, folder: str | Path, *, items: int = 4, seed: int = 1) -> Path:
    """Write `rows` simulated answers as a folder of Parquet files.

    Columns: id, county (six-digit text), stratum, psu, urban, sex, age, base_weight and q0, q1, ... (answers 1-5). The same rows
    and seed give the same answers, whatever the machine; memory does not depend on the rows. truth.csv has the expected mean of
    every item by county, simulated.json what was asked for.

    Raises
    ------
    ExportError
        X101 a folder that exists.
    """
    target = Path(folder)
    with new_folder(target) as scratch:
        (scratch / "rows").mkdir()
        queries = {}
        for part, first in enumerate(range(0, rows, PART)):
            path = scratch / "rows" / f"part-{part:05d}.parquet"
            last = min(rows, first + PART)
            queries[path] = part_query(first, last, items=items, seed=seed)
        _write(queries)
        write_csv(truth(items).assign(mark=MARK), scratch / "truth.csv")
        write_json(
            {"rows": rows, "items": items, "seed": seed, "mark": MARK}, scratch / "simulated.json"
        )
        write_text("", scratch / "rows" / "_SUCCESS")
    return target / "rows"


def _write(queries: dict[Path, str]) -> None:
    """Write what DuckDB computes from the cuts, a Parquet file a query, marked as simulated."""
    options = f"format parquet, compression zstd, kv_metadata {{mark: '{MARK}'}}"
    with duckdb.connect() as writer:
        writer.register("cuts", _cuts())
        for path, query in queries.items():
            writer.execute(f"copy ({query}) to '{path}' ({options})")


def part_query(first: int, last: int, *, items: int, seed: int) -> str:
    """Return the query that makes rows first..last-1: pseudo-random by hash of the row's number, so that parts are independent.

    An answer is 1 plus the county's cuts (table `cuts`) at or below a whole number drawn from `SCALE`.
    """
    drawn = ", ".join(f"hash(i, {seed}, 'q{k}') % {SCALE} as h{k}" for k in range(items))
    columns = []
    for k in range(items):
        above = " + ".join(f"(h{k} >= cut{c})::tinyint" for c in range(1, 5))
        columns.append(f"(1 + {above})::tinyint as q{k}")
    answers = ", ".join(columns)
    return (
        f"select i as id, county, stratum, psu, (stratum % 2)::tinyint as urban, (hash(i, {seed}, 'sex') % 2)::tinyint as sex, "
        f"(hash(i, {seed}, 'age') % {AGES})::tinyint as age, 5.0 + (hash(psu, {seed}, 'w') % 1000) / 100 as base_weight, {answers} from "
        f"(select i, psu::int as psu, (psu // {PER_STRATUM})::int as stratum, {drawn} from "
        f"(select i, hash(i, {seed}, 'psu') % {PSUS} as psu from range({first}, {last}) t(i))) join cuts on psu // {2 * PER_STRATUM} = number"
    )


def _cuts() -> pd.DataFrame:
    """Return for every county the numbers from which on answers are 2, 3, 4 and 5; counties differ by up to a point."""
    number = np.arange(COUNTIES)
    power = 0.7 + 0.6 * ((number * 37) % COUNTIES) / COUNTIES
    table = pd.DataFrame({"number": number})
    table["county"] = [f"{520100 + c}" for c in number]
    for c in range(1, 5):
        share_below = (c / 5) ** (1 / power)
        table[f"cut{c}"] = np.rint(share_below * SCALE).astype(np.int64)
    return table


def truth(items: int) -> pd.DataFrame:
    """Return the expected mean of every item by county."""
    table = _cuts()
    mean = 1 + sum(1 - table[f"cut{c}"] / SCALE for c in range(1, 5))
    measures = [f"q{k}" for k in range(items)]
    expected = pd.DataFrame({"county": np.tile(table["county"], items)})
    expected["measure"] = np.repeat(measures, len(table))
    expected["mean"] = np.tile(mean, items)
    return expected


if __name__ == "__main__":
    print(simulate_rows(int(sys.argv[1]), sys.argv[2]))
