"""Weighting recipes on the same responses, set side by side: what each does to weights, estimates, ranks and the list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.declarations.survey import Survey
from satisfaction.declarations.wave import CalibrationStep
from satisfaction.foundation.language import use
from satisfaction.pipeline import Ranked, Results
from satisfaction.publication.ranking_table import ranking_table
from satisfaction.sampling.design import SampleDesign
from satisfaction.weighting.calibration import Margins, lay_margins, margin_columns
from satisfaction.weighting.recipe import cells_for, weight_diagnostics
from satisfaction.weighting.wave_design import declared_targets

DECLARED = "declared"
"""What the recipe of survey.yaml is called beside trials."""
LISTED = ("yes", "tied")


@dataclass(frozen=True, slots=True)
class Recipes:
    """Recipes side by side; the first one is the declared one.

    Attributes
    ----------
    table : DataFrame
        One row a recipe: recipe, steps, respondents, low, high (weights over their mean), kish_deff, effective_n,
        margins_missed (largest |sum of weights / population - 1| over all margins that any recipe calibrates to), estimate, se
        (ranked measure, all areas together), variance (how), shift (from the declared recipe), largest_shift (of an area), both in standard
        errors of the declared recipe; areas_moved (areas whose rank changes), entered, left (codes).
    areas : DataFrame
        One row an area and recipe: recipe, then the columns of the published ranking, then shift (points or share),
        shift_in_se, rank_shift (places down), moved ("enters", "leaves", "").
    """

    table: pd.DataFrame = field(repr=False)
    areas: pd.DataFrame = field(repr=False)


@use(None)
def set_side_by_side(results: Mapping[str, Results]) -> Recipes:
    """Compare recipes on the same responses.

    Parameters
    ----------
    results : mapping of str to Results
        By the recipe's name, the declared one first.
    """
    declared = next(iter(results.values()))
    margins: dict[str | tuple[str, ...], Any] = {}
    for result in results.values():
        margins |= calibrated_margins(result.survey)
    rows = []
    areas = []
    before = ranking_table(declared.survey, declared.estimates, declared.ranking)
    for name, result in results.items():
        of_areas = moved_areas(result, before)
        areas.append(of_areas.assign(recipe=name))
        row: dict[str, object] = {"recipe": name, "steps": _steps(result)}
        row |= weight_figures(result)
        row["margins_missed"] = margins_missed(result.design, margins)
        row |= _level(result, declared)
        row["variance"] = result.whole.conventions["variance"]
        row["largest_shift"] = of_areas["shift_in_se"].abs().max()
        row["areas_moved"] = int((of_areas["rank_shift"].fillna(0) != 0).sum())
        row["entered"] = _codes(of_areas, "enters")
        row["left"] = _codes(of_areas, "leaves")
        rows.append(row)
    by_area = pd.concat(areas, ignore_index=True)
    by_area.insert(0, "recipe", by_area.pop("recipe"))
    return Recipes(pd.DataFrame(rows), by_area)


def _steps(result: Results) -> str:
    """Write a recipe in one line, as survey.yaml names things."""
    words = []
    for step in result.survey.declared.weighting:
        keys = step.model_dump(mode="json", exclude_unset=True, exclude={"step"})
        details = ", ".join(f"{key} {value}" for key, value in keys.items())
        if details:
            details = f" ({details})"
        words.append(f"{step.step}{details}")
    return " → ".join(words)


def weight_figures(result: Results | Ranked) -> dict[str, float]:
    """Return respondents, low, high, kish_deff and effective_n of a recipe's weights, as in `Recipes.table`."""
    design = result.design
    weighting = design.weighting
    if weighting is not None and design.weight_column in weighting.columns:
        weight = weighting.start * weighting.factor
        respondents = weighting.count
    else:
        weight = design.weights
        respondents = np.ones(len(weight))
    held = weight > 0
    figures = weight_diagnostics(weight[held], respondents[held])
    mean = figures["sum"] / figures["respondents"]
    return {
        "respondents": int(figures["respondents"]),
        "low": figures["low"] / mean,
        "high": figures["high"] / mean,
        "kish_deff": figures["kish_deff"],
        "effective_n": figures["effective_n"],
    }


def calibrated_margins(survey: Survey) -> dict[str | tuple[str, ...], Any]:
    """Return the margins that a recipe calibrates to, as `calibrate` takes them."""
    margins: dict[str | tuple[str, ...], Any] = {}
    for step in survey.declared.weighting:
        if isinstance(step, CalibrationStep):
            for name in step.margins or ():
                columns = tuple(survey.declared.margins[name].by)
                margins[columns] = declared_targets(survey, name)
    return margins


def margins_missed(design: SampleDesign, margins: Margins) -> float:
    """Return how far the weights are from margins: the largest |sum of weights / population - 1|; nan without margins."""
    if not margins:
        return np.nan
    cells = cells_for(design, margin_columns(margins))
    laid = lay_margins(cells.table, cells.size, margins)
    met = laid.matrix.T @ cells.size
    return float(np.abs(met / laid.targets - 1).max())


def _level(result: Results, declared: Results) -> dict[str, float]:
    """Return the ranked measure of all areas together, and how far it is from the declared recipe's."""
    measure = result.survey.questionnaire.ranked
    row = result.whole.of(measure).table.iloc[0]
    before = declared.whole.of(measure).table.iloc[0]
    shift = np.nan
    if before["se"] > 0:
        shift = (row["estimate"] - before["estimate"]) / before["se"]
    return {"estimate": row["estimate"], "se": row["se"], "shift": shift}


def moved_areas(
    result: Results | Ranked, before: pd.DataFrame, *, graded: bool = True
) -> pd.DataFrame:
    """Return the ranking of a recipe, with what moved since another one.

    Parameters
    ----------
    result : Results or Ranked
    before : DataFrame
        The other ranking, as published.
    graded : bool
        As for `ranking_table`.
    """
    table = ranking_table(result.survey, result.estimates, result.ranking, graded=graded)
    before = before.set_index("code").loc[table["code"]].reset_index()
    shift = table["estimate"] - before["estimate"]
    ranks = table["rank"].astype(float) - before["rank"].astype(float)
    is_listed = table["listed"].isin(LISTED).to_numpy()
    was_listed = before["listed"].isin(LISTED).to_numpy()
    moved = np.select([is_listed & ~was_listed, was_listed & ~is_listed], ["enters", "leaves"], "")
    return table.assign(
        shift=shift,
        shift_in_se=shift / before["se"].where(before["se"] > 0),
        rank_shift=ranks,
        moved=moved,
    )


def _codes(areas: pd.DataFrame, moved: str) -> str:
    codes = areas.loc[areas["moved"] == moved, "code"]
    return " ".join(codes.astype(str))
