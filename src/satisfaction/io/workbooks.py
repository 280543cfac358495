"""Workbook templates: a sheet to fill in with drop-downs, an example apart from it, the codes, and how to fill it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import xlsxwriter

from .writing import CREATED, IN_MEMORY

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
    zh, en : str
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
    zh: str
    en: str
    kind: Literal["text", "code", "key", "number", "date"] = "text"
    choices: Mapping[str, str] | None = None
    example: str = ""
    low: int = 0
    high: int = 2_000_000_000


def write_template(
    path: Path, columns: Sequence[TemplateColumn], *, notes: Sequence[str], rows: Sequence[Sequence[str]] = ()
) -> None:
    """Write a template workbook.

    The first sheet, 数据, has the header in row 1 and `rows` below it; nothing else stands there. 示例 shows, one line a
    column, what it holds and an example, so that no reader takes it for data. 编码 lists the codes behind the drop-downs;
    说明 holds `notes`. The same template gives the same bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with xlsxwriter.Workbook(str(path), {"default_date_format": "yyyy-mm-dd", **IN_MEMORY}) as workbook:
        workbook.set_properties({"created": CREATED})
        bold = workbook.add_format({"bold": True, "bg_color": "#E8EEF4", "bottom": 1})
        wrapped = workbook.add_format({"text_wrap": True, "valign": "top"})
        data, example, codes, said = (workbook.add_worksheet(name) for name in (DATA, EXAMPLE, CODES, NOTES))
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
    workbook: xlsxwriter.Workbook, sheet: Any, place: int, column: TemplateColumn, *, bold: Any, listed: str | None
) -> None:
    """Write a header and, below it, the format and the rule of the cells."""
    sheet.write_string(0, place, column.name, bold)
    kept = FORMATS.get(column.kind)
    sheet.set_column(place, place, WIDTHS[column.kind], workbook.add_format({"num_format": kept}) if kept else None)
    rule: dict[str, Any] = {"validate": "any"}
    if listed:
        rule = {"validate": "list", "source": listed}
    elif column.kind == "number":
        rule = {"validate": "integer", "criteria": "between", "minimum": column.low, "maximum": column.high}
    elif column.kind == "date":
        rule = {"validate": "date", "criteria": ">=", "value": CREATED.replace(year=2000)}
    meaning = "; ".join(f"{code} {label}" for code, label in (column.choices or {}).items())
    text = f"{column.zh} {column.en}\n{meaning}".strip()
    if len(text) > LONGEST_PROMPT:
        text = f"{column.zh} {column.en}"[: LONGEST_PROMPT - 30] + f"\n编码见“{CODES}” see sheet {CODES}"
    rule |= {"input_title": column.name[:LONGEST_TITLE], "input_message": text, "error_title": "不在允许范围 not allowed"}
    rule |= {"error_message": f"请按“{CODES}”或“{EXAMPLE}”填写。 Fill in as sheets {CODES} and {EXAMPLE} say."}
    sheet.data_validation(1, place, LAST_ROW, place, rule)


def _write_codes(sheet: Any, columns: Sequence[TemplateColumn], bold: Any) -> dict[str, str]:
    """List the codes of all columns below one another; return where each column's stand."""
    for place, (title, width) in enumerate(((FIRST_TITLES[CODES], 20), ("编码 code", 14), ("含义 meaning", 60))):
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
    titles = (FIRST_TITLES[EXAMPLE], "含义 meaning", "示例（不计入） example, not counted", "可填 allowed")
    for place, (title, width) in enumerate(zip(titles, (20, 44, 34, 50), strict=True)):
        sheet.write_string(0, place, title, bold)
        sheet.set_column(place, place, width)
    for row, column in enumerate(columns, start=1):
        allowed = f"见“{CODES}” see sheet {CODES}" if column.choices else ""
        if column.kind == "number":
            allowed = f"{column.low} – {column.high}"
        for place, text in enumerate((column.name, f"{column.zh} {column.en}", column.example, allowed)):
            sheet.write_string(row, place, text, wrapped)
