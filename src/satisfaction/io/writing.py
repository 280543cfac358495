"""Tables to csv, xlsx, Parquet and JSON files: the same table gives the same bytes, whenever and wherever it is written."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import duckdb
import pandas as pd
import xlsxwriter

Encoding = Literal["utf-8-sig", "utf-8", "gb18030"]
CREATED = datetime.datetime(2026, 1, 1)  # a workbook stamps the clock unless it is given a date


def write_csv(table: pd.DataFrame, path: Path, *, encoding: Encoding = "utf-8-sig") -> None:
    """Write a table as csv with plain line feeds; missing values become empty cells.

    Parameters
    ----------
    table : DataFrame
        Columns in writing order; the index is left out.
    path : Path
        Its folder is made where it is not there.
    encoding : {"utf-8-sig", "utf-8", "gb18030"}
        The default carries the byte order mark Excel needs to show Chinese.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(table.to_csv(index=False, lineterminator="\n").encode(encoding))


def write_rfc4180(table: pd.DataFrame, path: Path) -> None:
    """Write a table as csv for other programs: RFC 4180, UTF-8 without a byte order mark, the same doubles when read back.

    Floating-point numbers have 17 significant digits; missing values become empty cells.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(table.to_csv(index=False, lineterminator="\r\n", float_format="%.17g").encode("utf-8"))


def write_xlsx(sheets: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Write tables as the sheets of a workbook, the header in row 1, without the clock.

    Text stays text (codes keep their leading digits), numbers are numbers, dates are dates, missing values empty cells.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with xlsxwriter.Workbook(str(path), {"default_date_format": "yyyy-mm-dd"}) as workbook:
        workbook.set_properties({"created": CREATED})
        for name, table in sheets.items():
            sheet = workbook.add_worksheet(name)
            for column, values in enumerate(table):
                sheet.write_string(0, column, str(values))
            for row, record in enumerate(table.itertuples(index=False), start=1):
                for column, value in enumerate(record):
                    _write_cell(sheet, row, column, value)


def _write_cell(sheet: xlsxwriter.worksheet.Worksheet, row: int, column: int, value: object) -> None:
    if isinstance(value, str):
        if value:
            sheet.write_string(row, column, value)
    elif isinstance(value, datetime.date):
        sheet.write_datetime(row, column, value)
    elif not pd.isna(value):
        sheet.write(row, column, value.item() if hasattr(value, "item") else value)


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write a table as Parquet, by DuckDB on one thread so that the bytes are always the same."""
    connection = duckdb.connect(config={"threads": 1})
    connection.register("table_to_write", table)
    connection.execute(f"copy (select * from table_to_write) to '{str(path).replace(chr(39), chr(39) * 2)}' (format parquet)")
    connection.close()


def write_json(content: object, path: Path) -> None:
    """Write JSON with sorted keys; Chinese stays readable."""
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True, default=str) + "\n", encoding="utf-8")


def write_text(content: str, path: Path) -> None:
    """Write a text as UTF-8 with plain line feeds."""
    path.write_bytes(content.encode("utf-8"))
