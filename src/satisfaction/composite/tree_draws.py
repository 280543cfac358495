"""Scores drawn again and again within their errors, so that points which a mark decides count by the probability of passing.

Whether a rate reaches its mark is a step: no slope carries its error. So the measures of the survey are drawn together, every
draw scores the assessment anew, and the combined score is formed draw by draw, scales of the field included. What is certain
about ranks of such scores says `ranking.drawn`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.stats import rankdata

from satisfaction.composite.normalising import Array
from satisfaction.composite.tree_scores import (
    TIED,
    Measured,
    TreeScores,
    points_to_score,
    step_points,
)
from satisfaction.estimation.multiplicity import symmetric_root
from satisfaction.ranking.drawn import JointDraws, joint_limits, list_probability
from satisfaction.sampling.variance import crossed

DRAWS = 4_000
SEED = 1
INTERVAL = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Drawing:
    """How scores are drawn.

    Attributes
    ----------
    draws : int
    seed : int
        The same seed gives the same figures.
    always : bool
        Whether scores are drawn whose errors a standard error carries.
    """

    draws: int = DRAWS
    seed: int = SEED
    always: bool = False


def draw_errors(
    levels: Sequence[Mapping[str, Measured]], draws: int, rng: np.random.Generator
) -> list[dict[str, Array]]:
    """Draw the errors of measures at several levels of areas together: by level and name (B, p).

    Their sampling units are shared, so a draw that is high in one measure is high in those that go with it. An area's errors are
    those of t with the fewest df of its measures; a measure without an error has none. What the rules lend is independent of the
    sampling units and goes together within a level.
    """
    units = _joint_noise([one.errors for level in levels for one in level.values()], draws, rng)
    errors = []
    for measures in levels:
        of_level = units[: len(measures)]
        units = units[len(measures) :]
        lent = _joint_noise([one.lent for one in measures.values()], draws, rng)
        known = [one.df for one in measures.values() if one.errors is not None]
        scale = np.ones((draws, 1))
        if known:
            scale = _t_scale(np.min(known, axis=0), draws, rng)
        drawn = {}
        for name, one, noise, added in zip(
            measures, measures.values(), of_level, lent, strict=True
        ):
            areas = np.zeros(len(one.estimate))
            drawn[name] = (noise + added) * scale + areas
        errors.append(drawn)
    return errors


def _joint_noise(rows: Sequence[Any], draws: int, rng: np.random.Generator) -> list[Array]:
    """Return normal draws with the covariance D'D of every set of contributions D, all sets together: (B, p) each.

    (B, 1) zeros where there are no contributions. An area without an estimate has none either.
    """
    noise = [np.zeros((draws, 1)) for _set in rows]
    known = [place for place, one in enumerate(rows) if one is not None]
    if not known:
        return noise
    joint = sp.hstack([sp.csr_array(rows[place]) for place in known], format="csr")
    joint.data = np.nan_to_num(joint.data)
    root = symmetric_root(crossed(joint, joint))
    together = rng.standard_normal((draws, len(root))) @ root
    ends = np.cumsum([rows[place].shape[1] for place in known])
    for place, block in zip(known, np.split(together, ends[:-1], axis=1), strict=True):
        noise[place] = block
    return noise


def _t_scale(df: Array, draws: int, rng: np.random.Generator) -> Array:
    """Return what turns normal draws into draws of t, (B, p); 1 where the df are not finite or there are none."""
    finite = np.isfinite(df) & (df > 0)
    freedom = np.where(finite, df, 1.0)
    squares = rng.chisquare(freedom, size=(draws, len(df)))
    scale = np.sqrt(freedom / squares)
    return np.asarray(np.where(finite, scale, 1.0))


def t_draws(df: Array, draws: int, rng: np.random.Generator) -> Array:
    """Draw t with (p,) df, (B, p); normal where they are not finite or there are none."""
    noise = rng.standard_normal((draws, len(df)))
    return noise * _t_scale(df, draws, rng)


def draw_tree(scores: TreeScores, values: Mapping[str, Array], site_errors: Array) -> Array:
    """Score an assessment in every draw, (B, p).

    Parameters
    ----------
    scores : TreeScores
    values : mapping of (B, p)
        Measures, drawn: items and preconditions with a `cap` or `zero` follow them; where one is not among
        them, they stay as estimated.
    site_errors : (B, p)
        Sampling errors of the points got at sites; one site of a kind has none.

    Notes
    -----
    What the sheet takes off is exact as handed in and stays. Points of sites are not cut at 0 and at their highest, so that their
    mean stays the estimate.
    """
    decided = []
    for place, leaf in enumerate(scores.items):
        if leaf.measure in values and leaf.points:
            decided.append((place, leaf))
    by_measure = [place for place, _leaf in decided]
    fixed = np.where(np.isin(np.arange(len(scores.leaves)), by_measure), 0.0, scores.got)
    kept = site_errors + fixed[:, scores.ordinary].sum(axis=1)
    bonus = np.zeros_like(site_errors) + fixed[:, ~scores.ordinary].sum(axis=1)
    for place, leaf in decided:
        factor = np.where(scores.applies[:, place], scores.based[:, place] / (leaf.points or 1), 0)
        reached = np.where(factor > 0, step_points(leaf, values[str(leaf.measure)]) * factor, 0.0)
        if leaf.bonus:
            bonus = bonus + reached
        else:
            kept = kept + reached
    cap = np.broadcast_to(scores.cap, kept.shape)
    if values:
        cap = np.broadcast_to(scores.cap_stated, kept.shape)
    for condition in scores.tree.preconditions.values():
        decides = condition.measure in values and condition.effect != "exclude"
        if condition.at_least is None or not decides:
            continue
        unmet = values[str(condition.measure)] < condition.at_least - TIED
        cap = np.where(unmet, np.minimum(cap, condition.cap or 0.0), cap)
    return points_to_score(scores.tree, kept, bonus, total=scores.total, cap=cap)


@dataclass(frozen=True, slots=True, eq=False)
class DrawnMeasures:
    """Measures that decide about points, drawn together with everything else.

    Attributes
    ----------
    values : mapping of (B, p)
    low, high : mapping of (p,)
        Limits that hold all of them in all areas at once but with probability `spent`.
    spent : float
    """

    values: Mapping[str, Array]
    low: Mapping[str, Array]
    high: Mapping[str, Array]
    spent: float

    def __repr__(self) -> str:
        return f"DrawnMeasures({', '.join(self.values)})"


def drawn_measures(
    measures: Mapping[str, Measured], errors: Mapping[str, Array], spent: float
) -> DrawnMeasures:
    """Put drawn errors around the estimates of measures, with their joint limits."""
    values = {}
    low = {}
    high = {}
    if measures:
        together = np.hstack([np.nan_to_num(errors[name]) for name in measures])
        half_widths = np.split(joint_limits(together, spent), len(measures))
        for (name, one), half in zip(measures.items(), half_widths, strict=True):
            values[name] = one.estimate + errors[name]
            low[name] = one.estimate - half
            high[name] = one.estimate + half
    return DrawnMeasures(values, low, high, spent)


def joint_tree(
    scores: TreeScores, measures: DrawnMeasures, site_errors: Array, *, seed: int
) -> JointDraws:
    """Draw the score of an assessment of p areas, with the fewest and the most points that are not ruled out; as `draw_tree`."""
    none = np.zeros((1, len(scores.areas)))
    (estimate,) = draw_tree(scores, {}, none)
    (low,) = draw_tree(scores, {name: one[None] for name, one in measures.low.items()}, none)
    (high,) = draw_tree(scores, {name: one[None] for name, one in measures.high.items()}, none)
    drawn = draw_tree(scores, measures.values, site_errors)
    errors = draw_tree(scores, {}, site_errors) - estimate
    return JointDraws(drawn, errors, low, high, measures.spent, seed)


def drawn_table(
    score: Array, draws: JointDraws, areas: Sequence[str], *, bottom: int, excluded: Array
) -> pd.DataFrame:
    """Describe drawn scores by area.

    Returns
    -------
    DataFrame
        One row an area: code, score, score_mean (over the draws: points that a mark decides count by the probability of
        passing), score_sd, score_low, score_high (2.5 and 97.5% of the draws), rank (of `score`), rank_low, rank_high (2.5 and 97.5%
        of the ranks drawn: how far sampling moves the rank, no confidence set), probability_list (share of the draws in which the
        area is among the last `bottom`; at a tied cut, the places left are shared). Areas that are excluded or lack a component
        have no rank and no probability.
    """
    taking_part = np.isfinite(score) & ~excluded
    drawn = draws.scores[:, taking_part]
    low, high = INTERVAL
    table = pd.DataFrame({"code": list(areas), "score": score})
    columns = ("score_mean", "score_sd", "score_low", "score_high",
               "rank", "rank_low", "rank_high", "probability_list")  # fmt: skip
    for column in columns:
        table[column] = np.nan
    if not taking_part.any():
        return table
    ranks = rankdata(-drawn.round(9), method="min", axis=1)
    figures = {
        "score_mean": drawn.mean(axis=0),
        "score_sd": drawn.std(axis=0, ddof=1),
        "score_low": np.quantile(drawn, low, axis=0),
        "score_high": np.quantile(drawn, high, axis=0),
        "rank": rankdata(-score[taking_part].round(9), method="min"),
        "rank_low": np.quantile(ranks, low, axis=0, method="inverted_cdf"),
        "rank_high": np.quantile(ranks, high, axis=0, method="inverted_cdf"),
        "probability_list": list_probability(drawn, bottom),
    }
    for column, values in figures.items():
        table.loc[taking_part, column] = values
    return table
