"""The recipe of a design as another tool repeats it: the margins of its single calibration, read back from the solved steps.

R's words: names, literals and comments that R reads back as they were meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.sampling.design import SampleDesign, Weighting
from satisfaction.weighting.calibration import Calibration

RESERVED = {
    "if", "else", "repeat", "while", "function", "for", "next", "break", "in", "TRUE", "FALSE", "NULL", "Inf", "NaN", "NA",
    "NA_integer_", "NA_real_", "NA_complex_", "NA_character_",
}  # fmt: skip
WIDTH = 110
QUOTES = str.maketrans(
    {"“": '"', "”": '"', "‘": "'", "’": "'"}
)  # what looks like a quotation mark, R takes for an error


def r_name(name: str) -> str:
    """Return a name as R takes it without backticks; a name that is one already stays as it is."""
    valid = re.sub(r"[^\w.]", ".", name)
    if not re.match(r"[^\W\d_]|\.(?!\d)", valid):
        valid = f"X{valid}"
    return f"{valid}." if valid in RESERVED else valid


def unique_name(name: str, taken: Iterable[str], *, suffix: str = "_2") -> str:
    """Return a valid R name that is not taken, with the suffix where it has to differ."""
    found, taken = r_name(name), set(taken)
    while found in taken:
        found += suffix
    return found


def text_of(value: Any) -> str:
    """Return a code as the csv file and the script spell it: whole numbers without a decimal point, truth values as 1 and 0."""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return str(int(value)) if float(value).is_integer() else f"{value:.17g}"
    return str(value)


def as_codes(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of codes as text; missing stays missing."""
    return values.map({value: text_of(value) for value in values.dropna().unique()}).astype(object)


def quoted(text: str) -> str:
    """Return a text as an R string; what could end it, or look like a quotation mark, is escaped."""

    def escaped(letter: str) -> str:
        """Return one character of the string."""
        if letter in '\\"':
            return f"\\{letter}"
        plain = letter.isprintable() and letter not in "“”‘’"
        return (
            letter
            if plain
            else f"\\u{ord(letter):04x}"
            if ord(letter) < 0x10000
            else f"\\U{ord(letter):08x}"
        )

    return '"' + "".join(map(escaped, text)) + '"'


def r_number(value: float) -> str:
    """Return a number with the digits that make it the same double again."""
    return f"{value:.17g}"


def vector(values: Iterable[str], *, indent: str = "    ") -> str:
    """Return c(...) of values that are R already, broken into lines."""
    lines, line = [], ""
    for value in values:
        if line and len(line) + len(value) > WIDTH:
            lines.append(line.rstrip())
            line = ""
        line += f"{value}, "
    body = "\n".join(indent + one for one in (*lines, line.rstrip().rstrip(",")))
    return f"c(\n{body}\n{indent[:-2]})"


def comment(*texts: str) -> str:
    """Return texts as comment lines of bounded length; nothing in them can become code."""
    lines = []
    for text in texts:
        rest = " ".join(text.split()).translate(QUOTES)
        while len(rest) > WIDTH:
            at = rest.rfind(" ", WIDTH // 2, WIDTH)
            at = WIDTH if at < 0 else at
            lines.append(rest[:at])
            rest = rest[at:].strip()
        lines.append(rest)
    return "\n".join(f"# {line}" for line in lines)


Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Margin:
    """One margin of a calibration.

    Attributes
    ----------
    columns : tuple of str
    levels : DataFrame (L, columns), text
        The codes of each level; empty for a numeric column.
    population : (L,) float
        Of each level; for a numeric column its total alone.
    """

    columns: tuple[str, ...]
    levels: pd.DataFrame
    population: Array

    @property
    def numeric(self) -> bool:
        """Return whether it is the total of a numeric column."""
        return len(self.levels) == 0


def repeatable(design: SampleDesign) -> bool:
    """Return whether the recipe is a single calibration, which R credits as we do."""
    return design.weighting is not None and not design.weighting.several


def calibration_margins(design: SampleDesign) -> tuple[Margin, ...]:
    """Return the margins of a design's single calibration; of any other recipe none."""
    weighting = design.weighting
    if weighting is None or weighting.several:
        return ()
    step, record = weighting.steps[0], weighting.log[0]
    assert isinstance(step, Calibration)
    columns = [_columns(name, record["columns"]) for name in record["margins"]]
    return tuple(
        _margin(weighting, own, np.flatnonzero(weighting.margin_of == number), step)
        for number, own in enumerate(columns)
    )


def _columns(name: str, known: list[str]) -> tuple[str, ...]:
    """Split 'county+sex' into columns; a column may have a plus sign in its own name."""
    if name in known:
        return (name,)
    first = next(
        column for column in sorted(known, key=len, reverse=True) if name.startswith(f"{column}+")
    )
    return (first, *_columns(name[len(first) + 1 :], known))


def _margin(weighting: Weighting, columns: tuple[str, ...], at: Array, step: Calibration) -> Margin:
    matrix, table = sp.csc_array(step.margins)[:, at], weighting.cells[list(columns)]
    if _is_numeric(matrix, table):
        return Margin(columns, pd.DataFrame(columns=list(columns)), step.targets[at])
    cell = [matrix.indices[start] for start in matrix.indptr[:-1]]
    levels = table.iloc[cell].reset_index(drop=True)
    levels = pd.DataFrame({name: [text_of(value) for value in levels[name]] for name in columns})
    return Margin(columns, levels, step.targets[at])


def _is_numeric(matrix: sp.csc_array, table: pd.DataFrame) -> bool:
    """Tell the values of a numeric column from a level's indicator."""
    if matrix.shape[1] != 1 or table.shape[1] != 1:
        return False
    values = table.iloc[:, 0]
    number = pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)
    return bool(
        number and np.array_equal(matrix.toarray()[:, 0], np.nan_to_num(values.to_numpy(float)))
    )


def full_rank(design: SampleDesign, margins: tuple[Margin, ...]) -> bool:
    """Return whether R's treatment contrasts of the margins are independent; its unbounded linear solver needs that."""
    assert design.weighting is not None
    levels = pd.concat([margin.levels for margin in margins])
    depth = {name: levels[name].nunique() for name in levels}
    terms = {
        frozenset(part)
        for margin in margins
        if not margin.numeric
        for part in _parts(margin.columns)
    }
    wanted = sum(prod(depth[name] - 1 for name in term) for term in terms) + sum(
        margin.numeric for margin in margins
    )
    matrix = design.weighting.margins
    gram = (matrix.T @ matrix).toarray()
    unit = np.sqrt(np.diag(gram))
    return bool(
        np.linalg.matrix_rank(gram / np.outer(unit, unit), hermitian=True, tol=1e-9) == wanted
    )


def _parts(columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return all subsets of the columns, the empty one (the intercept) too."""
    parts: list[tuple[str, ...]] = [()]
    for name in columns:
        parts += [(*part, name) for part in parts]
    return parts
