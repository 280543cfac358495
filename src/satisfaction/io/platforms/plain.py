"""Any table with a row of column names: by name, by label, or by question number (`Q3`, `3、题干`)."""

from __future__ import annotations

import re

from .export import NAME, Column, Fields, Note, Role, Shape, Table

QUESTION = re.compile(r"[Qq]?(\d+(?:[-_]\d+)?)\s*[、.．:：]\s*(\S.*)", re.DOTALL)
NUMBERED = re.compile(r"[Qq](\d+(?:[-_]\d+)?)")


def column(key: str, title: str, *, role: Role = "") -> Column:
    """Read a column name."""
    if found := QUESTION.fullmatch(title):
        return Column(key, found[2], number=found[1], role=role)
    numbered = NUMBERED.fullmatch(title)
    return Column(
        key, title, number=numbered[1] if numbered else "", name=title if NAME.fullmatch(title) else "", role=role
    )  # fmt: skip


def _unfold(table: Table) -> tuple[Fields, list[Note]]:
    columns = [column(key, title) for key, title in zip(table.keys, table.titles, strict=True)]
    return list(zip(columns, table.columns, strict=True)), []


SHAPE = Shape("plain", lambda table: True, _unfold)
