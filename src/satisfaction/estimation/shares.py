"""Shares of the levels of a categorical variable: its levels, and a measure of 0 and 1 for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import pandas as pd

from satisfaction.estimation.hypothesis_tests import levels, name_of, with_values
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.engines import fetch
from satisfaction.foundation.errors import EstimatesError
from satisfaction.foundation.language import _
from satisfaction.sampling.conditions import SUBPOPULATION
from satisfaction.sampling.design import SampleDesign
from satisfaction.sampling.measures import Measure, flag

LEVEL = "level"
MOST_LEVELS = 200


@dataclass(frozen=True, slots=True)
class Category:
    """One level of a categorical variable, as a measure: 1 at that level, 0 at the others, not valid where missing."""

    variable: str
    level: Any
    measure: Measure


def categories(
    design: SampleDesign, variables: Sequence[str | Measure]
) -> tuple[SampleDesign, list[Category]]:
    """Return the levels of categorical variables in sorted order, and the design with the columns they need.

    Special codes of the questionnaire (don't know, refused) are not valid: out of the base of the shares.

    Raises
    ------
    EstimatesError
        E141 an unknown name, E521 a select-all item, E522 a variable without a level or with more than 200.
    """
    held, columns = with_values(design, variables, where="measures")
    rows = held.rows()
    of_levels = []
    for variable, column in zip(variables, columns, strict=True):
        codes = design.codes.get(column, {})
        if codes.get("select_all"):
            columns = design.table.collect_schema().names()
            raise EstimatesError(
                "E521",
                _(
                    "'{column}' is a select-all item: a respondent has several options, and their shares do not add up to 1.",
                    column=column,
                ),
                where=column,
                available=[name for name in columns if name.startswith(f"{column}_")],
                hint=_('Estimate the 0/1 columns of its options: statistic="proportion".'),
            )
        special = list(codes.get("special", ()))
        valid = ~nw.col(column).is_null()
        if rows.collect_schema()[column].is_float():
            valid = valid & ~nw.col(column).is_nan()
        if special:
            valid = valid & ~nw.col(column).is_in(special)
        inside = rows.filter(valid)
        if design.subpopulation:
            inside = inside.filter(nw.col(SUBPOPULATION) == 1)
        values = fetch(inside.select(nw.col(column)).unique())[column]
        named_levels, _codes = levels(values, values.notna().to_numpy())
        if not 0 < len(named_levels) <= MOST_LEVELS:
            raise EstimatesError(
                "E522",
                _(
                    "'{variable}' has {number} levels; shares are estimated of 1 to {most}.",
                    variable=name_of(variable),
                    number=len(named_levels),
                    most=MOST_LEVELS,
                ),
                where="measures",
                hint=_("Group a number first, or check whether the column is missing everywhere."),
            )
        for k, level in enumerate(named_levels):
            # the number and not the level: a level may hold what no engine takes as a name
            name = f"_level{k}__{column}"
            at_level = valid & (nw.col(column) == level)
            stage = {f"_valid__{name}": flag(valid), f"_score__{name}": flag(at_level)}
            measure = Measure(name, "rate", 1, (stage,))
            of_levels.append(Category(name_of(variable), level, measure))
    return held, of_levels


def by_level(estimates: Estimates, categories: Sequence[Category], statistic: str) -> Estimates:
    """Return estimates of the categories' measures with a column `level` after the domain columns."""
    table = estimates.table
    domains = len(table) // len(categories)
    levels_of_domain = [category.level for category in categories]
    variables = [category.variable for category in categories]
    level = pd.Series(levels_of_domain * domains, dtype=object)
    table = table.assign(measure=variables * domains)
    table.insert(len(estimates.by), LEVEL, level.infer_objects())
    conventions = estimates.conventions | {"statistic": statistic}
    by = (*estimates.by, LEVEL)
    return replace(estimates, table=table, by=by, conventions=conventions)
