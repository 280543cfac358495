"""The combined score of every level of areas, its error, and its components, as estimates that can be ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.composite.components import (
    ComponentScores,
    areas_of,
    components_of_level,
    deciding_measures,
    scored_trees,
)
from satisfaction.composite.joint_draws import ScoredWave, drawn_together
from satisfaction.composite.normalising import Array, aggregated, normalised, slopes
from satisfaction.composite.tree_draws import Drawing
from satisfaction.declarations.combined import COMBINED, Aggregation, CombinedInputs
from satisfaction.declarations.survey import Survey
from satisfaction.estimation.intervals import satterthwaite, standard_errors, t_interval
from satisfaction.estimation.result import Estimates, result_table
from satisfaction.estimation.sample import Contributions
from satisfaction.foundation.errors import shortened
from satisfaction.foundation.language import N_, Text, _, comma_list
from satisfaction.ranking.borrowed_errors import LENT
from satisfaction.ranking.drawn import JointDraws
from satisfaction.ranking.units import UNDECLARED
from satisfaction.sampling.variance import crossed

VETOED = _("vetoed; not ranked")
INCOMPLETE = _("a component is missing; not ranked")
AS_DECLARED = Drawing()
FIELD = ("minmax", "zscore", "share-of-best")
"""Scales that all areas together set."""


@dataclass(frozen=True, slots=True, eq=False)
class LevelScores:
    """The combined score of the p areas of a level.

    Attributes
    ----------
    level : str
    codes : tuple of str
    parts : tuple of ComponentScores
    scaled : (p, k)
        Components on the scale they are combined on; NaN where an area has none.
    score : (p,)
        NaN where a component is missing.
    cov : (p, p)
    df : (p,)
        inf where no error is estimated.
    rows : (U, p), sparse
        What sampling units and other sources of error contribute: cov = rows' rows; those of the survey first.
        Nothing where the score is drawn.
    drawn : JointDraws or None
        Of the combined score, where points that a mark decides or points of inspection are among its parts.
    """

    level: str
    codes: tuple[str, ...]
    parts: tuple[ComponentScores, ...]
    scaled: Array = field(repr=False)
    score: Array = field(repr=False)
    cov: Array = field(repr=False)
    df: Array = field(repr=False)
    rows: Any = field(repr=False)
    drawn: JointDraws | None = None

    def __repr__(self) -> str:
        return f"LevelScores({self.level}: {len(self.codes)} areas)"

    def of(self, component: str) -> Array:
        """Return the scaled score of a component, (p,)."""
        names = [part.name for part in self.parts]
        return np.asarray(self.scaled[:, names.index(component)])

    @property
    def incomplete(self) -> Array:
        """Tell which areas lack a component, (p,) bool."""
        return np.asarray(~np.isfinite(self.scaled).all(axis=1))

    @property
    def excluded(self) -> Array:
        """Tell which areas a veto takes out, (p,) bool."""
        by_part = [part.excluded for part in self.parts]
        return np.asarray(np.any(by_part, axis=0))

    @property
    def taken_as_exact(self) -> tuple[str, ...]:
        """Return the components whose scores count as exact although nobody declares that they are."""
        return tuple(part.name for part in self.parts if part.taken_as_exact)

    def barred(self) -> dict[str, Text]:
        """Return the areas that cannot be ranked by the combined score, and why."""
        return _barred(self.codes, self.excluded, self.incomplete)


def _barred(codes: Sequence[str], excluded: Array, incomplete: Array) -> dict[str, Text]:
    """Return the areas that a score does not rank, and why."""
    why = {}
    for code, is_out, lacks_one in zip(codes, excluded, incomplete, strict=True):
        if is_out:
            why[code] = VETOED
        elif lacks_one:
            why[code] = INCOMPLETE
    return why


@dataclass(frozen=True, slots=True, eq=False)
class CombinedScores:
    """The combined score at every level of areas below the whole.

    Attributes
    ----------
    inputs : CombinedInputs
    levels : mapping of str to LevelScores
        The ranked level first.
    """

    inputs: CombinedInputs
    levels: Mapping[str, LevelScores]

    def __repr__(self) -> str:
        return f"CombinedScores({self.inputs.declared!r}; {', '.join(self.levels)})"

    @property
    def ranked(self) -> LevelScores:
        """Return the scores of the ranked level."""
        return next(iter(self.levels.values()))

    def awaited(self, score: str, list_size: int) -> Text | None:
        """Say which components a score still waits for, or that too few areas have it; None where it can be ranked."""
        components = self.inputs.awaited
        complete = int((~self.ranked.incomplete & ~self.ranked.excluded).sum())
        if score != COMBINED:
            components = {name: file for name, file in components.items() if name == score}
            complete = int(np.isfinite(self.ranked.of(score)).sum())
        if not components and complete <= list_size:
            return _(
                "awaited: only {sum} areas have all scores, and a list of {list_size} needs more",
                sum=complete,
                list_size=list_size,
            )
        if not components:
            return None
        labels = self.inputs.labels
        waiting = []
        for name, file in components.items():
            waiting.append(_("{component} ({file})", component=labels[name], file=file))
        return _("awaited: {components}", components=comma_list(waiting))

    def beside(self, survey: Survey, estimates: Mapping[str, Estimates]) -> dict[str, Estimates]:
        """Return estimates of every level in which the combined score and its components stand too."""
        together = dict(estimates)
        for level, scores in self.levels.items():
            together[level] = _with_scores(survey, estimates[level], scores)
        return together

    def notes(self, score: str = COMBINED) -> tuple[Text, ...]:
        """Say what the errors of a score leave out, and whose error is a lent one."""
        scores = self.ranked
        labels = self.inputs.labels
        parts = [part for part in scores.parts if score in (COMBINED, part.name)]
        notes = []
        undeclared = [part for part in parts if part.taken_as_exact]
        plain = [labels[part.name] for part in undeclared if not part.by_draws]
        if plain:
            notes.append(exact_note(plain))
        for part in undeclared:
            if part.by_draws:
                notes.append(
                    _(
                        "{component}: points by its sheet, and at sites without a standard error, are "
                        "taken as exact; nothing is established by them",
                        component=labels[part.name],
                    )
                )
        for part in parts:
            if part.declared.exact is not None:
                notes.append(
                    _(
                        "{component}: exact as declared ({source})",
                        component=labels[part.name],
                        source=part.declared.exact,
                    )
                )
        with_errors = [part for part in parts if part.errors is not None]
        scaled = [labels[part.name] for part in with_errors if part.declared.normalise in FIELD]
        if scaled:
            notes.append(
                _(
                    "{components}: the scale is set by all areas together and taken as fixed for the "
                    "errors",
                    components=comma_list(scaled),
                )
            )
        raised = np.any([part.raised for part in parts], axis=0)
        if raised.any():
            areas = shortened(np.array(scores.codes)[raised])
            notes.append(_("{areas}: {note}", areas=areas, note=LENT))
        return tuple(notes)


def exact_note(components: list[Text]) -> Text:
    """Say what follows from components without an error that nobody declares exact."""
    return _(
        "{components}: no standard error is declared, taken as exact; ranks look more certain "
        "than they are, and nothing is established by them",
        components=comma_list(components),
    )


def combined_scores(
    survey: Survey,
    inputs: CombinedInputs,
    estimates: Mapping[str, Estimates],
    *,
    drawing: Drawing = AS_DECLARED,
) -> CombinedScores:
    """Combine the components at every level of areas below the whole.

    The survey's error is the one that its ranks rest on (`borrowed_errors.lent_errors`). It enters by the slope of the
    combined score in each component (exact for an arithmetic mean of scores that are not normalised by the field; otherwise
    the scale set by the other areas is taken as fixed, and said so). Where a mark decides about points, or points of inspection
    were sampled, nothing is carried by slopes: all components of all levels are drawn together (`drawing`).

    Raises
    ------
    RankingError
        K311-K316, K375-K377 and K379 from what is read.
    """
    measures = deciding_measures(survey, inputs, estimates)
    trees = scored_trees(survey, inputs, measures)
    parts = {}
    for level in survey.area_levels():
        parts[level] = components_of_level(survey, inputs, estimates, level=level, trees=trees)
    has_errors = survey.declared.selection == "probability"
    any_drawn = any(tree.is_drawn for tree in trees.values())
    if has_errors and (drawing.always or any_drawn):
        (parts,) = drawn_together([ScoredWave(survey, inputs, parts, measures)], drawing)
    return _combined_levels(survey, inputs, parts)


def drawn_waves(waves: Sequence[ScoredWave]) -> list[CombinedScores]:
    """Combine the components of several waves whose scores are drawn, the draws of all waves together."""
    drawn = drawn_together(waves, AS_DECLARED)
    pairs = zip(waves, drawn, strict=True)
    return [_combined_levels(wave.survey, wave.inputs, parts) for wave, parts in pairs]


def _combined_levels(
    survey: Survey, inputs: CombinedInputs, parts: Mapping[str, tuple[ComponentScores, ...]]
) -> CombinedScores:
    levels = {}
    for level, of_level in parts.items():
        levels[level] = _combined(inputs, of_level, level=level, codes=areas_of(survey, level))
    return CombinedScores(inputs, MappingProxyType(levels))


def _combined(
    inputs: CombinedInputs,
    parts: tuple[ComponentScores, ...],
    *,
    level: str,
    codes: Sequence[str],
) -> LevelScores:
    """Combine the components of the areas of a level."""
    declared = inputs.declared
    weights = np.array([component.weight for component in declared.components.values()])
    scaled = np.column_stack([scaled_score(part) for part in parts])
    score = aggregated(scaled, weights, declared.aggregation)
    scale = np.column_stack([scale_slope(part) for part in parts])
    slope = slopes(scaled, weights, declared.aggregation) * scale
    cov, df, rows = carried_errors(parts, slope)
    drawn = None
    if any(part.drawn is not None for part in parts):
        drawn = _drawn_score(parts, weights, declared.aggregation, score=score)
        cov = drawn.cov
        df = np.full(len(score), np.inf)
        rows = sp.csr_array((1, len(score)))
    return LevelScores(level, tuple(codes), parts, scaled, score, cov, df, rows, drawn)


def _drawn_score(
    parts: tuple[ComponentScores, ...], weights: Array, aggregation: Aggregation, *, score: Array
) -> JointDraws:
    """Combine components in every draw; scales that the field sets are set anew in each."""
    scaled = [scaled_draws(part) for part in parts]
    first = scaled[0]
    held = np.stack(
        [one.errors + scaled_score(part) for one, part in zip(scaled, parts, strict=True)], axis=-1
    )
    scores = np.stack([one.scores for one in scaled], axis=-1)
    low = np.column_stack([one.low for one in scaled])
    high = np.column_stack([one.high for one in scaled])
    return JointDraws(
        aggregated(scores, weights, aggregation),
        aggregated(held, weights, aggregation) - score,
        aggregated(low, weights, aggregation),
        aggregated(high, weights, aggregation),
        first.spent,
        first.seed,
    )


def scaled_draws(part: ComponentScores) -> JointDraws:
    """Return a component's draws on the scale it is combined on.

    A scale that the field sets is set anew in each draw; for the fewest and the most points it is the published one.
    """
    drawn = part.drawn
    assert drawn is not None
    published = scaled_score(part)
    slope = scale_slope(part)
    low = published + slope * (drawn.low - part.score)
    high = published + slope * (drawn.high - part.score)
    if part.declared.normalise == "goalposts":
        low = _on_scale(part, drawn.low[None])[0]
        high = _on_scale(part, drawn.high[None])[0]
    return replace(
        drawn,
        scores=_on_scale(part, drawn.scores),
        errors=_on_scale(part, drawn.errors + part.score) - published,
        low=low,
        high=high,
    )


def _on_scale(part: ComponentScores, values: Array) -> Array:
    """Put draws of a component, (B, p), on the scale it is combined on; NaN where an area has none."""
    scaled = np.full(values.shape, np.nan)
    seen = np.isfinite(part.score)
    if seen.any():
        by_area = values[:, seen].T
        declared = part.declared
        by_area = normalised(by_area, declared.normalise, posts=declared.goalposts)
        scaled[:, seen] = by_area.T
    return scaled


def scaled_score(part: ComponentScores) -> Array:
    """Scores of a component as they are combined, (p,); NaN where an area has none."""
    declared = part.declared
    score = np.full(len(part.score), np.nan)
    seen = np.isfinite(part.score)
    if seen.any():
        score[seen] = normalised(part.score[seen], declared.normalise, posts=declared.goalposts)
    return score


def scale_slope(part: ComponentScores) -> Array:
    """How much the scaled score moves for one point of the component's own, (p,): NaN for ranks, which have no slope.

    A scale that the field sets (minmax, zscore, share-of-best) is taken as fixed.
    """
    values = part.score[np.isfinite(part.score)]
    if not len(values):
        return np.zeros(len(part.score))
    slope = _slope(part, values)
    return np.broadcast_to(np.asarray(slope, dtype=float), part.score.shape)


def _slope(part: ComponentScores, values: Array) -> Any:
    """Return the slope of a component's scale, one number or (p,); `values` are the scores there are."""
    normalise = part.declared.normalise
    if normalise == "none":
        return 1.0
    if normalise == "percentile-rank":
        return np.nan
    if normalise == "share-of-best":
        return 100 / values.max()
    if normalise == "goalposts":
        assert part.declared.goalposts is not None
        worst, best = part.declared.goalposts
        inside = (part.score >= min(worst, best)) & (part.score <= max(worst, best))
        return inside * 100 / (best - worst)
    if np.ptp(values) == 0:
        return 0.0
    if normalise == "minmax":
        return 100 / float(np.ptp(values))
    return 10 / float(values.std(ddof=1))


def carried_errors(parts: tuple[ComponentScores, ...], slope: Array) -> tuple[Array, Array, Any]:
    """Covariance of the combined scores (p, p), their df (p,), and the rows that they come from, (U, p).

    Measures of the survey share its sampling units: their contributions add up before they are squared, and so does what
    the rules add to their errors. Other components are independent of it and of one another.
    """
    p = len(slope)
    survey_rows: list[Any] = []
    lent_rows: list[Any] = []
    other_rows: list[Any] = []
    for k, part in enumerate(parts):
        if part.errors is None:
            continue
        steps = sp.diags_array(np.nan_to_num(slope[:, k]))
        rows = sp.csr_array(part.errors) @ steps
        if part.surveyed:
            survey_rows.append(rows)
        else:
            other_rows.append(rows)
        if part.lent is not None:
            lent_rows.append(part.lent @ steps)
    survey = np.zeros((p, p))
    sources = []
    for together in (survey_rows, lent_rows):
        if together:
            total = sum(together[1:], start=together[0])
            survey = survey + crossed(total, total)
            sources.append(total)
    others = sum((crossed(rows, rows) for rows in other_rows), start=np.zeros((p, p)))
    own_df = next((part.df for part in parts if part.surveyed), np.full(p, np.inf))
    variances = np.column_stack([np.diag(survey), np.diag(others)])
    freedom = np.column_stack([own_df, np.full(p, np.inf)])
    df = satterthwaite(variances, freedom)
    rows = sp.vstack([*sources, *other_rows, sp.csr_array((1, p))], format="csr")
    return survey + others, df, rows


# ---- as estimates


def _with_scores(survey: Survey, estimates: Estimates, scores: LevelScores) -> Estimates:
    """Return a level's estimates with the combined score and the components that are no measure, by area."""
    counted = _answers(survey, estimates, scores)
    ranked = estimates.of(survey.questionnaire.ranked)
    barred = scores.barred()
    added = [
        _as_estimates(
            ranked,
            COMBINED,
            scores.score,
            cov=scores.cov,
            df=scores.df,
            rows=scores.rows,
            surveyed=scores.drawn is None and any(part.surveyed for part in scores.parts),
            n=counted,
            conventions={"barred": barred, "taken_as_exact": scores.taken_as_exact},
            drawn=scores.drawn,
        )
    ]
    measures = set(estimates.table["measure"])
    for k, part in enumerate(scores.parts):
        if part.surveyed or part.name in measures:
            continue
        added.append(_of_component(ranked, scores, k, selection=survey.declared.selection))
    return replace(
        estimates, apart=MappingProxyType({one.table["measure"].iloc[0]: one for one in added})
    )


def _of_component(ranked: Estimates, scores: LevelScores, k: int, *, selection: str) -> Estimates:
    """Return a component alone, on the scale it is combined on; without an error nothing is known of its ranks.

    Nor in a wave whose respondents were not drawn: all its files say that nothing is certain.
    """
    part = scores.parts[k]
    score = scores.scaled[:, k]
    slope = np.nan_to_num(scale_slope(part))
    rows = sp.csr_array((1, len(score)))
    conventions: dict[str, Any] = {"selection": UNDECLARED, "taken_as_exact": ()}
    if part.errors is not None or part.declared.exact is not None:
        conventions["selection"] = selection
    if part.errors is not None:
        rows = sp.csr_array(part.errors) @ sp.diags_array(slope)
        if part.taken_as_exact:
            conventions["taken_as_exact"] = (part.name,)
    drawn = None
    cov = crossed(rows, rows)
    if part.by_draws:
        drawn = scaled_draws(part)
        cov = drawn.cov
        conventions["selection"] = "probability"
        if part.taken_as_exact:
            conventions["taken_as_exact"] = (part.name,)
    barred = _barred(scores.codes, part.excluded, ~np.isfinite(score))
    return _as_estimates(
        ranked,
        part.name,
        score,
        cov=cov,
        df=np.full(len(score), np.inf),
        rows=rows,
        surveyed=False,
        n=np.full(len(score), np.nan),
        conventions=conventions | {"barred": barred},
        drawn=drawn,
    )


def _answers(survey: Survey, estimates: Estimates, scores: LevelScores) -> Array:
    """Return the valid answers behind a combined score, (p,): the fewest of the survey's measures in it."""
    measures = [str(part.declared.measure) for part in scores.parts if part.surveyed]
    numbers = [estimates.of(name).table["n"] for name in measures or [survey.questionnaire.ranked]]
    return np.asarray(np.min(numbers, axis=0))


def _as_estimates(
    ranked: Estimates,
    name: str,
    score: Array,
    *,
    cov: Array,
    df: Array,
    rows: Any,
    surveyed: bool,
    n: Array,
    conventions: dict[str, Any],
    drawn: JointDraws | None,
) -> Estimates:
    """Return scores as estimates of one measure, beside those of the survey's ranked one.

    `surveyed`: the first of the rows are the survey's sampling units.
    """
    se = np.where(np.isnan(score), np.nan, standard_errors(cov))
    low, high = t_interval(score, se, df, level=ranked.level)
    told = ranked.conventions | {"interval": "t", "df": "Satterthwaite", "deff": "none"}
    if drawn is not None:
        low, high = drawn.limits(ranked.level)
        told |= {"interval": f"quantiles of {drawn.number} joint draws, seed {drawn.seed}"}
        told |= {"df": "none", "variance": N_("of the draws")}
    unknown = np.full(len(score), np.nan)
    figures = {
        "estimate": score,
        "se": se,
        "df": df,
        "ci_low": low,
        "ci_high": high,
        "deff": unknown,
        "deff_wr": unknown,
        "n": n,
        "note": np.full(len(score), "", dtype=object),
    }
    keys = ranked.table[list(ranked.by)].assign(measure=name)
    table: pd.DataFrame = result_table(keys, figures)
    contributions = replace(ranked.contributions, matrix=rows)
    if not surveyed:
        contributions = _of_no_unit(ranked.contributions, rows)
    return Estimates(
        table, cov, contributions, ranked.by, told | conventions, ranked.design, drawn=drawn
    )


def _of_no_unit(survey: Contributions, rows: Any) -> Contributions:
    """Return contributions of sources beside the survey: its sampling units contribute nothing, so no wave shares them."""
    areas = rows.shape[1]
    units = len(survey.units)
    nothing = sp.csr_array((units, areas))
    matrix = sp.vstack([nothing, rows], format="csr")
    nobody = sp.csr_array((len(survey.members.stratum), areas))
    members = replace(survey.members, inside=nobody)
    return replace(survey, matrix=matrix, members=members)
