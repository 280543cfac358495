"""Pictures of one ranking: the ladder of ranks with their sets, and the probability of the list."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from satisfaction.publication.plots.areas import levels
from satisfaction.publication.plots.canvas import (
    INK,
    breadth,
    label_rows,
    new_canvas,
    row_height,
    themed,
)
from satisfaction.publication.plots.rows import (
    POINT,
    Look,
    bar,
    cut_line,
    cuts,
    dot,
    draw_cuts,
    draw_intervals,
    mark_of,
    names_of,
    probability,
    rank_ticks,
    ranks_of,
    status_looks,
    used,
    write_right,
)

NEAR = 20
SIDE = {"last": "末", "first": "前"}
MARGINAL: dict[str, Any] = {"color": "#4d5863", "linewidth": 3}
SIMULTANEOUS: dict[str, Any] = {"color": "#8a949e", "linewidth": 0.9}


@themed
def ranking_ladder(ranking: pd.DataFrame, indices: pd.DataFrame) -> Figure:
    """Draw all units in rank order: estimate with interval, rank with its marginal and simultaneous set, and the cut.

    Parameters
    ----------
    ranking, indices : DataFrame
        As `published.ranking_table` and `published.indices_table` return them.
    """
    own = indices[
        (indices["level"] == levels(indices)[0])
        & (indices["measure"] == ranking["measure"].iloc[0])
    ]
    rows = ranking.merge(
        own[["code", "ci_low", "ci_high", "kind", "measure_zh", "measure_en"]],
        on="code",
        how="left",
    )
    names, places = names_of(rows), ranks_of(rows)
    legend = [dot(look) for look in used(status_looks(rows), rows["status"])]
    sets = []
    title = (
        "名次：只按估计值排列，确定程度未知",
        "Ranks by the estimates alone; how certain they are is unknown",
    )
    if rows["marginal_low"].notna().any():
        title = (
            "排名阶梯：每个名次都带有它的不确定范围",
            "Ranking ladder: every rank with its sets",
        )
        sets.append(Line2D([], [], label="单独看的名次集合 marginal set", **MARGINAL))
        sets.append(Line2D([], [], label="全表同时成立的集合 simultaneous set", **SIMULTANEOUS))
    figure, grid = new_canvas(
        *title, mark_of(ranking),
        body=row_height(names, 0.185) * len(rows) + 0.1, left=breadth(names), right=breadth(places), columns=(1, 1.5),
        legend=[*legend, *sets, cut_line()],
    )  # fmt: skip
    scores, ladder = grid[0]
    draw_scores(scores, rows)
    draw_ladder(ladder, rows)
    label_rows(scores, names)
    label_rows(ladder, [""] * len(rows))
    write_right(ladder, places, size=7.5)
    for axes in grid[0]:
        axes.hlines(
            np.arange(9.5, len(rows) - 1, 10),
            *axes.get_xlim(),
            color="#e3e7eb",
            linewidth=0.8,
            zorder=0.5,
        )
        draw_cuts(axes, rows)
    return figure


def draw_scores(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw estimates with their intervals, by status."""
    scale, unit = (100, "%") if rows["kind"].iloc[0] == "rate" else (1, "points")
    draw_intervals(axes, rows, scale=scale)
    for status, part in rows.groupby("status", sort=False):
        look = status_looks(rows)[str(status)]
        axes.scatter(
            part["estimate"] * scale, part.index, marker=look.marker, color=look.colour, **POINT
        )
    axes.set_xlim(*axes.get_xlim())
    axes.set_xlabel(f"{rows['measure_zh'].iloc[0]}\n{rows['measure_en'].iloc[0]} ({unit})")


def draw_ladder(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw ranks with both of their sets, by status."""
    ranked = rows.dropna(subset="rank")
    known = ranked.dropna(subset="marginal_low")
    axes.hlines(known.index, known["simultaneous_low"], known["simultaneous_high"], **SIMULTANEOUS)
    axes.hlines(known.index, known["marginal_low"], known["marginal_high"], **MARGINAL)
    for status, part in ranked.groupby("status", sort=False):
        look = status_looks(rows)[str(status)]
        axes.scatter(part["rank"], part.index, marker=look.marker, color=look.colour, **POINT)
    edge = 0.7 + 0.012 * len(ranked)  # room for the markers of the first and the last rank
    axes.set_xlim(1 - edge, len(ranked) + edge)
    axes.set_xticks(rank_ticks(len(ranked)))
    axes.set_xlabel(
        "名次 [单独看的名次集合]\nrank [marginal set]"
        if len(known)
        else "名次（按估计值）\nrank (by the estimate)"
    )


@themed
def probability_near_cut(ranking: pd.DataFrame, *, count: int = NEAR) -> Figure:
    """Draw the probability of the list for the units nearest its cut, on both sides.

    Parameters
    ----------
    ranking : DataFrame
        As `published.ranking_table` returns it.
    count : int
        How many units; as many as are ranked, or more, shows all of them.
    """
    ranked = ranking.dropna(subset="rank").reset_index(drop=True)
    side = str(ranked["side"].iloc[0]) if "side" in ranked else "last"
    cut = (min if side == "first" else max)(cuts(ranked), default=float(len(ranked)))
    distance = np.abs(ranked.index.to_numpy() - cut)
    rows = ranked.loc[np.sort(np.argsort(distance, kind="stable")[:count])].reset_index(drop=True)
    names = [f"{name}  {place}" for name, place in zip(names_of(rows), ranks_of(rows), strict=True)]
    size = round(
        ranked["probability_bottom"].sum()
    )  # what the probabilities are of, whoever is tied at the cut
    many = len(rows) < len(ranked)
    figure, grid = new_canvas(
        f"属于{SIDE[side]} {size} 位的概率：" + (f"分界两侧的 {len(rows)} 个单位" if many else f"全部 {len(rows)} 个单位"),
        f"Probability of the {side} {size}: " + (f"the {len(rows)} units nearest the cut" if many else f"all {len(rows)} units")
        + "; beside the name rank [marginal set]", mark_of(ranking),
        body=row_height(names, 0.24) * len(rows) + 0.1, left=breadth(names), right=0.55,
        legend=[*(bar(look) for look in used(status_looks(rows), ())), cut_line()],
    )  # fmt: skip
    axes = grid[0, 0]
    draw_probabilities(
        axes, rows["probability_bottom"], [status_looks(rows)[status] for status in rows["status"]]
    )
    label_rows(axes, names)
    draw_cuts(axes, rows)
    axes.set_xlabel(
        "模型概率（经验贝叶斯），不是确认\nprobability under a model (empirical Bayes), not a proof"
    )
    return figure


def draw_probabilities(axes: Axes, values: pd.Series, looks: list[Look]) -> None:
    """Draw one bar a row with its number; where there is no probability, a dash."""
    for row, (value, look) in enumerate(zip(values, looks, strict=True)):
        length = 0.0 if np.isnan(value) else value * 100
        if length:
            axes.barh(
                row,
                length,
                height=0.68,
                color=look.colour,
                edgecolor=INK,
                linewidth=0.5,
                hatch=look.hatch,
            )
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
        beside: dict[str, Any] = {"xytext": (3, 0), "textcoords": "offset points"}
        axes.annotate(
            probability(value), (length, row), va="center", fontsize=8, bbox=box, **beside
        )
    axes.set_xlim(0, 100)
    axes.xaxis.set_major_formatter("{x:g}%")
