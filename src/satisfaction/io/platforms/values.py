"""Answers and times of platforms in neutral text; only what a platform documents is rewritten."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping

import numpy as np

from ..grids import Texts
from .export import Column, Fields, Note, Table, note

TIME = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]+(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.\d+)?)?)?")
ZONED = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}.*(?:Z|[+-]\d{2}:?\d{2})")
SPELT = re.compile(r"(?:(\d{1,9})(?:小时|时|h))?(?:(\d{1,9})(?:分钟|分|min|m))?(?:(\d{1,9})(?:秒钟|秒|s))?")
CLOCK = re.compile(r"(\d{1,9}):(\d{2}):(\d{2})")
LONGEST = 9  # digits of a duration: thirty years
TIMES = ("submitted", "started", "ended")


def mapped(values: Texts, changes: Mapping[str, str] | Callable[[str], str]) -> Texts:
    """Exchange texts, each different one once; the same array comes back where nothing changes."""
    look_up = changes if callable(changes) else lambda value: changes.get(value, value)
    changed = {value: new for value in set(values.tolist()) if (new := look_up(value)) != value}
    if not changed:
        return values
    return np.fromiter((changed.get(value, value) for value in values.tolist()), dtype=object, count=len(values))


def iso_time(value: str) -> str | None:
    """Write 2026/9/18 19:20:55 as 2026-09-18T19:20:55, a bare day as a day; None where it is no time.

    A time that is ISO already stays, with its zone.
    """
    text = value.strip()
    if ZONED.fullmatch(text):
        return text
    if not (found := TIME.fullmatch(text)):
        return None
    year, month, day, *clock = found.groups()
    try:
        date = datetime.date(int(year), int(month), int(day))
        hour, minute, second = (int(part or 0) for part in clock)
        time = datetime.time(hour, minute, second)
    except ValueError:
        return None
    return f"{date}T{time}" if clock[0] else str(date)


def seconds(value: str) -> str | None:
    """Write 64秒, 1分4秒, 1小时2分3秒, 0:01:04 or 64 as seconds; None where it is no duration."""
    text = value.strip().lower().replace(" ", "")
    if text.isascii() and text.isdigit() and len(text) <= LONGEST:
        return str(int(text))
    found = CLOCK.fullmatch(text) or SPELT.fullmatch(text)
    if not found or not text:
        return None
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    return str(hours * 3600 + minutes * 60 + rest)


def neutral_times(fields: Fields, table: Table) -> tuple[Fields, list[Note]]:
    """Rewrite the times and durations that the platform recorded."""
    result: Fields = []
    notes: list[Note] = []
    for column, values in fields:
        change = iso_time if column.role in TIMES else seconds if column.role == "duration" else None
        if change:
            found = {value: change(value) for value in set(values.tolist())}
            notes += _noted("F208", {v for v, new in found.items() if v.strip() and new is None}, column, values, table)
            values = mapped(values, {value: new for value, new in found.items() if new is not None})
        result.append((column, values))
    return result, notes


def damaged(fields: Fields, table: Table) -> list[Note]:
    """Note numbers whose last digits Excel has changed, and answers that it has turned into dates.

    Dates are suspect where they are the smaller part of a question's answers.
    """
    notes: list[Note] = []
    for column, values in fields:
        different = set(values.tolist())
        notes += _noted("F206", different & table.long_numbers, column, values, table)
        if not column.role and (dates := different & table.dates):
            answers = [value for value in values.tolist() if value.strip()]
            if 2 * sum(value in dates for value in answers) < len(answers):
                notes += _noted("F207", dates, column, values, table)
    return notes


def _noted(rule: str, values: set[str], column: Column, cells: Texts, table: Table) -> list[Note]:
    """Build a note for every row of a column that holds one of the values."""
    if not values:
        return []
    pairs = zip(table.numbers.tolist(), cells.tolist(), strict=True)
    return [note(rule, row=row, column=column.key, value=cell) for row, cell in pairs if cell in values]
