"""A measure: what an answer is worth to a respondent, a valid flag and a whole-number score, as engine expressions.

A score is counted in units: 1 for a rate over one item (0 or 1) and for points 0-100, a billionth for means over
several items, which are divided as whole numbers and rounded half up. So every engine gets the same value for the
same answers, to the last bit. Which answers count is decided in `counted_answers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Literal

import narwhals as nw

from satisfaction.foundation.engines import Lazy
from satisfaction.foundation.language import Text
from satisfaction.sampling.variance import Array

BILLIONTH = 1_000_000_000
Kind = Literal["rate", "score", "index", "column"]
Stage = dict[str, nw.Expr]


@dataclass(frozen=True, slots=True)
class Measure:
    """A per-respondent value, as named columns to be computed in stages, each from the ones before.

    Attributes
    ----------
    name : str
    kind : {"rate", "score", "index", "column"}
        rate: share 0-1; score, index: points 0-100; column: a caller's own column, in its own unit.
    unit : int
        The score is counted in 1/unit.
    stages : tuple of {column: narwhals expression}
        Equal names are equal expressions. Stages keep expressions short: engines repeat a nested one wherever it is used.
        Among the columns are `valid_column` (0/1) and `score_column` (whole number, 0 where not valid); never null.
    label : Text or None
    own : tuple of str
        A caller's columns that it reads.
    """

    name: str
    kind: Kind
    unit: int
    stages: tuple[Stage, ...] = field(repr=False)
    label: Text | None = None
    own: tuple[str, ...] = ()

    @property
    def valid_column(self) -> str:
        """Return the name of the 0/1 column."""
        return f"_valid__{self.name}"

    @property
    def score_column(self) -> str:
        """Return the name of the score column."""
        return f"_score__{self.name}"


@dataclass(frozen=True, slots=True, repr=False)
class PersonScores:
    """What a measure is worth to n respondents.

    Attributes
    ----------
    valid, score : (n,) int
        0 or 1; 0 where not valid.
    unit : int
        The score is counted in 1/unit.
    """

    valid: Array
    score: Array
    unit: int


def column_measure(name: str, *, floating: bool = False, truth: bool = False) -> Measure:
    """Return a caller's own numeric column as a measure; null, and not-a-number in a floating column, are not valid."""
    column = nw.col(name)
    missing = column.is_null()
    if floating:
        column = column.cast(nw.Float64)
        missing = column.is_null() | column.is_nan()
    elif truth:
        column = column.cast(nw.Int64)
    columns = {
        f"_valid__{name}": flag(~missing),
        f"_score__{name}": nw.when(~missing).then(column).otherwise(nw.lit(0)),
    }
    return Measure(name, "column", 1, (columns,), own=(name,))


def add_columns(rows: Lazy, measures: Sequence[Measure]) -> Lazy:
    """Compute the valid and score columns of measures, stage by stage."""
    for stages in zip_longest(*(measure.stages for measure in measures), fillvalue={}):
        columns: Stage = {}
        for stage in stages:
            columns |= stage
        rows = rows.with_columns(*aliased(columns))
    return rows


def aliased(columns: Stage) -> list[nw.Expr]:
    """Return expressions under the names of their columns."""
    return [expression.alias(name) for name, expression in columns.items()]


def stored(measures: Sequence[Measure]) -> tuple[Measure, ...]:
    """Return the measures as columns that are there already: `add_columns` was applied and kept."""
    return tuple(replace(measure, stages=()) for measure in measures)


def flag(condition: nw.Expr) -> nw.Expr:
    """Return 1 where the condition holds, else 0 (also where it is null)."""
    return condition.fill_null(False).cast(nw.Int64)
