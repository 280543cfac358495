"""Pictures of estimates by area and by topic."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .canvas import ACCENT, ALERT, WIDTH, breadth, columns_in, label_rows, lines, new_canvas, row_height, themed, wrapped
from .rows import NAME_COLUMNS, both, draw_intervals, has_intervals, mark_of, names_of


@themed
def rates_by_area(indices: pd.DataFrame) -> Figure:
    """Draw the rates of the areas just below the whole (prefectures, or the ranked areas) with their intervals.

    Parameters
    ----------
    indices : DataFrame
        As `published.indices_table` returns it, with at least one rate.
    """
    rates = indices[indices["kind"] == "rate"]
    below, whole = levels(indices)[-2:]
    measures = list(rates["measure"].unique())
    areas = rates[rates["level"] == below].drop_duplicates("code")
    names = names_of(areas)
    wholes = [rates[(rates["level"] == whole) & (rates["measure"] == measure)].iloc[0] for measure in measures]
    across, left = min(2, len(measures)), breadth(names)
    room = columns_in((WIDTH - left) / across - 0.2)
    heads = [wrapped(f"{both(row, 'measure')}: {row['estimate']:.1%}", room) for row in wholes]
    head = 0.17 * max(map(lines, heads)) + 0.1
    with_zh, with_en = ("及其置信区间", " with confidence intervals") if has_intervals(rates) else ("", "")
    figure, grid = new_canvas(
        f"各地区的率{with_zh}；虚线：{wholes[0]['name_zh']}", f"Rates by area{with_en}; dashed: {wholes[0]['name_en']}", mark_of(indices),
        body=row_height(names, 0.21) * len(areas) + 0.1, left=left, rows=-(-len(measures) // 2),
        columns=(1,) * across, gap=head + 0.35, head=head,
    )  # fmt: skip
    for axes, measure, text, all_areas in zip(grid.flat, measures, heads, wholes, strict=False):
        part = rates[rates["measure"] == measure]
        rows = part[part["level"] == below].set_index("code").reindex(areas["code"]).reset_index()
        draw_intervals(axes, rows, scale=100)
        axes.scatter(rows["estimate"] * 100, rows.index, s=18, color=ACCENT, zorder=3)
        axes.axvline(all_areas["estimate"] * 100, color=ALERT, linestyle="--", linewidth=0.9)
        axes.set_title(text, loc="left", fontsize=8.5)
        label_rows(axes, names if axes in grid[:, 0] else [""] * len(rows))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter("{x:g}%")
    for axes in grid.flat[len(measures) :]:
        axes.set_axis_off()
    return figure


@themed
def topics(indices: pd.DataFrame) -> Figure:
    """Draw the topics of all areas together, strongest first, with their intervals.

    Parameters
    ----------
    indices : DataFrame
        As `published.indices_table` returns it, with at least one measure of kind "score".
    """
    scores = indices[(indices["level"] == levels(indices)[-1]) & (indices["kind"] == "score")]
    rows = scores.sort_values("estimate", ascending=False, kind="stable", ignore_index=True)
    names = [wrapped(both(row, "measure"), NAME_COLUMNS + 10) for _, row in rows.iterrows()]
    figure, grid = new_canvas(
        "各项目得分：由强到弱", "Topics: strongest to weakest", mark_of(indices), body=row_height(names, 0.27) * len(rows) + 0.1,
        left=breadth(names), right=0.45,
    )  # fmt: skip
    axes = grid[0, 0]
    draw_intervals(axes, rows)
    axes.scatter(rows["estimate"], rows.index, s=24, color=ACCENT, zorder=3)
    for row, value in enumerate(rows["estimate"]):
        axes.text(1.015, row, f"{value:.1f}", transform=axes.get_yaxis_transform(), va="center", fontsize=8.5)
    label_rows(axes, names)
    axes.set_xlabel(f"{both(rows.iloc[0], 'name')}：平均得分（分，0-100） mean score (points 0-100)")
    return figure


def levels(indices: pd.DataFrame) -> list[str]:
    """Return the levels of area, the ranked one first, the whole last."""
    return list(indices["level"].unique())
