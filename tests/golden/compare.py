"""How far two files of figures are apart: the largest relative difference of their numbers.

usage: python tests/golden/compare.py COMMITTED ANEW      two json files, or two csv files

A list of one is its number (R writes it either way). Another text, another length or a name that
only one of them has is told apart from numbers; names that only the second has are counted.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Difference:
    """One value that two files hold at the same place; size: relative, infinite for other texts."""

    place: str
    size: float


def read(path: Path) -> Any:
    """Return the content of a json file, or the rows of a csv file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    return list(csv.reader(text.splitlines()))


def differences(committed: Any, anew: Any, place: str = "") -> Iterator[Difference]:
    """Yield every value of the first, with its distance from the one at the same place of the second."""
    if isinstance(committed, dict):
        yield from _of_names(committed, anew, place)
        return
    committed, anew = _unboxed(committed), _unboxed(anew)
    if isinstance(committed, list):
        yield from _of_lists(committed, anew, place)
    else:
        yield Difference(place, _distance(committed, anew))


def _of_names(committed: dict[str, Any], anew: Any, place: str) -> Iterator[Difference]:
    if not isinstance(anew, dict):
        yield Difference(place, math.inf)
        return
    for name, value in committed.items():
        below = f"{place}/{name}"
        if name in anew:
            yield from differences(value, anew[name], below)
        else:
            yield Difference(below, math.inf)


def _of_lists(committed: list[Any], anew: Any, place: str) -> Iterator[Difference]:
    if not isinstance(anew, list) or len(anew) != len(committed):
        yield Difference(place, math.inf)
        return
    for position, value in enumerate(committed):
        yield from differences(value, anew[position], f"{place}[{position}]")


def _unboxed(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _distance(committed: Any, anew: Any) -> float:
    if committed == anew:
        return 0.0
    try:
        first = float(committed)
        second = float(anew)
    except (TypeError, ValueError):
        return math.inf
    scale = max(abs(first), abs(second))
    return abs(first - second) / scale


def worst(committed: Path, anew: Path) -> Difference:
    """Return the largest difference between two files."""
    return max(differences(read(committed), read(anew)), key=lambda one: one.size)


if __name__ == "__main__":
    found = worst(Path(sys.argv[1]), Path(sys.argv[2]))
    print(f"largest relative difference {found.size:.2g} at {found.place or 'the top'}")
