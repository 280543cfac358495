"""LimeSurvey: `id`, `submitdate`, `lastpage`, `startlanguage`, `seed`, then `Q` or `Q[SQ001]`; codes or full answers.

A part whose question holds nothing but Y and N (or nothing) is an option; other parts are rows of an array.
"""

from __future__ import annotations

import re
from functools import partial

from satisfaction.collection.platforms.export import (
    NAME,
    ExportColumn,
    ExportTable,
    Fields,
    Note,
    Role,
    Shape,
    by_titles,
)

RECORDED: dict[str, Role] = {
    "id": "id", "submitdate": "submitted", "startdate": "started", "datestamp": "ended", "interviewtime": "duration", "ipaddr": "ip",
    "lastpage": "status", "startlanguage": "", "seed": "", "refurl": "source",
}  # fmt: skip
PART = re.compile(r"([A-Za-z][A-Za-z0-9_]*)\[([^\]]+)\]")
CHOSEN = {"", "Y", "N"}


def _recognises(table: ExportTable) -> bool:
    return {"submitdate", "lastpage", "startlanguage"} <= set(table.titles)


def _unfold(table: ExportTable) -> tuple[Fields, list[Note]]:
    held: dict[str, set[str]] = {}
    for title, cells in zip(table.titles, table.columns, strict=True):
        if (found := PART.fullmatch(title)) and found[2] != "other":
            held.setdefault(found[1], set()).update(cells.tolist())
    options = {name for name, values in held.items() if "Y" in values and values <= CHOSEN}
    return by_titles(table, partial(_column, options=options)), []


def _column(key: str, title: str, *, options: set[str]) -> ExportColumn:
    if found := PART.fullmatch(title):
        if found[2] == "other":
            return ExportColumn(key, f"{found[1]}#text")
        if found[1] in options:
            return ExportColumn(key, title, name=found[1], option=found[2])
        return ExportColumn(key, title, name=f"{found[1]}_{found[2]}")
    named = NAME.fullmatch(title) and title not in RECORDED
    return ExportColumn(key, title, name=title if named else "", role=RECORDED.get(title, ""))


SHAPE = Shape("limesurvey", _recognises, _unfold)
