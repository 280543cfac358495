"""Scores drawn again and again within their errors, so that points which a mark decides count by the probability of passing.

Whether a rate reaches its mark is a step: no slope carries its error. So the measures of the survey are drawn together, every
draw scores the assessment anew, and the combined score is formed draw by draw, scales of the field included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.stats import rankdata

from satisfaction.composite.normalising import Array, aggregated, normalised
from satisfaction.composite.tree_scores import (
    TIED,
    Measured,
    TreeScores,
    points_to_score,
    step_points,
)
from satisfaction.declarations.combined import Aggregation, Normalisation
from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.language import _

FEWEST = 2_000
INTERVAL = (0.025, 0.975)


def checked_draws(draws: int) -> int:
    """Refuse fewer draws than a probability needs.

    Raises
    ------
    RankingError
        K378.
    """
    if draws < FEWEST:
        raise RankingError(
            "K378",
            _("{draws} draws are too few: at least {fewest}.", draws=draws, fewest=FEWEST),
            where="--draws",
            hint=_("Ask for more draws."),
        )
    return draws


def draw_measures(
    measures: Mapping[str, Measured], draws: int, rng: np.random.Generator
) -> dict[str, Array]:
    """Draw measures of the survey around their estimates, all of an area together: by name (B, p).

    Their sampling units are shared, so a draw that is high in one measure is high in those that go with it. An area's noise is that of
    t with the fewest df of its measures; a measure without an error stays at its estimate.
    """
    with_errors = {name: one for name, one in measures.items() if one.errors is not None}
    drawn = {
        name: np.broadcast_to(one.estimate, (draws, len(one.estimate)))
        for name, one in measures.items()
    }
    if not with_errors:
        return drawn
    units = next(iter(with_errors.values())).errors.shape[0]
    shared = rng.standard_normal((draws, units))
    df = np.min([one.df for one in with_errors.values()], axis=0)
    scale = t_scale(df, draws, rng)
    lent_rows = [one.lent for one in with_errors.values() if one.lent is not None]
    lent = np.zeros((draws, 0))
    if lent_rows:
        lent = rng.standard_normal((draws, lent_rows[0].shape[0]))
    for name, one in with_errors.items():
        noise = _product(shared, one.errors)
        if one.lent is not None:
            noise = noise + _product(lent, one.lent)
        drawn[name] = one.estimate + noise * scale
    return drawn


def _product(draws: Array, rows: Any) -> Array:
    """Return draws @ rows, (B, U) by (U, p)."""
    if sp.issparse(rows):
        return np.asarray((rows.T @ draws.T).T)
    return np.asarray(draws @ rows)


def t_scale(df: Array, draws: int, rng: np.random.Generator) -> Array:
    """Return what turns normal draws into draws of t, (B, p); 1 where the df are not finite or there are none."""
    finite = np.isfinite(df) & (df > 0)
    freedom = np.where(finite, df, 1.0)
    squares = rng.chisquare(freedom, size=(draws, len(df)))
    return np.asarray(np.where(finite, np.sqrt(freedom / squares), 1.0))


def draw_tree(
    scores: TreeScores, values: Mapping[str, Array], draws: int, rng: np.random.Generator
) -> Array:
    """Score an assessment in every draw, (B, p).

    Parameters
    ----------
    scores : TreeScores
    values : mapping of (B, p)
        Measures as `draw_measures` draws them: items and preconditions with a `cap` or `zero` follow them.
    draws : int
    rng : Generator
        For the points of inspection: normal draws with the sites' sampling error, t with its df. One site of a kind adds none.

    Notes
    -----
    What the sheet takes off is exact as handed in and stays. Points of sites are not cut at 0 and at their highest, so that their
    mean stays the estimate.
    """
    p = len(scores.areas)
    kept = np.zeros((draws, p))
    bonus = np.zeros((draws, p))
    for place, leaf in enumerate(scores.items):
        got = np.broadcast_to(scores.got[:, place], (draws, p))
        if leaf.measure is not None and leaf.measure in values and leaf.points:
            factor = np.where(scores.applies[:, place], scores.based[:, place] / leaf.points, 0.0)
            reached = step_points(leaf, values[leaf.measure])
            got = np.where(scores.applies[:, place], reached * factor, 0.0)
        if leaf.bonus:
            bonus += got
        else:
            kept += got
    spread = np.sqrt(scores.site_variance)
    noise = rng.standard_normal((draws, p)) * t_scale(scores.site_df, draws, rng)
    kept += noise * spread
    cap = np.broadcast_to(scores.cap, (draws, p)).copy()
    for condition in scores.tree.preconditions.values():
        if condition.measure is None or condition.at_least is None:
            continue
        if condition.measure not in values or condition.effect == "exclude":
            continue
        unmet = values[condition.measure] < condition.at_least - TIED
        cap = np.where(unmet, np.minimum(cap, condition.cap or 0.0), cap)
    return points_to_score(scores.tree, kept, bonus, total=scores.total, cap=cap)


@dataclass(frozen=True, slots=True, eq=False)
class DrawnComponent:
    """A component of the combined score, drawn.

    Attributes
    ----------
    name : str
    weight : float
    normalise : Normalisation
    goalposts : (float, float) or None
    score : (p,)
        As published, before it is normalised.
    draws : (B, p)
    """

    name: str
    weight: float
    normalise: Normalisation
    goalposts: tuple[float, float] | None
    score: Array
    draws: Array

    def __repr__(self) -> str:
        return f"DrawnComponent({self.name}, {len(self.draws)} draws)"


@dataclass(frozen=True, slots=True, eq=False)
class DrawnScores:
    """Combined scores, drawn.

    Attributes
    ----------
    score : (p,)
        Of the published components; NaN where one is missing.
    draws : (B, p)
    """

    score: Array
    draws: Array

    def __repr__(self) -> str:
        return f"DrawnScores({self.draws.shape[1]} areas, {len(self.draws)} draws)"


def combined_draws(components: Sequence[DrawnComponent], aggregation: Aggregation) -> DrawnScores:
    """Combine components in every draw; scales that the field sets are set anew in each."""
    weights = np.array([one.weight for one in components])
    published = np.column_stack([_scaled(one, one.score) for one in components])
    score = aggregated(published, weights, aggregation)
    draws = np.empty(components[0].draws.shape)
    for number in range(len(draws)):
        scaled = np.column_stack([_scaled(one, one.draws[number]) for one in components])
        draws[number] = aggregated(scaled, weights, aggregation)
    draws[:, ~np.isfinite(score)] = np.nan
    return DrawnScores(score, draws)


def _scaled(component: DrawnComponent, values: Array) -> Array:
    """Put scores of areas on the scale they are combined on; NaN where an area has none."""
    scaled = np.full(len(values), np.nan)
    seen = np.isfinite(values)
    if seen.any():
        scaled[seen] = normalised(values[seen], component.normalise, posts=component.goalposts)
    return scaled


def drawn_table(
    scores: DrawnScores, areas: Sequence[str], *, bottom: int, excluded: Array
) -> pd.DataFrame:
    """Describe drawn scores by area.

    Returns
    -------
    DataFrame
        One row an area: code, score, score_mean (over the draws: points that a mark decides count by the probability of
        passing), score_sd, score_low, score_high (2.5 and 97.5 % of the draws), rank (of `score`), rank_low, rank_high (2.5 and 97.5 %
        of the ranks drawn: how far sampling moves the rank, no confidence set), probability_list (share of the draws in which the
        area is among the last `bottom`; at a tied cut, the places left are shared). Areas that are excluded or lack a component
        have no rank and no probability.
    """
    taking_part = np.isfinite(scores.score) & ~excluded
    drawn = scores.draws[:, taking_part]
    low, high = INTERVAL
    table = pd.DataFrame({"code": list(areas), "score": scores.score})
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
        "rank": rankdata(-scores.score[taking_part].round(9), method="min"),
        "rank_low": np.quantile(ranks, low, axis=0, method="inverted_cdf"),
        "rank_high": np.quantile(ranks, high, axis=0, method="inverted_cdf"),
        "probability_list": list_probability(drawn, bottom),
    }
    for column, values in figures.items():
        table.loc[taking_part, column] = values
    return table


def list_probability(drawn: Array, bottom: int) -> Array:
    """Return how often each unit is among the last `bottom`, (B, p) -> (p,); they add up to `bottom`.

    Where units tie at the cut, the places that are left are shared among them.

    >>> list_probability(np.array([[1.0, 2.0, 2.0, 3.0]]), 2)
    array([1. , 0.5, 0.5, 0. ])
    """
    values = drawn.round(9)
    below = rankdata(values, method="min", axis=1) - 1
    tied = rankdata(values, method="max", axis=1) - below
    share = np.clip((bottom - below) / tied, 0, 1)
    return np.asarray(share.mean(axis=0))
