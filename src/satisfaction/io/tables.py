"""Tables from files, every value as text: codes keep their leading digits, nothing is guessed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..errors import InputFileError
from .files import decode
from .grids import Grid, Texts, read_grids

__all__ = ["RawTable", "decode", "read_table", "read_tables"]


@dataclass(frozen=True, slots=True)
class RawTable:
    """One sheet or csv file as text.

    Attributes
    ----------
    path, sheet : Path, str
        Where it came from; sheet is empty for a csv file.
    header : tuple of str
        Column names, stripped.
    columns : list of ndarray of str
        One array a column of the header; surplus cells are dropped and their record is in `surplus`.
    numbers : list of int
        The record's row in the file, the header being row 1.
    surplus : frozenset of int
        Row numbers that hold more cells than the header.
    """

    path: Path
    sheet: str
    header: tuple[str, ...]
    columns: list[Texts]
    numbers: list[int]
    surplus: frozenset[int]

    @property
    def rows(self) -> list[list[str]]:
        """Return the records, each as long as the header."""
        return [list(record) for record in zip(*self.columns, strict=True)]

    def frame(self) -> pd.DataFrame:
        """Return the table as a DataFrame of text."""
        frame = pd.DataFrame(dict(enumerate(self.columns)), dtype=object)
        frame.columns = pd.Index(self.header, dtype=object)
        return frame


def read_tables(path: Path) -> list[RawTable]:
    """Read every sheet that has a header.

    Raises
    ------
    InputFileError
        What `io.grids.read_grids` raises; F108 for a column name that stands twice.
    """
    return [_table(grid) for grid in read_grids(path)[0]]


def read_table(path: Path) -> pd.DataFrame:
    """Read the first table of a file as a DataFrame of text."""
    return read_tables(path)[0].frame()


def _table(grid: Grid) -> RawTable:
    """Split header from rows."""
    header = _header(grid)
    surplus: set[int] = set()
    for column in grid.columns[len(header) :]:
        surplus.update(number for number, cell in zip(grid.numbers[1:].tolist(), column[1:], strict=True) if cell.strip())
    columns = [column[1:] for column in grid.columns[: len(header)]]
    return RawTable(grid.path, grid.sheet, header, columns, grid.numbers[1:].tolist(), frozenset(surplus))


def _header(grid: Grid) -> tuple[str, ...]:
    names = [name.strip() for name in grid.record(0)]
    while names and not names[-1]:
        names.pop()
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise InputFileError(
            "F108",
            f"列名 '{twice[0]}' 出现多次。",
            f"The column name '{twice[0]}' stands more than once.",
            where=" ".join(filter(None, (str(grid.path), grid.sheet, "row 1"))),
            hint=("改名或删去多余的列。", "Rename or remove the extra column."),
        )
    return tuple(names)
