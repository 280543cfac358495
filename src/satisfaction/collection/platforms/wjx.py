"""Wenjuanxing (wjx.cn): the export by text and the export by code; both begin with what the platform recorded.

Text: the number before the title, one column for a select-all answer with `┋` between the options, free text in
brackets after an option (`FREE`), words for skipped and empty (`WORDS`), a second number for the blanks of one question.
Code: the number and an option (`PART`) with 0/1 for a select-all question, the number and a row with the code for a
matrix, -3 for skipped and -2 for left empty.
Shapes as read by gasongjian/reportgen and CollegesChat/wenjuanxing-parser.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from satisfaction.collection.platforms.by_name import without_marks
from satisfaction.collection.platforms.export import (
    EMPTY,
    SKIPPED,
    ExportColumn,
    ExportTable,
    Fields,
    Note,
    Role,
    Shape,
    mapped,
)

RECORDED: dict[str, Role] = {
    "序号": "id", "提交答卷时间": "submitted", "所用时间": "duration", "来源": "source", "来源详情": "", "来自IP": "ip", "总分": "",
}  # fmt: skip
QUESTION = re.compile(r"(\d+)[、.．:：]\s*(?:[(（](\d+)[)）])?\s*(.*)", re.DOTALL)
PART = re.compile(r"第(\d+)题[(（](.*)[)）]", re.DOTALL)
FREE = re.compile("〖(.*?)〗", re.DOTALL)
WORDS = {"(跳过)": SKIPPED, "（跳过）": SKIPPED, "(空)": EMPTY, "（空）": EMPTY}
CODES = WORDS | {"-3": SKIPPED, "-2": EMPTY}
CODE = re.compile(r"-?\d{1,3}")


def _recognises(table: ExportTable) -> bool:
    """Tell by the time of submission and at least one numbered question."""
    return "提交答卷时间" in table.titles and any(_is_question(title) for title in table.titles)


def _is_question(title: str) -> bool:
    return bool(QUESTION.fullmatch(title) or PART.fullmatch(title))


def _is_code(table: ExportTable) -> bool:
    """Tell codes from text: by the marks of either, and without any by what most questions hold."""
    answers = []
    for title, cells in zip(table.titles, table.columns, strict=True):
        if _is_question(title):
            answers.append(set(cells.tolist()) - {EMPTY})
    different = set().union(*answers)
    if not different.isdisjoint(WORDS) or any("┋" in value for value in different):
        return False
    if different & {"-2", "-3"}:
        return True
    coded = [all(map(CODE.fullmatch, values)) for values in answers if values]
    return 2 * sum(coded) > len(coded)


def _unfold(table: ExportTable, markers: Mapping[str, str]) -> tuple[Fields, list[Note]]:
    fields: Fields = []
    notes: list[Note] = []
    options = _options(table)
    for key, title, cells in zip(table.keys, table.titles, table.columns, strict=True):
        column = _column(key, title, options)
        if title in RECORDED:
            fields.append((column, cells))
            continue
        values = mapped(cells, lambda value: FREE.sub("", value))
        held = values.tolist()
        for marker in sorted(markers.keys() & set(held)):
            rule = "F213" if markers[marker] == SKIPPED else "F214"
            notes.append(Note(rule, column=key, value=f"{marker} × {held.count(marker)}"))
        fields.append((column, mapped(values, markers)))
        if values is not cells:
            texts = mapped(cells, lambda value: "┋".join(filter(None, FREE.findall(value))))
            free = f"{key}#text"
            while free in table.keys:
                free += "#"
            fields.append((ExportColumn(free, f"{column.title}#text"), texts))
    return fields, notes


def _column(key: str, title: str, options: set[str]) -> ExportColumn:
    if found := PART.fullmatch(title):
        option = found[2] if found[1] in options else ""
        return ExportColumn(key, found[2], number=found[1], option=option)
    if found := QUESTION.fullmatch(title):
        number = f"{found[1]}({found[2]})" if found[2] else found[1]
        return ExportColumn(key, without_marks(found[3]), number=number)
    return ExportColumn(key, title, role=RECORDED.get(title, ""))


def _options(table: ExportTable) -> set[str]:
    """Return the numbers of questions whose parts hold 0 and 1 alone: options, where other parts are rows of a matrix."""
    held: dict[str, set[str]] = {}
    for title, cells in zip(table.titles, table.columns, strict=True):
        if found := PART.fullmatch(title):
            values = held.setdefault(found[1], set())
            values.update(FREE.sub("", value) for value in set(cells.tolist()))
    marks = {"0", "1", EMPTY, *CODES}
    return {number for number, values in held.items() if "0" in values and values <= marks}


CODED = Shape(
    "wjx-code",
    lambda table: _recognises(table) and _is_code(table),
    lambda table: _unfold(table, CODES),
)
TEXT = Shape(
    "wjx-text",
    lambda table: _recognises(table) and not _is_code(table),
    lambda table: _unfold(table, WORDS),
)
