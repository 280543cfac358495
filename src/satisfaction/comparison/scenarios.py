"""Many ways of making one score from several components, crossed with sampling error: scores, ranks, lists.

A wave's own components: topics of an index, or the rates of a composite; don't-know counted the other way as a variant.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.stats import rankdata

from satisfaction.composite.normalising import aggregated, normalised
from satisfaction.declarations.combined import Aggregation, Normalisation
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.language import _
from satisfaction.pipeline import Results, base_design, estimate_areas, weigh
from satisfaction.ranking.borrowed_errors import Lent, lent_errors

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

    scores: Array = field(repr=False)
    errors: Array = field(repr=False)
    weights: Array = field(repr=False)
    noise: Array = field(repr=False)
    choices: Choices

    def active(self) -> dict[str, int]:
        """Return how many values each factor has."""
        dropped = 1
        if self.choices.drop:
            dropped = self.scores.shape[2] + 1
        return {
            "normalisation": len(self.choices.normalisations),
            "aggregation": len(self.choices.aggregations),
            "weights": len(self.noise),
            "dropped": dropped,
            "variant": len(self.scores),
            "sampling": len(self.errors),
        }


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
    aggregation = world.choices.aggregations[pick["aggregation"]]
    return aggregated(np.maximum(scaled, 0.0), weights, aggregation)


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


@dataclass(frozen=True, slots=True)
class Components:
    """Components of an index by area. v variants, p areas, k components.

    Attributes
    ----------
    names : tuple of str
    areas : list of str
    weights : (k,)
    scores : (v, p, k)
        Points 0-100; rates in percent.
    errors : (m, p, k)
        Draws of the sampling errors of the first variant; none without a probability sample.
    variants : tuple of str
    lent : list of str
        Areas of which an error is not their own, by the rules.
    """

    names: tuple[str, ...]
    areas: list[str]
    weights: Array = field(repr=False)
    scores: Array = field(repr=False)
    errors: Array = field(repr=False)
    variants: tuple[str, ...]
    lent: list[str]


def components_of(
    results: Results, *, measure: str | None = None, draws: int = 512, seed: int = 1
) -> Components:
    """Take an index apart into its weighted parts, with joint draws of their sampling errors.

    An index of level person is rebuilt from the areas' means of its items: nearly, not exactly, the published one.

    Raises
    ------
    RankingError
        K321 for a measure that is no index.
    """
    questionnaire = results.survey.questionnaire
    name = measure or questionnaire.ranked
    if name not in questionnaire.indices:
        raise RankingError(
            "K321",
            _("'{name}' is no index made of several parts.", name=name),
            where="--measure",
            available=questionnaire.indices,
            got=name,
            hint=_("Name an index of the questionnaire."),
        )
    weights = {part: float(weight) for part, weight in questionnaire.indices[name].weights.items()}
    parts = tuple(weights)
    estimates = results.estimates[results.area]
    if estimates.conventions["selection"] != "probability":
        draws = 0
    lent = lent_errors(results.survey, results.estimates, results.area, parts)
    scores = {"declared": _scores(estimates, questionnaire, parts)}
    if any(part in questionnaire.rates for part in parts):
        survey = replace(results.survey, questionnaire=flipped(questionnaire))
        design = weigh(survey, base_design(survey, results.responses))
        other_way = estimate_areas(survey, design)[results.area]
        scores["don't know counted the other way"] = _scores(other_way, questionnaire, parts)
    areas = estimates.of(parts[0]).table[results.area].astype(str)
    return Components(
        names=parts,
        areas=areas.tolist(),
        weights=np.array(list(weights.values())),
        scores=np.array(list(scores.values())),
        errors=_errors(estimates, questionnaire, lent, draws=draws, seed=seed),
        variants=tuple(scores),
        lent=areas[lent.areas].tolist(),
    )


def flipped(questionnaire: Questionnaire) -> Questionnaire:
    """Return the questionnaire with don't-know entering every rate's denominator where it did not, and the other way round."""
    rates = {}
    for name, rate in questionnaire.rates.items():
        declared = questionnaire.denominator(rate.items[0], rate).get("dont_know", "out")
        way = "in"
        if declared == "in":
            way = "out"
        denominator = {**rate.denominator, "dont_know": way}
        rates[name] = rate.model_copy(update={"denominator": denominator})
    return questionnaire.model_copy(update={"rates": rates})


def _scores(estimates: Estimates, questionnaire: Questionnaire, parts: tuple[str, ...]) -> Array:
    """Return scores (p, k) in points 0-100."""
    columns = []
    for part in parts:
        estimate = estimates.of(part).table["estimate"].to_numpy(float)
        columns.append(estimate * _scale(questionnaire, part))
    return np.stack(columns, axis=1)


def _errors(
    estimates: Estimates, questionnaire: Questionnaire, lent: Lent, *, draws: int, seed: int
) -> Array:
    """Return joint draws of the errors that ranks rest on, (draws, p, k)."""
    rng = np.random.default_rng(seed)
    units = rng.standard_normal((draws, estimates.contributions.matrix.shape[0]))
    further = rng.standard_normal((draws, next(iter(lent.rows.values())).shape[0]))
    columns = []
    for part, rows in lent.rows.items():
        matrix: Any = estimates.of(part).contributions.matrix
        drawn = np.asarray((matrix.T @ units.T).T) + np.asarray((rows.T @ further.T).T)
        columns.append(drawn * _scale(questionnaire, part))
    return np.stack(columns, axis=2)


def _scale(questionnaire: Questionnaire, part: str) -> float:
    if part in questionnaire.rates:
        return 100.0
    return 1.0
