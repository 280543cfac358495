"""Any table with a row of column names: by name, by label, or by question number (`Q3`, `3、题干`)."""

from __future__ import annotations

import re

from satisfaction.collection.platforms.export import (
    NAME,
    ExportColumn,
    ExportTable,
    Fields,
    Note,
    Role,
    Shape,
)

QUESTION = re.compile(r"(?:[Qq]?(\d+(?:[-_]\d+)?)\s*[、.．:：]|[Qq](\d+)\s)\s*(\S.*)", re.DOTALL)
REQUIRED = re.compile(r"[*＊]\s*(?=\S)")
KIND = re.compile(
    r"\s*[(（\[【](?:必填|必答|选填|选答|自动|(?:单选|多选|填空|简答|问答|下拉|打分|评分|量表|矩阵|文本|日期|不定项)(?:选择)?题?)[)）\]】]\s*"
)
NUMBERED = re.compile(r"[Qq](\d+(?:[-_]\d+)?)")


def column(key: str, title: str, *, role: Role = "") -> ExportColumn:
    """Read a column name, without the marks that form builders add: `*1. 题干（必填）`, `Q1 题干[单选题]`."""
    title = without_marks(title)
    if found := QUESTION.fullmatch(title):
        return ExportColumn(key, found[3], number=found[1] or found[2], role=role)
    numbered = NUMBERED.fullmatch(title)
    return ExportColumn(
        key, title, number=numbered[1] if numbered else "", name=title if NAME.fullmatch(title) else "", role=role
    )  # fmt: skip


def without_marks(title: str) -> str:
    """Return a title without the marks of required questions and kinds of questions."""
    bare = title[found.end() :] if (found := REQUIRED.match(title)) else title
    return KIND.sub("", bare) or title


def _unfold(table: ExportTable) -> tuple[Fields, list[Note]]:
    columns = [column(key, title) for key, title in zip(table.keys, table.titles, strict=True)]
    return list(zip(columns, table.columns, strict=True)), []


SHAPE = Shape("plain", lambda table: True, _unfold)
