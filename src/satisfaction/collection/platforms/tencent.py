"""Tencent: number and source, the questions as `Q1...` or `Q2|A1|open`, then times, place and browser.

Collection forms of Tencent Docs have who handed in and when (`COLLECTED`), the questions with "required" behind them.

Shape as in a published export (CollegesChat/university-information, v1.additions.csv).
"""

from __future__ import annotations

import re

from satisfaction.collection.platforms import plain
from satisfaction.collection.platforms.export import (
    ExportColumn,
    ExportTable,
    Role,
    Shape,
    by_titles,
)

RECORDED: dict[str, Role] = {
    "答题序号": "id", "来源": "source", "开始时间": "started", "提交时间": "submitted", "答题时长": "duration", "IP地址": "ip",
    "IP省份": "", "IP城市": "", "浏览器": "", "操作系统": "",
}  # fmt: skip
CODED = re.compile(r"[Qq](\d+)\|([^|]+)(\|open)?")
COLLECTED = {"提交者（自动）", "提交时间（自动）", "提交者(自动)", "提交时间(自动)"}


def _recognises(table: ExportTable) -> bool:
    if COLLECTED & set(table.titles):
        return True
    return "答题序号" in table.titles and len(set(RECORDED) & set(table.titles)) >= 3


def _column(key: str, title: str) -> ExportColumn:
    recorded = plain.without_marks(title) if title in COLLECTED else title
    if recorded in RECORDED:
        return ExportColumn(key, title, role=RECORDED[recorded])
    if found := CODED.fullmatch(title):
        if found[3]:
            return ExportColumn(key, f"Q{found[1]}|{found[2]}#text")
        return ExportColumn(key, title, number=found[1], option=found[2])
    return plain.column(key, title)


SHAPE = Shape("tencent", _recognises, lambda table: (by_titles(table, _column), []))
