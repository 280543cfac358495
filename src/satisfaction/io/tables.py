"""Tables from csv and xlsx files, every value as text: codes keep their leading digits, nothing is guessed."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from python_calamine import CalamineWorkbook

from ..errors import InputFileError
from .files import decode, read_bytes

csv.field_size_limit(2**31 - 1)  # the default refuses long open answers


@dataclass(frozen=True, slots=True)
class RawTable:
    """One sheet or csv file as text.

    Attributes
    ----------
    path, sheet : Path, str
        Where it came from; sheet is empty for a csv file.
    header : tuple of str
        Column names, stripped.
    rows : list of list of str
        One list a record, as long as the header; surplus cells are dropped and their record is in `surplus`.
    numbers : list of int
        The record's row in the file, the header being row 1.
    surplus : frozenset of int
        Row numbers that hold more cells than the header.
    """

    path: Path
    sheet: str
    header: tuple[str, ...]
    rows: list[list[str]]
    numbers: list[int]
    surplus: frozenset[int]

    def frame(self) -> pd.DataFrame:
        """Return the table as a DataFrame of text."""
        return pd.DataFrame(self.rows, columns=list(self.header), dtype=object)


def read_tables(path: Path) -> list[RawTable]:
    """Read every sheet that has a header.

    Raises
    ------
    InputFileError
        F101-F105 from opening; F106 for an unknown kind of file; F107 for a workbook that cannot be opened; F108 for a
        column name that stands twice; F109 for quotation marks that do not match.
    """
    kind = path.suffix.lower()
    if kind in (".csv", ".txt", ".tsv"):
        return [_csv(path, kind)]
    if kind in (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"):
        return _sheets(path)
    raise InputFileError(
        "F106",
        f"不支持的文件类型 '{kind}'。",
        f"Files of type '{kind}' are not read.",
        where=str(path),
        available=(".csv", ".txt", ".tsv", ".xlsx", ".xls", ".ods"),
        hint=("另存为 csv 或 xlsx。", "Save it as csv or xlsx."),
    )


def read_table(path: Path) -> pd.DataFrame:
    """Read the first table of a file as a DataFrame of text."""
    return read_tables(path)[0].frame()


def _csv(path: Path, kind: str) -> RawTable:
    """Read a delimited file; strictly, because a quotation mark that is never closed would swallow the rows after it."""
    text = decode(path)
    delimiter = "\t" if kind == ".tsv" or "\t" in text.split("\n", 1)[0] else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return _table(path, "", reader)
    except csv.Error as fault:
        raise InputFileError(
            "F109",
            f"第 {reader.line_num} 行附近的引号不配对。",
            f"Quotation marks do not match near line {reader.line_num} ({fault}).",
            where=f"{path} line {reader.line_num}",
            hint=("改正该行的引号，或另存为 xlsx。", "Correct the quotation marks there, or save the file as xlsx."),
        ) from None


def _sheets(path: Path) -> list[RawTable]:
    content = read_bytes(path)
    if not content:
        decode(path)
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheets = [(name, workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)) for name in workbook.sheet_names]
    except Exception as fault:  # calamine raises several unrelated types for damaged workbooks
        raise InputFileError(
            "F107",
            "工作簿已损坏或不是 Excel 文件。",
            f"The workbook is damaged or not an Excel file ({fault}).",
            where=str(path),
            hint=("用 Excel 或 WPS 打开后另存为 xlsx。", "Open it in Excel or WPS and save it as xlsx."),
        ) from None
    tables = [_table(path, name, ([_text(cell) for cell in row] for row in rows)) for name, rows in sheets if any(map(any, rows))]
    if not tables:
        raise InputFileError(
            "F104",
            "工作簿里没有数据。",
            "The workbook holds no data.",
            where=str(path),
            hint=("重新导出该文件，或从 files 中去掉它。", "Export the file again, or take it out of `files`."),
        )
    return tables


def _table(path: Path, sheet: str, records: Iterator[list[str]]) -> RawTable:
    """Split header from rows; blank records are skipped, short ones padded."""
    header: tuple[str, ...] = ()
    rows, numbers, surplus = [], [], set()
    for number, record in enumerate(records, start=1):
        if not any(cell.strip() for cell in record):
            continue
        if not header:
            header = _header(path, sheet, record)
            continue
        if any(cell.strip() for cell in record[len(header) :]):
            surplus.add(number)
        rows.append((record + [""] * len(header))[: len(header)])
        numbers.append(number)
    return RawTable(path, sheet, header, rows, numbers, frozenset(surplus))


def _header(path: Path, sheet: str, record: list[str]) -> tuple[str, ...]:
    names = [name.strip() for name in record]
    while names and not names[-1]:
        names.pop()
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise InputFileError(
            "F108",
            f"列名 '{twice[0]}' 出现多次。",
            f"The column name '{twice[0]}' stands more than once.",
            where=" ".join(filter(None, (str(path), sheet, "row 1"))),
            hint=("改名或删去多余的列。", "Rename or remove the extra column."),
        )
    return tuple(names)


def _text(cell: object) -> str:
    """Write a workbook cell as text: whole numbers without '.0', dates in ISO form."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    return str(cell)
