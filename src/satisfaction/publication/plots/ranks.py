"""Pictures of one ranking: the ladder of ranks with their sets, and the probability of the list."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import special

from satisfaction.foundation.errors import RankingError, one_of
from satisfaction.foundation.figures import probability
from satisfaction.foundation.language import Text, _
from satisfaction.publication.labels import published_levels
from satisfaction.publication.plots.canvas import (
    BESIDE_BAR,
    COMPARED,
    CUT,
    INK,
    INTERVAL_LINE,
    SMALL,
    WIDTH,
    Look,
    bar,
    breadth,
    cut_line,
    cuts,
    dot,
    draw_cuts,
    draw_intervals,
    draw_points,
    label_rows,
    mark_of,
    names_of,
    new_canvas,
    rank_labels,
    rank_ticks,
    row_height,
    scale_of,
    status_looks,
    themed,
    used,
    write_right,
)
from satisfaction.ranking.critical_values import critical_value, t_critical
from satisfaction.ranking.pairs import Bools, Floats, Order, Pairs, spread_of
from satisfaction.ranking.rank import Ranking
from satisfaction.ranking.sets import tukey_critical
from satisfaction.sampling.design import NO_ERROR

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
    of_level = indices[indices["level"] == published_levels(indices)[0]]
    own = of_level[of_level["measure"] == ranking["measure"].iloc[0]]
    estimates = own[["code", "ci_low", "ci_high", "kind", "measure_zh", "measure_en"]]
    rows = ranking.merge(estimates, on="code", how="left")
    names, places = names_of(rows), rank_labels(rows)
    legend = [dot(look) for look in used(status_looks(rows), rows["status"])]
    sets = []
    title = _("Ranks by the estimates alone; how certain they are is unknown")
    if rows["marginal_low"].notna().any():
        title = _("Ranking ladder: every rank with its sets")
        sets.append(Line2D([], [], label="单独看的名次集合 marginal set", **MARGINAL))
        sets.append(Line2D([], [], label="全表同时成立的集合 simultaneous set", **SIMULTANEOUS))
    figure, grid = new_canvas(
        title, mark_of(ranking),
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
        tens = np.arange(9.5, len(rows) - 1, 10)
        axes.hlines(tens, *axes.get_xlim(), color="#e3e7eb", linewidth=0.8, zorder=0.5)
        draw_cuts(axes, rows)
    return figure


def draw_scores(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw estimates with their intervals, by status."""
    scale, unit = (100, "%") if rows["kind"].iloc[0] == "rate" else (1, "points")
    draw_intervals(axes, rows, scale=scale)
    draw_points(axes, rows["estimate"] * scale, rows["status"], status_looks(rows))
    axes.set_xlim(*axes.get_xlim())
    axes.set_xlabel(f"{rows['measure_zh'].iloc[0]}\n{rows['measure_en'].iloc[0]} ({unit})")


def draw_ladder(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw ranks with both of their sets, by status."""
    ranked = rows.dropna(subset="rank")
    known = ranked.dropna(subset="marginal_low")
    axes.hlines(known.index, known["simultaneous_low"], known["simultaneous_high"], **SIMULTANEOUS)
    axes.hlines(known.index, known["marginal_low"], known["marginal_high"], **MARGINAL)
    draw_points(axes, ranked["rank"], ranked["status"], status_looks(rows))
    edge = 0.7 + 0.012 * len(ranked)  # room for the markers of the first and the last rank
    axes.set_xlim(1 - edge, len(ranked) + edge)
    axes.set_xticks(rank_ticks(len(ranked)))
    axes.set_xlabel(
        "名次 [单独看的名次集合]\nrank [marginal set]"
        if len(known)
        else "名次（按估计值）\nrank (by the estimate)"
    )


@themed
def sets_on_a_line(
    rows: pd.DataFrame, names: list[str], *, units: int, listed: tuple[int, int], shaded: str
) -> Figure:
    """Draw the marginal sets of a few units on a line of all ranks, the listed places shaded; for a page's own text.

    Parameters
    ----------
    rows : DataFrame
        rank, marginal_low, marginal_high; in the order to be drawn.
    names : list of str
        Of the rows.
    units : int
        Units ranked.
    listed : (int, int)
        First and last place of the list.
    shaded : str
        What the list is called.
    """
    foot, row_inches = 0.2, 0.19
    height = row_inches * len(rows) + foot
    figure = Figure(figsize=(WIDTH, height))
    left = min(breadth(names), 0.55 * WIDTH)
    axes = figure.add_axes(
        (left / WIDTH, foot / height, 1 - (left + 0.1) / WIDTH, 1 - foot / height)
    )
    axes.grid(visible=False)
    axes.axvspan(listed[0] - 0.5, listed[1] + 0.5, color="#e3e7eb", linewidth=0)
    axes.hlines(rows.index, rows["marginal_low"], rows["marginal_high"], **MARGINAL)
    axes.scatter(rows["rank"], rows.index, color="white", s=26, edgecolor=INK, zorder=3)
    label_rows(axes, names)
    axes.spines["bottom"].set_visible(False)
    axes.set_xlim(0.5, units + 0.5)
    axes.set_xticks([])
    below: dict[str, Any] = {"transform": axes.transAxes, "va": "top", "fontsize": 7.5}
    axes.text(0, -0.03, "第 1 名 rank 1", ha="left", **below)
    axes.text(1, -0.03, f"阴影 shaded：{shaded}", ha="right", **below)
    return figure


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
    names = [
        f"{name}  {place}" for name, place in zip(names_of(rows), rank_labels(rows), strict=True)
    ]
    # what the probabilities are of, whoever is tied at the cut
    size = round(ranked["probability_bottom"].sum())
    which = _("all {n} units", n=len(rows))
    if len(rows) < len(ranked):
        which = _("the {n} units nearest the cut", n=len(rows))
    looks = status_looks(rows)
    figure, grid = new_canvas(
        Text(
            f"属于{SIDE[side]} {size} 位的概率：{which.zh}",
            f"Probability of the {side} {size}: {which.en}; beside the name rank [marginal set]",
        ),
        mark_of(ranking),
        body=row_height(names, 0.24) * len(rows) + 0.1,
        left=breadth(names),
        right=0.55,
        legend=[*(bar(look) for look in used(looks, ())), cut_line()],
    )
    axes = grid[0, 0]
    bars = [looks[status] for status in rows["status"]]
    draw_probabilities(axes, rows["probability_bottom"], bars)
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
            style: dict[str, Any] = {"color": look.colour, "edgecolor": INK, "hatch": look.hatch}
            axes.barh(row, length, height=0.68, linewidth=0.5, **style)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
        chance = probability(value)
        axes.annotate(chance, (length, row), va="center", fontsize=8, bbox=box, **BESIDE_BAR)
    axes.set_xlim(0, 100)
    axes.xaxis.set_major_formatter("{x:g}%")


Interval: TypeAlias = Literal["simultaneous", "marginal"]
_HOLDS = {
    "simultaneous": _("all pairs of the table at once"),
    "marginal": _("for this one unit, named beforehand"),
}


@themed
def pair_matrix(ranking: pd.DataFrame, order: Order) -> Figure:
    """Draw for every pair of units whether the row is proven better or worse than the column, or neither; with the cut.

    Parameters
    ----------
    ranking : DataFrame
        As `published.ranking_table` returns it.
    order : Order
        As `Ranking.order` returns it, its units named by their code.
    """
    rows = ranking.dropna(subset="rank").reset_index(drop=True)
    decided = order.decided.loc[rows["code"], rows["code"]].to_numpy()
    names, places = names_of(rows), rank_labels(rows)
    height = row_height(names, float(np.clip(4.6 / len(rows), 0.135, 0.4)))
    size = min(SMALL, height * 48)
    figure, grid = new_canvas(
        _("Pairs: {share:.1%} of {n:,} are decidable ({method})", share=order.share, n=len(rows) * (len(rows) - 1) // 2, method=order.method), mark_of(ranking),
        body=height * len(rows), left=breadth(names) * size / SMALL, right=breadth(places) * size / SMALL + 0.1,
        legend=[*(bar(look) for look in COMPARED.values()), cut_line()],
    )  # fmt: skip
    axes = grid[0, 0]
    axes.set_facecolor(COMPARED["undecided"].colour)
    for word, sign in (("better", 1), ("worse", -1)):
        colour = COMPARED[word].colour
        axes.add_collection(
            PolyCollection(runs(decided == sign), facecolor=colour, edgecolor=colour, linewidth=0.2)
        )
    axes.add_collection(
        PolyCollection(
            [_cell(i, i, i) for i in range(len(rows))],
            facecolor="white",
            edgecolor=INK,
            linewidth=0.4,
            zorder=2,
        )
    )
    label_rows(axes, names, size=size)
    write_right(axes, places, size=size)
    axes.set_xlim(-0.5, len(rows) - 0.5)
    ticks = rank_ticks(len(rows), 12)
    axes.set_xticks([at - 1 for at in ticks], [str(at) for at in ticks])
    axes.grid(color="white", linewidth=0.6)
    for at in cuts(rows):
        for draw in (axes.axhline, axes.axvline):
            draw(at, color="white", linewidth=2.4)  # the cut shows on dark cells too
            draw(at, **CUT)
    axes.set_xlabel("与同样次序的第几行相比\nagainst the row of this number, counted from the top")
    return figure


def runs(cells: Bools) -> list[Floats]:
    """Return the rectangles, each (4, 2), that the true cells of a (p, p) matrix make, joined along the rows."""
    edges = np.diff(np.pad(cells.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    row, first = np.nonzero(edges == 1)
    last = np.nonzero(edges == -1)[1] - 1
    return [
        _cell(*where) for where in zip(row.tolist(), first.tolist(), last.tolist(), strict=True)
    ]


def _cell(row: int, first: int, last: int) -> Floats:
    """Return the corners of the cells `first` to `last` of a row."""
    left, right, top, bottom = first - 0.5, last + 0.5, row - 0.5, row + 0.5
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def difference_table(
    ranking: Ranking,
    *,
    against: str,
    interval: Interval = "simultaneous",
    unit: str = "points 0-100",
) -> pd.DataFrame:
    """Compare every ranked unit with a chosen one.

    Parameters
    ----------
    ranking : Ranking
    against : str
        Name of the chosen unit.
    interval : {"simultaneous", "marginal"}
        For all pairs of the table at once, or for the pairs of the chosen unit alone, named beforehand.
    unit : str
        Of the estimates, as published: "points 0-100" or "share 0-1".

    Returns
    -------
    DataFrame
        One row a ranked unit, in input order: code, difference (unit minus chosen), low, high, verdict ("better", "worse",
        "undecided" than the chosen one; without a probability sample always undecided), against, interval, level, method,
        unit. Intervals hold at the ranking's level.

    Raises
    ------
    RankingError
        K240 for a unit that is not ranked, K241 for another kind of interval.

    Notes
    -----
    Independent units: Tukey-Kramer / Dunnett's C (all pairs), Dunnett's integral (one unit); otherwise Bonferroni.
    """
    names = list(np.array(ranking.units.names, dtype=object)[ranking.units.ranked])
    one_of(against, names, argument="against", error=RankingError, code="K240")
    one_of(interval, get_args(Interval), argument="interval", error=RankingError, code="K241")
    chosen, pairs, level = names.index(against), ranking.pairs, ranking.options.level
    proven_at_all = ranking.summary["selection"] == "probability"
    quantile, method = np.full(len(names), np.nan), NO_ERROR
    if proven_at_all:
        quantile, method = reach(pairs, chosen, alpha=1 - level, interval=interval)
    ahead, half = pairs.score - pairs.score[chosen], quantile * spread_of(pairs.cov)[chosen]
    half[chosen] = 0.0 if proven_at_all else np.nan
    proven = np.abs(ahead) > half
    difference = ahead if ranking.options.higher_is_better else -ahead
    verdict = np.where(proven, np.where(ahead > 0, "better", "worse"), "undecided")
    return pd.DataFrame({
        "code": names, "difference": difference, "low": difference - half, "high": difference + half, "verdict": verdict,
        "against": against, "interval": interval, "level": level, "method": method, "unit": unit,
    })  # fmt: skip


def reach(pairs: Pairs, chosen: int, *, alpha: float, interval: Interval) -> tuple[Floats, str]:
    """Return how many standard errors a difference from the chosen unit is uncertain, (p,), and the method's name."""
    p, df = len(pairs.score), pairs.pair_df[chosen]
    if not pairs.independent:
        comparisons = p * (p - 1) / 2 if interval == "simultaneous" else p - 1
        return -special.stdtrit(df, alpha / 2 / comparisons), "Bonferroni"
    if interval == "marginal":
        critical = np.nan_to_num(
            critical_value(pairs, chosen, alpha, 2)
        )  # nan: nothing is uncertain
        return t_critical(critical, df), "Dunnett"
    return tukey_critical(pairs, alpha)[chosen], "Tukey-Kramer" if np.isinf(
        df
    ).all() else "Dunnett C"


@themed
def difference_plot(ranking: pd.DataFrame, differences: pd.DataFrame) -> Figure:
    """Draw the difference of every ranked unit from a chosen one, with its interval.

    Parameters
    ----------
    ranking : DataFrame
        As `published.ranking_table` returns it.
    differences : DataFrame
        As `difference_table` returns it.
    """
    rows = ranking.merge(differences, on="code", suffixes=("", "_of_pair"))
    names, places, said = names_of(rows), rank_labels(rows), differences.iloc[0]
    chosen = int(np.flatnonzero(rows["code"] == said["against"])[0])
    zh, en = _HOLDS[said["interval"]]
    zero = Line2D(
        [], [], label="所选单位 chosen unit", color=INK, linewidth=0.9, marker="*", markersize=9
    )
    figure, grid = new_canvas(
        Text(f"各单位与{rows['name_zh'].iloc[chosen]}的得分之差（{said['level']:.0%} 区间，{zh}）",
        f"Difference of every unit from {rows['name_en'].iloc[chosen]}; {said['level']:.0%} intervals, {en}, {said['method']}"),
        mark_of(ranking), body=row_height(names, 0.185) * len(rows) + 0.1, left=breadth(names), right=breadth(places),
        legend=[*(dot(look) for look in COMPARED.values()), zero, cut_line()],
    )  # fmt: skip
    axes, (scale, unit) = grid[0, 0], scale_of(rows)
    others = rows.drop(index=chosen)
    low, high = others["low"] * scale, others["high"] * scale
    axes.hlines(others.index, low, high, **INTERVAL_LINE)
    draw_points(axes, others["difference"] * scale, others["verdict"], COMPARED)
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    axes.scatter(0, chosen, marker="*", s=80, color=INK, zorder=4)
    label_rows(axes, names)
    write_right(axes, places, size=7.5)
    draw_cuts(axes, rows)
    axes.set_xlabel(
        f"得分之差 difference ({unit})\n右侧：名次 [单独看的名次集合] beside: rank [marginal set]"
    )
    return figure
