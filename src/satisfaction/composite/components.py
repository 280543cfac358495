"""The components of a combined score: scores by area, and what their errors consist of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.composite.normalising import Array
from satisfaction.composite.tree_scores import (
    Measured,
    TreeScores,
    score_tree,
    squares,
)
from satisfaction.declarations.assessment_tables import checked_sheet, checked_sites
from satisfaction.declarations.combined import CombinedInputs, Component
from satisfaction.declarations.survey import Survey
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import RankingError, shortened
from satisfaction.foundation.language import _
from satisfaction.foundation.tables import refuse_rows
from satisfaction.ranking.borrowed_errors import lent_errors
from satisfaction.ranking.drawn import JointDraws

PERCENT = 100
POINTS = 10  # scores whose median lies above are points, and a share among them is one mistyped


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
        What its sampling units contribute to its covariance, V = D'D; None: no error is declared.
    df : (p,)
        Degrees of freedom of its variances; inf where they are known, or there is none. Where an error of the survey's
        measures is lent, the fewest of all of them.
    surveyed : bool
        Its errors come from the survey's sampling units: they are shared with the survey's other measures.
    excluded : (p,) bool
        Areas that a veto takes out of the ranking.
    without_error : (p,) bool
        Areas with a score and no error of it.
    assessed : TreeScores or None
        Of an assessment: of the ranked areas, at every level.
    drawn : JointDraws or None
        On the component's own scale; None where nothing is drawn.
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
    without_error: Array = field(repr=False)
    assessed: TreeScores | None = None
    lent: Any = None
    drawn: JointDraws | None = None

    @property
    def by_draws(self) -> bool:
        """Whether its errors are those of its draws, because marks or points of inspection decide about its points."""
        if self.drawn is None or self.assessed is None:
            return False
        return self.assessed.is_drawn

    @property
    def se(self) -> Array:
        """Return the standard errors, (p,); NaN where the component has none."""
        if self.by_draws and self.drawn is not None:
            return np.asarray(self.drawn.scores.std(axis=0, ddof=1))
        if self.errors is None:
            return np.full(len(self.score), np.nan)
        return np.asarray(np.sqrt(squares(self.errors) + squares(self.lent)))

    @property
    def raised(self) -> Array:
        """Tell of which areas the rules raise the error, (p,) bool."""
        return np.broadcast_to(squares(self.lent) > 0, len(self.score))

    @property
    def taken_as_exact(self) -> bool:
        """Whether scores without an error count as exact although nobody declares that they are."""
        return bool(self.without_error.any()) and self.declared.exact is None


def components_of_level(
    survey: Survey,
    inputs: CombinedInputs,
    estimates: Mapping[str, Estimates],
    *,
    level: str,
    trees: Mapping[str, TreeScores],
) -> tuple[ComponentScores, ...]:
    """Return the components of the areas of a level, in the order of combined.yaml; `trees` are its assessments, scored.

    A component whose file is not there has no score of any area. A larger area has the score of its own row; where the file
    has none for its level, the mean over the ranked areas in it if combined.yaml says `above: mean`, else none.

    Raises
    ------
    RankingError
        K314 for a measure nobody knows or areas without a score, K315 for scores, K316 for a normalisation that carries no
        error, K320 for scores on another scale.
    """
    parts = []
    for name, component in inputs.declared.components.items():
        if component.measure is not None:
            parts.append(_surveyed(survey, estimates[level], component, name=name))
        else:
            parts.append(
                _beside_survey(survey, inputs, name, level=level, assessed=trees.get(name))
            )
    parts = _with_lent(survey, inputs, estimates, level=level, parts=parts)
    for part in parts:
        by_draws = part.assessed is not None and part.assessed.is_drawn
        if (part.errors is not None or by_draws) and part.declared.normalise == "percentile-rank":
            raise RankingError(
                "K316",
                _(
                    "Component {name} has standard errors: percentile-rank is a step function "
                    "and carries no error on.",
                    name=part.name,
                ),
                where=inputs.path.name,
                available=("none", "minmax", "zscore", "goalposts", "share-of-best"),
                hint=_("Choose another `normalise`."),
            )
    return tuple(parts)


def areas_of(survey: Survey, level: str) -> list[str]:
    """Return the codes of a level's areas, in the order of its estimates."""
    return [str(code) for code in survey.domain_values(level)]


def _beside_survey(
    survey: Survey, inputs: CombinedInputs, name: str, *, level: str, assessed: TreeScores | None
) -> ComponentScores:
    """Return a component that is no measure of the survey."""
    component = inputs.declared.components[name]
    codes = areas_of(survey, level)
    nobody = np.zeros(len(codes), dtype=bool)
    known = np.full(len(codes), np.inf)
    nothing = np.full(len(codes), np.nan)
    if name in inputs.awaited:
        return ComponentScores(name, component, nothing, None, known, False, nobody, nobody)
    ranked = areas_of(survey, survey.ranked_level)
    excluded = nobody
    if assessed is not None:
        scores = pd.DataFrame({"score": assessed.scores, "se": np.nan}, index=ranked)
        if level == survey.ranked_level:
            excluded = assessed.excluded
    else:
        every = [code for one in survey.area_levels() for code in areas_of(survey, one)]
        scores = checked_scores(inputs.tables[name], inputs.file_of(name), every)
        if component.normalise == "none":
            _refuse_other_scales(scores["score"], inputs.file_of(name))
    of_level = scores.reindex(codes)
    if level != survey.ranked_level and of_level["score"].isna().all():
        of_level = pd.DataFrame({"score": nothing, "se": nothing}, index=codes)
        if inputs.declared.above == "mean":
            of_level = _means(survey, scores.reindex(ranked), codes)
    score = of_level["score"].to_numpy(float)
    se = of_level["se"].to_numpy(float)
    errors = None
    if np.isfinite(se).any():
        errors = sp.diags_array(np.nan_to_num(se))
    without = np.isfinite(score) & ~np.isfinite(se)
    if assessed is not None and assessed.is_drawn and survey.declared.selection == "probability":
        exact = above(survey, assessed.partly_exact[None].astype(float), level)[0]
        without &= exact > 0
    return ComponentScores(
        name, component, score, errors, known, False, excluded, without, assessed
    )


def _means(survey: Survey, scores: pd.DataFrame, codes: Sequence[str]) -> pd.DataFrame:
    """Return the mean score of the ranked areas in each larger area, each counted once; none where one has no score.

    Scores of different areas are independent; the mean of those of which one has no error has none.
    """
    larger = _larger_areas(survey, scores.index, codes)
    groups = scores.assign(squared=scores["se"] ** 2).groupby(larger)
    number = groups.size()
    means = groups["score"].agg(lambda one: one.mean(skipna=False))
    variances = groups["squared"].agg(lambda one: one.sum(skipna=False))
    se = np.sqrt(variances) / number
    return pd.DataFrame({"score": means, "se": se}).reindex(codes)


def _larger_areas(survey: Survey, ranked: Sequence[str], codes: Sequence[str]) -> list[str]:
    """Return the one of the codes that each ranked area is or lies in; empty where none is."""
    parents = survey.parents()
    larger = []
    for code in ranked:
        while code and code not in codes:
            code = parents.get(code, "")
        larger.append(code)
    return larger


def above(survey: Survey, values: Array, level: str) -> Array:
    """Return the means of the ranked areas in each area of a level, (B, p) -> (B, q); NaN where one of them has no value."""
    codes = areas_of(survey, level)
    ranked = areas_of(survey, survey.ranked_level)
    larger = np.array(_larger_areas(survey, ranked, codes))
    means = np.full((len(values), len(codes)), np.nan)
    for place, code in enumerate(codes):
        inside = larger == code
        if inside.any():
            means[:, place] = values[:, inside].mean(axis=1)
    return means


def scored_trees(
    survey: Survey, inputs: CombinedInputs, measures: Mapping[str, Measured]
) -> dict[str, TreeScores]:
    """Score the assessments whose files are there, by the ranked areas; `measures` are those that decide about points.

    Raises
    ------
    RankingError
        K311-K313 and K375-K377 for their sheets and points of inspection, K379 where no item applies.
    """
    ranked = areas_of(survey, survey.ranked_level)
    trees = {}
    for name, tree in inputs.assessments.items():
        if name not in inputs.tables:
            continue
        sheet = checked_sheet(inputs.tables[name], inputs.file_of(name), tree, areas=ranked)
        sites = None
        if name in inputs.sites:
            path = inputs.path.parent / str(inputs.declared.components[name].sites)
            sites = checked_sites(inputs.sites[name], path, tree, areas=ranked)
        trees[name] = score_tree(tree, sheet, ranked, sites=sites, measures=measures)
    return trees


def deciding_measures(
    survey: Survey, inputs: CombinedInputs, estimates: Mapping[str, Estimates]
) -> dict[str, Measured]:
    """Return the survey's measures that decide about points of the ranked areas, with the errors that its ranks rest on.

    Raises
    ------
    RankingError
        K314 for a measure nobody knows.
    """
    level = survey.ranked_level
    names = _deciding(inputs)
    for name in names:
        _refuse_unknown(estimates[level], name, _("an assessment"))
    if not names:
        return {}
    for component, declared in inputs.declared.components.items():
        if declared.measure is not None:
            _refuse_unknown(estimates[level], declared.measure, component)
    raised = _raised(survey, inputs, estimates, level=level)
    measured = {}
    for name in names:
        of_measure = estimates[level].of(name)
        estimate = of_measure.table["estimate"].to_numpy(float)
        measured[name] = Measured(estimate, None, None, raised[name].df)
        if survey.declared.selection == "probability":
            errors = of_measure.contributions.matrix
            measured[name] = replace(measured[name], errors=errors, lent=raised[name].rows)
    return measured


def _deciding(inputs: CombinedInputs) -> list[str]:
    names: list[str] = []
    for tree in inputs.assessments.values():
        names += tree.measures
    return list(dict.fromkeys(names))


@dataclass(frozen=True, slots=True, eq=False)
class _Raised:
    """What the rules add to the error of a measure, (L, p) rows, and the df that it has then, (p,)."""

    rows: Any
    df: Array


def _raised(
    survey: Survey, inputs: CombinedInputs, estimates: Mapping[str, Estimates], *, level: str
) -> dict[str, _Raised]:
    """Return what the rules add to the errors of all measures that are components or decide about points, together."""
    measures = [one.measure for one in inputs.declared.components.values() if one.measure]
    if level == survey.ranked_level:
        measures += _deciding(inputs)
    measures = list(dict.fromkeys(measures))
    if not measures:
        return {}
    lent = lent_errors(survey, estimates, level, measures=measures)
    lowest = np.min(list(lent.df.values()), axis=0)
    raised = {}
    for name in measures:
        df = estimates[level].of(name).table["df"].to_numpy(float)
        raised[name] = _Raised(lent.rows[name], np.where(lent.areas, lowest, df))
    return raised


def _refuse_unknown(estimates: Estimates, measure: str | None, component: object) -> None:
    measures = list(estimates.table["measure"].unique())
    if measure is None or measure not in measures:
        raise RankingError(
            "K314",
            _(
                "Component {name}: the questionnaire publishes no measure '{measure}'.",
                name=component,
                measure=measure,
            ),
            where="combined.yaml",
            available=measures,
            got=str(measure),
            hint=_("Name a measure that there is."),
        )


def _surveyed(
    survey: Survey, estimates: Estimates, one: Component, *, name: str
) -> ComponentScores:
    """Take a measure of the survey, with what its sampling units contribute."""
    _refuse_unknown(estimates, one.measure, name)
    of_measure = estimates.of(str(one.measure))
    scale = _scale(survey, one)
    errors = of_measure.contributions.matrix * scale
    score = of_measure.table["estimate"].to_numpy(float) * scale
    df = of_measure.table["df"].to_numpy(float)
    nobody = np.zeros(len(score), dtype=bool)
    return ComponentScores(name, one, score, errors, df, True, nobody, nobody)


def _scale(survey: Survey, one: Component) -> int:
    """Return what turns a measure of the survey into points: rates are shares."""
    if one.measure in survey.questionnaire.rates:
        return PERCENT
    return 1


def _with_lent(
    survey: Survey,
    inputs: CombinedInputs,
    estimates: Mapping[str, Estimates],
    *,
    level: str,
    parts: list[ComponentScores],
) -> list[ComponentScores]:
    """Let the errors of the survey's measures be those that its ranks rest on."""
    raised = _raised(survey, inputs, estimates, level=level)
    with_lent = []
    for part in parts:
        if part.surveyed:
            own = raised[str(part.declared.measure)]
            rows = own.rows * _scale(survey, part.declared)
            part = replace(part, lent=rows, df=own.df)
        with_lent.append(part)
    return with_lent


def _refuse_other_scales(scores: pd.Series, path: Path) -> None:
    """Refuse scores that are no points 0-100 although nothing brings them to that scale.

    Raises
    ------
    RankingError
        K320 for a score outside 0-100, for scores that are all shares 0-1, and for a share among points.
    """
    shares = scores[(scores > 0) & (scores < 1)]
    outside = scores[(scores < 0) | (scores > 100)]
    if len(outside):
        problem = _(
            "Scores are points 0-100; {scores} stands beyond them.",
            scores=shortened([f"{code} {score:g}" for code, score in outside.items()]),
        )
    elif 0 < scores.max() <= 1:
        problem = _("Scores are points 0-100, and none of these is above 1.")
    elif len(shares) and scores.median() > POINTS:
        problem = _(
            "Scores are points 0-100; {scores} looks like a share among them.",
            scores=shortened([f"{code} {score:g}" for code, score in shares.items()]),
        )
    else:
        return
    raise RankingError(
        "K320",
        problem,
        where=str(path),
        hint=_("Write points 0-100 (87.5, not 0.875), or declare `normalise` in combined.yaml."),
    )


def checked_scores(table: pd.DataFrame, path: Path, areas: Sequence[str]) -> pd.DataFrame:
    """Return scores by area, and their se where the table has a column `se`: NaN where an area has none.

    Raises
    ------
    RankingError
        K314 for a column, an area twice or one nobody knows, K315 for a score or se that is no number (an se is >= 0).
    """
    hints = {
        "code": _("Add the column, or a column `name` with the names of the areas."),
        "score": _("Add the column."),
    }
    for column, hint in hints.items():
        if column not in table:
            raise RankingError(
                "K314",
                _("Column '{column}' not found.", column=column),
                where=f"{path} row 1",
                available=table.columns,
                got=column,
                hint=hint,
            )
    wrong = ~table["code"].isin(areas) | table["code"].duplicated()
    no_area = _("An area code does not exist or stands twice.")
    refuse_rows(wrong, RankingError, "K314", text=no_area, where=path, available=areas)
    numbers = {"se": pd.Series(np.nan, index=table.index)}
    for name in ("score", "se"):
        if name not in table:
            continue
        values = pd.to_numeric(table[name], errors="coerce")
        right = np.isfinite(values)
        if name == "se":
            right &= values >= 0
        wrong = (table[name] != "") & ~right
        no_number = _("`{name}` is no valid number.", name=name)
        refuse_rows(wrong, RankingError, "K315", text=no_number, where=path)
        numbers[name] = values
    return pd.DataFrame(numbers).set_axis(table["code"])
