"""Pictures of comparisons between units: who is proven better than whom, and all units against a chosen one."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import special

from satisfaction.foundation.errors import RankingError, one_of
from satisfaction.publication.plots.canvas import (
    ACCENT,
    INK,
    SMALL,
    breadth,
    label_rows,
    new_canvas,
    row_height,
    themed,
)
from satisfaction.publication.plots.rows import (
    COMPARED,
    CUT,
    POINT,
    bar,
    cut_line,
    cuts,
    dot,
    draw_cuts,
    mark_of,
    names_of,
    rank_ticks,
    ranks_of,
    scale_of,
    write_right,
)
from satisfaction.ranking.critical_values import critical_value, t_quantile
from satisfaction.ranking.pairs import Bools, Floats, Order, Pairs, spread_of
from satisfaction.ranking.rank import Ranking
from satisfaction.ranking.sets import tukey_critical
from satisfaction.sampling.design import NO_ERROR

Interval: TypeAlias = Literal["simultaneous", "marginal"]
INTERVAL = {
    "simultaneous": ("全部单位对同时成立", "all pairs of the table at once"),
    "marginal": ("只对事先指定的这一个单位成立", "for this one unit, named beforehand"),
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
    names, places = names_of(rows), ranks_of(rows)
    height = row_height(names, float(np.clip(4.6 / len(rows), 0.135, 0.4)))
    size = min(SMALL, height * 48)
    figure, grid = new_canvas(
        f"成对比较：{order.share:.1%} 的单位对能判定先后",
        f"Pairs: {order.share:.1%} of {len(rows) * (len(rows) - 1) // 2:,} are decidable ({order.method})", mark_of(ranking),
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
            [cell(i, i, i) for i in range(len(rows))],
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
    return [cell(*where) for where in zip(row.tolist(), first.tolist(), last.tolist(), strict=True)]


def cell(row: int, first: int, last: int) -> Floats:
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
    names = [
        name for name, kept in zip(ranking.units.names, ranking.units.ranked, strict=True) if kept
    ]
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
        return t_quantile(critical, df), "Dunnett"
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
    names, places, said = names_of(rows), ranks_of(rows), differences.iloc[0]
    chosen = int(np.flatnonzero(rows["code"] == said["against"])[0])
    zh, en = INTERVAL[said["interval"]]
    zero = Line2D(
        [], [], label="所选单位 chosen unit", color=INK, linewidth=0.9, marker="*", markersize=9
    )
    figure, grid = new_canvas(
        f"各单位与{rows['name_zh'].iloc[chosen]}的得分之差（{said['level']:.0%} 区间，{zh}）",
        f"Difference of every unit from {rows['name_en'].iloc[chosen]}; {said['level']:.0%} intervals, {en}, {said['method']}",
        mark_of(ranking), body=row_height(names, 0.185) * len(rows) + 0.1, left=breadth(names), right=breadth(places),
        legend=[*(dot(look) for look in COMPARED.values()), zero, cut_line()],
    )  # fmt: skip
    axes, (scale, unit) = grid[0, 0], scale_of(rows)
    others = rows.drop(index=chosen)
    axes.hlines(
        others.index,
        others["low"] * scale,
        others["high"] * scale,
        color=ACCENT,
        linewidth=1.4,
        alpha=0.75,
    )
    for word, part in others.groupby("verdict", sort=False):
        look = COMPARED[str(word)]
        axes.scatter(
            part["difference"] * scale, part.index, marker=look.marker, color=look.colour, **POINT
        )
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    axes.scatter(0, chosen, marker="*", s=80, color=INK, zorder=4)
    label_rows(axes, names)
    write_right(axes, places, size=7.5)
    draw_cuts(axes, rows)
    axes.set_xlabel(
        f"得分之差 difference ({unit})\n右侧：名次 [单独看的名次集合] beside: rank [marginal set]"
    )
    return figure
