"""Pictures of what a rule decides for each unit: targets and thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from satisfaction.foundation.figures import estimate_text, p_value, text_columns
from satisfaction.foundation.language import Text, _, comma_list, semicolon_list
from satisfaction.publication.labels import label_of
from satisfaction.publication.plots.canvas import (
    ALERT,
    NAME_COLUMNS,
    POINT,
    SMALL,
    STATUS,
    VERDICT,
    WIDTH,
    Body,
    Heading,
    Look,
    Style,
    breadth,
    columns_in,
    dots,
    draw_intervals,
    draw_points,
    has_intervals,
    label_rows,
    legend_line,
    mark_of,
    name,
    names_of,
    panel_canvas,
    row_canvas,
    row_height,
    stacked,
    themed,
    used,
    wrapped,
    write_right,
)
from satisfaction.publication.plots.ranks import draw_probabilities

BELOW = {
    "established": STATUS["established"]._replace(label=_("established below")),
    "possible": STATUS["possible"],
    "excluded": STATUS["excluded"]._replace(label=_("excluded below")),
}
LINE: Style = {"color": ALERT, "linewidth": 1.1, "linestyle": "--"}
BESIDE = 0.6  # inches between bars and verdicts, for the number of a full bar


@themed
def target_board(targets: pd.DataFrame) -> Figure:
    """Draw one row a target: its probability as a bar with the number, and its verdict with the p-value.

    Parameters
    ----------
    targets : DataFrame
        code, name_zh, name_en, target, target_zh, verdict ("met", "not met", "not decidable", "not ranked"), verdict_zh,
        p_met, p_not_met (one-sided), probability (0-1; missing where there is none), mark; in the order to be drawn. At least
        one row.
    """
    rows = targets.reset_index(drop=True)
    records = rows.to_dict("records")
    names = [name_with_target(row) for row in records]
    verdicts = [verdict_with_p(row) for row in records]
    title = _(
        "Targets: {n}; met {met}, not decidable {open}",
        n=len(rows),
        met=int((rows["verdict"] == "met").sum()),
        open=int((rows["verdict"] == "not decidable").sum()),
    )
    legend = dots(used(VERDICT, rows["verdict"]))
    right = breadth(verdicts) + BESIDE + 0.1
    heading = Heading(title, mark_of(rows))
    figure, [axes] = row_canvas(heading, names, 0.28, right=right, legend=legend)
    looks = [VERDICT[verdict] for verdict in rows["verdict"]]
    draw_probabilities(axes, rows["probability"], looks)
    draw_verdicts(axes, looks, verdicts)
    of_model = _(
        "probability of being met under one model (empirical Bayes, this wave alone), not a proof"
    )
    axes.set_xlabel(stacked(of_model, _("on the right: verdict")))
    return figure


def name_with_target(row: Any) -> str:
    """Return whose target it is and what it asks; what it asks goes to a line of its own where one line is too short."""
    target = Text.of(row["target_zh"], row["target"])
    whole = str(_("{name}: {target}", name=label_of(row, "name"), target=target))
    if text_columns(whole) <= NAME_COLUMNS:
        return whole
    return f"{name(row)}\n{wrapped(str(target), NAME_COLUMNS)}"


def verdict_with_p(row: Any) -> str:
    """Return a verdict with the smaller of the two one-sided p-values, which decides it."""
    verdict = VERDICT[row["verdict"]].label
    if pd.isna(row["p_met"]):
        return str(verdict)
    p = p_value(min(row["p_met"], row["p_not_met"]))
    if p[0] not in "<>":
        p = f"= {p}"
    return str(_("{verdict}, p {p}", verdict=verdict, p=p))


def draw_verdicts(axes: Axes, looks: Sequence[Look], verdicts: Sequence[str]) -> None:
    """Write one verdict a row to the right of the axes, behind its marker."""
    width = axes.get_position().width * WIDTH
    at_marker = 1 + BESIDE / width
    at_text = 1 + (BESIDE + 0.12) / width
    beside: Style = {"transform": axes.get_yaxis_transform()}
    for row, (look, verdict) in enumerate(zip(looks, verdicts, strict=True)):
        style = POINT | beside | {"clip_on": False}
        axes.scatter(at_marker, row, marker=look.marker, color=look.colour, **style)
        axes.text(at_text, row, verdict, va="center", fontsize=SMALL, **beside)


@themed
def threshold_plot(thresholds: pd.DataFrame) -> Figure:
    """Draw every unit's estimate with its interval beside a threshold, largest first; one panel a threshold.

    Parameters
    ----------
    thresholds : DataFrame
        code, name_zh, name_en, threshold, estimate, ci_low, ci_high, status ("established", "possible", "excluded": being
        below), measure, measure_zh, measure_en, mark; a threshold of at most 1 is a share. At least one row.
    """
    panels = []
    for _value, rows in thresholds.groupby(["measure", "threshold"], sort=False):
        ordered = rows.sort_values("estimate", ascending=False, kind="stable", ignore_index=True)
        panels.append(ordered)
    longest = max(map(len, panels))
    names = [names_of(rows) for rows in panels]
    every_name = [name for of_panel in names for name in of_panel]
    left = breadth(every_name)
    titles = [wrapped(str(panel_title(rows)), columns_in(WIDTH - left - 0.1)) for rows in panels]
    title = _("Thresholds: every unit's estimate beside the threshold")
    if has_intervals(thresholds):
        title = _("Thresholds: every unit's estimate and interval beside the threshold")
    height = row_height(every_name, 0.185) * longest + 0.1
    body = Body(height, left=left, right=0.6, gap=0.55, head=0.12)
    line = legend_line(_("threshold"), **LINE)
    legend = [*dots(BELOW.values()), line]
    heading = Heading(title, mark_of(thresholds))
    figure, all_axes = panel_canvas(heading, titles, body, legend=legend)
    for axes, rows, of_panel in zip(all_axes, panels, names, strict=True):
        draw_threshold(axes, rows)
        label_rows(axes, [*of_panel, *[""] * (longest - len(rows))])
    return figure


def is_share(rows: pd.DataFrame) -> bool:
    """Tell whether the figures beside a threshold are drawn in percent: one of at most 1 is a share."""
    return bool(rows["threshold"].iloc[0] <= 1)


def panel_title(rows: pd.DataFrame) -> Text:
    """Return what a panel is about, with the number of units in each status."""
    threshold = float(rows["threshold"].iloc[0])
    limit = _("threshold {limit:g} points", limit=threshold)
    if is_share(rows):
        limit = _("threshold {limit:g}%", limit=threshold * 100)
    measure = label_of(rows.iloc[0], "measure")
    counts = []
    for status, look in BELOW.items():
        n = int((rows["status"] == status).sum())
        counts.append(_("{status} {n}", status=look.label, n=n))
    of_measure = _("{measure}: {limit}", measure=measure, limit=limit)
    return semicolon_list([of_measure, comma_list(counts)])


def draw_threshold(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw estimates and intervals of one threshold, and its line."""
    scale = 100 if is_share(rows) else 1
    estimates = rows["estimate"] * scale
    draw_intervals(axes, rows, scale=scale)
    draw_points(axes, estimates, rows["status"], looks=BELOW)
    axes.axvline(rows["threshold"].iloc[0] * scale, zorder=2, **LINE)
    write_right(axes, [estimate_text(value, "") for value in estimates], size=7.5)
    axes.xaxis.set_major_formatter("{x:g}%" if is_share(rows) else "{x:g}")
    axes.set_xlabel(str(_("estimate")))
    if has_intervals(rows):
        drawn = _("estimate with its two-sided confidence interval")
        axes.set_xlabel(stacked(drawn, _("the status is decided by a one-sided test")))
