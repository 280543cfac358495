"""Who belongs to a subpopulation: a condition on the respondents, evaluated to a column of 0 and 1.

The column is laid beside the respondents and never filters them: the sample design keeps every PSU.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
import pandas as pd

from satisfaction.foundation.engines import Lazy, fetch, scan
from satisfaction.foundation.errors import DesignError, closest, shortened
from satisfaction.foundation.language import _
from satisfaction.sampling.measures import flag
from satisfaction.sampling.variance import Array

Condition: TypeAlias = str | Mapping[str, Any] | Sequence[bool] | Array | Any
SUBPOPULATION = "_subpopulation"


def flagged(respondents: Any, table: Lazy, condition: Condition) -> Any:
    """Return the respondents with the column `SUBPOPULATION`: 1 where the condition holds, also an earlier one, else 0.

    Parameters
    ----------
    respondents : pandas or polars DataFrame, or anything a design takes
    table : lazy table
        The same respondents, for the engine that holds them; given back with the column where they are no DataFrame.
    condition
        See `SampleDesign.where`.

    Raises
    ------
    DesignError
        D520 a column that is not there, D521 a column that is no condition, D522 values that no respondent has, D523
        truth values that do not fit the rows, D524 nobody fulfils it.
    """
    eager = isinstance(nw.from_native(respondents, pass_through=True), nw.DataFrame)
    if isinstance(condition, str | Mapping | nw.Expr):
        inside = flag(_expression(table, condition))
        if SUBPOPULATION in table.collect_schema().names():
            inside = inside * nw.col(SUBPOPULATION)
        frame: Any = nw.from_native(respondents) if eager else table
        restricted = frame.with_columns(inside.alias(SUBPOPULATION)).to_native()
    else:
        if not eager:
            raise DesignError(
                "D523",
                _(
                    "The respondents are not in memory and have no order; truth values row by row "
                    "cannot be matched."
                ),
                where="where",
                hint=_('Use the name of a column, or {"column": values}.'),
            )
        rows = len(respondents)
        other_index = False
        if isinstance(condition, pd.Series) and isinstance(respondents, pd.DataFrame):
            other_index = not condition.index.equals(respondents.index)
        values = [condition]
        if isinstance(condition, Iterable):
            values = list(condition)
        truth = pd.Series(values)
        known = truth.dropna()
        if other_index or len(truth) != rows or not known.isin([True, False]).all():
            raise DesignError(
                "D523",
                _(
                    "The condition must be {rows} truth values, one a respondent, in the order (and "
                    "under the index) of their table.",
                    rows=rows,
                ),
                where="where",
                got=type(condition).__name__,
                hint=_('Write design.where(df["age"] >= 60), for instance.'),
            )
        frame = nw.from_native(respondents, eager_only=True)
        inside_here = np.asarray(truth.eq(True)).astype(np.int64)
        if SUBPOPULATION in frame.columns:
            inside_here = inside_here * frame[SUBPOPULATION].to_numpy()
        if isinstance(respondents, pd.DataFrame):
            restricted = respondents.assign(**{SUBPOPULATION: inside_here})
        else:
            series = nw.new_series(
                SUBPOPULATION, inside_here.tolist(), backend=frame.implementation
            )
            restricted = frame.with_columns(series).to_native()
    members = nw.col(SUBPOPULATION).sum()
    counted = fetch(scan(restricted).select(members))[SUBPOPULATION]
    if not counted.fillna(0).sum():
        raise DesignError(
            "D524",
            _("No respondent fulfils the condition {condition}.", condition=described(condition)),
            where="where",
            hint=_("Look at the condition."),
        )
    return restricted


def described(condition: Condition) -> str:
    """Return a condition in words, for what is printed beside results."""
    if isinstance(condition, str):
        return condition
    if isinstance(condition, Mapping):
        parts = []
        for column, wanted in condition.items():
            values = " | ".join(map(str, _values(wanted)))
            parts.append(f"{column} = {values}")
        return " & ".join(parts)
    return "expression" if isinstance(condition, nw.Expr) else "truth values"


def _values(wanted: Any) -> list[Any]:
    """Return the values that a column may have: one, or several."""
    if isinstance(wanted, Iterable) and not isinstance(wanted, str):
        return list(wanted)
    return [wanted]


def _expression(table: Lazy, condition: str | Mapping[str, Any] | nw.Expr) -> nw.Expr:
    """Return a condition as an expression of the respondents' columns."""
    if isinstance(condition, nw.Expr):
        return condition
    if isinstance(condition, str):
        _require(table, condition)
        kind = table.collect_schema()[condition]
        if kind == nw.Boolean:
            return nw.col(condition)
        different = _held(table, condition)
        if not kind.is_numeric() or not different.isin([0, 1]).all():
            raise DesignError(
                "D521",
                _(
                    "Column '{column}' is no condition: its values are not 0 and 1.",
                    column=condition,
                ),
                where="where",
                available=sorted(different.astype(str))[:20],
                hint=_('Name the values, as where({{"{column}": value}}).', column=condition),
            )
        return nw.col(condition) == 1
    inside = nw.lit(1)
    for column, wanted in condition.items():
        _require(table, column)
        values = _values(wanted)
        held = _held(table, column).tolist()
        absent = [value for value in values if value not in held]
        if not values or absent:
            raise DesignError(
                "D522",
                _(
                    "No respondent has the value {values} in column '{column}'.",
                    values=shortened(map(repr, absent)),
                    column=column,
                ),
                where="where",
                available=sorted(map(repr, held)),
                got=str(absent[0]) if absent else "",
                hint=_("Write the values as the column has them."),
            )
        inside = inside * flag(nw.col(column).is_in(values))
    return inside == 1


def require_columns(
    table: Lazy, wanted: Iterable[str], *, argument: str, error: type[Any], code: str
) -> None:
    """Refuse columns that the respondents do not have.

    Raises
    ------
    SatisfactionError
        Of the class given: the column, what is available, the nearest name.
    """
    available = table.collect_schema().names()
    for name in wanted:
        if name not in available:
            hint = _("Use a column that exists.")
            if near := closest(name, available):
                hint = _("Write '{near}'.", near=near)
            raise error(
                code,
                _("Column '{name}' not found.", name=name),
                where=argument,
                available=available,
                got=name,
                hint=hint,
            )


def _require(table: Lazy, column: str) -> None:
    require_columns(table, [column], argument="where", error=DesignError, code="D520")


def _held(table: Lazy, column: str) -> pd.Series:
    """Return the different values that a column holds."""
    return fetch(table.select(nw.col(column)).unique())[column].dropna()
