"""Parquet and csv files and folders through DuckDB: read in a stream within a memory limit; what is damaged is named."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from ..errors import EngineError, shortened

MEMORY, SPILL = "SATISFACTION_MEMORY", "SATISFACTION_SPILL"  # how much memory DuckDB may use ("512MB"), where it spills to
DONE, UNFINISHED = "_SUCCESS", "_temporary"
SUFFIXES = (".parquet", ".csv")


@cache
def connection() -> Any:
    """Return the one connection through which tables of this process are read in place: opening one costs 20 ms."""
    opened = duckdb.connect()
    if limit := os.environ.get(MEMORY):
        opened.execute(f"set memory_limit = '{limit}'")
        opened.execute("set preserve_insertion_order = false")
    if folder := os.environ.get(SPILL):
        opened.execute(f"set temp_directory = '{folder}'")
    return opened


def open_files(path: Path) -> Any:
    """Open a Parquet or csv file, or a folder of them, as a DuckDB relation.

    Raises
    ------
    EngineError
        G104 no such file, or one that cannot be read; G107 a folder that is not finished; G108 files whose columns differ.
    """
    files = _files(path)
    kind = files[0].suffix.lower()
    names = [str(file) for file in files]
    if kind == ".csv":
        return _opened("select * from read_csv(?, all_varchar = false)", names, where=path)
    _check_schemas(names)
    return _opened("select * from read_parquet(?)", names, where=path)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        if (path / UNFINISHED).exists():
            raise EngineError(
                "G107",
                "文件夹尚未写完。",
                "The folder has not been written to its end.",
                where=str(path),
                hint=("等写入完成，或重新生成。", "Wait until it is finished, or make it again."),
            )
        found = sorted(
            file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and not file.name.startswith(("_", "."))
        )
    else:
        found = [path] if path.is_file() else []
    kinds = {file.suffix.lower() for file in found}
    if len(kinds) != 1 or not kinds <= set(SUFFIXES):
        raise EngineError(
            "G104",
            "没有可读的 Parquet 或 csv 文件。" if not found else "文件夹里混有不同格式的文件。",
            "There is no Parquet or csv file to read." if not found else "The folder holds files of different kinds.",
            where=str(path),
            available=sorted(kinds) or SUFFIXES,
            hint=("检查路径。", "Check the path."),
        )
    return found


def _opened(query: str, names: list[str], *, where: Path) -> Any:
    try:
        return connection().from_query(query, params=[names])
    except duckdb.Error as fault:
        raise unreadable(fault, where=str(where)) from None


def _check_schemas(names: list[str]) -> None:
    """Refuse files that are damaged at their end, where the schema stands, and files whose columns differ from the first."""
    first: dict[str, str] | None = None
    for name in names:
        try:
            rows = connection().execute("select name, type from parquet_schema(?) where type is not null", [name]).fetchall()
        except duckdb.Error as fault:
            raise unreadable(fault, where=name) from None
        own = dict(rows)
        first = own if first is None else first
        if own != first:
            differ = sorted({c for c in {*own, *first} if own.get(c) != first.get(c)})
            raise EngineError(
                "G108",
                f"文件的列与第一个文件不同: {shortened(differ)}。",
                f"Columns differ from those of the first file: {shortened(differ)}.",
                where=name,
                available=[f"{c} {kind}" for c, kind in first.items()],
                hint=("用同样的列重新生成该文件。", "Make this file again with the same columns."),
            )


def unreadable(fault: Exception, *, where: str) -> EngineError:
    """Say that a file cannot be read."""
    return EngineError(
        "G104",
        "无法读取 Parquet 或 csv 文件。",
        f"A Parquet or csv file cannot be read: {str(fault).splitlines()[0]}",
        where=where,
        hint=("检查路径；文件损坏时重新生成。", "Check the path; make the file again if it is damaged."),
    )


def offenders(respondents: Any, condition: str, *, most: int = 3) -> str:
    """Name the files, rows and row groups of Parquet rows that fulfil a condition; empty where respondents are no files."""
    if not isinstance(respondents, str | Path):
        return ""
    files = [str(file) for file in _files(Path(respondents)) if file.suffix.lower() == ".parquet"]
    if not files:
        return ""
    query = (
        f"select filename, file_row_number from read_parquet(?, filename = true, file_row_number = true) where {condition} "
        f"order by 1, 2 limit {most}"
    )
    return "; ".join(
        f"{name} row {row + 1} (row group {_row_group(name, row)})"
        for name, row in connection().execute(query, [files]).fetchall()
    )


def _row_group(name: str, row: int) -> int:
    sizes = connection().execute(
        "select row_group_id, max(row_group_num_rows) from parquet_metadata(?) group by 1 order by 1", [name]
    ).fetchall()  # fmt: skip
    for group, size in sizes:
        if row < size:
            return int(group)
        row -= size
    return len(sizes)
