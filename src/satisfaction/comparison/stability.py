"""How stable ranks are: other weights, normalisations, aggregations, components and denominators, crossed with sampling error.

Sobol indices say which choice the variation comes from. First order: what fixing a choice would take away on average;
total: what would remain if only that choice varied freely, interactions included.

The stability of a wave's ranks as a file set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from satisfaction.comparison.scenarios import (
    FACTORS,
    Array,
    Choices,
    Components,
    World,
    combined_score,
    draw_weights,
    picks,
    rank_runs,
    ranks_of,
)
from satisfaction.comparison.wave_files import write_set
from satisfaction.foundation.errors import RankingError, shortened
from satisfaction.foundation.language import Text, _, comma_list
from satisfaction.pipeline import Results
from satisfaction.publication.labels import mark, twelve_digits
from satisfaction.ranking.borrowed_errors import LENT

BASE = 256  # base points of the Sobol design
DRAWS = 512  # of weights and of sampling errors
RESAMPLES = 200  # for the errors of the Sobol indices
KINDS = {
    "choices": _("choices only"),
    "sampling": _("sampling error only"),
    "both": _("choices and sampling error"),
}
NO_LIMITS = _("ranks at 5 and 95 % are spread over the choices listed, no confidence limits")


@dataclass(frozen=True, slots=True, eq=False)
class Stability:
    """How ranks move.

    Attributes
    ----------
    table : DataFrame
        One row an area: area, rank (as declared), and for "choices" (no sampling error), "sampling" (choices as declared) and
        "both" (missing where there are no sampling errors): `<kind>_low`, `<kind>_high` (5 and 95 %), `<kind>_mean`,
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
) -> World:
    """Put components, draws of their errors and of the weights together; see `World`."""
    rng = np.random.default_rng(seed)
    known = np.zeros((1, *scores.shape[1:]))
    if len(errors):
        none = np.zeros((1, *errors.shape[1:]))
        known = np.concatenate([none, errors])
    share = weights / weights.sum()
    noise = share[None, :]
    if choices.weight_noise:
        noise = draw_weights(share, choices.weight_noise, draws, rng)
    return World(scores, known, share, noise, choices)


def stability(
    world: World, names: list[str], *, bottom: int, base: int = BASE, seed: int = 1
) -> Stability:
    """Rank in many ways and say where the variation comes from.

    Parameters
    ----------
    world : World
    names : list of str
        Of the areas.
    bottom : int
        Length of the list of last areas.
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
    nominal = ranks_of(combined_score(world, as_declared))
    listed = nominal > len(names) - bottom
    points = saltelli_points(base, len(FACTORS), seed=seed)
    all_runs = rank_runs(world, picks(points, counts))
    first = picks(points[: 2 * base], counts)
    kinds = {"choices": rank_runs(world, [pick | {"sampling": 0} for pick in first])}
    if counts["sampling"] > 1:
        errors_alone = [as_declared | {"sampling": pick["sampling"]} for pick in first]
        kinds["sampling"] = rank_runs(world, errors_alone)
        kinds["both"] = all_runs[: 2 * base]
    outputs = np.column_stack([_shift(all_runs, nominal), _changed(all_runs, listed, bottom)])
    table = pd.DataFrame({"area": names, "rank": nominal})
    for kind in KINDS:
        table = table.assign(**_spread(kind, kinds.get(kind), bottom=bottom))
    table = table.sort_values("rank", ignore_index=True)
    if left_out:
        table = _with_left_out(table, left_out)
    mean_shift = {kind: float(_shift(ranks, nominal).mean()) for kind, ranks in kinds.items()}
    list_changed = {
        kind: float(_changed(ranks, listed, bottom).mean()) for kind, ranks in kinds.items()
    }
    summary = {
        "mean_shift": mean_shift,
        "list_changed": list_changed,
        "runs": len(all_runs),
        "bottom": bottom,
        "left_out": left_out,
        "choices": str(world.choices),
        "seed": seed,
        "said": NO_LIMITS,
    }
    sources = _sources(outputs, counts, seed=seed)
    return Stability(table, sources, MappingProxyType(summary))


def _spread(kind: str, ranks: Array | None, *, bottom: int) -> dict[str, Any]:
    """Return the columns of one kind of runs; missing where there are none."""
    if ranks is None:  # nothing is known of the sampling errors
        return {f"{kind}_{name}": np.nan for name in ("low", "high", "mean", "list")}
    low, high = np.quantile(ranks, [0.05, 0.95], axis=0, method="nearest").astype(int)
    inside = ranks > ranks.shape[1] - bottom
    return {
        f"{kind}_low": low,
        f"{kind}_high": high,
        f"{kind}_mean": ranks.mean(axis=0),
        f"{kind}_list": inside.mean(axis=0),
    }


def _sources(outputs: Array, counts: Mapping[str, int], *, seed: int) -> pd.DataFrame:
    """Return the Sobol indices by factor; see `Stability.sources`."""
    indices, errors = sobol_indices(outputs, len(FACTORS), seed=seed)
    sources = pd.DataFrame({"factor": FACTORS, "values": list(counts.values())})
    for at, output in enumerate(("shift", "list")):
        for order, kind in enumerate(("first", "total")):
            sources[f"{kind}_{output}"] = indices[order, at]
            sources[f"{kind}_{output}_se"] = errors[order, at]
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
        runs = blocks[..., rows]
        outputs = {"f_A": runs[0], "f_B": runs[1], "f_AB": runs[2:]}
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


def _shift(ranks: Array, nominal: Array) -> Array:
    """Mean absolute change of rank in every run, (runs,)."""
    return np.asarray(np.abs(ranks - nominal).mean(axis=1))


def _changed(ranks: Array, listed: Array, bottom: int) -> Array:
    """How many of the declared list are not in it in every run, (runs,)."""
    inside = ranks > ranks.shape[1] - bottom
    return np.asarray((listed & ~inside).sum(axis=1).astype(float))


FACTOR = {
    "normalisation": _("normalisation"),
    "aggregation": _("aggregation"),
    "weights": _("weights"),
    "dropped": _("one component dropped"),
    "variant": _("rule of the denominator"),
    "sampling": _("sampling error"),
}

ABOVE_ONE = _(
    "A total index is at most 1; what lies above is simulation error (± is one standard error): "
    "read it as 1."
)


def export_stability(results: Results, found: Stability, parts: Components) -> Path:
    """Write stability.csv, sources.csv, .xlsx, .json and run.json; the folder is <survey>/out/<time>-stability/."""
    names = results.survey.area_names()
    marked = mark(results.survey)
    name_zh = found.table["area"].map(lambda code: names[code].zh)
    factor_zh = found.sources["factor"].map(lambda factor: FACTOR[factor].zh)
    table = found.table.assign(name_zh=name_zh, mark=marked)
    sources = found.sources.assign(factor_zh=factor_zh, mark=marked)
    record = {
        "stability": dict(found.summary),
        "parts": list(parts.names),
        "variants": list(parts.variants),
    }
    tables = {"stability": twelve_digits(table), "sources": twelve_digits(sources)}
    return write_set(
        [results],
        "stability",
        tables=tables,
        lines=stability_lines(results, found, parts),
        record=record,
    )


def stability_lines(results: Results, found: Stability, parts: Components) -> list[Text]:
    """Say how far ranks move, what moves them, and who is in the list whatever is chosen."""
    summary = found.summary
    names = results.survey.area_names()
    lines = [results.survey.declared.title.text]
    if results.survey.marks:
        lines.append(results.survey.marks)
    for kind, shift in summary["mean_shift"].items():
        lines.append(
            _(
                "{what}: mean shift of ranks {shift:.1f}; of the list change {changed:.1f} of "
                "{bottom}",
                what=KINDS[kind],
                shift=shift,
                changed=summary["list_changed"][kind],
                bottom=summary["bottom"],
            )
        )
    raised = shortened(parts.lent)
    if raised:
        lines.append(_("{areas}: {note}", areas=raised, note=LENT))
    if summary["left_out"]:
        unknown = comma_list(names[code] for code in summary["left_out"])
        lines.append(_("left out, a component is missing: {areas}", areas=unknown))
    lines += _source_lines(found.sources)
    lines.append(_list_line(found, names))
    return [*lines, summary["said"]]


def _source_lines(sources: pd.DataFrame) -> list[Text]:
    """Say which choice moves the list and the ranks, the strongest first."""
    lines = []
    for row in sources.sort_values("total_list", ascending=False).to_dict("records"):
        if row["values"] == 1 or pd.isna(row["total_list"]):
            continue
        lines.append(
            _(
                "  {factor}: total index of the list {of_list:.2f} (± {list_se:.2f}), of ranks "
                "{of_ranks:.2f} (± {ranks_se:.2f})",
                factor=FACTOR[row["factor"]],
                of_list=row["total_list"],
                list_se=row["total_list_se"],
                of_ranks=row["total_shift"],
                ranks_se=row["total_shift_se"],
            )
        )
    if (sources[["total_list", "total_shift"]] > 1).any(axis=None):
        lines.append(ABOVE_ONE)
    return lines


def _list_line(found: Stability, names: Mapping[str, Text]) -> Text:
    """Name who is in the list in nearly all runs, and count who is in it now and then."""
    inside = found.table["choices_list"]
    if "both" in found.summary["mean_shift"]:
        inside = found.table["both_list"]
    always = comma_list(names[code] for code in found.table.loc[inside >= 0.95, "area"])
    sometimes = (inside > 0.05) & (inside < 0.95)
    return _(
        "in the list in 95 % of the runs or more: {areas}; now in, now out: {sometimes}",
        areas=always or _("none"),
        sometimes=int(sometimes.sum()),
    )
