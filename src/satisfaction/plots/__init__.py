"""Figures of the published tables: seaborn's theme, a font that knows Chinese, no global state.

Every function takes the tables of `published` and returns a matplotlib Figure that belongs to nobody else. Colours of
the three statuses differ in lightness too and come with a marker or hatch of their own, so they survive colour-blindness
and grey printing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from .canvas import ACCENT, ALERT, CUT, INK, add_legend, breadth, label_rows, new_canvas, svg, theme, themed, wrapped

__all__ = ["Figure", "probability_near_cut", "ranking_ladder", "rates_by_area", "svg", "theme", "topics"]

NEAR = 20
STATUS = {
    "established": ("已确认属于 established", "#3b0f4f", "s", ""),
    "possible": ("不能确定 possible", "#d9701a", "D", "///"),
    "excluded": ("已排除 excluded", "#9fcbe6", "o", ".."),
    "not ranked": ("不排名 not ranked", "#ffffff", "X", ""),
}


@themed
def ranking_ladder(ranking: pd.DataFrame, indices: pd.DataFrame) -> Figure:
    """Draw all units in rank order: estimate with interval, rank with its marginal and simultaneous set, and the cut.

    Parameters
    ----------
    ranking, indices : DataFrame
        As `published.ranking_table` and `published.indices_table` return them.
    """
    own = indices[(indices["level"] == _levels(indices)[0]) & (indices["measure"] == ranking["measure"].iloc[0])]
    rows = ranking.merge(own[["code", "ci_low", "ci_high", "kind", "measure_zh", "measure_en"]], on="code", how="left")
    names, places = [_name(row) for _, row in rows.iterrows()], [_rank_with_set(row) for _, row in rows.iterrows()]
    canvas = new_canvas(
        "排名阶梯：每个名次都带有它的不确定范围", "Ranking ladder: every rank with its sets", _mark(ranking), body=0.185 * len(rows) + 0.1,
        left=breadth(names), right=breadth(places), legend_lines=2, columns=(1, 1.5),
    )  # fmt: skip
    scores, ladder = canvas.axes[0]
    scale = _scale(rows["kind"].iloc[0])
    for status, part in rows.groupby("status", sort=False):
        _, colour, marker, _ = STATUS[str(status)]
        style: dict[str, Any] = {"marker": marker, "s": 22, "color": colour, "edgecolor": INK, "linewidth": 0.6, "zorder": 3}
        _intervals(scores, part.index, part, scale)
        scores.scatter(part["estimate"] * scale, part.index, **style)
        ranked = part.dropna(subset="rank")
        ladder.hlines(ranked.index, ranked["simultaneous_low"], ranked["simultaneous_high"], color="#8a949e", linewidth=0.9)
        ladder.hlines(ranked.index, ranked["marginal_low"], ranked["marginal_high"], color="#4d5863", linewidth=3)
        ladder.scatter(ranked["rank"], ranked.index, **style)
    label_rows(scores, names)
    label_rows(ladder, [""] * len(rows))
    for row, text in enumerate(places):
        ladder.text(1.02, row, text, transform=ladder.get_yaxis_transform(), va="center", fontsize=7.5)
    for axes in (scores, ladder):
        _cut(axes, rows)
    unit = "%" if scale == 100 else "points"
    scores.set_xlabel(f"{rows['measure_zh'].iloc[0]}\n{rows['measure_en'].iloc[0]} ({unit})")
    edge = 0.7 + 0.012 * len(rows)  # room for the markers of the first and the last rank
    ladder.set_xlim(1 - edge, len(rows) + edge)
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 500) if len(rows) <= 6 * step or step == 500)
    ladder.set_xticks([1, *range(max(step, 2), len(rows) + 1, step)])
    ladder.set_xlabel("名次 [单独看的名次集合]\nrank [marginal set]")
    lines = [
        Line2D([], [], color="#4d5863", linewidth=3, label="单独看的名次集合 marginal set"),
        Line2D([], [], color="#8a949e", linewidth=0.9, label="全表同时成立的集合 simultaneous set"),
    ]
    dots = [_dot(status) for status in STATUS if status != "not ranked" or status in set(rows["status"])]
    add_legend(canvas, [*dots, *lines], columns=3)
    return canvas.figure


@themed
def rates_by_area(indices: pd.DataFrame) -> Figure:
    """Draw the rates of the areas just below the whole (prefectures, or the ranked areas) with their intervals.

    Parameters
    ----------
    indices : DataFrame
        As `published.indices_table` returns it, with at least one rate.
    """
    rates = indices[indices["kind"] == "rate"]
    below, whole = _levels(indices)[-2:]
    measures = list(rates["measure"].unique())
    areas = rates[rates["level"] == below].drop_duplicates("code")
    names = [_name(row) for _, row in areas.iterrows()]
    wholes = [rates[(rates["level"] == whole) & (rates["measure"] == measure)].iloc[0] for measure in measures]
    heads = [wrapped(f"{_both(row, 'measure')}: {row['estimate']:.1%}", 46) for row in wholes]
    head = 0.17 * max(text.count("\n") + 1 for text in heads) + 0.1
    canvas = new_canvas(
        f"各地区的率及其置信区间；虚线：{wholes[0]['name_zh']}", f"Rates by area with confidence intervals; dashed: {wholes[0]['name_en']}", _mark(indices), body=0.21 * len(areas) + 0.1,
        left=breadth(names), rows=-(-len(measures) // 2), columns=(1,) * min(2, len(measures)), gap=head + 0.35, head=head,
    )  # fmt: skip
    for axes, measure, text, all_areas in zip(canvas.axes.flat, measures, heads, wholes, strict=False):
        part = rates[rates["measure"] == measure]
        rows = part[part["level"] == below].set_index("code").reindex(areas["code"]).reset_index()
        _intervals(axes, rows.index, rows, 100)
        axes.scatter(rows["estimate"] * 100, rows.index, s=18, color=ACCENT, zorder=3)
        axes.axvline(all_areas["estimate"] * 100, color=ALERT, linestyle="--", linewidth=0.9)
        axes.set_title(text, loc="left", fontsize=8.5)
        label_rows(axes, names if axes in canvas.axes[:, 0] else [""] * len(rows))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter("{x:g}%")
    for axes in canvas.axes.flat[len(measures) :]:
        axes.set_axis_off()
    return canvas.figure


@themed
def probability_near_cut(ranking: pd.DataFrame) -> Figure:
    """Draw the probability of the list of last units for the units nearest its cut, on both sides.

    Parameters
    ----------
    ranking : DataFrame
        As `published.ranking_table` returns it.
    """
    ranked = ranking.dropna(subset="rank").reset_index(drop=True)
    distance = (ranked.index.to_numpy() + 0.5 - _first_listed(ranked)).__abs__()
    rows = ranked.loc[np.sort(np.argsort(distance, kind="stable")[:NEAR])].reset_index(drop=True)
    names = [f"{_name(row)}  {_rank_with_set(row)}" for _, row in rows.iterrows()]
    size = int((ranking["listed"] == "yes").sum())
    canvas = new_canvas(
        f"属于末 {size} 位的概率：分界两侧的 {len(rows)} 个单位",
        f"Probability of the last {size}: the {len(rows)} units nearest the cut; beside the name rank [marginal set]", _mark(ranking),
        body=0.24 * len(rows) + 0.1, left=breadth(names), right=0.55, legend_lines=1,
    )  # fmt: skip
    axes = canvas.axes[0, 0]
    for status, part in rows.groupby("status", sort=False):
        _, colour, _, hatch = STATUS[str(status)]
        axes.barh(
            part.index, part["probability_bottom"] * 100, height=0.68, color=colour, edgecolor=INK, linewidth=0.5, hatch=hatch
        )
    for row, value in enumerate(rows["probability_bottom"]):
        axes.text(
            value * 100 + 1,
            row,
            _probability(value),
            va="center",
            fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )
    label_rows(axes, names)
    _cut(axes, rows)
    axes.set_xlim(0, 100)
    axes.xaxis.set_major_formatter("{x:g}%")
    axes.set_xlabel("模型概率（经验贝叶斯），不是确认\nprobability under a model (empirical Bayes), not a proof")
    add_legend(canvas, [_bar(status) for status in STATUS if status != "not ranked"], columns=4)
    return canvas.figure


@themed
def topics(indices: pd.DataFrame) -> Figure:
    """Draw the topics of all areas together, strongest first, with their intervals.

    Parameters
    ----------
    indices : DataFrame
        As `published.indices_table` returns it, with at least one measure of kind "score".
    """
    scores = indices[(indices["level"] == _levels(indices)[-1]) & (indices["kind"] == "score")]
    rows = scores.sort_values("estimate", ascending=False, kind="stable", ignore_index=True)
    names = [_both(row, "measure") for _, row in rows.iterrows()]
    canvas = new_canvas(
        "各项目得分：由强到弱", "Topics: strongest to weakest", _mark(indices), body=0.27 * len(rows) + 0.1, left=breadth(names), right=0.45,
    )  # fmt: skip
    axes = canvas.axes[0, 0]
    _intervals(axes, rows.index, rows, 1)
    axes.scatter(rows["estimate"], rows.index, s=24, color=ACCENT, zorder=3)
    for row, value in enumerate(rows["estimate"]):
        axes.text(1.015, row, f"{value:.1f}", transform=axes.get_yaxis_transform(), va="center", fontsize=8.5)
    label_rows(axes, names)
    axes.set_xlabel(f"{_both(rows.iloc[0], 'name')}：平均得分（分，0-100） mean score (points 0-100)")
    return canvas.figure


def _levels(indices: pd.DataFrame) -> list[str]:
    """Return the levels of area, the ranked one first, the whole last."""
    return list(indices["level"].unique())


def _scale(kind: str) -> int:
    return 100 if kind == "rate" else 1


def _mark(table: pd.DataFrame) -> str:
    return str(table["mark"].iloc[0])


def _both(row: pd.Series, what: str) -> str:
    zh, en = row[f"{what}_zh"], row[f"{what}_en"]
    return str(zh) if zh == en else f"{zh} {en}"


def _name(row: pd.Series) -> str:
    return wrapped(_both(row, "name"), 34)


def _rank_with_set(row: pd.Series) -> str:
    if pd.isna(row["rank"]):
        return "不排名"
    return f"{row['rank']:.0f} [{row['marginal_low']:.0f}–{row['marginal_high']:.0f}]"


def _probability(value: float) -> str:
    return ">99.9%" if value > 0.999 else "<0.1%" if value < 0.001 else f"{value:.1%}"


def _first_listed(rows: pd.DataFrame) -> int:
    """Return the position of the first unit on the list; `rows` in rank order."""
    listed = np.flatnonzero(rows["listed"] == "yes")
    return int(listed[0]) if listed.size else len(rows)


def _intervals(axes: Axes, at: pd.Index[Any], rows: pd.DataFrame, scale: int) -> None:
    """Draw intervals; one that is unbounded is left out, as no line can show it."""
    limits = rows[["ci_low", "ci_high"]].astype(float).where(lambda x: np.isfinite(x)) * scale
    axes.hlines(at, limits["ci_low"], limits["ci_high"], color=ACCENT, linewidth=1.4, alpha=0.75)


def _cut(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the line above the list; a second one where units are tied at the cut."""
    first, tied = _first_listed(rows), int((rows["listed"] == "tied").sum())
    for at in {first, first - tied}:
        if 0 < at < len(rows):
            axes.axhline(at - 0.5, **CUT, zorder=2)


def _dot(status: str) -> Line2D:
    label, colour, marker, _ = STATUS[status]
    return Line2D(
        [], [], color=colour, marker=marker, linestyle="", markeredgecolor=INK, markeredgewidth=0.6, markersize=5, label=label
    )


def _bar(status: str) -> Patch:
    label, colour, _, hatch = STATUS[status]
    return Patch(facecolor=colour, edgecolor=INK, linewidth=0.5, hatch=hatch, label=label)
