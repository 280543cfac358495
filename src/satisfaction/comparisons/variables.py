"""Columns and measures as keys of a tally: what a test groups, ranks or regresses on."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from ..design import SurveyDesign, require_columns
from ..engines import fetch, never_null, scan
from ..errors import EstimatesError
from ..measures import Measure, add_columns
from .results import fault

Array = np.ndarray[Any, Any]
Variable = str | Measure
ROW_NUMBER = "_row"


def name_of(variable: Variable) -> str:
    """Return the name a variable is shown under."""
    return variable if isinstance(variable, str) else variable.name


def with_values(design: SurveyDesign, variables: Sequence[Variable], *, where: str) -> tuple[SurveyDesign, list[str]]:
    """Return the design with a column of values for every measure among the variables, and the variables' columns.

    Raises
    ------
    EstimatesError
        E141 for a name that is neither a declared measure nor a column.
    """
    named = [(name_of(v), v if isinstance(v, Measure) else design.measures.get(v)) for v in variables]
    require_columns(design, [name for name, m in named if m is None], argument=where, error=EstimatesError, code="E141")
    found = list({name: m for name, m in named if m is not None}.values())
    if found:
        values = [_value(measure).alias(_column(measure.name)) for measure in found]
        design = _holding(design, add_columns(design.table, found).with_columns(*values).to_native())
    return design, [name if m is None else _column(name) for name, m in named]


def with_row_numbers(design: SurveyDesign) -> SurveyDesign:
    """Return the design with the respondents here, numbered in the column `ROW_NUMBER` in their given order."""
    rows = fetch(design.table)
    return _holding(design, rows.assign(**{ROW_NUMBER: np.arange(len(rows))}))


def levels(values: pd.Series[Any], used: Array) -> tuple[list[Any], Array]:
    """Return the sorted levels among the rows used and the level of every row, -1 where not used or missing: (T,) int."""
    there = used & values.notna().to_numpy()
    code = np.full(len(values), -1)
    code[there], found = pd.factorize(values[there], sort=True)
    return [int(v) if isinstance(v, float) and v.is_integer() else v for v in found.tolist()], code


def require_groups(found: Sequence[Any], variable: str, *, where: str, exactly: int | None = None) -> None:
    """Refuse a grouping with fewer than two groups (E142), or with another number than needed (E143).

    Raises
    ------
    EstimatesError
    """
    if len(found) < 2:
        raise fault(
            "E142", (f"'{variable}' 在可用记录中只有 {len(found)} 个取值，无从比较。", f"'{variable}' has {len(found)} level(s) among the usable respondents; there is nothing to compare."),
            where=where, available=found, hint=("选用至少有两个取值的列。", "Choose a column with at least two levels."),
        )  # fmt: skip
    if exactly and len(found) != exactly:
        raise fault(
            "E143", (f"'{variable}' 有 {len(found)} 个取值，此检验只比较 {exactly} 组。", f"'{variable}' has {len(found)} levels; this test compares {exactly} groups."),
            where=where, available=found, hint=("多于两组时用 regression 或 rank_test。", "For more than two groups use regression or rank_test."),
        )  # fmt: skip


def _column(name: str) -> str:
    return f"_value_{name}"  # no dot: DuckDB reads one as table.column


def _value(measure: Measure) -> nw.Expr:
    """Return the value in the measure's own unit, null where not valid."""
    score = nw.col(measure.score_column)
    return nw.when(nw.col(measure.valid_column) == 1).then(score if measure.unit == 1 else score / measure.unit)


def _holding(design: SurveyDesign, respondents: Any) -> SurveyDesign:
    """Return the design over the same respondents with more columns."""
    new = copy.copy(design)
    for name, value in (("respondents", respondents), ("table", scan(respondents)), ("complete", never_null(respondents))):
        object.__setattr__(new, name, value)
    return new
