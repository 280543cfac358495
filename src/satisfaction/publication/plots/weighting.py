"""Pictures of weighting recipes side by side: what they do to weights, to areas, and to the list."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from satisfaction.foundation.language import Text, _
from satisfaction.publication.labels import recipe_words
from satisfaction.publication.plots.canvas import (
    ACCENT,
    ALERT,
    BAD,
    GOOD,
    INK,
    NEUTRAL,
    POINT,
    Body,
    Heading,
    Look,
    breadth,
    dots,
    label_rows,
    legend_line,
    mark_of,
    name,
    new_canvas,
    rank_ticks,
    row_height,
    themed,
    wrapped,
)

MOVED = {
    "enters": Look(_("enters the list"), BAD, "s"),
    "leaves": Look(_("leaves the list"), GOOD, "o"),
    "": Look(_("as before"), NEUTRAL, "o"),
}
RANGE: dict[str, Any] = {"color": ACCENT, "linewidth": 1.4, "alpha": 0.75}
MOST_NAMED = 4  # areas written beside a recipe
NAME_COLUMNS = 34


@themed
def recipes_plot(table: pd.DataFrame, areas: pd.DataFrame) -> Figure:
    """Draw recipes, a row each: range of weights, effective sample size, shifts of areas; who enters or leaves the list.

    Parameters
    ----------
    table, areas : DataFrame
        As `comparison.recipes.set_side_by_side` returns them; the first recipe is the declared one.
    """
    names = [wrapped(name_of, NAME_COLUMNS) for name_of in _recipe_names(table["recipe"])]
    beside = [_moved_areas(areas[areas["recipe"] == recipe]) for recipe in table["recipe"]]
    height = row_height([*names, *beside], 0.42) * len(names) + 0.1
    title = _("{n} weighting recipes on the same answers", n=len(table))
    note = _(
        "Left: weights over their mean, lowest to highest; the dot is the effective sample size as a share of "
        "the respondents. Right: one point an area, how far its estimate moves in its standard errors."
    )
    figure, grid = new_canvas(
        Heading(title, _mark(areas), note),
        Body(height, left=breadth(names), right=breadth(beside), columns=(1, 0.6, 1.2)),
        legend=dots(MOVED.values()),
    )
    rows = np.arange(len(table))
    spread, size, shifts = grid[0]
    spread.hlines(rows, table["low"], table["high"], **RANGE)
    spread.axvline(1, color=INK, linewidth=0.8)
    spread.set_xlabel(str(_("weight / mean")))
    share = table["effective_n"] / table["respondents"]
    size.scatter(share, rows, color=ACCENT, **POINT)
    size.set_xlim(0, 1.05)
    size.set_xlabel(str(_("effective n / n")))
    for row, recipe in enumerate(table["recipe"]):
        of_recipe = areas[areas["recipe"] == recipe]
        for word, look in MOVED.items():
            shift = of_recipe.loc[of_recipe["moved"] == word, "shift_in_se"]
            at = np.full(len(shift), row)
            shifts.scatter(shift, at, marker=look.marker, color=look.colour, **POINT)
    shifts.axvline(0, color=ALERT, linewidth=0.8)
    shifts.set_xlabel(str(_("shift / standard error")))
    label_rows(spread, names)
    label_rows(size, [""] * len(names))
    label_rows(shifts, [""] * len(names))
    for row, text in enumerate(beside):
        at_row = {"transform": shifts.get_yaxis_transform(), "va": "center", "fontsize": 7.5}
        shifts.text(1.03, row, text, **at_row)
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
    height = max(row_height(names, 0.3), 0.1 * len(recipes) + 0.14) * len(names) + 0.1
    # the declared one dark, trials after it
    palette = [INK, ACCENT, BAD, GOOD, "#c58b5a", ALERT, NEUTRAL]
    colours = [palette[place % len(palette)] for place in range(len(recipes))]
    legend = []
    for label, colour in zip(_recipe_names(recipes), colours, strict=True):
        legend.append(legend_line(label, color=colour, marker="o", markersize=4))
    title = _("Ranks and their sets under {n} weighting recipes", n=len(recipes))
    note = _("Line: rank set for one named area. Top to bottom of a block: in the order above.")
    figure, grid = new_canvas(
        Heading(title, _mark(areas), note), Body(height, left=breadth(names)), legend=legend
    )
    axes = grid[0, 0]
    step = 0.8 / len(recipes)
    for place, (recipe, colour) in enumerate(zip(recipes, colours, strict=True)):
        rows = chosen[chosen["recipe"] == recipe].set_index("code").loc[codes]
        at = np.arange(len(codes)) + (place - (len(recipes) - 1) / 2) * step
        low = rows["marginal_low"].astype(float)
        high = rows["marginal_high"].astype(float)
        axes.hlines(at, low, high, color=colour, linewidth=1.4)
        axes.scatter(rows["rank"].astype(float), at, color=colour, s=12, zorder=3)
    label_rows(axes, names)
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
        lines.append(f"{sign} {name(row, NAME_COLUMNS)}")
    rest = len(moved) - MOST_NAMED
    if rest > 0:
        lines.append(f"… +{rest}")
    return "\n".join(lines)
