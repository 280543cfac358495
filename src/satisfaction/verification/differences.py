"""The first place where two files of the same name differ: numbers to 12 significant digits, everything else exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ..io.files import decode, read_json, sha256
from ..io.grids import Grid, read_grids
from ..published import COLUMNS, DIGITS

UNIT = tuple(title for name in ("wave", "level", "code", "measure") for title in (name, COLUMNS[name].zh))
TABLES = (".csv", ".xlsx", ".parquet")


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two files differ.

    Attributes
    ----------
    file, place : str
        File, and sheet, key or line in it.
    unit : str
        What the row stands for: wave, level, code, measure, as far as the file has them; else the row's number.
    column : str
    old, new : str
        As they stand there.
    """

    file: str
    place: str
    unit: str
    column: str
    old: str
    new: str


def first_difference(old: Path, new: Path, *, ignored: tuple[str, ...] = ()) -> Difference | None:
    """Return the first difference between two files of one name, None where they say the same.

    Parameters
    ----------
    old, new : Path
    ignored : tuple of str
        Keys at the top of a JSON file that are not looked at.
    """
    if sha256(old) == sha256(new):
        return None
    if old.suffix in TABLES:
        return next(_in_tables(old, new), None)
    if old.suffix == ".json":
        sides = (dict(flat(read_json(path), ignored=ignored)) for path in (old, new))
        return next(_in_mappings(*sides, file=old.name), None)
    return next(_in_lines(old, new), None)


def same(old: str, new: str) -> bool:
    """Tell whether two cells say the same."""
    if old == new:
        return True
    try:
        return f"{float(old):.{DIGITS}g}" == f"{float(new):.{DIGITS}g}"
    except ValueError:
        return False


def _in_tables(old: Path, new: Path) -> Iterator[Difference]:
    before, after = ({grid.sheet: grid for grid in read_grids(path)[0]} for path in (old, new))
    for sheet in before | after:
        if sheet not in before or sheet not in after:
            yield Difference(old.name, sheet, "", "", *_there(sheet in before, sheet in after))
        else:
            yield from _in_grids(old.name, before[sheet], after[sheet])


def _in_grids(file: str, old: Grid, new: Grid) -> Iterator[Difference]:
    header = list(old.record(0))
    for row, (before, after) in enumerate(zip_longest(_records(old), _records(new))):
        if before is None or after is None:
            known = before or after or []
            yield Difference(file, old.sheet, _unit(header, known, row), "", *_there(before is not None, after is not None))
            return
        for place, (one, other) in enumerate(zip_longest(before, after, fillvalue="")):
            if not same(one, other):
                column = header[place] if place < len(header) and header[place] else f"column {place + 1}"
                yield Difference(file, old.sheet, _unit(header, before, row), column, one, other)


def _records(grid: Grid) -> Iterator[list[str]]:
    yield from (list(record) for record in zip(*grid.columns, strict=True))


def _unit(header: list[str], record: list[str], row: int) -> str:
    named = [value for title, value in zip(header, record, strict=False) if title in UNIT and value]
    return " ".join(named) if row and named else f"row {row + 1}"


def _there(before: bool, after: bool) -> tuple[str, str]:
    words = {True: "有 there", False: "无 not there"}
    return words[before], words[after]


def flat(value: Any, way: str = "", *, ignored: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield the leaves of a JSON value by the way to them."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            if way or key not in ignored:
                yield from flat(one, f"{way}.{key}" if way else key)
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from flat(one, f"{way}[{place}]")
    else:
        yield way, json.dumps(value, ensure_ascii=False)


def _in_mappings(old: dict[str, str], new: dict[str, str], *, file: str) -> Iterator[Difference]:
    for key in old | new:
        before, after = old.get(key, ""), new.get(key, "")
        if not same(before, after):
            yield Difference(file, key, "", "", before, after)


def _in_lines(old: Path, new: Path) -> Iterator[Difference]:
    pairs = zip_longest(decode(old).splitlines(), decode(new).splitlines(), fillvalue="")
    for number, (before, after) in enumerate(pairs, start=1):
        if before != after:
            yield Difference(old.name, f"line {number}", "", "", *_around(before, after))


def _around(before: str, after: str, width: int = 60) -> tuple[str, str]:
    """Cut two long lines to where they part."""
    start = next((at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), 0)
    first = max(start - width // 4, 0)
    return before[first : first + width], after[first : first + width]
