"""Pictures of several waves: paths of ranks with their sets, and changes of scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from satisfaction.foundation.figures import signed, text_columns
from satisfaction.foundation.language import Text, _, ngettext
from satisfaction.publication.labels import label_of
from satisfaction.publication.plots.canvas import (
    BAD,
    FAINT,
    GOOD,
    INK,
    LATIN,
    MARGINAL_SET,
    MARKER,
    NOT_RANKED,
    ON_LIST,
    OPEN,
    POINT,
    Body,
    Heading,
    Look,
    Style,
    dots,
    draw_intervals,
    draw_marks,
    draw_points,
    drawn_in,
    legend_line,
    mark_of,
    name,
    names_of,
    panel_canvas,
    rank_or_not,
    rank_ticks,
    row_canvas,
    stacked,
    themed,
    used,
    wrapped,
)
from satisfaction.publication.plots.ranks import MARGINAL

MOST = 12
ACROSS = 3
PANEL = 2.1  # inches of a panel's width
PANEL_COLUMNS = 30
CHANGED = {
    "up": Look(_("up, beyond sampling error (BH)"), GOOD, "^"),
    "no": Look(_("not beyond sampling error"), OPEN, "o"),
    "down": Look(_("down, beyond sampling error (BH)"), BAD, "v"),
}
SHRUNK: Style = {
    "marker": "d",
    "color": "#ffffff",
    "s": 20,
    "edgecolor": INK,
    "linewidth": 0.9,
    "zorder": 4,
}
NO_SET: Style = {
    "s": 30,
    "facecolor": "none",
    "edgecolor": INK,
    "linewidth": 0.9,
    "zorder": 3,
}
HOLLOW: Style = {
    "marker": "o",
    "markerfacecolor": "none",
    "markeredgecolor": INK,
    "linestyle": "",
    "markersize": 5.5,
}


@themed
def rank_paths(paths: pd.DataFrame) -> Figure:
    """Draw ranks over the waves, a panel a unit, with their marginal sets: of the units on the list of the newest wave, then of
    those on that of the wave before it.

    Parameters
    ----------
    paths : DataFrame
        code, name_zh, name_en, wave, rank, marginal_low, marginal_high (missing where a wave published no sets), listed
        ("yes", "no", "tied"), mark; waves oldest first.
    """
    waves = list(dict.fromkeys(paths["wave"]))
    candidates = recently_listed(paths, waves)
    chosen = candidates[:MOST]
    path_of = {code: paths[paths["code"] == code] for code in chosen}
    titles = [path_head(path, waves[-1]) for path in path_of.values()]
    title = ngettext("Rank paths: {n} unit", "Rank paths: {n} units", len(chosen))
    if left_out := len(candidates) - len(chosen):
        title = _(
            "Rank paths: {n} units ({left_out} more not drawn)", n=len(chosen), left_out=left_out
        )
    note = _("Above each panel: rank [marginal set] in {wave}", wave=waves[-1])
    drawn = paths[paths["code"].isin(chosen)]
    legend = dots(used(ON_LIST, drawn["listed"], always=0))
    has_set = drawn["marginal_low"].notna()
    if has_set.any():
        legend.append(legend_line(MARGINAL_SET, **MARGINAL))
    if (drawn["rank"].notna() & ~has_set).any():
        legend.append(legend_line(_("hollow: a rank published without a set"), **HOLLOW))
    body = Body(1.25, left=0.42, columns=(1,) * ACROSS, gap=0.3, head=0.1)
    heading = Heading(title, mark_of(paths), note)
    figure, panels = panel_canvas(heading, titles, body, legend=legend, size=8)
    lowest = int(np.nanmax(paths[["rank", "marginal_high"]].to_numpy(float)))
    for place, (axes, path) in enumerate(zip(panels, path_of.values(), strict=True)):
        draw_path(axes, path.set_index("wave").reindex(waves))
        in_first_column = place % ACROSS == 0
        has_none_below = place + ACROSS >= len(chosen)
        frame_path(axes, waves, lowest=lowest, first=in_first_column, last=has_none_below)
    return figure


def recently_listed(paths: pd.DataFrame, waves: list[str]) -> list[str]:
    """Return the codes of units on the list of the newest wave, then of the one before, by rank; else all."""
    listed = paths[paths["listed"].isin(["yes", "tied"])]
    codes: list[str] = []
    for wave in waves[:-3:-1]:
        listed_then = listed[listed["wave"] == wave].sort_values("rank", kind="stable")
        codes += listed_then["code"].tolist()
    return list(dict.fromkeys(codes or paths["code"]))


def path_head(path: pd.DataFrame, wave: str) -> str:
    """Return a unit's name, and its rank in a wave with the set, or that there is none."""
    unit = name(path.iloc[-1], PANEL_COLUMNS)
    in_wave = path[path["wave"] == wave]
    if in_wave.empty:
        return f"{unit}\n{NOT_RANKED}"
    row = in_wave.iloc[0]
    rank = rank_or_not(row)
    has_set = pd.notna(row["marginal_low"])
    if pd.notna(row["rank"]) and not has_set:
        rank = str(_("{rank} (no set)", rank=rank))
    return f"{unit}\n{rank}"


def draw_path(axes: Axes, path: pd.DataFrame) -> None:
    """Draw one unit's ranks, one row a wave; a rank without a set is hollow."""
    at = np.arange(len(path))
    rank = path["rank"]
    low = path["marginal_low"].astype(float)
    high = path["marginal_high"].astype(float)
    axes.plot(at, rank.to_numpy(float), color=FAINT, linewidth=0.9)
    axes.vlines(at, low, high, **MARGINAL, zorder=2)
    is_ranked = rank.notna().to_numpy()
    has_set = low.notna().to_numpy()
    for word, look in ON_LIST.items():
        here = (path["listed"] == word).to_numpy() & is_ranked
        with_set = here & has_set
        without_set = here & ~has_set
        draw_marks(axes, at[with_set], rank[with_set], look=look)
        axes.scatter(at[without_set], rank[without_set], marker=look.marker, **NO_SET)


def frame_path(axes: Axes, waves: list[str], *, lowest: int, first: bool, last: bool) -> None:
    """Give a panel the axes all panels share: waves, and ranks with 1 on top."""
    edge = 0.7 + 0.03 * lowest
    axes.set_ylim(lowest + edge, 1 - edge)
    axes.set_xlim(-0.5, len(waves) - 0.5)
    # how many names of waves stand side by side in a panel
    room = PANEL / (LATIN * max(map(text_columns, waves)) + 0.12)
    step = -(-len(waves) // max(1, int(room)))
    shown = range((len(waves) - 1) % step, len(waves), step)
    ticks = [at for at in rank_ticks(lowest) if at == 1 or at - 1 > lowest / 9]  # the panel is low
    names = [""] * len(shown)
    if last:
        names = [waves[at] for at in shown]
    ranks = [""] * len(ticks)
    if first:
        ranks = [str(at) for at in ticks]
    axes.set_xticks(list(shown), names, fontsize=8)
    axes.set_yticks(ticks, ranks, fontsize=8)
    axes.tick_params(length=0)
    axes.spines[["top", "right"]].set_visible(False)


@themed
def change_plot(changes: pd.DataFrame) -> Figure:
    """Draw every unit's change of score relative to the mean change, largest first: raw with its interval, and shrunk.

    Parameters
    ----------
    changes : DataFrame
        code, name_zh, name_en, change, ci_low, ci_high, significant (after Benjamini-Hochberg), shrunk, mark; optionally unit
        ("points 0-100" or "share 0-1").
    """
    rows = changes.sort_values("change", ascending=False, kind="stable", ignore_index=True)
    drawn = drawn_in(rows)
    change = rows["change"] * drawn.factor
    shrunk = rows["shrunk"] * drawn.factor
    names = names_of(rows)
    numbers = []
    for raw, towards_whole in zip(change, shrunk, strict=True):
        numbers.append(f"{signed(raw)} → {signed(towards_whole)}")
    beyond = int(rows["significant"].sum())
    title = _(
        "Change of score: {beyond} of {n} units beyond sampling error (Benjamini-Hochberg)",
        beyond=beyond,
        n=len(rows),
    )
    unit = _("change relative to the mean of all units ({unit})", unit=drawn.difference)
    diamond = legend_line(_("shrunk change"), color="white", marker="d", **MARKER)
    legend = [*dots(CHANGED.values()), diamond]
    heading = Heading(title, mark_of(rows))
    figure, [axes] = row_canvas(heading, names, 0.185, beside=numbers, legend=legend)
    draw_intervals(axes, rows, scale=drawn.factor)
    beyond_error = rows["significant"].to_numpy(bool)
    is_up = beyond_error & (rows["change"] > 0)
    is_down = beyond_error & (rows["change"] < 0)
    way = np.select([is_up, is_down], ["up", "down"], "no")
    draw_points(axes, change, way, looks=CHANGED)
    axes.scatter(shrunk, rows.index, **SHRUNK)
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    axes.set_xlabel(stacked(unit, _("on the right: raw change → shrunk change")))
    return figure


BESIDE_OFFICIAL = {
    "up": Look(_("trial, higher beyond sampling error (BH)"), GOOD, "^"),
    "no": Look(_("trial, not beyond sampling error"), OPEN, "o"),
    "down": Look(_("trial, lower beyond sampling error (BH)"), BAD, "v"),
    "not tested": Look(_("trial, not tested"), OPEN, "D"),
}


@themed
def trial_plot(differences: pd.DataFrame, *, mark: Text) -> Figure:
    """Draw every measure of one area in the official survey and in a trial, and their difference.

    Parameters
    ----------
    differences : DataFrame
        Of one area: name_zh, name_en, measure_zh, measure_en, unit ("points 0-100" or "share 0-1"), official, trial,
        difference, ci_low, ci_high, beyond_error ("yes", "no", "not tested"). At least one row.
    mark : Text
        What must be said of the samples.
    """
    rows = differences.reset_index(drop=True)
    factor = np.where(rows["unit"] == "share 0-1", 100, 1)
    official = rows["official"] * factor
    trial = rows["trial"] * factor
    difference = rows["difference"] * factor
    names = [wrapped(str(label_of(row, "measure")), 30) for row in rows.to_dict("records")]
    written = [signed(value) for value in difference]
    if rows["ci_low"].notna().any():
        limits = zip(rows["ci_low"] * factor, rows["ci_high"] * factor, strict=True)
        written = [
            f"{text} ({signed(low)} – {signed(high)})" if np.isfinite(low) else text
            for text, (low, high) in zip(written, limits, strict=True)
        ]
    word = rows["beyond_error"].to_numpy(object)
    word = np.where((word == "yes") & (difference > 0), "up", word)
    word = np.where(word == "yes", "down", word)
    area = label_of(rows.iloc[0], "name")
    heading = Heading(_("{name}: trial beside the official survey", name=area), mark)
    legend = [legend_line(_("official survey"), **HOLLOW)]
    legend += dots(used(BESIDE_OFFICIAL, word, always=0))
    figure, [axes] = row_canvas(heading, names, 0.3, beside=written, legend=legend)
    axes.hlines(rows.index, official, trial, color=FAINT, linewidth=1.2, zorder=1)
    axes.scatter(official, rows.index, marker="o", **(POINT | {"color": "white"}))
    draw_points(axes, trial, word, looks=BESIDE_OFFICIAL)
    axes.set_xlabel(
        stacked(
            _("rates in percent, scores and indices in points"),
            _("on the right: trial minus official, with its interval where it is tested"),
        )
    )
    return figure
