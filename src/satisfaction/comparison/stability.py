"""How stable ranks are: other weights, normalisations, aggregations, components and denominators, crossed with sampling error.

Sobol indices say which choice the variation comes from. First order: what fixing a choice would take away on average;
total: what would remain if only that choice varied freely, interactions included.

A wave's own components: topics of an index, the rates of a composite, or the components of the combined score; don't-know
counted the other way as a variant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from scipy import stats
from scipy.stats import rankdata

from satisfaction.composite.components import ComponentScores
from satisfaction.composite.normalising import aggregated, normalised
from satisfaction.declarations.combined import Aggregation, Normalisation
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.rules import Side
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.language import Text, _
from satisfaction.pipeline import Results, base_design, estimate_areas
from satisfaction.ranking.borrowed_errors import Lent, lent_errors
from satisfaction.ranking.list_action import acting, areas_by_name, moved_by_thresholds
from satisfaction.weighting.wave_design import weigh

Array = np.ndarray[Any, Any]
Scale: TypeAlias = Normalisation | Literal["declared"]
"""How all components are scaled; `declared`: each as combined.yaml says."""
Scaling: TypeAlias = tuple[Normalisation, tuple[float, float] | None]
"""A component's own normalisation, with its goalposts."""
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

    normalisations: tuple[Scale, ...] = ("none", "minmax", "zscore")
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
    scalings : tuple of Scaling
        The declared one of every component; empty where all are points 0-100 that stay as they are.
    """

    scores: Array = field(repr=False)
    errors: Array = field(repr=False)
    weights: Array = field(repr=False)
    noise: Array = field(repr=False)
    choices: Choices
    scalings: tuple[Scaling, ...] = ()

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


def draw_weights(weights: Array, noise: float, draws: int, *, rng: np.random.Generator) -> Array:
    """Weights within +- noise of the declared ones, adding up to 1; the first row declared, (draws, k)."""
    drawn = weights * rng.uniform(1 - noise, 1 + noise, (draws, len(weights)))
    drawn[0] = weights
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def combined_score(world: World, pick: dict[str, int]) -> Array:
    """The combined score of all areas under one pick of every factor, (p,)."""
    x = world.scores[pick["variant"]] + world.errors[pick["sampling"]]
    if not world.scalings:
        x = np.clip(x, 0, 100)
    weights = world.noise[pick["weights"]].copy()
    if pick["dropped"]:
        weights[pick["dropped"] - 1] = 0.0
    scale = world.choices.normalisations[pick["normalisation"]]
    if scale == "declared":
        columns = []
        for column, (method, posts) in zip(x.T, world.scalings, strict=True):
            columns.append(normalised(column, method, posts=posts))
        scaled = np.column_stack(columns)
    else:
        scaled = np.maximum(normalised(x, scale), 0.0)
    aggregation = world.choices.aggregations[pick["aggregation"]]
    return aggregated(scaled, weights, aggregation)


def ranks_of(score: Array) -> Array:
    """Competition ranks, 1 the largest, (p,)."""
    return np.asarray(rankdata(-np.round(score, 9), method="min"))


def picks(points: Array, counts: dict[str, int]) -> list[dict[str, int]]:
    """Turn points of the unit cube, (n, number of factors), into picks."""
    sizes = np.array(list(counts.values()))
    places = np.minimum((points * sizes).astype(int), sizes - 1).tolist()
    return [dict(zip(counts, row, strict=True)) for row in places]


@dataclass(frozen=True, slots=True)
class Runs:
    """Ranks of all areas in every run, and who is on the list; (runs, p) each."""

    ranks: Array = field(repr=False)
    listed: Array = field(repr=False)

    def first(self, number: int) -> Runs:
        """Return the first runs."""
        return Runs(self.ranks[:number], self.listed[:number])


def run_all(world: World, wanted: list[dict[str, int]], *, bottom: int, side: Side) -> Runs:
    """Rank in every wanted way, and make the list by rank."""
    scores = [combined_score(world, one) for one in wanted]
    ranks = np.array([ranks_of(score) for score in scores])
    return Runs(ranks, on_list(ranks, bottom, side))


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
    scalings : tuple of Scaling
        As of `World`.
    notes : tuple of Text
        What is said of the components, and of the list.
    """

    names: tuple[str, ...]
    areas: list[str] = field(repr=False)
    weights: Array = field(repr=False)
    scores: Array = field(repr=False)
    errors: Array = field(repr=False)
    variants: tuple[str, ...]
    lent: list[str]
    scalings: tuple[Scaling, ...] = ()
    notes: tuple[Text, ...] = ()


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
    lent = lent_errors(results.survey, results.estimates, results.area, measures=parts)
    scores = {"declared": _scores(estimates, questionnaire, parts)}
    if rest_on_rates(questionnaire, parts):
        scores[OTHER_WAY] = _scores(counted_the_other_way(results), questionnaire, parts)
    areas = estimates.of(parts[0]).table[results.area].astype(str)
    errors = _errors(estimates, questionnaire, lent, draws=draws, seed=seed)
    of_variants = np.array(list(scores.values()))
    with_lent_errors = areas[lent.areas].tolist()
    return Components(
        names=parts,
        areas=areas.tolist(),
        weights=np.array(list(weights.values())),
        scores=of_variants,
        errors=errors,
        variants=tuple(scores),
        lent=with_lent_errors,
        notes=list_notes(results),
    )


def list_notes(results: Results) -> tuple[Text, ...]:
    """Say that thresholds which act on the list take no part in a study; nothing where none acts."""
    survey = results.survey
    if not acting(survey) or not results.ranking.ranks_any:
        return ()
    moved = moved_by_thresholds(results.ranking.table)
    note = _(
        "This study takes the list by rank alone, without the thresholds that act on the "
        "published one. There are listed by a threshold: {listed}; spared by one: {spared}.",
        listed=areas_by_name(survey, moved.listed),
        spared=areas_by_name(survey, moved.spared),
    )
    return (note,)


OTHER_WAY = "don't know counted the other way"


def rest_on_rates(questionnaire: Questionnaire, measures: Iterable[str]) -> bool:
    """Tell whether a measure is a rate, or an index with a rate in it."""
    for measure in measures:
        parts: Iterable[str] = [measure]
        if measure in questionnaire.indices:
            parts = questionnaire.indices[measure].weights
        if any(part in questionnaire.rates for part in parts):
            return True
    return False


def counted_the_other_way(results: Results) -> Estimates:
    """Estimate the ranked areas with don't-know on the other side of every rate's denominator."""
    survey = replace(results.survey, questionnaire=flipped(results.survey.questionnaire))
    design = weigh(survey, base_design(survey, results.responses))
    return estimate_areas(survey, design)[results.area]


def combined_components(results: Results, *, draws: int = 512, seed: int = 1) -> Components:
    """Take the combined score apart into its components, with joint draws of their errors.

    Areas that are not ranked by it have no scores here, so that they take part in no run.

    Parameters
    ----------
    results : Results
        Ranked by the combined score.
    draws, seed : int
        Of the errors.
    """
    assert results.combined is not None
    level = results.combined.ranked
    parts = level.parts
    scores = np.column_stack([part.score for part in parts])
    scores[~results.ranking.units.ranked] = np.nan
    variants = {"declared": scores}
    surveyed = {part.name: str(part.declared.measure) for part in parts if part.surveyed}
    questionnaire = results.survey.questionnaire
    if rest_on_rates(questionnaire, surveyed.values()):
        other_way = counted_the_other_way(results)
        scores = scores.copy()
        for k, part in enumerate(parts):
            if part.surveyed:
                column = _scores(other_way, questionnaire, (surveyed[part.name],))[:, 0]
                scores[:, k] = np.where(np.isfinite(scores[:, k]), column, np.nan)
        variants[OTHER_WAY] = scores
    if not results.ranking.summary.proven:
        draws = 0
    raised = np.any([part.raised for part in parts], axis=0)
    weights = np.array([part.declared.weight for part in parts])
    errors = _component_errors(parts, draws=draws, seed=seed)
    lent = np.array(level.codes)[raised].tolist()
    scalings = tuple((part.declared.normalise, part.declared.goalposts) for part in parts)
    return Components(
        names=tuple(part.name for part in parts),
        areas=list(level.codes),
        weights=weights,
        scores=np.array(list(variants.values())),
        errors=errors,
        variants=tuple(variants),
        lent=lent,
        scalings=scalings,
        notes=(*list_notes(results), *results.combined.notes()),
    )


def _component_errors(parts: Sequence[ComponentScores], *, draws: int, seed: int) -> Array:
    """Return joint draws of the components' errors, (draws, p, k): the survey's measures share sampling units and what is
    lent; other components have errors of their own, or none. Where marks or points of inspection decide about points of an
    assessment, all components were drawn together for the ranking: their draws are taken.
    """
    if draws and any(part.by_draws for part in parts):
        return np.stack([_drawn_errors(part)[:draws] for part in parts], axis=2)
    rng = np.random.default_rng(seed)
    surveyed = [part for part in parts if part.surveyed]
    units = rng.standard_normal((draws, 0))
    lent = units
    if surveyed:
        units = rng.standard_normal((draws, surveyed[0].errors.shape[0]))
        lent = rng.standard_normal((draws, surveyed[0].lent.shape[0]))
    columns = []
    for part in parts:
        if part.surveyed:
            drawn = _carried(units, part.errors) + _carried(lent, part.lent)
        elif part.errors is not None:
            drawn = _carried(rng.standard_normal((draws, part.errors.shape[0])), part.errors)
        else:
            drawn = np.zeros((draws, len(part.score)))
        columns.append(drawn)
    return np.stack(columns, axis=2)


def _drawn_errors(part: ComponentScores) -> Array:
    """Return what the draws of a component lie off its score, (B, p)."""
    assert part.drawn is not None
    return np.asarray(part.drawn.scores - part.score)


def _carried(units: Array, rows: Any) -> Array:
    """Return what draws of sampling units, (m, U), contribute to the areas by rows, (U, p): (m, p)."""
    return np.asarray((rows.T @ units.T).T)


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
    """Return joint draws of the errors that ranks rest on, (draws, p, k), in points."""
    rng = np.random.default_rng(seed)
    units = rng.standard_normal((draws, estimates.contributions.matrix.shape[0]))
    further = rng.standard_normal((draws, next(iter(lent.rows.values())).shape[0]))
    columns = []
    for part, rows in lent.rows.items():
        matrix: Any = estimates.of(part).contributions.matrix
        drawn = _carried(units, matrix) + _carried(further, rows)
        columns.append(drawn * _scale(questionnaire, part))
    return np.stack(columns, axis=2)


def _scale(questionnaire: Questionnaire, part: str) -> float:
    if part in questionnaire.rates:
        return 100.0
    return 1.0


BASE = 256  # base points of the Sobol design
DRAWS = 512  # of weights and of sampling errors
RESAMPLES = 200  # for the errors of the Sobol indices
KINDS = {
    "choices": _("choices only"),
    "sampling": _("sampling error only"),
    "both": _("choices and sampling error"),
}
NO_LIMITS = _("ranks at 5 and 95% are spread over the choices listed, no confidence limits")


@dataclass(frozen=True, slots=True, eq=False)
class Stability:
    """How ranks move.

    Attributes
    ----------
    table : DataFrame
        One row an area: area, rank (as declared), and for "choices" (no sampling error), "sampling" (choices as declared) and
        "both" (missing where there are no sampling errors): `<kind>_low`, `<kind>_high` (5 and 95%), `<kind>_mean`,
        `<kind>_list` (share of runs in the list, 0-1). Missing for an area that lacks a component: it is left out of all runs.
    sources : DataFrame
        One row a factor: factor, values, first_shift, total_shift (Sobol indices of the mean absolute change of ranks),
        first_list, total_list (of how many of the list change), each with its se.
    summary : mapping
        mean_shift, list_changed (of "choices", "sampling", "both"), runs, bottom, left_out, conventions.
    """

    table: pd.DataFrame = field(repr=False)
    sources: pd.DataFrame = field(repr=False)
    summary: Mapping[str, Any]


def make_world(
    scores: Array,
    errors: Array,
    weights: Array,
    *,
    choices: Choices,
    draws: int = DRAWS,
    seed: int = 1,
    scalings: tuple[Scaling, ...] = (),
    weight_sets: Sequence[Sequence[float]] = (),
) -> World:
    """Put components, draws of their errors and of the weights together; see `World`.

    `weight_sets` are other weights that are declared; they stand in the place of drawn ones.
    """
    rng = np.random.default_rng(seed)
    known = np.zeros((1, *scores.shape[1:]))
    if len(errors):
        none = np.zeros((1, *errors.shape[1:]))
        known = np.concatenate([none, errors])
    share = weights / weights.sum()
    noise = share[None, :]
    if weight_sets:
        noise = np.array([share, *weight_sets])
    elif choices.weight_noise:
        noise = draw_weights(share, choices.weight_noise, draws, rng=rng)
    return World(scores, known, share, noise, choices, scalings)


def stability(
    world: World,
    names: list[str],
    *,
    bottom: int,
    side: Side = "last",
    base: int = BASE,
    seed: int = 1,
) -> Stability:
    """Rank in many ways and say where the variation comes from.

    Parameters
    ----------
    world : World
    names : list of str
        Of the areas.
    bottom : int
        Length of the list.
    side : {"last", "first"}
        Which end is listed.
    base : int
        Base points, a power of 2; runs = base x (factors + 2).
    seed : int

    Raises
    ------
    RankingError
        K440 where too few areas have all components to fill the list.
    """
    scored = np.isfinite(world.scores).all(axis=(0, 2))
    complete = np.asarray(scored & np.isfinite(world.errors).all(axis=(0, 2)))
    if complete.sum() <= bottom:
        raise RankingError(
            "K440",
            _(
                "Only {sum} areas have all components; a list of {bottom} needs more.",
                sum=complete.sum(),
                bottom=bottom,
            ),
            where="stability",
            hint=_("Lower `list_size`, or study another index."),
        )
    left_out = [name for name, whole in zip(names, complete, strict=True) if not whole]
    if left_out:
        names = [name for name, whole in zip(names, complete, strict=True) if whole]
        world = replace(world, scores=world.scores[:, complete], errors=world.errors[:, complete])
    counts = world.active()
    as_declared = dict.fromkeys(FACTORS, 0)

    def ranked_as(wanted: list[dict[str, int]]) -> Runs:
        return run_all(world, wanted, bottom=bottom, side=side)

    declared = ranked_as([as_declared])
    nominal = declared.ranks[0]
    listed = declared.listed[0]
    points = saltelli_points(base, len(FACTORS), seed=seed)
    all_runs = ranked_as(picks(points, counts))
    first = picks(points[: 2 * base], counts)
    kinds = {"choices": ranked_as([pick | {"sampling": 0} for pick in first])}
    if counts["sampling"] > 1:
        errors_alone = [as_declared | {"sampling": pick["sampling"]} for pick in first]
        kinds["sampling"] = ranked_as(errors_alone)
        kinds["both"] = all_runs.first(2 * base)
    outputs = np.column_stack([_shift(all_runs, nominal), _changed(all_runs, listed)])
    table = pd.DataFrame({"area": names, "rank": nominal})
    for kind in KINDS:
        table = table.assign(**_spread(kind, kinds.get(kind)))
    table = table.sort_values("rank", ignore_index=True)
    if left_out:
        table = _with_left_out(table, left_out)
    mean_shift = {}
    list_changed = {}
    for kind, runs in kinds.items():
        mean_shift[kind] = float(_shift(runs, nominal).mean())
        list_changed[kind] = float(_changed(runs, listed).mean())
    summary = {
        "mean_shift": mean_shift,
        "list_changed": list_changed,
        "runs": len(all_runs.ranks),
        "bottom": bottom,
        "side": side,
        "left_out": left_out,
        "choices": str(world.choices),
        "seed": seed,
        "said": NO_LIMITS,
    }
    sources = _sources(outputs, counts, seed=seed)
    return Stability(table, sources, MappingProxyType(summary))


def on_list(ranks: Array, bottom: int, side: Side) -> Array:
    """Tell which of the p areas (last axis) are listed."""
    if side == "first":
        return np.asarray(ranks <= bottom)
    spared = ranks.shape[-1] - bottom
    return np.asarray(ranks > spared)


def _spread(kind: str, runs: Runs | None) -> dict[str, Any]:
    """Return the columns of one kind of runs; missing where there are none."""
    if runs is None:  # nothing is known of the sampling errors
        return {f"{kind}_{name}": np.nan for name in ("low", "high", "mean", "list")}
    low, high = np.quantile(runs.ranks, [0.05, 0.95], axis=0, method="nearest").astype(int)
    return {
        f"{kind}_low": low,
        f"{kind}_high": high,
        f"{kind}_mean": runs.ranks.mean(axis=0),
        f"{kind}_list": runs.listed.mean(axis=0),
    }


def _sources(outputs: Array, counts: Mapping[str, int], *, seed: int) -> pd.DataFrame:
    """Return the Sobol indices by factor; see `Stability.sources`."""
    indices, errors = sobol_indices(outputs, len(FACTORS), seed=seed)
    sources = pd.DataFrame({"factor": FACTORS, "values": list(counts.values())})
    for at, output in enumerate(("shift", "list")):
        for order, kind in enumerate(("first", "total")):
            title = f"{kind}_{output}"
            sources[title] = indices[order, at]
            sources[f"{title}_se"] = errors[order, at]
    return sources


def saltelli_points(n: int, d: int, *, seed: int) -> Array:
    """Points of the design, (n (d + 2), d): A, B, then A with each column from B in turn. n is a power of 2."""
    both = stats.qmc.Sobol(2 * d, scramble=True, rng=np.random.default_rng(seed)).random(n)
    a = both[:, :d]
    b = both[:, d:]
    mixed = [np.where(np.arange(d) == i, b, a) for i in range(d)]
    return np.concatenate([a, b, *mixed])


def sobol_indices(y: Array, d: int, *, seed: int = 0) -> tuple[Array, Array]:
    """Estimate Sobol indices and their standard errors from outputs at the points of the design.

    Parameters
    ----------
    y : (n (d + 2), m)
        In the order of `saltelli_points`.
    d : int
        Number of inputs.
    seed : int
        Of the bootstrap over the base points.

    Returns
    -------
    tuple of array (2, m, d)
        Indices of first order and total, and their errors; NaN for outputs that do not vary.

    Notes
    -----
    Saltelli et al. (2010) by `scipy.stats.sobol_indices`, which centres the outputs first.
    """
    blocks = np.reshape(y, (d + 2, -1, y.shape[1])).swapaxes(1, 2).astype(float)

    def estimated(rows: Array) -> Array:
        """Estimate the indices of first order and total from some of the runs: the bootstrap draws them anew."""
        runs = blocks[..., rows]
        first, second, *mixed = runs
        outputs = {"f_A": first, "f_B": second, "f_AB": np.array(mixed)}
        indices = stats.sobol_indices(func=outputs, n=len(rows))
        orders = np.array([indices.first_order, indices.total_order])
        return orders.reshape(2, -1, d)

    rows = np.arange(blocks.shape[2])
    bootstrap = stats.bootstrap(
        (rows,), estimated, n_resamples=RESAMPLES, method="percentile", vectorized=False, rng=seed
    )
    varies = np.ptp(blocks, axis=(0, 2))[:, None] > 0
    indices = np.where(varies, estimated(rows), np.nan)
    errors = np.where(varies, bootstrap.standard_error, np.nan)
    return indices, errors


def _with_left_out(table: pd.DataFrame, left_out: Sequence[str]) -> pd.DataFrame:
    """Add the areas that take part in no run, last; whole numbers may then be missing."""
    whole = dict.fromkeys(table.select_dtypes("integer"), "Int64")
    by_area = table.astype(whole).set_index("area")
    return by_area.reindex([*table["area"], *left_out]).reset_index()


def _shift(runs: Runs, nominal: Array) -> Array:
    """Mean absolute change of rank in every run, (runs,)."""
    moved = np.abs(runs.ranks - nominal)
    return np.asarray(moved.mean(axis=1))


def _changed(runs: Runs, listed: Array) -> Array:
    """How many of the declared list are not in it in every run, (runs,)."""
    gone = listed & ~runs.listed
    return np.asarray(gone.sum(axis=1, dtype=float))
