"""How stable ranks are: other weights, normalisations, aggregations, components and denominators, crossed with sampling error.

`runs` makes the scores, `sobol` says which choice the variation comes from, `variants` changes the questionnaire; here they
meet in one table.

The stability of a wave's ranks as a file set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

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
from satisfaction.comparison.sobol import saltelli_points, sobol_indices
from satisfaction.comparison.wave_files import write_set
from satisfaction.foundation.errors import RankingError, shortened
from satisfaction.foundation.language import _
from satisfaction.pipeline import Results
from satisfaction.publication.labels import mark, twelve_digits
from satisfaction.ranking.borrowed_errors import LENT

BASE = 256  # base points of the Sobol design
DRAWS = 512  # of weights and of sampling errors


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
    known = (
        np.concatenate([np.zeros((1, *errors.shape[1:])), errors])
        if len(errors)
        else np.zeros((1, *scores.shape[1:]))
    )
    share = weights / weights.sum()
    noise = (
        draw_weights(share, choices.weight_noise, draws, rng)
        if choices.weight_noise
        else share[None, :]
    )
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
    known = np.isfinite(world.scores).all(axis=(0, 2)) & np.isfinite(world.errors).all(axis=(0, 2))
    complete = np.asarray(known)
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
    left_out = [name for name, there in zip(names, complete, strict=True) if not there]
    if left_out:
        names = [name for name, there in zip(names, complete, strict=True) if there]
        world = replace(world, scores=world.scores[:, complete], errors=world.errors[:, complete])
    counts = world.active()
    nominal = ranks_of(combined_score(world, dict.fromkeys(FACTORS, 0)))
    listed = nominal > len(names) - bottom
    points = saltelli_points(base, len(FACTORS), seed=seed)
    both = rank_runs(world, picks(points, counts))
    first = picks(points[: 2 * base], counts)
    choices = rank_runs(world, [one | {"sampling": 0} for one in first])
    sampling = rank_runs(
        world, [dict.fromkeys(FACTORS, 0) | {"sampling": one["sampling"]} for one in first]
    )
    kinds = {"choices": choices, "sampling": sampling, "both": both[: 2 * base]}
    outputs = np.column_stack([_shift(both, nominal), _changed(both, listed, bottom)])
    found = sobol_indices(outputs, len(FACTORS), seed=seed)
    sources = pd.DataFrame({"factor": FACTORS, "values": list(counts.values())})
    for at, name in enumerate(("shift", "list")):
        for kind, value, error in (
            ("first", found.first, found.first_se),
            ("total", found.total, found.total_se),
        ):
            sources[f"{kind}_{name}"], sources[f"{kind}_{name}_se"] = value[:, at], error[:, at]
    table = pd.DataFrame({"area": names, "rank": nominal})
    if counts["sampling"] == 1:
        kinds = {"choices": choices}
    for kind, ranks in kinds.items():
        low, high = np.quantile(ranks, [0.05, 0.95], axis=0, method="nearest").astype(int)
        inside = (ranks > len(names) - bottom).mean(axis=0)
        table = table.assign(
            **{
                f"{kind}_low": low,
                f"{kind}_high": high,
                f"{kind}_mean": ranks.mean(axis=0),
                f"{kind}_list": inside,
            }
        )
    for kind in ("sampling", "both"):
        if kind not in kinds:  # nothing is known of the sampling errors
            table = table.assign(
                **{f"{kind}_{what}": np.nan for what in ("low", "high", "mean", "list")}
            )
    summary = {
        "mean_shift": {kind: float(_shift(ranks, nominal).mean()) for kind, ranks in kinds.items()},
        "list_changed": {
            kind: float(_changed(ranks, listed, bottom).mean()) for kind, ranks in kinds.items()
        },
        "runs": len(both),
        "bottom": bottom,
        "left_out": left_out,
        "choices": str(world.choices),
        "seed": seed,
        "said": "5 % 与 95 % 的名次是在所列做法中的分布，不是置信区间 ranks at 5 and 95 % are spread over the choices listed, no confidence limits",
    }
    table = table.sort_values("rank", ignore_index=True)
    if left_out:
        whole = dict.fromkeys(
            table.select_dtypes("integer"), "Int64"
        )  # a whole number may be missing
        table = (
            table.astype(whole).set_index("area").reindex([*table["area"], *left_out]).reset_index()
        )
    return Stability(table, sources, MappingProxyType(summary))


def _shift(ranks: Array, nominal: Array) -> Array:
    """Mean absolute change of rank in every run, (runs,)."""
    return np.asarray(np.abs(ranks - nominal).mean(axis=1))


def _changed(ranks: Array, listed: Array, bottom: int) -> Array:
    """How many of the declared list are not in it in every run, (runs,)."""
    return np.asarray((listed & ~(ranks > ranks.shape[1] - bottom)).sum(axis=1).astype(float))


FACTOR_ZH = {
    "normalisation": "归一化", "aggregation": "合成方式", "weights": "权重", "dropped": "去掉一项", "variant": "分母规则", "sampling": "抽样误差",
}  # fmt: skip

ABOVE_ONE = (
    "总指数的真值不超过 1，高出的部分是模拟误差（± 为一个标准误），按 1 读。 "
    "A total index is at most 1; what lies above is simulation error (± is one standard error): read it as 1."
)


def export_stability(results: Results, found: Stability, parts: Components) -> Path:
    """Write stability.csv, sources.csv, .xlsx, .json and run.json; the folder is <survey>/out/<time>-stability/."""
    names = results.survey.area_names()
    table = found.table.assign(
        name_zh=found.table["area"].map(lambda code: names[code].zh), mark=mark(results.survey)
    )
    sources = found.sources.assign(
        factor_zh=found.sources["factor"].map(FACTOR_ZH), mark=mark(results.survey)
    )
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


def stability_lines(results: Results, found: Stability, parts: Components) -> list[str]:
    """Say how far ranks move, what moves them, and who is in the list whatever is chosen."""
    summary, names = found.summary, results.survey.area_names()
    lines = [str(results.survey.declared.title), *filter(None, [mark(results.survey)])]
    for kind, zh in (
        ("choices", "只换做法 choices only"),
        ("sampling", "只有抽样误差 sampling only"),
        ("both", "二者 both"),
    ):
        if kind not in summary["mean_shift"]:
            continue
        shift, changed = summary["mean_shift"][kind], summary["list_changed"][kind]
        lines.append(
            f"{zh}: 名次平均变动 mean shift of ranks {shift:.1f}；名单换掉 of the list change {changed:.1f} / {summary['bottom']}"
        )
    if raised := shortened(parts.lent):
        lines.append(f"{raised}: {LENT}")
    if summary["left_out"]:
        unknown = "、".join(names[code].zh for code in summary["left_out"])
        lines.append(f"缺少部分得分，未参加 left out, a component is missing: {unknown}")
    for row in found.sources.sort_values("total_list", ascending=False).to_dict("records"):
        if row["values"] > 1 and pd.notna(row["total_list"]):
            lines.append(
                f"  {FACTOR_ZH[row['factor']]} {row['factor']}: 名单变动的总指数 total index of the list {row['total_list']:.2f} "
                f"(± {row['total_list_se']:.2f})，名次 of ranks {row['total_shift']:.2f} (± {row['total_shift_se']:.2f})"
            )
    if (found.sources[["total_list", "total_shift"]] > 1).any(axis=None):
        lines.append(ABOVE_ONE)
    inside = found.table["both_list" if "both" in summary["mean_shift"] else "choices_list"]
    always = found.table[inside >= 0.95]
    sometimes = found.table[(inside > 0.05) & (inside < 0.95)]
    named = "、".join(names[code].zh for code in always["area"]) or "无 none"
    lines.append(
        f"95% 以上的做法都在名单中 in the list in 95 % of the runs or more: {named}；时在时不在 now in, now out: {len(sometimes)}"
    )
    return [*lines, str(summary["said"])]
