"""Pictures of the published tables in the current language: seaborn's theme, a font that knows Chinese, no global state.

Every function takes the tables of `published` and returns a matplotlib Figure that belongs to nobody else. Colours of
statuses and verdicts differ in lightness too and come with a marker or hatch of their own, so they survive colour-blindness
and grey printing. `canvas` is the sheet, what a row is called and how it looks.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from satisfaction.publication.plots.areas import performance_plot, rates_by_area, tile_map, topics
from satisfaction.publication.plots.canvas import (
    COMPARED,
    STATUS,
    VERDICT,
    Heading,
    bars,
    svg,
    theme,
)
from satisfaction.publication.plots.ranks import (
    contribution_bars,
    difference_plot,
    difference_table,
    list_shares,
    odds_at_the_cut,
    pair_matrix,
    probability_near_cut,
    ranking_ladder,
    sets_on_a_line,
)
from satisfaction.publication.plots.strips import (
    bars_plot,
    intervals_plot,
    pairs_plot,
    points_plot,
    scatter_plot,
    steps_plot,
    weights_plot,
)
from satisfaction.publication.plots.verdicts import target_board, threshold_plot
from satisfaction.publication.plots.waves import change_plot, rank_paths, trial_plot

__all__ = [
    "COMPARED",
    "STATUS",
    "VERDICT",
    "Figure",
    "Heading",
    "bars",
    "bars_plot",
    "change_plot",
    "contribution_bars",
    "difference_plot",
    "difference_table",
    "intervals_plot",
    "list_shares",
    "odds_at_the_cut",
    "pair_matrix",
    "pairs_plot",
    "performance_plot",
    "points_plot",
    "probability_near_cut",
    "rank_paths",
    "ranking_ladder",
    "rates_by_area",
    "scatter_plot",
    "sets_on_a_line",
    "steps_plot",
    "svg",
    "target_board",
    "theme",
    "threshold_plot",
    "tile_map",
    "topics",
    "trial_plot",
    "weights_plot",
]
