"""The recipe of a design as another tool repeats it: the margins of its single calibration, read back from the solved steps."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..design import SurveyDesign, Weighting
from ..weights.steps import Calibration
from .rlang import text_of

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


def repeatable(design: SurveyDesign) -> bool:
    """Return whether the recipe is a single calibration, which R credits as we do."""
    return design.weighting is not None and not design.weighting.several


def calibration_margins(design: SurveyDesign) -> tuple[Margin, ...]:
    """Return the margins of a design's single calibration; of any other recipe none."""
    weighting = design.weighting
    if weighting is None or weighting.several:
        return ()
    step, record = weighting.steps[0], weighting.log[0]
    assert isinstance(step, Calibration)
    columns = [_columns(name, record["columns"]) for name in record["margins"]]
    return tuple(
        _margin(weighting, own, np.flatnonzero(weighting.margin_of == number), step) for number, own in enumerate(columns)
    )


def _columns(name: str, known: list[str]) -> tuple[str, ...]:
    """Split 'county+sex' into columns; a column may have a plus sign in its own name."""
    if name in known:
        return (name,)
    first = next(column for column in sorted(known, key=len, reverse=True) if name.startswith(f"{column}+"))
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
    return bool(number and np.array_equal(matrix.toarray()[:, 0], np.nan_to_num(values.to_numpy(float))))


def full_rank(design: SurveyDesign, margins: tuple[Margin, ...]) -> bool:
    """Return whether R's treatment contrasts of the margins are independent; its unbounded linear solver needs that."""
    assert design.weighting is not None
    levels = pd.concat([margin.levels for margin in margins])
    depth = {name: levels[name].nunique() for name in levels}
    terms = {frozenset(part) for margin in margins if not margin.numeric for part in _parts(margin.columns)}
    wanted = sum(prod(depth[name] - 1 for name in term) for term in terms) + sum(margin.numeric for margin in margins)
    matrix = design.weighting.margins
    gram = (matrix.T @ matrix).toarray()
    unit = np.sqrt(np.diag(gram))
    return bool(np.linalg.matrix_rank(gram / np.outer(unit, unit), hermitian=True, tol=1e-9) == wanted)


def _parts(columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return all subsets of the columns, the empty one (the intercept) too."""
    parts: list[tuple[str, ...]] = [()]
    for name in columns:
        parts += [(*part, name) for part in parts]
    return parts
