"""Any table with a row of column names: by name, by label, or by question number (`Q3`, or 3 before the title)."""

from __future__ import annotations

import re
from dataclasses import replace

from satisfaction.collection.platforms.export import (
    NAME,
    ExportColumn,
    Role,
    Shape,
    by_titles,
)

QUESTION = re.compile(r"(?:[Qq]?(\d+(?:[-_]\d+)?)\s*[、.．:：]|[Qq](\d+)\s)\s*(\S.*)", re.DOTALL)
REQUIRED = re.compile(r"^[*＊]\s*(?=\S)")
KIND = re.compile(
    r"\s*[(（\[【](?:必填|必答|选填|选答|自动|(?:单选|多选|填空|简答|问答|下拉|打分|评分|量表|矩阵|文本|日期|不定项)(?:选择)?题?)[)）\]】]\s*"
)
NUMBERED = re.compile(r"[Qq](\d+(?:[-_]\d+)?)")


def column(key: str, title: str, *, role: Role = "") -> ExportColumn:
    """Read a column name, without the marks that form builders add: a star before it, the kind of question behind it."""
    title = without_marks(title)
    if question := QUESTION.fullmatch(title):
        return ExportColumn(key, question[3], number=question[1] or question[2], role=role)
    column = ExportColumn(key, title, role=role)
    if numbered := NUMBERED.fullmatch(title):
        column = replace(column, number=numbered[1])
    if NAME.fullmatch(title):
        column = replace(column, name=title)
    return column


def without_marks(title: str) -> str:
    """Return a title without the marks of required questions and kinds of questions."""
    return KIND.sub("", REQUIRED.sub("", title)) or title


SHAPE = Shape("plain", lambda table: True, lambda table: (by_titles(table, column), []))
