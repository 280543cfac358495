"""All components of a combined score drawn together: those of all levels of a wave, and of several waves.

Waves are related as their scores with a standard error are: the survey's errors as far as the waves share PSUs, other errors by
the share that `lasting` declares. Points of inspection bring one more relation: where two waves looked at the same site, the
errors of the area's sites go together fully, so that the mean over the waves is not called steadier than it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from satisfaction.composite.components import ComponentScores, above, areas_of
from satisfaction.composite.normalising import Array
from satisfaction.composite.tree_draws import (
    Drawing,
    draw_errors,
    drawn_measures,
    joint_tree,
    t_draws,
)
from satisfaction.composite.tree_scores import Measured
from satisfaction.declarations.combined import CombinedInputs
from satisfaction.declarations.survey import Survey
from satisfaction.ranking.drawn import SPENT, JointDraws

Parts = Mapping[str, tuple[ComponentScores, ...]]
Kept = dict[tuple[str, str], Array]
"""Draws (B,) that waves share, by component and area."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ScoredWave:
    """A wave whose components are drawn.

    Attributes
    ----------
    survey : Survey
    inputs : CombinedInputs
    levels : mapping of str to tuple of ComponentScores
        The ranked level first.
    measures : mapping of str to Measured
        They decide about points of the ranked areas.
    places : (U, R), sparse, or None
        Where its sampling units stand among those of all waves; None: there is no other wave.
    codes : mapping of str to str
        The code that an area has in the last wave by the one it has here, where it is another.
    """

    survey: Survey
    inputs: CombinedInputs
    levels: Parts
    measures: Mapping[str, Measured]
    places: Any = None
    codes: Mapping[str, str] = field(default_factory=dict)

    def measured(self) -> list[dict[str, Measured]]:
        """Return what the survey's sampling units contribute to, by level; rows are the units of all waves."""
        groups = []
        for parts in self.levels.values():
            surveyed = {}
            for part in parts:
                if part.surveyed:
                    surveyed[part.name] = Measured(part.score, part.errors, part.lent, part.df)
            groups.append(surveyed)
        groups[0] |= {_deciding(name): one for name, one in self.measures.items()}
        if self.places is not None:
            for group in groups:
                for name, one in group.items():
                    group[name] = replace(one, errors=self.places @ one.errors)
        return groups

    def today(self, codes: Sequence[str]) -> list[str]:
        """Return the codes that areas have in the last wave."""
        return [self.codes.get(code, code) for code in codes]


def _deciding(measure: str) -> str:
    """Name a measure apart from the component that it may be too."""
    return f"decides: {measure}"


def drawn_together(
    waves: Sequence[ScoredWave], drawing: Drawing
) -> list[dict[str, tuple[ComponentScores, ...]]]:
    """Draw all components of all levels of all waves together.

    The survey's measures share its sampling units: the draw in which an area's index is high is the one in which the rates that
    decide about its points are. A larger area's assessment is the mean of its areas' in the same draw. The error that rules out
    marks is the same for any number of waves, which share it.
    """
    rng = np.random.default_rng(drawing.seed)
    measured = [of_level for wave in waves for of_level in wave.measured()]
    errors = iter(draw_errors(measured, drawing.draws, rng))
    rules = [wave.survey.rules for wave in waves]
    for wave in waves:
        rules += [one.rules for one in wave.survey.further]
    strictest = max(one.ranking.level for one in rules)
    spent = SPENT * (1 - strictest) / len(waves)
    again = _visited_again(waves)
    of_sites: Kept = {}
    lasting: Kept = {}
    drawn = []
    for wave in waves:
        of_wave = dict(zip(wave.levels, errors, strict=False))
        ranked = wave.survey.ranked_level
        deciding = {name: of_wave[ranked][_deciding(name)] for name in wave.measures}
        known = drawn_measures(wave.measures, deciding, spent)
        trees = {}
        for part in wave.levels[ranked]:
            if part.assessed is not None:
                scores = part.assessed
                noise = t_draws(scores.site_df, drawing.draws, rng)
                _share_sites(noise, wave, part, again=again, kept=of_sites)
                site_errors = noise * np.sqrt(scores.site_variance)
                trees[part.name] = joint_tree(scores, known, site_errors, seed=drawing.seed)
        with_theirs = {}
        for level, parts in wave.levels.items():
            of_level = []
            for part in parts:
                if part.name in trees:
                    joint = _tree_above(trees[part.name], part, wave.survey, level=level)
                else:
                    error = of_wave[level].get(part.name)
                    if error is None:
                        normal = rng.standard_normal((drawing.draws, len(part.score)))
                        if len(waves) > 1:
                            codes = wave.today(areas_of(wave.survey, level))
                            normal = _with_lasting(normal, part, codes, kept=lasting, rng=rng)
                        error = normal * np.nan_to_num(part.se)
                    joint = JointDraws.around(part.score, error, spent=spent, seed=drawing.seed)
                of_level.append(replace(part, drawn=joint))
            with_theirs[level] = tuple(of_level)
        drawn.append(with_theirs)
    return drawn


def _visited_again(waves: Sequence[ScoredWave]) -> set[tuple[str, str]]:
    """Return the components and areas of which several waves visited the same site."""
    visited = []
    for wave in waves:
        for name, sites in wave.inputs.sites.items():
            once = sites[["kind", "site"]].assign(component=name, code=wave.today(sites["code"]))
            visited.append(once.drop_duplicates())
    if len(visited) < 2:
        return set()
    together = pd.concat(visited)
    again = together[together.duplicated()]
    return set(zip(again["component"], again["code"], strict=True))


def _share_sites(
    noise: Array,
    wave: ScoredWave,
    part: ComponentScores,
    *,
    again: set[tuple[str, str]],
    kept: Kept,
) -> None:
    """Let draws of t, (B, p), go together fully with those of the first wave, in areas whose sites were visited again."""
    assert part.assessed is not None
    df = part.assessed.site_df
    df = np.where(np.isfinite(df) & (df > 0), df, np.inf)
    for place, code in enumerate(wave.today(part.assessed.areas)):
        key = part.name, code
        if key in again and key in kept:
            noise[:, place] = special.stdtrit(df[place], kept[key])
        elif key in again:
            kept[key] = special.stdtr(df[place], noise[:, place])


def _with_lasting(
    normal: Array,
    part: ComponentScores,
    codes: Sequence[str],
    *,
    kept: Kept,
    rng: np.random.Generator,
) -> Array:
    """Let normal draws, (B, p), keep from wave to wave what `lasting` declares."""
    if part.declared.lasting is None:
        return normal
    stays = []
    for code in codes:
        fresh = rng.standard_normal(len(normal))
        stays.append(kept.setdefault((part.name, code), fresh))
    share = part.declared.lasting.share
    together: Array = np.sqrt(share) * np.column_stack(stays) + np.sqrt(1 - share) * normal
    return together


def _tree_above(
    tree: JointDraws, part: ComponentScores, survey: Survey, *, level: str
) -> JointDraws:
    """Return the draws of an assessment for the areas of a level: means of the ranked areas, where the level has a score."""
    if level == survey.ranked_level:
        return tree
    unknown = np.where(np.isfinite(part.score), 0.0, np.nan)
    low, high = above(survey, np.stack([tree.low, tree.high]), level) + unknown
    return replace(
        tree,
        scores=above(survey, tree.scores, level) + unknown,
        errors=above(survey, tree.errors, level) + unknown,
        low=low,
        high=high,
    )
