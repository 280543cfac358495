"""A wave's own components: topics of an index, or the rates of a composite; don't-know counted the other way as a variant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import RankingError
from ..estimates import Estimates
from ..pipeline import Results, base_design, estimate_areas, weigh
from ..questionnaire import Questionnaire
from .runs import Array


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
    """

    names: tuple[str, ...]
    areas: list[str]
    weights: Array
    scores: Array
    errors: Array
    variants: tuple[str, ...]


def components_of(results: Results, *, measure: str | None = None, draws: int = 512, seed: int = 1) -> Components:
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
            f"'{name}' 不是由几部分合成的指数。",
            f"'{name}' is no index made of several parts.",
            where="--measure",
            available=questionnaire.indices,
            got=name,
            hint=("改为问卷中的指数。", "Name an index of the questionnaire."),
        )
    weights = {part: float(weight) for part, weight in questionnaire.indices[name].weights.items()}
    parts = tuple(weights)
    own = results.estimates[results.area]
    if own.conventions["selection"] != "probability":
        draws = 0
    scores, errors, areas = _laid_out(own, questionnaire, parts, draws=draws, seed=seed)
    variants, laid = ["declared"], [scores]
    if any(part in questionnaire.rates for part in parts):
        survey = replace(results.survey, questionnaire=flipped(questionnaire))
        other = estimate_areas(survey, weigh(survey, base_design(survey, results.responses)))[results.area]
        laid.append(_laid_out(other, questionnaire, parts, draws=0, seed=seed)[0])
        variants.append("don't know counted the other way")
    return Components(parts, areas, np.array(list(weights.values())), np.array(laid), errors, tuple(variants))


def flipped(questionnaire: Questionnaire) -> Questionnaire:
    """Return the questionnaire with don't-know entering every rate's denominator where it did not, and the other way round."""
    rates = {}
    for name, rate in questionnaire.rates.items():
        declared = questionnaire.denominator(rate.items[0], rate).get("dont_know", "out")
        way = "out" if declared == "in" else "in"
        rates[name] = rate.model_copy(update={"denominator": {**rate.denominator, "dont_know": way}})
    return questionnaire.model_copy(update={"rates": rates})


def _laid_out(
    estimates: Estimates, questionnaire: Questionnaire, parts: tuple[str, ...], *, draws: int, seed: int
) -> tuple[Array, Array, list[str]]:
    """Return scores (p, k) in points 0-100, draws of their errors (draws, p, k), and the areas."""
    (by,) = estimates.by
    units = np.random.default_rng(seed).standard_normal((draws, estimates.contributions.matrix.shape[0])) if draws else None
    scores, errors = [], []
    for part in parts:
        one = estimates.of(part)
        scale = 100.0 if part in questionnaire.rates else 1.0
        scores.append(one.table["estimate"].to_numpy(float) * scale)
        matrix: Any = one.contributions.matrix
        errors.append(np.asarray((matrix.T @ units.T).T) * scale if units is not None else np.zeros((0, len(one.table))))
    return np.stack(scores, axis=1), np.stack(errors, axis=2), [str(code) for code in one.table[by]]
