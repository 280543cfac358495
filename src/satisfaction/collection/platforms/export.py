"""What every platform's export becomes: columns with a role, rows of text, and notes on all that was not taken as it stood.

Answers and times of platforms in neutral text; only what a platform documents is rewritten.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from satisfaction.foundation.figures import Brief
from satisfaction.foundation.grids import Texts
from satisfaction.foundation.language import Text, _

EMPTY = ""
SKIPPED = "(跳过)"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Role = Literal[
    "",
    "submitted",
    "started",
    "ended",
    "duration",
    "source",
    "ip",
    "id",
    "uuid",
    "interviewer",
    "device",
    "outcome",
    "status",
]
NOTES = {
    "F201": _("more cells than column names; not read"),
    "F202": _("a row of totals; not read"),
    "F203": _("a title above the header; not read"),
    "F204": _("two rows of column names joined by '/'"),
    "F205": _("the column name stands twice; renamed"),
    "F206": _("a long number of which Excel has changed or dropped the last digits"),
    "F207": _("an answer that Excel seems to have turned into a date or time"),
    "F208": _(
        "a time or duration that is not understood (a time without a year, for one); "
        "left as it stands"
    ),
    "F209": _("declared missing in SPSS; left as it stands"),
    "F210": _("not a table of respondents; not read"),
    "F211": _("only 0 and 1 in these columns; read as the options of one question"),
    "F212": _("the column has no name"),
    "F213": _("cells read as skipped"),
    "F214": _("cells read as empty"),
    "F215": _("a column of lists or records; not read"),
    "F315": _("cells merged below one another; each has been given their value"),
    "F316": _("the sheet is hidden in the workbook; its rows are read"),
    "F318": _("rows that the workbook hides, by a filter or by hand; they are read"),
    "F317": _("every number of the column ends in .0; read as whole numbers"),
}


@dataclass(frozen=True, slots=True)
class Note:
    """Something that is not as it stood in the file, or may not be what it seems.

    Attributes
    ----------
    rule : str
        Identifier, see `NOTES`.
    row : int
        The row in the file, 0 for the whole table.
    column, value : str
        The column's key (a group's path for F211) and what stood there; personal data is not masked here.
    """

    rule: str
    row: int = 0
    column: str = ""
    value: str = ""

    @property
    def text(self) -> Text:
        """What the rule says."""
        return NOTES[self.rule]


@dataclass(frozen=True, slots=True)
class ExportColumn:
    """One column of an export.

    Attributes
    ----------
    key : str
        Unique in the export.
    title : str
        As the file shows it, without the question's number.
    number : str
        The question's number in the file ("3", "3(1)"), or empty.
    name : str
        The platform's machine name without groups, or empty.
    option : str
        For a select-all question in several columns, the option's code or label.
    role : str
        What the platform itself recorded here; empty for questions.
    labels : mapping of str to str
        What the file itself says that its codes mean, by code.
    """

    key: str
    title: str
    number: str = ""
    name: str = ""
    option: str = ""
    role: Role = ""
    labels: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)


@dataclass(frozen=True, slots=True, repr=False)
class Export(Brief):
    """One table of a file in one neutral shape.

    Attributes
    ----------
    path, sheet : Path, str
        Where it came from; sheet is empty for a single table, the member's name for a zip file.
    platform : str
        The shape it was read as, one of `PLATFORMS`.
    columns : tuple of Column
        In the order of the file.
    rows : DataFrame
        All text, one column a `Column.key`; `EMPTY` where nothing stands, `SKIPPED` where the platform says so.
    numbers : ndarray of int
        Each row's place in the file, the header being row 1 (in .sav files the case number).
    notes : tuple of Note
        Rows left out are among them: records = header + rows + notes F202, F203, F204.
    """

    path: Path
    sheet: str
    platform: str
    columns: tuple[ExportColumn, ...]
    rows: pd.DataFrame
    numbers: npt.NDArray[np.int64]
    notes: tuple[Note, ...]


Fields = list[tuple[ExportColumn, Texts]]


@dataclass(frozen=True, slots=True)
class ExportTable:
    """A sheet with its header found: what the modules of the shapes work on.

    Attributes
    ----------
    keys, titles : tuple of str
        A unique key for each column and its name in the file.
    columns : list of ndarray of str
        The cells below the header.
    numbers : ndarray of int
        Each row's place in the file.
    """

    path: Path
    sheet: str
    keys: tuple[str, ...]
    titles: tuple[str, ...]
    columns: list[Texts]
    numbers: npt.NDArray[np.int64] = field(repr=False)
    long_numbers: frozenset[str]
    dates: frozenset[str]


@dataclass(frozen=True, slots=True)
class Shape:
    """One platform's shape: how it is known by its column names, and how its columns are read.

    Attributes
    ----------
    name : str
        One of `PLATFORMS`.
    recognises : callable
        Whether a table has this shape.
    unfold : callable
        From a table to its columns in neutral form, with notes.
    repeats : callable
        Whether a table of the same file is a repeat group or an audit, which holds no respondents.
    """

    name: str
    recognises: Callable[[ExportTable], bool]
    unfold: Callable[[ExportTable], tuple[Fields, list[Note]]]
    repeats: Callable[[Sequence[str]], bool] = lambda titles: False


def by_titles(table: ExportTable, column: Callable[[str, str], ExportColumn]) -> Fields:
    """Return the columns of a table, each read from its key and title alone."""
    columns = map(column, table.keys, table.titles)
    return list(zip(columns, table.columns, strict=True))


TIME = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"
    r"(?:(?:[ T]*(?P<before>上午|下午) *|[ T]+)(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.\d+)?)? *(?P<behind>[AaPp][Mm])?)?"
)
AFTERNOON = {"下午", "PM"}
MORNING = {"上午", "AM"}
ZONED = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}.*(?:Z|[+-]\d{2}:?\d{2})")
UNIVERSAL = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]00:?00)")
CHINA = datetime.timezone(datetime.timedelta(hours=8))
DIGITS_OF_A_DAY = re.compile(r"20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
SPELT = re.compile(
    r"(?:(\d{1,9})(?:小时|时|h))?(?:(\d{1,9})(?:分钟|分|min|m))?(?:(\d{1,9})(?:秒钟|秒|s))?"
)
CLOCK = re.compile(r"(\d{1,9}):(\d{2}):(\d{2})")
LONGEST = 9  # digits of a duration: thirty years


def mapped(values: Texts, changes: Mapping[str, str] | Callable[[str], str]) -> Texts:
    """Exchange texts, each different one once; the same array comes back where nothing changes."""
    look_up = changes if callable(changes) else lambda value: changes.get(value, value)
    changed = {value: new for value in set(values.tolist()) if (new := look_up(value)) != value}
    if not changed:
        return values
    return np.fromiter(
        (changed.get(value, value) for value in values.tolist()), dtype=object, count=len(values)
    )


def in_china(text: str) -> str:
    """Write a moment in universal time, which ends in Z or +00:00, as the clock in China shows it; any other text as it stands."""
    if not UNIVERSAL.fullmatch(text):
        return text
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment.astimezone(CHINA).isoformat(timespec="seconds")


def iso_time(value: str) -> str | None:
    """Write 2026/9/18 19:20:55 as 2026-09-18T19:20:55, a bare day as a day; None where it is no time.

    A time that is ISO already stays, with its zone; universal time becomes the clock in China.
    """
    text = in_china(value.strip())
    if ZONED.fullmatch(text):
        return text
    if not (found := TIME.fullmatch(text)):
        return None
    year, month, day, before, *clock, behind = found.groups()
    half = before or (behind or "").upper()
    try:
        date = datetime.date(int(year), int(month), int(day))
        hour, minute, second = (int(part or 0) for part in clock)
        if half in AFTERNOON and hour < 12:
            hour += 12
        elif half in MORNING and hour == 12:
            hour = 0
        time = datetime.time(hour, minute, second)
    except ValueError:
        return None
    return f"{date}T{time}" if clock[0] else str(date)


def seconds(value: str) -> str | None:
    """Write 0:01:04, 64, 1m4s and what Chinese platforms write as seconds; None where it is no duration."""
    text = value.strip().lower().replace(" ", "")
    if text.isascii() and text.isdigit() and len(text) <= LONGEST:
        return str(int(text))
    found = CLOCK.fullmatch(text) or SPELT.fullmatch(text)
    if not found or not text:
        return None
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    return str(hours * 3600 + minutes * 60 + rest)


NEUTRAL: dict[Role, Callable[[str], str | None]] = {
    "submitted": iso_time,
    "started": iso_time,
    "ended": iso_time,
    "duration": seconds,
}


def neutral(fields: Fields, table: ExportTable) -> tuple[Fields, list[Note]]:
    """Rewrite the times and durations that the platform recorded; note what a workbook has damaged.

    Those are numbers whose last digits Excel has changed, and answers that it has turned into dates. Dates are suspect where
    dates, in whatever spelling, are the smaller part of a question's answers.
    """
    result: Fields = []
    odd_times: list[Note] = []
    notes: list[Note] = []
    for column, values in fields:
        if change := NEUTRAL.get(column.role):
            texts: dict[str, str] = {}
            odd: set[str] = set()
            for value in set(values.tolist()):
                new = change(value)
                if new is not None:
                    texts[value] = new
                elif value.strip():
                    odd.add(value)
            odd_times += _noted("F208", odd, column, cells=values, table=table)
            values = mapped(values, texts)
        result.append((column, values))
        different = set(values.tolist())
        notes += _noted("F206", different & table.long_numbers, column, cells=values, table=table)
        if not column.role and (dates := different & table.dates):
            answers = [value for value in values.tolist() if value.strip()]
            days = dates.copy()
            for value in different:
                if iso_time(value) is not None or DIGITS_OF_A_DAY.fullmatch(value.strip()):
                    days.add(value)
            if 2 * sum(value in days for value in answers) < len(answers):
                notes += _noted("F207", dates, column, cells=values, table=table)
    return result, [*odd_times, *notes]


def _noted(
    rule: str, values: set[str], column: ExportColumn, *, cells: Texts, table: ExportTable
) -> list[Note]:
    """Build a note for every row of a column that holds one of the values."""
    if not values:
        return []
    pairs = zip(table.numbers.tolist(), cells.tolist(), strict=True)
    return [
        Note(rule, row=row, column=column.key, value=cell) for row, cell in pairs if cell in values
    ]
