"""Bars of a few named numbers beside a line."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .canvas import ACCENT, ALERT, INK, breadth, label_rows, new_canvas, row_height, themed


@themed
def bars(
    names: Sequence[str], values: Sequence[float], *, line: float, line_label: str, zh: str, en: str, unit: str, mark: str
) -> Figure:
    """Draw one bar a name with its number, and a line to compare with."""
    dash = {"color": ALERT, "linewidth": 1.1, "linestyle": (0, (5, 2))}
    legend = [Line2D([], [], label=f"{line_label}: {line:,.0f}", **dash)]  # type: ignore[arg-type]
    figure, grid = new_canvas(
        zh, en, mark, body=row_height(list(names), 0.42) * len(names) + 0.1, left=breadth(names), right=0.8, legend=legend
    )
    axes = grid[0, 0]
    axes.barh(range(len(values)), values, height=0.6, color=ACCENT, edgecolor=INK, linewidth=0.5)
    for row, value in enumerate(values):
        axes.annotate(f"{value:,.0f}", (value, row), xytext=(3, 0), textcoords="offset points", va="center", fontsize=8.5)
    axes.axvline(line, **dash)
    label_rows(axes, list(names))
    axes.set_xlabel(unit)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    return figure
