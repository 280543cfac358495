"""Workbooks for an office: a plain sheet for programs, a styled one for people, and sheets that explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
import xlsxwriter

from .writing import CREATED, FORMULA, fill_sheet

Shown = Literal["text", "percent", "points", "count", "probability"]
FORMATS: dict[Shown, str] = {
    "text": "@",
    "percent": "0.0%",
    "points": "0.00",
    "count": "0",
    "probability": '[<0.001]"< 0.001";[>0.999]"> 0.999";0.000',
}
HEADER_HEIGHT = 46  # points: three lines
WIDEST, LINE = 60, 15  # characters of a column that explains; points of a line
CHINESE = 0x2E80
WRAPPED = {"text_wrap": True, "valign": "top"}


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """One column for readers.

    Attributes
    ----------
    title : str
    cells : sequence
        Text or numbers; a missing number is an empty cell.
    shown : Shown, or one a row
        How the numbers are written.
    width : float
        In characters.
    """

    title: str
    cells: Sequence[object]
    shown: Shown | Sequence[Shown] = "text"
    width: float = 12

    def at(self, row: int) -> Shown:
        """Return how the cell of a row is written."""
        return self.shown if isinstance(self.shown, str) else self.shown[row]


@dataclass(frozen=True, slots=True)
class ShownSheet:
    """A sheet for readers: lines above the header (what it is, what must be said of the sample), then the columns."""

    name: str
    lines: Sequence[str]
    columns: Sequence[ShownColumn]


def write_office_workbook(path: Path, data: pd.DataFrame, shown: ShownSheet, further: Mapping[str, pd.DataFrame]) -> None:
    """Write a workbook that opens on the sheet for readers; the first sheet, `data`, is plain.

    Rows are written one after another and leave memory at once; the same tables give the same bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # row by row, its temporary files beside it: those of a program that is killed go with the unfinished folder
    options = {"default_date_format": "yyyy-mm-dd", "constant_memory": True, "tmpdir": str(path.parent)}
    with xlsxwriter.Workbook(str(path), options) as workbook:
        workbook.set_properties({"created": CREATED})
        fill_sheet(workbook, workbook.add_worksheet("data"), data)
        _write_shown(workbook, shown)
        for name, table in further.items():
            sheet = workbook.add_worksheet(name)
            _make_room(sheet, table, workbook.add_format(WRAPPED))
            fill_sheet(workbook, sheet, table)


def _make_room(sheet: xlsxwriter.worksheet.Worksheet, table: pd.DataFrame, wrapped: object) -> None:
    """Make columns and rows of a sheet that explains as large as their texts; no program does it when it opens the file."""
    sizes = table.map(lambda cell: _characters(str(cell)))
    widths = [min(max(_characters(name), *sizes[name], 1) + 2, WIDEST) for name in table]
    for place, width in enumerate(widths):
        sheet.set_column(place, place, width, wrapped)
    for row, record in enumerate(sizes.itertuples(index=False, name=None), start=1):
        lines = max(-(-size // (width - 2)) for size, width in zip(record, widths, strict=True))
        sheet.set_row(row, LINE * max(lines, 1))
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.freeze_panes(1, 0)


def _characters(text: str) -> int:
    """Return the width of a text in Latin characters; Chinese ones count twice."""
    return sum(2 if ord(sign) >= CHINESE else 1 for sign in text)


def _write_shown(workbook: xlsxwriter.Workbook, shown: ShownSheet) -> None:
    sheet = workbook.add_worksheet(shown.name)
    sheet.activate()
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    for place, column in enumerate(shown.columns):
        sheet.set_column(place, place, column.width)
    bold = workbook.add_format({"bold": True, "font_color": "#8F1818"})
    header = workbook.add_format(
        {"bold": True, "bg_color": "#1F4E79", "font_color": "#FFFFFF", "text_wrap": True, "valign": "top"}
    )
    sheet.set_row(len(shown.lines), HEADER_HEIGHT)
    for row, line in enumerate(shown.lines):
        sheet.write_string(row, 0, line, bold)
    top, rows = len(shown.lines), len(shown.columns[0].cells)
    for place, column in enumerate(shown.columns):
        sheet.write_string(top, place, column.title, header)
    sheet.freeze_panes(top + 1, 0)
    sheet.repeat_rows(0, top)
    sheet.autofilter(top, 0, top + max(rows, 1), len(shown.columns) - 1)
    apart = {"align": "left", "indent": 1}  # a rank beside its set would otherwise read as one number
    formats = {
        name: workbook.add_format({"num_format": code} | (apart if name == "text" else {})) for name, code in FORMATS.items()
    }
    quoted = workbook.add_format({"num_format": "@", "quote_prefix": True} | apart)
    for row in range(rows):
        for place, column in enumerate(shown.columns):
            value = column.cells[row]
            if isinstance(value, str):
                sheet.write_string(top + 1 + row, place, value, quoted if FORMULA.match(value) else formats["text"])
            elif not pd.isna(value):
                sheet.write_number(top + 1 + row, place, value, formats[column.at(row)])
