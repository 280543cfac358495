"""Pictures of the working notebooks: points and intervals in rows, all pairs of areas, weighting recipes side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from satisfaction.foundation.language import Text, _
from satisfaction.publication.labels import recipe_words
from satisfaction.publication.plots.canvas import (
    ACCENT,
    ALERT,
    BAD,
    GOOD,
    INK,
    INTERVAL_LINE,
    LIMIT,
    NEUTRAL,
    OPEN,
    POINT,
    Body,
    Heading,
    Look,
    Style,
    bar,
    dots,
    draw_intervals,
    draw_marks,
    draw_points,
    legend_line,
    mark_of,
    name,
    new_canvas,
    rank_ticks,
    row_canvas,
    themed,
    wrapped,
)

SMALL_POINT: Style = {"color": ACCENT, "s": 9, "alpha": 0.55, "linewidth": 0, "zorder": 3}
SPREAD = 0.6  # of a row's height, for points that would lie on one another
GOLDEN = 0.618034
MIDDLE: Style = {"color": ACCENT, "linewidth": 7, "alpha": 0.55, "capstyle": "butt"}
ENDS: Style = {"color": ACCENT, "s": 14, "marker": "|", "linewidth": 1}
SHOWS = {
    True: Look(_("a difference shows"), BAD, "s"),
    False: Look(_("no difference shows"), NEUTRAL, "o"),
}
NAME_COLUMNS = 40
MOVED = {
    "enters": Look(_("enters the list"), BAD, "s"),
    "leaves": Look(_("leaves the list"), GOOD, "o"),
    "": Look(_("as before"), NEUTRAL, "o"),
}
MOST_NAMED = 4  # areas written beside a recipe
RECIPE_COLUMNS = 34
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
    """
    names = [wrapped(name, NAME_COLUMNS) for name in rows]
    figure, [axes] = row_canvas(Heading(title, mark), names, 0.5)
    for row, values in enumerate(rows.values()):
        drawn = np.asarray(values, dtype=float)
        # beside one another, the same at every drawing
        beside = (np.arange(len(drawn)) * GOLDEN % 1 - 0.5) * SPREAD
        axes.scatter(drawn, row + beside, **SMALL_POINT)
    axes.axvline(line, **LIMIT)
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
    heading = Heading(title, mark, note)
    figure, [relative, factors] = row_canvas(heading, written, 0.42, columns=(1, 1))
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
    return figure


def _draw_spread(axes: Axes, row: int, values: pd.Series[float]) -> None:
    positive = values[values > 0]
    if positive.empty:
        return
    low, first, middle, third, high = positive.quantile([0.01, 0.25, 0.5, 0.75, 0.99])
    axes.hlines(row, low, high, **INTERVAL_LINE)
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
    looks = {}
    for place, (step, title_of_step) in enumerate(steps.items()):
        looks[step] = Look(
            Text(title_of_step), STEPS[place % len(STEPS)], MARKERS[place % len(MARKERS)]
        )
    title = _("What each step does to the results of all areas together")
    note = _("A move beyond 1 standard error (dashed) deserves a sentence in the report.")
    heading = Heading(title, mark, note)
    figure, [axes] = row_canvas(heading, written, 0.3, legend=dots(looks.values()))
    for step, look in looks.items():
        of_step = effects[effects["step"] == step]
        at = of_step["measure"].map(rows.index)
        draw_marks(axes, of_step["difference / se"], at, look=look)
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    for side in (-1, 1):
        axes.axvline(side, **LIMIT)
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
    """
    rows = table.reset_index(drop=True)
    written = [wrapped(name, NAME_COLUMNS) for name in names]
    legend = dots(SHOWS.values()) if shows is not None else []
    figure, [axes] = row_canvas(Heading(title, mark), written, 0.185, legend=legend)
    draw_intervals(axes, rows)
    if shows is None:
        axes.scatter(rows[center], rows.index, color=ACCENT, **POINT)
    else:
        looks = {str(word): look for word, look in SHOWS.items()}
        draw_points(axes, rows[center], np.asarray(shows).astype(str), looks=looks)
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
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
    figure, grid = new_canvas(Heading(title, mark), body, legend=[bar(look) for look in looks])
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
    mark: Text | None = None,
) -> Figure:
    """Draw one bar a row; rows that are raised are dark.

    Parameters
    ----------
    values, names : sequences
    title, unit : Text or str
    raised : sequence of bool, optional
    mark : Text, optional
    """
    written = [wrapped(name, NAME_COLUMNS) for name in names]
    figure, [axes] = row_canvas(Heading(title, mark), written, 0.22)
    colours = [ACCENT] * len(written)
    if raised is not None:
        colours = [BAD if is_raised else ACCENT for is_raised in raised]
    axes.barh(range(len(written)), values, height=0.66, color=colours, linewidth=0)
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
    figure, grid = new_canvas(Heading(title, mark), Body(2.6, left=0.7))
    axes = grid[0, 0]
    axes.scatter(x, y, **SMALL_POINT | {"s": 14})
    axes.set_xlabel(str(units[0]))
    axes.set_ylabel(str(units[1]))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


@themed
def recipes_plot(table: pd.DataFrame, areas: pd.DataFrame) -> Figure:
    """Draw recipes, a row each: range of weights, effective sample size, shifts of areas; who enters or leaves the list.

    Parameters
    ----------
    table, areas : DataFrame
        As `comparison.recipes.set_side_by_side` returns them; the first recipe is the declared one.
    """
    names = [wrapped(name_of, RECIPE_COLUMNS) for name_of in _recipe_names(table["recipe"])]
    beside = [_moved_areas(areas[areas["recipe"] == recipe]) for recipe in table["recipe"]]
    title = _("{n} weighting recipes on the same answers", n=len(table))
    note = _(
        "Left: weights over their mean, lowest to highest; the dot is the effective sample size as a share of "
        "the respondents. Right: one point an area, how far its estimate moves in its standard errors."
    )
    figure, [spread, size, shifts] = row_canvas(
        Heading(title, _mark(areas), note),
        names,
        0.42,
        beside=beside,
        columns=(1, 0.6, 1.2),
        legend=dots(MOVED.values()),
    )
    rows = np.arange(len(table))
    spread.hlines(rows, table["low"], table["high"], **INTERVAL_LINE)
    spread.axvline(1, color=INK, linewidth=0.8)
    spread.set_xlabel(str(_("weight / mean")))
    share = table["effective_n"] / table["respondents"]
    size.scatter(share, rows, color=ACCENT, **POINT)
    size.set_xlim(0, 1.05)
    size.set_xlabel(str(_("effective n / n")))
    in_rows = areas.set_index(areas["recipe"].map(list(table["recipe"]).index))
    draw_points(shifts, in_rows["shift_in_se"], in_rows["moved"], looks=MOVED)
    shifts.axvline(0, color=ALERT, linewidth=0.8)
    shifts.set_xlabel(str(_("shift / standard error")))
    return figure


@themed
def rank_sets_plot(areas: pd.DataFrame, *, codes: list[str]) -> Figure:
    """Draw ranks with their sets under every recipe, a block of rows an area.

    Parameters
    ----------
    areas : DataFrame
        As `comparison.recipes.set_side_by_side` returns them.
    codes : list of str
        The areas to draw, from top to bottom.
    """
    recipes = list(dict.fromkeys(areas["recipe"]))
    chosen = areas[areas["code"].isin(codes)]
    first = chosen[chosen["recipe"] == recipes[0]].set_index("code").loc[codes]
    names = [name(row) for row in first.reset_index().to_dict("records")]
    # the declared one dark, trials after it
    palette = [INK, ACCENT, BAD, GOOD, "#c58b5a", ALERT, NEUTRAL]
    colours = [palette[place % len(palette)] for place in range(len(recipes))]
    legend = []
    for label, colour in zip(_recipe_names(recipes), colours, strict=True):
        legend.append(legend_line(label, color=colour, marker="o", markersize=4))
    title = _("Ranks and their sets under {n} weighting recipes", n=len(recipes))
    note = _("Line: rank set for one named area. Top to bottom of a block: in the order above.")
    least = max(0.3, 0.1 * len(recipes) + 0.14)
    figure, [axes] = row_canvas(Heading(title, _mark(areas), note), names, least, legend=legend)
    step = 0.8 / len(recipes)
    for place, (recipe, colour) in enumerate(zip(recipes, colours, strict=True)):
        rows = chosen[chosen["recipe"] == recipe].set_index("code").loc[codes]
        at = np.arange(len(codes)) + (place - (len(recipes) - 1) / 2) * step
        low = rows["marginal_low"].astype(float)
        high = rows["marginal_high"].astype(float)
        axes.hlines(at, low, high, color=colour, linewidth=1.4)
        axes.scatter(rows["rank"].astype(float), at, color=colour, s=12, zorder=3)
    axes.set_xlabel(str(_("rank")))
    axes.set_xticks(rank_ticks(int(areas["rank"].max())))
    return figure


def _recipe_names(recipes: Iterable[str]) -> list[str]:
    """Return what recipes are called in a picture; the first one is what survey.yaml declares."""
    tried = [str(recipe_words(name)) for name in list(recipes)[1:]]
    return [str(_("declared recipe")), *tried]


def _mark(areas: pd.DataFrame) -> Text:
    """Return what must be said of a picture that holds trials: what the last of them says."""
    return mark_of(areas.iloc[[-1]])


def _moved_areas(areas: pd.DataFrame) -> str:
    """Name the areas that enter or leave the list, a line each; the rest counted."""
    moved = areas[areas["moved"] != ""]
    lines = []
    for row in moved.head(MOST_NAMED).to_dict("records"):
        sign = "+" if row["moved"] == "enters" else "−"
        lines.append(f"{sign} {name(row, RECIPE_COLUMNS)}")
    rest = len(moved) - MOST_NAMED
    if rest > 0:
        lines.append(f"… +{rest}")
    return "\n".join(lines)
