"""A workbook to correct: the first sheet in view with some cells marked, the others hidden.

Workbooks for an office: a styled sheet for people, sheets that explain, and a plain one for programs.

Workbook templates: a sheet to fill in with drop-downs, an example apart from it, the codes, and how to fill it in.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import xlsxwriter

from satisfaction.foundation.figures import text_columns
from satisfaction.foundation.language import LANGUAGES, Text, _, pgettext
from satisfaction.foundation.tables import A4, CREATED, FORMULA, fill_sheet, new_workbook

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
    with new_workbook(path) as workbook:
        bold = workbook.add_format({"num_format": "@", "bold": True, "bg_color": "#E8EEF4"})
        text = workbook.add_format({"num_format": "@"})
        red = workbook.add_format({"num_format": "@", "bg_color": "#F8C9C4", "bold": True})
        for place, (name, table) in enumerate(sheets.items()):
            sheet = workbook.add_worksheet(name)
            last = max(len(table.columns) - 1, 0)
            sheet.set_column(0, last, WIDTH, text)
            sheet.freeze_panes(1, 0)
            sheet.set_landscape()
            sheet.set_paper(A4)
            sheet.repeat_rows(0)
            if place:
                sheet.hide()
            for column, title in enumerate(table):
                sheet.write_string(0, column, str(title), bold)
            for row, record in enumerate(table.itertuples(index=False)):
                for column, value in enumerate(record):
                    kept = text
                    if place == 0 and (row, column) in marked:
                        kept = red
                    if value:
                        sheet.write_string(row + 1, column, value, kept)
                    else:
                        sheet.write_blank(row + 1, column, None, kept)


Shown = Literal["text", "percent", "points", "count", "probability"]
SHOWN_AS: dict[Shown, str] = {
    "text": "@",
    "percent": "0.0%",
    "points": "0.00",
    "count": "0",
    "probability": '[<0.001]"< 0.001";[>0.999]"> 0.999";0.000',
}
HEADER_HEIGHT = 46  # points: three lines
WIDEST = 60  # characters of a column that explains
LINE = 15  # points of a line
SHARE = re.compile("^[^%]*(?:share|probability)[^%]*$")  # a heading without its unit
WRAPPED = {"text_wrap": True, "valign": "top"}
HEADER = {"bold": True, "bg_color": "#1F4E79", "font_color": "#FFFFFF", **WRAPPED}
APART = {"align": "left", "indent": 1}  # a rank beside its set would otherwise read as one number


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

    @property
    def holds_anything(self) -> bool:
        """Tell whether any cell is filled."""
        return any(not pd.isna(cell) and cell != "" for cell in self.cells)

    def at(self, row: int) -> Shown:
        """Return how the cell of a row is written."""
        if isinstance(self.shown, str):
            return self.shown
        return self.shown[row]


@dataclass(frozen=True, slots=True)
class ShownSheet:
    """A sheet for readers: lines above the header (what it is, what must be said of the sample), then the columns."""

    name: str
    lines: Sequence[str]
    columns: Sequence[ShownColumn]


def write_office_workbook(
    path: Path, data: pd.DataFrame, shown: ShownSheet, *, further: Mapping[str, pd.DataFrame]
) -> None:
    """Write a workbook whose first sheet is the one for readers; the last, `data`, is plain, for programs.

    Whoever prints the workbook gets first what can be read on paper. The same tables give the same bytes.
    """
    with new_workbook(path) as workbook:
        _write_shown(workbook, shown)
        _add_explaining(workbook, further)
        fill_sheet(workbook, workbook.add_worksheet("data"), data)


def write_explaining(
    path: Path, sheets: Mapping[str, pd.DataFrame], shown: Sequence[ShownSheet] = ()
) -> None:
    """Write tables of words as the sheets of a workbook, columns and rows as large as their texts need.

    Sheets for readers stand before them. The same tables give the same bytes.
    """
    with new_workbook(path) as workbook:
        for sheet in shown:
            _write_shown(workbook, sheet)
        _add_explaining(workbook, sheets)


def _add_explaining(workbook: xlsxwriter.Workbook, sheets: Mapping[str, pd.DataFrame]) -> None:
    for name, table in sheets.items():
        sheet = workbook.add_worksheet(name)
        _make_room(workbook, sheet, table)
        fill_sheet(workbook, sheet, table)


def _written_as(name: str, cells: pd.Series) -> dict[str, object]:
    """Return how a column that explains is shown: shares in percent, other figures with three decimals at most."""
    if not pd.api.types.is_float_dtype(cells):
        return WRAPPED
    if SHARE.search(name):
        return WRAPPED | {"num_format": SHOWN_AS["percent"]}
    known = cells.dropna()
    if (known.round(3) != known).any():
        return WRAPPED | {"num_format": "0.000"}
    return WRAPPED


def _make_room(
    workbook: xlsxwriter.Workbook, sheet: xlsxwriter.worksheet.Worksheet, table: pd.DataFrame
) -> None:
    """Make columns and rows of a sheet that explains as large as their texts; no program does it when it opens the file."""
    shown = table.round(3)
    sizes = shown.map(lambda cell: 0 if pd.isna(cell) else text_columns(str(cell)))
    lines = np.ones(len(table), int)
    for place, name in enumerate(table):
        longest = max(text_columns(name), *sizes[name], 1)
        width = min(longest + 2, WIDEST)
        written = workbook.add_format(_written_as(name, table[name]))
        sheet.set_column(place, place, width, written)
        of_column = -(-sizes[name].to_numpy(int) // (width - 2))
        lines = np.maximum(lines, of_column)
    for row, needed in enumerate(lines.tolist(), start=1):
        sheet.set_row(row, LINE * needed)
    sheet.freeze_panes(1, 0)


def _one_page_wide(sheet: Any) -> None:
    sheet.set_landscape()
    sheet.set_paper(A4)
    sheet.fit_to_pages(1, 0)


def _write_shown(workbook: xlsxwriter.Workbook, shown: ShownSheet) -> None:
    sheet = workbook.add_worksheet(shown.name)
    _one_page_wide(sheet)
    for place, column in enumerate(shown.columns):
        sheet.set_column(place, place, column.width)
    bold = workbook.add_format({"bold": True, "font_color": "#8F1818"})
    header = workbook.add_format(HEADER)
    top = len(shown.lines)
    sheet.set_row(top, HEADER_HEIGHT)
    for row, line in enumerate(shown.lines):
        sheet.write_string(row, 0, line, bold)
    rows = len(shown.columns[0].cells)
    for place, column in enumerate(shown.columns):
        sheet.write_string(top, place, column.title, header)
    sheet.freeze_panes(top + 1, 0)
    sheet.repeat_rows(0, top)
    last_row = top + max(rows, 1)
    sheet.autofilter(top, 0, last_row, len(shown.columns) - 1)
    formats = {}
    for name, code in SHOWN_AS.items():
        formats[name] = workbook.add_format({"num_format": code})
    text = workbook.add_format({"num_format": "@", **APART})
    quoted = workbook.add_format({"num_format": "@", "quote_prefix": True, **APART})
    for row in range(rows):
        below = top + 1 + row
        for place, column in enumerate(shown.columns):
            value = column.cells[row]
            if isinstance(value, str):
                kept = quoted if FORMULA.match(value) else text
                sheet.write_string(below, place, value, kept)
            elif not pd.isna(value):
                sheet.write_number(below, place, value, formats[column.at(row)])


DATA = pgettext("name of a sheet", "data")
EXAMPLE = pgettext("name of a sheet", "example")
CODES = pgettext("name of a sheet", "codes")
NOTES = pgettext("name of a sheet", "notes")
COLUMN = pgettext("of a template", "column")
TEMPLATE = _("Template of responses")
FIRST_TITLES = {EXAMPLE: COLUMN, CODES: COLUMN, NOTES: TEMPLATE}
LAST_ROW = 1_048_575
LONGEST_PROMPT = 255  # Excel's limits
LONGEST_TITLE = 32
WIDTHS = {"text": 16, "code": 12, "key": 14, "number": 14, "date": 14}
FORMATS = {"text": "@", "key": "@", "date": "yyyy-mm-dd"}


def is_template_sheet(sheet: str, header: Sequence[str]) -> bool:
    """Tell whether a sheet is one that a template of ours carries beside the sheet to fill in, in either language.

    Versions up to 0.7 wrote Chinese names of sheets over first cells that begin with the Chinese words.
    """
    first_cell = str(next(iter(header), ""))
    for name, title in FIRST_TITLES.items():
        for language in LANGUAGES:
            if sheet == name.in_language(language):
                return first_cell.startswith(title.in_language(language))
    return False


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
    example : str or Text
        What could stand there.
    low, high : int
        Of a number.
    """

    name: str
    text: Text
    kind: Literal["text", "code", "key", "number", "date"] = "text"
    choices: Mapping[str, object] | None = None
    example: str | Text = ""
    low: int = 0
    high: int = 2_000_000_000

    @property
    def meanings(self) -> dict[str, str]:
        """Return the codes with their meaning in the current language."""
        choices = self.choices or {}
        return {code: str(meaning) for code, meaning in choices.items()}

    @property
    def allowed(self) -> str:
        """Say what may stand in a cell."""
        if self.choices:
            return str(_("see sheet {codes}", codes=CODES))
        if self.kind == "number":
            return f"{self.low} – {self.high}"
        return ""

    @property
    def prompt(self) -> str:
        """Return what is shown beside a cell that is being filled in, at the length a workbook keeps."""
        meanings = [f"{code} {meaning}" for code, meaning in self.meanings.items()]
        text = f"{self.text}\n{'; '.join(meanings)}".strip()
        if len(text) <= LONGEST_PROMPT:
            return text
        where = str(_("The codes stand in sheet {codes}.", codes=CODES))
        room = LONGEST_PROMPT - len(where) - 1
        return f"{str(self.text)[:room]}\n{where}"


def write_template(
    path: Path,
    columns: Sequence[TemplateColumn],
    *,
    notes: Sequence[Text],
    rows: Sequence[Sequence[str]] = (),
) -> None:
    """Write a template workbook in the current language.

    The first sheet (data) has the header in row 1 and `rows` below it; nothing else stands there. The second shows, one line
    a column, what it holds and an example, so that no reader takes it for data; the third lists the codes behind the
    drop-downs; the last holds `notes`. The same template gives the same bytes.
    """
    with new_workbook(path) as workbook:
        bold = workbook.add_format({"bold": True, "bg_color": "#E8EEF4", "bottom": 1})
        wrapped = workbook.add_format(WRAPPED)
        data = workbook.add_worksheet(str(DATA))
        example = workbook.add_worksheet(str(EXAMPLE))
        codes = workbook.add_worksheet(str(CODES))
        explained = workbook.add_worksheet(str(NOTES))
        sources = _write_codes(codes, columns, bold)
        refused = _("Fill in as sheets {codes} and {example} say.", codes=CODES, example=EXAMPLE)
        for place, column in enumerate(columns):
            data.write_string(0, place, column.name, bold)
            number_format = None
            if column.kind in FORMATS:
                number_format = workbook.add_format({"num_format": FORMATS[column.kind]})
            data.set_column(place, place, WIDTHS[column.kind], number_format)
            rule: dict[str, Any] = {"validate": "any"}
            if column.name in sources:
                rule = {"validate": "list", "source": sources[column.name]}
            elif column.kind == "number":
                rule = {"validate": "integer", "criteria": "between"}
                rule |= {"minimum": column.low, "maximum": column.high}
            elif column.kind == "date":
                rule = {"validate": "date", "criteria": ">=", "value": CREATED.replace(year=2000)}
            rule["input_title"] = column.name[:LONGEST_TITLE]
            rule["input_message"] = column.prompt
            rule["error_title"] = str(_("not allowed"))
            rule["error_message"] = str(refused)
            data.data_validation(1, place, LAST_ROW, place, rule)
        data.freeze_panes(1, 0)
        for row, record in enumerate(rows, start=1):
            for place, (value, column) in enumerate(zip(record, columns, strict=True)):
                _write(data, row, place, value=value, column=column)
        titles = {
            COLUMN: 20,
            _("meaning"): 44,
            _("example, not counted"): 34,
            pgettext("in a cell", "allowed"): 50,
        }
        _write_head(example, titles, bold)
        for row, column in enumerate(columns, start=1):
            shown = (column.name, column.text, column.example, column.allowed)
            for place, words in enumerate(shown):
                example.write_string(row, place, str(words), wrapped)
        explained.set_column(0, 0, 100)
        explained.fit_to_pages(1, 0)
        for row, note in enumerate(notes):
            explained.write_string(row, 0, str(note), wrapped)


def _write_head(sheet: Any, titles: Mapping[Text, int], bold: Any) -> None:
    """Write the titles of a sheet that explains, each with the width of its column; printed it is one page wide."""
    _one_page_wide(sheet)
    sheet.freeze_panes(1, 0)
    for place, (title, width) in enumerate(titles.items()):
        sheet.write_string(0, place, str(title), bold)
        sheet.set_column(place, place, width)


def _write_codes(sheet: Any, columns: Sequence[TemplateColumn], bold: Any) -> dict[str, str]:
    """List the codes of all columns below one another; return where each column's stand."""
    titles = {COLUMN: 20, pgettext("of an answer", "code"): 14, _("meaning"): 60}
    _write_head(sheet, titles, bold)
    sources = {}
    row = 1
    for column in columns:
        first = row
        for code, meaning in column.meanings.items():
            sheet.write_string(row, 0, column.name)
            _write(sheet, row, 1, value=code, column=column)
            sheet.write_string(row, 2, meaning)
            row += 1
        if column.kind in ("code", "key") and row > first:
            cells = f"$B${first + 1}:$B${row}"
            sources[column.name] = f"={CODES}!{cells}"
    return sources


def _write(sheet: Any, row: int, place: int, *, value: str, column: TemplateColumn) -> None:
    """Write a cell: a number where the column holds numbers, so that it is what the drop-down offers; nothing where empty."""
    if column.kind in ("code", "number") and value.lstrip("-").isdigit():
        sheet.write_number(row, place, int(value))
    elif value:
        sheet.write_string(row, place, value)
