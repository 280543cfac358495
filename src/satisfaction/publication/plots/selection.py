"""Picture of the answering odds at which areas would cross the cut of the list."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from satisfaction.foundation.language import _
from satisfaction.publication.plots.canvas import (
    ACCENT,
    INK,
    NEUTRAL,
    POINT,
    Heading,
    Look,
    dot,
    label_rows,
    mark_of,
    names_of,
    row_canvas,
    stacked,
    themed,
)
from satisfaction.ranking.answering_odds import LARGEST

TICKS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
ALONE = Look(_("in this area alone"), ACCENT, "o")
ALIKE = Look(_("in all areas alike"), NEUTRAL, "D")
SHOWN = 30
"""Areas of a picture: those nearest the cut."""


def nearest_to_the_cut(odds: pd.DataFrame, most: int = SHOWN) -> pd.DataFrame:
    """Return the areas that the smallest odds move, in rank order; those that nothing moves come last."""
    distance = np.log(odds["odds_alone"]).abs()
    nearest = distance.sort_values(kind="stable").index[:most]
    return odds.loc[sorted(nearest)].reset_index(drop=True)


@themed
def odds_at_the_cut(odds: pd.DataFrame) -> Figure:
    """Draw for each area the odds of answering at which it leaves or enters the list: alone, and all alike.

    Parameters
    ----------
    odds : DataFrame
        code, name_zh, name_en, listed, odds_alone, odds_alike (missing: none from 1/10 to 10), mark; in rank order. At least
        one row; of many areas those nearest the cut are drawn.
    """
    rows = nearest_to_the_cut(odds)
    names = []
    for name, listed in zip(names_of(rows), rows["listed"], strict=True):
        names.append(str(_("{name} (on the list)", name=name)) if listed == "yes" else name)
    title = _("How much likelier must the satisfied be to answer for an area to cross the cut?")
    note = _("Right of 1 the satisfied are likelier to answer, left of 1 all others are.")
    legend = [dot(ALONE), dot(ALIKE)]
    figure, grid = row_canvas(Heading(title, mark_of(rows), note), names, 0.2, legend=legend)
    axes = grid[0, 0]
    label_rows(axes, names)
    _draw(axes, rows["odds_alone"], ALONE)
    _draw(axes, rows["odds_alike"], ALIKE)
    axes.axvline(1.0, color=INK, linewidth=1.0, zorder=1)
    axes.set_xscale("log")
    axes.set_xlim(1 / LARGEST / 1.1, LARGEST * 1.1)
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.minorticks_off()
    of_axis = _("odds of answering, the satisfied over all others")
    axes.set_xlabel(stacked(of_axis, _("without a mark: nothing from 1/10 to 10 moves the area")))
    return figure


def _draw(axes: Axes, odds: pd.Series[Any], look: Look) -> None:
    known = odds.notna().to_numpy()
    rows = np.flatnonzero(known)
    axes.scatter(odds[known], rows, marker=look.marker, color=look.colour, **POINT)
