"""Several scores of a unit into one: the usual normalisations of composite indicators, (p,) -> (p,), and weighted means.

The scores of an assessment: a tree of items with points and vetoes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from satisfaction.declarations.combined import Aggregation, Assessment, Normalisation
from satisfaction.foundation.errors import RankingError, shortened
from satisfaction.foundation.language import Text, _
from satisfaction.foundation.personal import masked_within
from satisfaction.foundation.tables import read_table

Array = np.ndarray[Any, Any]


def minmax(x: Array) -> Array:
    """0 for the lowest, 100 for the highest; all 50 where they are equal."""
    lowest = x.min(axis=0)
    spread = x.max(axis=0) - lowest
    scaled = (x - lowest) / np.where(spread > 0, spread, 1) * 100
    return np.where(spread > 0, scaled, 50.0)


def zscore(x: Array) -> Array:
    """Standard deviations from the mean (n - 1), put on the scale 50 + 10 z; all 50 where they are equal."""
    return 50 + 10 * standardised(x)


def standardised(x: Array) -> Array:
    """(x - mean) / standard deviation (n - 1), 0 where all are equal."""
    spread = np.asarray(x.std(axis=0, ddof=1))
    return np.asarray((x - x.mean(axis=0)) / np.where(spread > 0, spread, np.inf))


def goalposts(x: Array, worst: float, best: float) -> Array:
    """0 at the worst, 100 at the best value, cut there; `best` may be the smaller one."""
    return np.asarray(np.clip((x - worst) / (best - worst), 0, 1) * 100)


def share_of_best(x: Array) -> Array:
    """Percent of the highest."""
    return np.asarray(x / x.max(axis=0) * 100)


def ascending_rank(x: Array) -> Array:
    """1 for the lowest; tied units share the lower number."""
    return np.asarray(rankdata(x, method="min", axis=0), dtype=float)


def borda(x: Array) -> Array:
    """How many units lie below."""
    return ascending_rank(x) - 1


def percentile_rank(x: Array) -> Array:
    """Share of the other units that lie below, in percent."""
    return borda(x) / (len(x) - 1) * 100


def normalised(
    x: Array, method: Normalisation, *, posts: tuple[float, float] | None = None
) -> Array:
    """Normalise the p units of the first axis by the method named."""
    if method == "goalposts":
        assert posts is not None
        return goalposts(x, *posts)
    if method == "none":
        return x
    without_options = {
        "minmax": minmax,
        "zscore": zscore,
        "share-of-best": share_of_best,
        "percentile-rank": percentile_rank,
    }
    return without_options[method](x)


FLOOR = 1e-9
"""A geometric mean with a 0 in it is 0, whatever the rest; its slope there is not finite."""


def power_mean(x: Array, weights: Array, power: float) -> Array:
    """Weighted mean of order `power` over the last axis, (..., k) -> (...): 1 arithmetic, 0 geometric, -1 harmonic."""
    share = weights / weights.sum(axis=-1, keepdims=True)
    if power == 1:
        return np.asarray((x * share).sum(axis=-1))
    positive = np.maximum(x, FLOOR)
    if power == 0:
        return np.asarray(np.exp((np.log(positive) * share).sum(axis=-1)))
    return np.asarray(((positive**power) * share).sum(axis=-1) ** (1 / power))


def aggregated(x: Array, weights: Array, aggregation: Aggregation) -> Array:
    """Combined scores, (..., k) -> (...), by the aggregation named."""
    return power_mean(x, weights, {"arithmetic": 1.0, "geometric": 0.0}[aggregation])


def slopes(x: Array, weights: Array, aggregation: Aggregation) -> Array:
    """Derivative of the combined score by each component, (p, k): carries the components' errors over."""
    share = np.broadcast_to(weights / weights.sum(), x.shape)
    if aggregation == "arithmetic":
        return share
    return np.asarray(share * power_mean(x, weights, 0)[:, None] / np.maximum(x, FLOOR))


COLUMNS = ("code", "item", "points", "reason")


@dataclass(frozen=True, slots=True, eq=False)
class Assessed:
    """What an assessment comes to.

    Attributes
    ----------
    scores : DataFrame
        One row an area, in the order given: code, score (0-100), lost (points), possible (points), excluded (bool: not
        ranked), vetoes (names, "; " between).
    lost : DataFrame
        One row an entry: code, item, item_zh, item_en, branch (names above, " / " between), department, points (taken off;
        never more in all than the item has), asked (points as handed in), veto (bool), reason.
    by_item, by_department : DataFrame
        Points lost over all areas, most first: item or department, areas, points, share (0-1 of all points lost).
    """

    scores: pd.DataFrame = field(repr=False)
    lost: pd.DataFrame = field(repr=False)
    by_item: pd.DataFrame = field(repr=False)
    by_department: pd.DataFrame = field(repr=False)


def read_lost(path: Path, assessment: Assessment, areas: Sequence[str]) -> pd.DataFrame:
    """Read the table of lost points: code, item, points (empty for a veto), reason.

    Raises
    ------
    RankingError
        K311 a column that is not there, K312 a code or item nobody knows, K313 points that are no number >= 0.
    """
    table = read_table(path).map(str.strip)
    for column in COLUMNS:
        if column not in table:
            raise _fault(
                "K311",
                _("Column '{column}' not found.", column=column),
                f"{path} row 1",
                table.columns,
                column,
            )
    leaves = assessment.leaves()
    for column, known in (("code", list(areas)), ("item", [*leaves, *assessment.veto])):
        unknown = table.index[~table[column].isin(known)]
        if len(unknown):
            first = str(table.loc[unknown[0], column])
            text = _("`{column}` {first!r} does not exist.", column=column, first=first)
            raise _fault("K312", text, f"{path} row {shortened(unknown + 2)}", known, first)
    points = pd.to_numeric(table["points"], errors="coerce")
    veto = table["item"].isin(assessment.veto)
    wrong = table.index[~veto & ~(points >= 0) | np.isinf(points)]
    if len(wrong):
        text = _("`points` is a number >= 0: the points lost.")
        raise _fault("K313", text, f"{path} row {shortened(wrong + 2)}")
    return table[list(COLUMNS)].assign(
        points=points.where(~veto, 0.0), reason=table["reason"].map(masked_within)
    )


def assess(assessment: Assessment, lost: pd.DataFrame, areas: Sequence[str]) -> Assessed:
    """Score the areas.

    Parameters
    ----------
    assessment : Assessment
    lost : DataFrame
        As `read_lost` returns it.
    areas : sequence of str
    """
    entries = _entries(assessment, lost)
    possible = sum(leaf.points or 0.0 for _unused, leaf in assessment.leaves().values())
    taken = entries.groupby("code")["points"].sum().reindex(areas, fill_value=0.0).to_numpy()
    scores = pd.DataFrame(
        {"code": list(areas), "score": (possible - taken) / possible * 100, "lost": taken}
    )
    scores = scores.assign(possible=possible, excluded=False, vetoes="")
    vetoes = entries.loc[entries["veto"], ["code", "item"]].drop_duplicates()
    for veto in vetoes.itertuples():
        scores = _with_veto(assessment, scores, code=veto.code, item=veto.item)
    entries = entries.sort_values(["code", "item"], kind="stable", ignore_index=True)
    return Assessed(
        scores,
        entries,
        _sums(entries, ["item", "item_zh", "item_en"]),
        _sums(entries, ["department"]),
    )


def _entries(assessment: Assessment, lost: pd.DataFrame) -> pd.DataFrame:
    """Name every entry, and take off no more from an item of an area than it has."""
    leaves = assessment.leaves()
    told = {
        name: (leaf.zh, leaf.en, " / ".join(path[:-1]), leaf.department or "")
        for name, (path, leaf) in leaves.items()
    }
    told |= {name: (veto.zh, veto.en, "veto", "") for name, veto in assessment.veto.items()}
    words = pd.DataFrame(
        [told[name] for name in lost["item"]],
        columns=["item_zh", "item_en", "branch", "department"],
    )
    table = pd.concat([lost.reset_index(drop=True), words], axis=1).rename(
        columns={"points": "asked"}
    )
    most = (
        table["item"]
        .map({name: leaf.points for name, (_unused, leaf) in leaves.items()})
        .fillna(0.0)
    )
    before = table.groupby(["code", "item"])["asked"].cumsum() - table["asked"]
    table["points"] = np.clip(most - before, 0, table["asked"])
    table["veto"] = table["item"].isin(assessment.veto)
    return table[
        [
            "code",
            "item",
            "item_zh",
            "item_en",
            "branch",
            "department",
            "points",
            "asked",
            "veto",
            "reason",
        ]
    ]


def _with_veto(
    assessment: Assessment, scores: pd.DataFrame, *, code: str, item: str
) -> pd.DataFrame:
    veto = assessment.veto[item]
    scores = scores.copy()
    here = scores["code"] == code
    named = scores.loc[here, "vetoes"]
    scores.loc[here, "vetoes"] = named.where(named == "", named + "; ") + item
    if veto.effect == "exclude":
        scores["excluded"] = scores["excluded"] | here
        return scores
    most = 0.0
    if veto.cap is not None:
        most = veto.cap
    scores["score"] = scores["score"].where(~here, np.minimum(scores["score"], most))
    return scores


def _sums(entries: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Add up the points lost, most first."""
    points = entries[~entries["veto"]]
    sums = points.groupby(by).agg(areas=("code", "nunique"), points=("points", "sum")).reset_index()
    sums["share"] = sums["points"] / max(sums["points"].sum(), 1e-300)
    return sums.sort_values(["points", by[0]], ascending=[False, True], ignore_index=True)


def _fault(
    code: str, text: Text, where: str, available: Sequence[object] = (), got: str = ""
) -> RankingError:
    hint = _("Correct these rows and run again.")
    return RankingError(code, text, where=where, available=list(available), got=got, hint=hint)
