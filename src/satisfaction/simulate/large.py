"""A poll of any size as Parquet files, with a known truth, written part by part: for trying engines, never for results."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from ..errors import ExportError
from ..io.files import new_folder
from ..io.writing import write_csv, write_json, write_text

COUNTIES, PER_STRATUM, AGES = 88, 20, 6
STRATA, PSUS = 2 * COUNTIES, 2 * COUNTIES * PER_STRATUM
PART = 5_000_000  # rows a file
MARK = "模拟数据，不是真实调查结果 simulated data, not a real survey"
SCALE = 1_000_000  # a hash is drawn from


def simulate_rows(rows: int, folder: str | Path, *, items: int = 4, seed: int = 1) -> Path:
    """Write `rows` simulated answers as a folder of Parquet files.

    Columns: id, county (six-digit text), stratum, psu, urban, sex, age, base_weight and q0, q1, ... (answers 1-5). The same rows
    and seed give the same answers, whatever the machine; memory does not depend on the rows. truth.csv has the expected mean of
    every item by county, simulated.json what was asked for.

    Raises
    ------
    ExportError
        X101 a folder that exists, X162 no positive number of rows.
    """
    target = Path(folder)
    if rows < 1:
        raise ExportError("X162", "行数须为正整数。", "The number of rows is positive.", where=f"--rows {rows}", hint=("改正行数。", "Correct the number."))  # fmt: skip
    with new_folder(target) as scratch, duckdb.connect() as connection:
        (scratch / "rows").mkdir()
        connection.register("cuts", cuts())
        for part, first in enumerate(range(0, rows, PART)):
            path = str(scratch / "rows" / f"part-{part:05d}.parquet").replace("'", "''")
            query = part_query(first, min(rows, first + PART), items=items, seed=seed)
            connection.execute(f"copy ({query}) to '{path}' (format parquet, compression zstd, kv_metadata {{mark: '{MARK}'}})")
        write_csv(truth(items).assign(mark=MARK), scratch / "truth.csv")
        write_json({"rows": rows, "items": items, "seed": seed, "mark": MARK}, scratch / "simulated.json")
        write_text("", scratch / "rows" / "_SUCCESS")
    return target / "rows"


def part_query(first: int, last: int, *, items: int, seed: int) -> str:
    """Return the query that makes rows first..last-1: pseudo-random by hash of the row's number, so that parts are independent.

    An answer is 1 plus the county's cuts (table `cuts`) at or below a whole number drawn from `SCALE`.
    """
    drawn = ", ".join(f"hash(i, {seed}, 'q{k}') % {SCALE} as h{k}" for k in range(items))
    answers = ", ".join(
        "(1 + " + " + ".join(f"(h{k} >= cut{c})::tinyint" for c in range(1, 5)) + f")::tinyint as q{k}" for k in range(items)
    )
    return (
        f"select i as id, county, stratum, psu, (stratum % 2)::tinyint as urban, (hash(i, {seed}, 'sex') % 2)::tinyint as sex, "
        f"(hash(i, {seed}, 'age') % {AGES})::tinyint as age, 5.0 + (hash(psu, {seed}, 'w') % 1000) / 100 as base_weight, {answers} from "
        f"(select i, psu::int as psu, (psu // {PER_STRATUM})::int as stratum, {drawn} from "
        f"(select i, hash(i, {seed}, 'psu') % {PSUS} as psu from range({first}, {last}) t(i))) join cuts on psu // {2 * PER_STRATUM} = number"
    )


def cuts() -> pd.DataFrame:
    """Return for every county the numbers from which on answers are 2, 3, 4 and 5; counties differ by up to a point."""
    number = np.arange(COUNTIES)
    power = 0.7 + 0.6 * ((number * 37) % COUNTIES) / COUNTIES
    table = {f"cut{c}": np.rint((c / 5) ** (1 / power) * SCALE).astype(np.int64) for c in range(1, 5)}
    return pd.DataFrame({"number": number, "county": [f"{520100 + c}" for c in number], **table})


def truth(items: int) -> pd.DataFrame:
    """Return the expected mean of every item by county."""
    table = cuts()
    mean = 1 + sum(1 - table[f"cut{c}"] / SCALE for c in range(1, 5))
    return pd.concat(
        [pd.DataFrame({"county": table["county"], "measure": f"q{k}", "mean": mean}) for k in range(items)], ignore_index=True
    )
