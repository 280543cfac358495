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
from satisfaction.foundation.language import _
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
    squares = rows**2
    if sp.issparse(rows):
        squares = rows.multiply(rows)
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
    read = []
    for name, component in declared.components.items():
        read.append(_part(results, name, component, folder))
    parts = _with_lent(results, tuple(read))
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
    known = np.full(len(areas), np.inf)
    if one.file is not None:
        score, se = read_scores(folder / one.file, areas)
        errors = None
        if np.isfinite(se).any():
            errors = sp.diags_array(np.nan_to_num(se))
        nobody = np.zeros(len(areas), dtype=bool)
        return ComponentScores(name, one, score, errors, known, False, nobody)
    assert one.assessment is not None
    assert one.lost is not None
    assessment = validated(
        read_yaml(folder / one.assessment, RankingError), Assessment, RankingError
    )
    assessed = assess(assessment, read_lost(folder / one.lost, assessment, areas), areas)
    score = assessed.scores["score"].to_numpy(float)
    excluded = assessed.scores["excluded"].to_numpy(bool)
    return ComponentScores(name, one, score, None, known, False, excluded, assessed)


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
    estimates = results.estimates[results.area].of(one.measure)
    scale = _scale(results, one)
    errors = estimates.contributions.matrix * scale
    score = estimates.table["estimate"].to_numpy(float) * scale
    df = estimates.table["df"].to_numpy(float)
    nobody = np.zeros(len(score), dtype=bool)
    return ComponentScores(name, one, score, errors, df, True, nobody)


def _scale(results: Results, one: Component) -> int:
    """Return what turns a measure of the survey into points: rates are shares."""
    kind, _label = measure_labels(results.survey.questionnaire)[str(one.measure)]
    if kind == "rate":
        return PERCENT
    return 1


def _with_lent(results: Results, parts: tuple[ComponentScores, ...]) -> tuple[ComponentScores, ...]:
    """Let the errors of the survey's measures be those that its ranks rest on."""
    measures = list(dict.fromkeys(str(part.declared.measure) for part in parts if part.surveyed))
    if not measures:
        return parts
    lent = lent_errors(results.survey, results.estimates, results.area, measures)
    lowest = np.min(list(lent.df.values()), axis=0)
    with_lent = []
    for part in parts:
        if part.surveyed:
            rows = lent.rows[str(part.declared.measure)] * _scale(results, part.declared)
            part = replace(part, lent=rows, df=np.where(lent.areas, lowest, part.df))
        with_lent.append(part)
    return tuple(with_lent)


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
            raise RankingError(
                "K314",
                _("Column '{column}' not found.", column=column),
                where=f"{path} row 1",
                available=table.columns,
                got=column,
                hint=_("Add the column."),
            )
    wrong = table.index[~table["code"].isin(areas) | table["code"].duplicated()]
    if len(wrong):
        raise RankingError(
            "K314",
            _("An area code does not exist or stands twice."),
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
        right = np.isfinite(values)
        if name == "se":
            right &= values >= 0
        wrong = table.index[(table[name] != "") & ~right]
        if len(wrong):
            raise RankingError(
                "K315",
                _("`{name}` is no valid number.", name=name),
                where=f"{path} row {shortened(wrong + 2)}",
                hint=hint,
            )
    by_area = pd.DataFrame(numbers).set_axis(table["code"]).reindex(areas)
    se = np.full(len(areas), np.nan)
    if "se" in by_area:
        se = by_area["se"].to_numpy(float)
    return by_area["score"].to_numpy(float), se
