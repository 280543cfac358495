"""Pictures of the working notebooks: points in rows, intervals in rows, all pairs of areas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from satisfaction.foundation.language import NOTHING, Text, _
from satisfaction.publication.plots.canvas import (
    ACCENT,
    BAD,
    INK,
    LIMIT,
    NEUTRAL,
    OPEN,
    POINT,
    Body,
    Heading,
    Look,
    bar,
    breadth,
    dots,
    draw_intervals,
    draw_points,
    label_rows,
    new_canvas,
    row_canvas,
    row_height,
    themed,
    wrapped,
)

SMALL_POINT: dict[str, Any] = {"color": ACCENT, "s": 9, "alpha": 0.55, "linewidth": 0, "zorder": 3}
SPREAD = 0.6  # of a row's height, for points that would lie on one another
GOLDEN = 0.618034
MIDDLE: dict[str, Any] = {"color": ACCENT, "linewidth": 7, "alpha": 0.55, "capstyle": "butt"}
WIDE: dict[str, Any] = {"color": ACCENT, "linewidth": 1.4, "alpha": 0.75}
ENDS: dict[str, Any] = {"color": ACCENT, "s": 14, "marker": "|", "linewidth": 1}
SHOWS = {
    True: Look(_("a difference shows"), BAD, "s"),
    False: Look(_("no difference shows"), NEUTRAL, "o"),
}
NAME_COLUMNS = 40
STEPS = (INK, ACCENT, "#c58b5a", NEUTRAL)
MARKERS = ("o", "D", "^", "s")


@themed
def points_plot(
    rows: Mapping[str, Sequence[float]],
    *,
    title: Text | str,
    unit: Text | str,
    line: float,
    mark: Text | None = None,
    note: Text | str = NOTHING,
) -> Figure:
    """Draw many values a row as points, and a line to compare with.

    Parameters
    ----------
    rows : mapping
        The values of each row by its name, from top to bottom.
    title, unit : Text or str
    line : float
        Where the line stands.
    mark : Text, optional
        What must be said of the sample.
    note : Text or str, optional
        How the picture is read.
    """
    names = [wrapped(name, NAME_COLUMNS) for name in rows]
    heading = Heading(_text(title), mark or NOTHING, _text(note))
    figure, grid = row_canvas(heading, names, 0.5)
    axes = grid[0, 0]
    for row, values in enumerate(rows.values()):
        drawn = np.asarray(values, dtype=float)
        # beside one another, the same at every drawing
        beside = (np.arange(len(drawn)) * GOLDEN % 1 - 0.5) * SPREAD
        axes.scatter(drawn, row + beside, **SMALL_POINT)
    axes.axvline(line, **LIMIT)
    label_rows(axes, names)
    axes.set_xlabel(str(unit))
    return figure


@themed
def weights_plot(
    weights: pd.DataFrame, names: Sequence[str], *, mark: Text | None = None
) -> Figure:
    """Draw how weights spread after each step, and what each step multiplies them by.

    Parameters
    ----------
    weights : DataFrame
        One row a respondent, one column a step, in order.
    names : sequence of str
        Of the steps.
    mark : Text, optional
    """
    written = [wrapped(name, NAME_COLUMNS) for name in names]
    note = _("Thick: the middle half; line: 1% to 99%; ticks: smallest and largest; dot: median.")
    title = _("Weights after each step, and what the step did to them")
    body = Body(row_height(written, 0.42) * len(written) + 0.1, breadth(written), columns=(1, 1))
    figure, grid = new_canvas(Heading(title, mark or NOTHING, note), body)
    relative, factors = grid[0]
    before = weights.shift(1, axis=1).fillna(weights)
    for row, step in enumerate(weights.columns):
        _draw_spread(relative, row, weights[step] / weights[step].mean())
        _draw_spread(factors, row, (weights[step] / before[step]).dropna())
    relative.set_xscale("log")
    relative.xaxis.set_major_locator(LogLocator(subs=[1, 2, 5]))
    relative.xaxis.set_major_formatter("{x:g}")
    relative.xaxis.set_minor_formatter(NullFormatter())
    relative.set_xlabel(str(_("weight / mean weight")))
    factors.set_xlabel(str(_("weight after the step / before it")))
    for axes in (relative, factors):
        axes.axvline(1, **LIMIT)
    label_rows(relative, written)
    label_rows(factors, [""] * len(written))
    return figure


def _draw_spread(axes: Axes, row: int, values: pd.Series[float]) -> None:
    positive = values[values > 0]
    if positive.empty:
        return
    low, first, middle, third, high = positive.quantile([0.01, 0.25, 0.5, 0.75, 0.99])
    axes.hlines(row, low, high, **WIDE)
    axes.hlines(row, first, third, **MIDDLE)
    axes.scatter([positive.min(), positive.max()], [row, row], **ENDS)
    axes.scatter([middle], [row], color=INK, **POINT)


@themed
def steps_plot(
    effects: pd.DataFrame,
    *,
    measures: Mapping[str, Text],
    steps: Mapping[str, str],
    mark: Text | None = None,
) -> Figure:
    """Draw how far every step moves each measure from the first one, in final standard errors.

    Parameters
    ----------
    effects : DataFrame
        measure, step, difference / se.
    measures, steps : mapping
        What they are called; steps in order.
    mark : Text, optional
    """
    rows = list(dict.fromkeys(effects["measure"]))
    written = [wrapped(str(measures.get(name, name)), NAME_COLUMNS) for name in rows]
    legend = []
    for place, name in enumerate(steps.values()):
        look = Look(_text(name), STEPS[place % len(STEPS)], MARKERS[place % len(MARKERS)])
        legend += dots([look])
    title = _("What each step does to the results of all areas together")
    note = _("A move beyond 1 standard error (dashed) deserves a sentence in the report.")
    heading = Heading(title, mark or NOTHING, note)
    figure, grid = row_canvas(heading, written, 0.3, legend=legend)
    axes = grid[0, 0]
    at_row = {name: row for row, name in enumerate(rows)}
    for place, step in enumerate(steps):
        of_step = effects[effects["step"] == step]
        axes.scatter(
            of_step["difference / se"],
            of_step["measure"].map(at_row),
            color=STEPS[place % len(STEPS)],
            marker=MARKERS[place % len(MARKERS)],
            **POINT,
        )
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    for side in (-1, 1):
        axes.axvline(side, **LIMIT)
    label_rows(axes, written)
    axes.set_xlabel(str(_("difference from the first step, in final standard errors")))
    return figure


@themed
def intervals_plot(
    table: pd.DataFrame,
    names: Sequence[str],
    *,
    center: str,
    title: Text | str,
    unit: Text | str,
    shows: Sequence[bool] | None = None,
    mark: Text | None = None,
    note: Text | str = NOTHING,
) -> Figure:
    """Draw one interval a row with its point, beside zero.

    Parameters
    ----------
    table : DataFrame
        ci_low, ci_high and the column `center`, in the order to be drawn.
    names : sequence of str
        Of the rows.
    center : str
    title, unit : Text or str
    shows : sequence of bool, optional
        Which rows differ from zero beyond sampling error, after adjustment.
    mark : Text, optional
    note : Text or str, optional
    """
    rows = table.reset_index(drop=True)
    written = [wrapped(name, NAME_COLUMNS) for name in names]
    legend = dots(SHOWS.values()) if shows is not None else []
    heading = Heading(_text(title), mark or NOTHING, _text(note))
    figure, grid = row_canvas(heading, written, 0.185, legend=legend)
    axes = grid[0, 0]
    draw_intervals(axes, rows)
    if shows is None:
        axes.scatter(rows[center], rows.index, color=ACCENT, **POINT)
    else:
        looks = {str(word): look for word, look in SHOWS.items()}
        draw_points(axes, rows[center], np.asarray(shows).astype(str), looks=looks)
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    label_rows(axes, written)
    axes.set_xlabel(str(unit))
    return figure


@themed
def pairs_plot(
    pairs: pd.DataFrame,
    order: Sequence[Any],
    *,
    level: float,
    title: Text | str,
    mark: Text | None = None,
) -> Figure:
    """Draw the p-values of all pairs of areas, and which pairs can be put in order.

    Parameters
    ----------
    pairs : DataFrame
        area, other, p, p_bh, p_maxt.
    order : sequence
        The areas, from low to high.
    level : float
        Of confidence.
    title : Text or str
    mark : Text, optional
    """
    seen = (pairs["p_bh"] <= 1 - level).astype(int) + (pairs["p_maxt"] <= 1 - level)
    place = {area: at for at, area in enumerate(order)}
    matrix = np.zeros((len(place), len(place)))
    rows = pairs["area"].map(place).to_numpy(int)
    columns = pairs["other"].map(place).to_numpy(int)
    matrix[rows, columns] = seen
    matrix[columns, rows] = seen
    looks = [
        Look(_("max-t tells the order"), ACCENT, "s"),
        Look(_("Benjamini-Hochberg alone sees a difference"), "#a8c4de", "s"),
        Look(_("no order shows"), OPEN, "s"),
    ]
    body = Body(3.4, left=0.7, columns=(1, 1))
    heading = Heading(_text(title), mark or NOTHING)
    figure, grid = new_canvas(heading, body, legend=[bar(look) for look in looks])
    histogram, order_of = grid[0]
    histogram.hist(pairs["p"], bins=np.linspace(0, 1, 21), color=ACCENT)
    histogram.set_xlabel(str(_("p, not adjusted")))
    histogram.set_ylabel(str(_("pairs of areas")))
    histogram.spines[["top", "right"]].set_visible(False)
    colours = ListedColormap([look.colour for look in reversed(looks)])
    order_of.imshow(matrix, cmap=colours, vmin=0, vmax=2, interpolation="nearest")
    order_of.set_xticks([])
    order_of.set_yticks([])
    order_of.grid(visible=False)
    order_of.set_xlabel(str(_("areas, from low to high")))
    return figure


@themed
def bars_plot(
    values: Sequence[float],
    names: Sequence[str],
    *,
    title: Text | str,
    unit: Text | str,
    raised: Sequence[bool] | None = None,
    beside: Sequence[str] = (),
    mark: Text | None = None,
) -> Figure:
    """Draw one bar a row; rows that are raised are dark, and have words beside them.

    Parameters
    ----------
    values, names : sequences
    title, unit : Text or str
    raised : sequence of bool, optional
    beside : sequence of str, optional
    mark : Text, optional
    """
    written = [wrapped(name, NAME_COLUMNS) for name in names]
    right = breadth(beside) if any(beside) else 0.15
    heading = Heading(_text(title), mark or NOTHING)
    figure, grid = row_canvas(heading, written, 0.22, right=right)
    axes = grid[0, 0]
    colours = [ACCENT] * len(written)
    if raised is not None:
        colours = [BAD if is_raised else ACCENT for is_raised in raised]
    axes.barh(range(len(written)), values, height=0.66, color=colours, linewidth=0)
    for row, text in enumerate(beside):
        axes.text(1.02, row, text, transform=axes.get_yaxis_transform(), va="center", fontsize=8)
    label_rows(axes, written)
    axes.set_xlabel(str(unit))
    return figure


@themed
def scatter_plot(
    x: Sequence[float],
    y: Sequence[float],
    *,
    title: Text | str,
    units: tuple[Text | str, Text | str],
    mark: Text | None = None,
) -> Figure:
    """Draw one point a row of a table.

    Parameters
    ----------
    x, y : sequences
    title : Text or str
    units : tuple
        Of x, of y.
    mark : Text, optional
    """
    heading = Heading(_text(title), mark or NOTHING)
    figure, grid = new_canvas(heading, Body(2.6, left=0.7))
    axes = grid[0, 0]
    axes.scatter(x, y, **SMALL_POINT | {"s": 14})
    axes.set_xlabel(str(units[0]))
    axes.set_ylabel(str(units[1]))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _text(words: Text | str) -> Text:
    if isinstance(words, Text):
        return words
    return Text(words)
