"""The components of a combined score, read: scores by area, and what their errors consist of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.composite.item_tree import Assessed, assess, read_lost
from satisfaction.composite.normalising import Array
from satisfaction.declarations.combined import Assessment, CombinedFile, Component
from satisfaction.foundation.errors import RankingError, shortened
from satisfaction.foundation.language import Text, _
from satisfaction.foundation.tables import read_table
from satisfaction.foundation.yaml import read_yaml, validated
from satisfaction.pipeline import Results
from satisfaction.publication.labels import measure_labels
from satisfaction.ranking.borrowed_errors import lent_errors

PERCENT = 100


@dataclass(frozen=True, slots=True, eq=False)
class ComponentScores:
    """One component of p areas.

    Attributes
    ----------
    name : str
    declared : Component
    score : (p,)
        NaN where an area has none. Rates of the survey are in percent.
    errors : (U, p), sparse or dense, or None
        What its sampling units contribute to its covariance, V = D'D; None: taken as exact.
    df : (p,)
        Degrees of freedom of its variances; inf where they are known, or there is none. Where an error of the survey's
        measures is lent, the fewest of all of them.
    surveyed : bool
        Its errors come from the survey's sampling units: they are shared with the survey's other measures.
    excluded : (p,) bool
        Areas that a veto takes out of the ranking.
    assessed : Assessed or None
    lent : (L, p), sparse, or None
        What the rules add to the errors of a surveyed component, independent of `errors`; shared with the other ones.
    """

    name: str
    declared: Component
    score: Array = field(repr=False)
    errors: Any
    df: Array = field(repr=False)
    surveyed: bool
    excluded: Array = field(repr=False)
    assessed: Assessed | None = None
    lent: Any = None

    @property
    def se(self) -> Array:
        """Return the standard errors, (p,); NaN where the component is taken as exact."""
        if self.errors is None:
            return np.full(len(self.score), np.nan)
        total: Array = np.sqrt(_squares(self.errors) + _squares(self.lent))
        return total

    @property
    def raised(self) -> Array:
        """Tell of which areas the rules raise the error, (p,) bool."""
        return np.broadcast_to(_squares(self.lent) > 0, len(self.score))


def _squares(rows: Any) -> Any:
    """Return the sums of squares of the columns, (p,); 0 of no rows."""
    if rows is None:
        return 0.0
    squares = rows.multiply(rows) if sp.issparse(rows) else rows**2
    return np.asarray(squares.sum(axis=0)).ravel()


def read_parts(
    results: Results, declared: CombinedFile, *, folder: Path
) -> tuple[ComponentScores, ...]:
    """Read the components, in the order of combined.yaml; areas are those the survey ranks.

    Raises
    ------
    RankingError
        K304-K307, K311-K313 for an assessment, K314 for a measure nobody knows or areas without a score, K315 for scores, K316 for a
        normalisation that carries no error.
    """
    parts = _with_lent(
        results,
        tuple(_part(results, name, one, folder) for name, one in declared.components.items()),
    )
    for part in parts:
        if part.errors is not None and part.declared.normalise == "percentile-rank":
            raise RankingError(
                "K316",
                _(
                    "Component {name} has standard errors: percentile-rank is a step function "
                    "and carries no error on.",
                    name=part.name,
                ),
                where="combined.yaml",
                available=("none", "minmax", "zscore", "goalposts", "share-of-best"),
                hint=_("Choose another `normalise`."),
            )
    return parts


def _part(results: Results, name: str, one: Component, folder: Path) -> ComponentScores:
    areas = [str(code) for code in results.ranking.units.names]
    if one.measure is not None:
        return _surveyed(results, name, one)
    nobody, known = np.zeros(len(areas), dtype=bool), np.full(len(areas), np.inf)
    if one.file is not None:
        score, se = read_scores(folder / one.file, areas)
        errors = sp.diags_array(np.nan_to_num(se)) if np.isfinite(se).any() else None
        return ComponentScores(name, one, score, errors, known, False, nobody)
    assert one.assessment is not None
    assert one.lost is not None
    assessment = validated(
        read_yaml(folder / one.assessment, RankingError), Assessment, RankingError
    )
    found = assess(assessment, read_lost(folder / one.lost, assessment, areas), areas)
    excluded = found.scores["excluded"].to_numpy(bool)
    return ComponentScores(
        name, one, found.scores["score"].to_numpy(float), None, known, False, excluded, found
    )


def _surveyed(results: Results, name: str, one: Component) -> ComponentScores:
    """Take a measure of the survey, with what its sampling units contribute."""
    kinds = measure_labels(results.survey.questionnaire)
    if one.measure not in kinds:
        raise RankingError(
            "K314",
            _(
                "Component {name}: the questionnaire publishes no measure '{measure}'.",
                name=name,
                measure=one.measure,
            ),
            where="combined.yaml",
            available=kinds,
            got=str(one.measure),
            hint=_("Name a measure that there is."),
        )
    found = results.estimates[results.area].of(one.measure)
    scale = _scale(results, one)
    errors = found.contributions.matrix * scale
    score, df = found.table["estimate"].to_numpy(float) * scale, found.table["df"].to_numpy(float)
    return ComponentScores(name, one, score, errors, df, True, np.zeros(len(score), dtype=bool))


def _scale(results: Results, one: Component) -> int:
    """Return what turns a measure of the survey into points: rates are shares."""
    return (
        PERCENT
        if measure_labels(results.survey.questionnaire)[str(one.measure)][0] == "rate"
        else 1
    )


def _with_lent(results: Results, parts: tuple[ComponentScores, ...]) -> tuple[ComponentScores, ...]:
    """Let the errors of the survey's measures be those that its ranks rest on."""
    measures = list(dict.fromkeys(str(part.declared.measure) for part in parts if part.surveyed))
    if not measures:
        return parts
    lent = lent_errors(results.survey, results.estimates, results.area, measures)
    lowest = np.min(list(lent.df.values()), axis=0)
    found = []
    for part in parts:
        if part.surveyed:
            rows = lent.rows[str(part.declared.measure)] * _scale(results, part.declared)
            part = replace(part, lent=rows, df=np.where(lent.areas, lowest, part.df))
        found.append(part)
    return tuple(found)


def read_scores(path: Path, areas: list[str]) -> tuple[Array, Array]:
    """Read scores by area, and their se where the file has a column `se`: two (p,), NaN where an area has none.

    Raises
    ------
    RankingError
        K314 for a column, an area twice or one nobody knows, K315 for a score or se that is no number (an se is >= 0).
    """
    table = read_table(path).map(str.strip)
    hint = _("Correct these rows.")
    for column in ("code", "score"):
        if column not in table:
            zh, en = _("Column '{column}' not found.", column=column)
            raise RankingError(
                "K314",
                Text(zh, en),
                where=f"{path} row 1",
                available=table.columns,
                got=column,
                hint=_("Add the column."),
            )
    wrong = table.index[~table["code"].isin(areas) | table["code"].duplicated()]
    if len(wrong):
        zh, en = _("An area code does not exist or stands twice.")
        raise RankingError(
            "K314",
            Text(zh, en),
            where=f"{path} row {shortened(wrong + 2)}",
            available=areas,
            hint=hint,
        )
    numbers = {
        name: pd.to_numeric(table[name], errors="coerce")
        for name in ("score", "se")
        if name in table
    }
    for name, values in numbers.items():
        wrong = table.index[
            (table[name] != "") & ~(np.isfinite(values) & ((values >= 0) | (name == "score")))
        ]
        if len(wrong):
            zh, en = _("`{name}` is no valid number.", name=name)
            raise RankingError(
                "K315", Text(zh, en), where=f"{path} row {shortened(wrong + 2)}", hint=hint
            )
    by_area = pd.DataFrame(numbers).set_axis(table["code"]).reindex(areas)
    se = by_area["se"].to_numpy(float) if "se" in by_area else np.full(len(areas), np.nan)
    return by_area["score"].to_numpy(float), se
