"""A workbook to correct: the first sheet in view with some cells marked, the others hidden.

Workbooks for an office: a plain sheet for programs, a styled one for people, and sheets that explain.

Workbook templates: a sheet to fill in with drop-downs, an example apart from it, the codes, and how to fill it in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import xlsxwriter

from satisfaction.foundation.language import Text
from satisfaction.foundation.tables import CREATED, FORMULA, IN_MEMORY, fill_sheet

WIDTH = 14


def write_marked(
    path: Path, sheets: Mapping[str, pd.DataFrame], *, marked: Collection[tuple[int, int]]
) -> None:
    """Write tables of text as the sheets of a workbook; every cell stays text, the same tables give the same bytes.

    Parameters
    ----------
    path : Path
    sheets : mapping of str to DataFrame
        The first is shown; the others are hidden.
    marked : collection of (int, int)
        Row and column in the first table, from 0, of the cells in red.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with xlsxwriter.Workbook(str(path), IN_MEMORY) as workbook:
        workbook.set_properties({"created": CREATED})
        bold, text, red = (
            workbook.add_format({"num_format": "@"} | more)
            for more in (
                {"bold": True, "bg_color": "#E8EEF4"},
                {},
                {"bg_color": "#F8C9C4", "bold": True},
            )
        )
        for place, (name, table) in enumerate(sheets.items()):
            sheet = workbook.add_worksheet(name)
            sheet.set_column(0, max(len(table.columns) - 1, 0), WIDTH, text)
            sheet.freeze_panes(1, 0)
            if place:
                sheet.hide()
            for column, title in enumerate(table):
                sheet.write_string(0, column, str(title), bold)
            for row, record in enumerate(table.itertuples(index=False)):
                for column, value in enumerate(record):
                    kept = red if not place and (row, column) in marked else text
                    sheet.write_string(
                        row + 1, column, value, kept
                    ) if value else sheet.write_blank(row + 1, column, None, kept)


Shown = Literal["text", "percent", "points", "count", "probability"]
SHOWN_AS: dict[Shown, str] = {
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


def write_office_workbook(
    path: Path, data: pd.DataFrame, shown: ShownSheet, further: Mapping[str, pd.DataFrame]
) -> None:
    """Write a workbook that opens on the sheet for readers; the first sheet, `data`, is plain.

    Rows are written one after another and leave memory at once; the same tables give the same bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # row by row, its temporary files beside it: those of a program that is killed go with the unfinished folder
    options = {
        "default_date_format": "yyyy-mm-dd",
        "constant_memory": True,
        "tmpdir": str(path.parent),
    }
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
        {
            "bold": True,
            "bg_color": "#1F4E79",
            "font_color": "#FFFFFF",
            "text_wrap": True,
            "valign": "top",
        }
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
    apart = {
        "align": "left",
        "indent": 1,
    }  # a rank beside its set would otherwise read as one number
    formats = {
        name: workbook.add_format({"num_format": code} | (apart if name == "text" else {}))
        for name, code in SHOWN_AS.items()
    }
    quoted = workbook.add_format({"num_format": "@", "quote_prefix": True} | apart)
    for row in range(rows):
        for place, column in enumerate(shown.columns):
            value = column.cells[row]
            if isinstance(value, str):
                sheet.write_string(
                    top + 1 + row, place, value, quoted if FORMULA.match(value) else formats["text"]
                )
            elif not pd.isna(value):
                sheet.write_number(top + 1 + row, place, value, formats[column.at(row)])


DATA, EXAMPLE, CODES, NOTES = "数据", "示例", "编码", "说明"
LAST_ROW = 1_048_575
LONGEST_PROMPT = 255  # Excel's limits
LONGEST_TITLE = 32
WIDTHS = {"text": 16, "code": 12, "key": 14, "number": 14, "date": 14}
FORMATS = {"text": "@", "key": "@", "date": "yyyy-mm-dd"}


FIRST_TITLES = {EXAMPLE: "列 column", CODES: "列 column", NOTES: "答卷模板"}


def is_template_sheet(sheet: str, header: Sequence[str]) -> bool:
    """Tell whether a sheet is one that a template of ours carries beside the sheet to fill in."""
    return sheet in FIRST_TITLES and str(next(iter(header), "")).startswith(FIRST_TITLES[sheet])


@dataclass(frozen=True, slots=True)
class TemplateColumn:
    """One column of a template.

    Attributes
    ----------
    name : str
        The header, as the reader looks for it.
    text : Text
        What it holds.
    kind : {"text", "code", "key", "number", "date"}
        text stays text (leading zeros); code is a whole number and key a text, both chosen from `choices`; number lies in
        low..high; date is a calendar date.
    choices : mapping of code to meaning
        What the drop-down offers; of a text column, what the prompt and the list of codes explain.
    example : str
        What could stand there.
    low, high : int
        Of a number.
    """

    name: str
    text: Text
    kind: Literal["text", "code", "key", "number", "date"] = "text"
    choices: Mapping[str, str] | None = None
    example: str = ""
    low: int = 0
    high: int = 2_000_000_000


def write_template(
    path: Path,
    columns: Sequence[TemplateColumn],
    *,
    notes: Sequence[str],
    rows: Sequence[Sequence[str]] = (),
) -> None:
    """Write a template workbook.

    The first sheet, 数据, has the header in row 1 and `rows` below it; nothing else stands there. 示例 shows, one line a
    column, what it holds and an example, so that no reader takes it for data. 编码 lists the codes behind the drop-downs;
    说明 holds `notes`. The same template gives the same bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with xlsxwriter.Workbook(
        str(path), {"default_date_format": "yyyy-mm-dd", **IN_MEMORY}
    ) as workbook:
        workbook.set_properties({"created": CREATED})
        bold = workbook.add_format({"bold": True, "bg_color": "#E8EEF4", "bottom": 1})
        wrapped = workbook.add_format({"text_wrap": True, "valign": "top"})
        data, example, codes, said = (
            workbook.add_worksheet(name) for name in (DATA, EXAMPLE, CODES, NOTES)
        )
        places = _write_codes(codes, columns, bold)
        for place, column in enumerate(columns):
            _write_column(workbook, data, place, column, bold=bold, listed=places.get(column.name))
        data.freeze_panes(1, 0)
        for row, record in enumerate(rows, start=1):
            for place, (value, column) in enumerate(zip(record, columns, strict=True)):
                _write(data, row, place, value, column)
        _write_example(example, columns, bold, wrapped)
        said.set_column(0, 0, 100)
        for row, note in enumerate(notes):
            said.write_string(row, 0, note, wrapped)


def _write_column(
    workbook: xlsxwriter.Workbook,
    sheet: Any,
    place: int,
    column: TemplateColumn,
    *,
    bold: Any,
    listed: str | None,
) -> None:
    """Write a header and, below it, the format and the rule of the cells."""
    sheet.write_string(0, place, column.name, bold)
    kept = FORMATS.get(column.kind)
    sheet.set_column(
        place,
        place,
        WIDTHS[column.kind],
        workbook.add_format({"num_format": kept}) if kept else None,
    )
    rule: dict[str, Any] = {"validate": "any"}
    if listed:
        rule = {"validate": "list", "source": listed}
    elif column.kind == "number":
        rule = {
            "validate": "integer",
            "criteria": "between",
            "minimum": column.low,
            "maximum": column.high,
        }
    elif column.kind == "date":
        rule = {"validate": "date", "criteria": ">=", "value": CREATED.replace(year=2000)}
    meaning = "; ".join(f"{code} {label}" for code, label in (column.choices or {}).items())
    text = f"{column.text}\n{meaning}".strip()
    if len(text) > LONGEST_PROMPT:
        text = f"{column.text}"[: LONGEST_PROMPT - 30] + f"\n编码见“{CODES}” see sheet {CODES}"
    rule |= {
        "input_title": column.name[:LONGEST_TITLE],
        "input_message": text,
        "error_title": "不在允许范围 not allowed",
    }
    rule |= {
        "error_message": f"请按“{CODES}”或“{EXAMPLE}”填写。 Fill in as sheets {CODES} and {EXAMPLE} say."
    }
    sheet.data_validation(1, place, LAST_ROW, place, rule)


def _write_codes(sheet: Any, columns: Sequence[TemplateColumn], bold: Any) -> dict[str, str]:
    """List the codes of all columns below one another; return where each column's stand."""
    for place, (title, width) in enumerate(
        ((FIRST_TITLES[CODES], 20), ("编码 code", 14), ("含义 meaning", 60))
    ):
        sheet.write_string(0, place, title, bold)
        sheet.set_column(place, place, width)
    places, row = {}, 1
    for column in columns:
        first = row
        for code, label in (column.choices or {}).items():
            sheet.write_string(row, 0, column.name)
            _write(sheet, row, 1, code, column)
            sheet.write_string(row, 2, label)
            row += 1
        if column.kind in ("code", "key") and row > first:
            places[column.name] = f"={CODES}!$B${first + 1}:$B${row}"
    return places


def _write(sheet: Any, row: int, place: int, value: str, column: TemplateColumn) -> None:
    """Write a cell: a number where the column holds numbers, so that it is what the drop-down offers; nothing where empty."""
    if column.kind in ("code", "number") and value.lstrip("-").isdigit():
        sheet.write_number(row, place, int(value))
    elif value:
        sheet.write_string(row, place, value)


def _write_example(sheet: Any, columns: Sequence[TemplateColumn], bold: Any, wrapped: Any) -> None:
    titles = (
        FIRST_TITLES[EXAMPLE],
        "含义 meaning",
        "示例（不计入） example, not counted",
        "可填 allowed",
    )
    for place, (title, width) in enumerate(zip(titles, (20, 44, 34, 50), strict=True)):
        sheet.write_string(0, place, title, bold)
        sheet.set_column(place, place, width)
    for row, column in enumerate(columns, start=1):
        allowed = f"见“{CODES}” see sheet {CODES}" if column.choices else ""
        if column.kind == "number":
            allowed = f"{column.low} – {column.high}"
        for place, text in enumerate((column.name, f"{column.text}", column.example, allowed)):
            sheet.write_string(row, place, text, wrapped)
