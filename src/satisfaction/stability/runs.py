"""Many ways of making one score from several components, crossed with sampling error: scores, ranks, lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from ..combined.aggregating import Aggregation, aggregated
from ..combined.normalising import Normalisation, normalised

Array = np.ndarray[Any, Any]
FACTORS = ("normalisation", "aggregation", "weights", "dropped", "variant", "sampling")


@dataclass(frozen=True, slots=True)
class Choices:
    """What might have been decided otherwise; the first of each is what is declared.

    Attributes
    ----------
    normalisations : tuple of str
    aggregations : tuple of str
    weight_noise : float
        Weights vary uniformly within +- this share of the declared ones (0: fixed), then add up to 1 again.
    drop : bool
        Whether each component may be left out in turn.
    """

    normalisations: tuple[Normalisation, ...] = ("none", "minmax", "zscore")
    aggregations: tuple[Aggregation, ...] = ("arithmetic", "geometric")
    weight_noise: float = 0.25
    drop: bool = True


@dataclass(frozen=True, slots=True)
class World:
    """What runs draw from. p areas, k components, v variants of the components, m draws.

    Attributes
    ----------
    scores : (v, p, k)
        Components in each variant, 0-100; the first variant is the declared one.
    errors : (m, p, k)
        Draws of their sampling errors; the first is 0.
    weights : (k,)
    noise : (m, k)
        Draws of weights; the first are the declared ones.
    choices : Choices
    """

    scores: Array
    errors: Array
    weights: Array
    noise: Array
    choices: Choices

    def active(self) -> dict[str, int]:
        """Return how many values each factor has."""
        counts = (len(self.choices.normalisations), len(self.choices.aggregations), len(self.noise))
        dropped = self.scores.shape[2] + 1 if self.choices.drop else 1
        return dict(zip(FACTORS, (*counts, dropped, len(self.scores), len(self.errors)), strict=True))


def draw_weights(weights: Array, noise: float, draws: int, rng: np.random.Generator) -> Array:
    """Weights within +- noise of the declared ones, adding up to 1; the first row declared, (draws, k)."""
    drawn = weights * rng.uniform(1 - noise, 1 + noise, (draws, len(weights)))
    drawn[0] = weights
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def combined_score(world: World, pick: dict[str, int]) -> Array:
    """The combined score of all areas under one pick of every factor, (p,)."""
    x = np.clip(world.scores[pick["variant"]] + world.errors[pick["sampling"]], 0, 100)
    weights = world.noise[pick["weights"]].copy()
    if pick["dropped"]:
        weights[pick["dropped"] - 1] = 0.0
    scaled = normalised(x, world.choices.normalisations[pick["normalisation"]])
    return aggregated(np.maximum(scaled, 0.0), weights, world.choices.aggregations[pick["aggregation"]])


def ranks_of(score: Array) -> Array:
    """Competition ranks, 1 the largest, (p,)."""
    return np.asarray(rankdata(-np.round(score, 9), method="min"))


def picks(points: Array, counts: dict[str, int]) -> list[dict[str, int]]:
    """Turn points of the unit cube, (n, number of factors), into picks."""
    sizes = np.array(list(counts.values()))
    places = np.minimum((points * sizes).astype(int), sizes - 1)
    return [dict(zip(counts, map(int, row), strict=True)) for row in places]


def rank_runs(world: World, wanted: list[dict[str, int]]) -> Array:
    """Ranks of all areas in every run, (runs, p)."""
    return np.array([ranks_of(combined_score(world, one)) for one in wanted])
