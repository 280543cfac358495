"""Pictures of one ranking: the ladder of ranks with their sets, the probability of the list, the odds of answering at its cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from scipy import special

from satisfaction.declarations.combined import COMBINED
from satisfaction.foundation.errors import RankingError, one_of
from satisfaction.foundation.figures import confidence, probability
from satisfaction.foundation.language import Text, _
from satisfaction.publication.labels import label_of, published_levels
from satisfaction.publication.plots.canvas import (
    ACCENT,
    AS_POINTS,
    BESIDE_BAR,
    COMPARED,
    CUT,
    INK,
    INTERVAL_LINE,
    MARGINAL_SET,
    NEUTRAL,
    OPEN,
    RANK_WITH_SET,
    SIMULTANEOUS_SET,
    SMALL,
    WIDTH,
    Body,
    Heading,
    Look,
    Style,
    bar,
    breadth,
    cut_line,
    cuts,
    dots,
    draw_cuts,
    draw_intervals,
    draw_marks,
    draw_points,
    drawn_in,
    label_rows,
    legend_line,
    mark_of,
    names_of,
    new_canvas,
    rank_labels,
    rank_ticks,
    row_canvas,
    row_height,
    stacked,
    status_looks,
    themed,
    used,
    write_right,
)
from satisfaction.ranking.answering_odds import LARGEST
from satisfaction.ranking.critical_values import critical_value, t_critical
from satisfaction.ranking.drawn import drawn_reach
from satisfaction.ranking.pairs import Bools, Floats, Ints, Order, Pairs, spread_of
from satisfaction.ranking.rank import Ranking
from satisfaction.ranking.sets import tukey_critical
from satisfaction.sampling.design import NO_ERROR

NEAR = 20
HATCHES = ("", "///", "..", "xx", "--")
MARGINAL: Style = {"color": "#4d5863", "linewidth": 3}
SIMULTANEOUS: Style = {"color": "#8a949e", "linewidth": 0.9}
LIGHT = "#e3e7eb"


@themed
def ranking_ladder(ranking: pd.DataFrame, indices: pd.DataFrame) -> Figure:
    """Draw all units in rank order: estimate with interval, rank with its marginal and simultaneous set, and the cut.

    Parameters
    ----------
    ranking, indices : DataFrame
        As `published.ranking_table` and `published.indices_table` return them.
    """
    of_level = indices[indices["level"] == published_levels(indices)[0]]
    of_measure = of_level[of_level["measure"] == ranking["measure"].iloc[0]]
    estimates = of_measure[["code", "ci_low", "ci_high", "kind", "measure_zh", "measure_en"]]
    rows = ranking.merge(estimates, on="code", how="left")
    names = names_of(rows)
    legend: list[Artist] = [*dots(used(status_looks(rows), rows["status"]))]
    title = _("Ranks by the estimates alone; how certain they are is unknown")
    if rows["marginal_low"].notna().any():
        title = _("Ranking ladder: every rank with its sets")
        legend.append(legend_line(MARGINAL_SET, **MARGINAL))
        legend.append(legend_line(SIMULTANEOUS_SET, **SIMULTANEOUS))
    legend.append(cut_line())
    heading = Heading(title, mark_of(ranking))
    figure, [scores, ladder] = row_canvas(
        heading, names, 0.185, beside=rank_labels(rows), columns=(1, 1.5), legend=legend
    )
    draw_scores(scores, rows)
    draw_ladder(ladder, rows)
    for axes in (scores, ladder):
        tens = np.arange(9.5, len(rows) - 1, 10)
        axes.hlines(tens, *axes.get_xlim(), color=LIGHT, linewidth=0.8, zorder=0.5)
        draw_cuts(axes, rows)
    return figure


@themed
def contribution_bars(ranking: pd.DataFrame, scores: pd.DataFrame) -> Figure:
    """Draw the combined score of all units in rank order as a sum of what its components contribute.

    Parameters
    ----------
    ranking, scores : DataFrame
        As `ranking_table.ranking_table` and `combined.scores_table` return them.
    """
    rows = ranking[ranking["estimate"].notna()].reset_index(drop=True)
    components = scores[(scores["component"] != COMBINED) & scores["code"].isin(rows["code"])]
    by_area = components.pivot_table(index="code", columns="component", values="contribution")
    shown = components.drop_duplicates("component").to_dict("records")
    greys = np.linspace(0.25, 0.85, len(shown))
    looks: list[Look] = []
    for row, grey in zip(shown, greys, strict=True):
        label = label_of(row, "component")
        looks.append(
            Look(label, str(round(float(grey), 3)), "", HATCHES[len(looks) % len(HATCHES)])
        )
    title = _("Combined score: what each component contributes")
    heading = Heading(title, mark_of(ranking))
    legend = [*(bar(look) for look in looks), cut_line()]
    figure, [axes] = row_canvas(
        heading, names_of(rows), 0.185, beside=rank_labels(rows), legend=legend
    )
    start = np.zeros(len(rows))
    for row, look in zip(shown, looks, strict=True):
        widths = by_area[row["component"]].reindex(rows["code"]).to_numpy(float)
        style: Style = {"color": look.colour, "edgecolor": INK, "hatch": look.hatch}
        axes.barh(rows.index, widths, left=start, height=0.75, linewidth=0.3, **style)
        start = start + widths
    draw_cuts(axes, rows)
    unit = AS_POINTS.level
    axes.set_xlabel(str(_("{measure} ({unit})", measure=_("combined score"), unit=unit)))
    return figure


def draw_scores(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw estimates with their intervals, by status."""
    drawn = drawn_in(rows)
    draw_intervals(axes, rows, scale=drawn.factor)
    draw_points(axes, rows["estimate"] * drawn.factor, rows["status"], looks=status_looks(rows))
    axes.set_xlim(*axes.get_xlim())
    measure = label_of(rows.iloc[0], "measure")
    axes.set_xlabel(str(_("{measure} ({unit})", measure=measure, unit=drawn.level)))


def draw_ladder(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw ranks with both of their sets, by status."""
    ranked = rows.dropna(subset="rank")
    known = ranked.dropna(subset="marginal_low")
    for kind, style in {"simultaneous": SIMULTANEOUS, "marginal": MARGINAL}.items():
        low = known[f"{kind}_low"]
        high = known[f"{kind}_high"]
        axes.hlines(known.index, low, high, **style)
    draw_points(axes, ranked["rank"], ranked["status"], looks=status_looks(rows))
    edge = 0.7 + 0.012 * len(ranked)  # room for the markers of the first and the last rank
    axes.set_xlim(1 - edge, len(ranked) + edge)
    axes.set_xticks(rank_ticks(len(ranked)))
    if len(known):
        axes.set_xlabel(str(RANK_WITH_SET))
    else:
        axes.set_xlabel(str(_("rank by the estimate")))


@themed
def sets_on_a_line(
    rows: pd.DataFrame,
    names: Sequence[Text],
    *,
    units: int,
    listed: tuple[int, int],
    shaded: Text,
) -> Figure:
    """Draw the marginal sets of a few units on a line of all ranks, the listed places shaded; for a page's own text.

    Parameters
    ----------
    rows : DataFrame
        rank, marginal_low, marginal_high; in the order to be drawn.
    names : sequence of Text
        Of the rows.
    units : int
        Units ranked.
    listed : (int, int)
        First and last place of the list.
    shaded : Text
        What the list is called.
    """
    labels = [str(name) for name in names]
    foot = 0.2
    height = 0.19 * len(rows) + foot
    left = min(breadth(labels), 0.55 * WIDTH)
    figure = Figure(figsize=(WIDTH, height))
    inside = (left / WIDTH, foot / height, 1 - (left + 0.1) / WIDTH, 1 - foot / height)
    axes = figure.add_axes(inside)
    axes.grid(visible=False)
    axes.axvspan(listed[0] - 0.5, listed[1] + 0.5, color=LIGHT, linewidth=0)
    axes.hlines(rows.index, rows["marginal_low"], rows["marginal_high"], **MARGINAL)
    axes.scatter(rows["rank"], rows.index, color="white", s=26, edgecolor=INK, zorder=3)
    label_rows(axes, labels)
    axes.spines["bottom"].set_visible(False)
    axes.set_xlim(0.5, units + 0.5)
    axes.set_xticks([])
    below: Style = {"transform": axes.transAxes, "va": "top", "fontsize": 7.5}
    axes.text(0, -0.03, str(_("rank 1")), ha="left", **below)
    axes.text(1, -0.03, str(_("shaded: {list}", list=shaded)), ha="right", **below)
    return figure


@themed
def probability_near_cut(ranking: pd.DataFrame, *, count: int = NEAR) -> Figure:
    """Draw the probability of the list for the units nearest its cut, on both sides.

    Parameters
    ----------
    ranking : DataFrame
        As `published.ranking_table` returns it.
    count : int
        How many units; as many as are ranked, or more, shows all of them.
    """
    ranked = ranking.dropna(subset="rank").reset_index(drop=True)
    side = str(ranked["side"].iloc[0]) if "side" in ranked else "last"
    at_cut = cuts(ranked) or [float(len(ranked))]
    cut = min(at_cut) if side == "first" else max(at_cut)
    distance = np.abs(ranked.index.to_numpy() - cut)
    nearest = np.sort(np.argsort(distance, kind="stable")[:count])
    rows = ranked.loc[nearest].reset_index(drop=True)
    names = names_of(rows)
    beside = [f"{name}  {place}" for name, place in zip(names, rank_labels(rows), strict=True)]
    looks = status_looks(rows)
    # what the probabilities are of, whoever is tied at the cut
    places = _listed_places(side, round(ranked["probability_bottom"].sum()))
    units = _("all {n} units", n=len(rows))
    if len(rows) < len(ranked):
        units = _("the {n} units nearest the cut", n=len(rows))
    title = _("Probability of being among {places}: {units}", places=places, units=units)
    heading = Heading(title, mark_of(ranked), _("Beside the name: rank [marginal set]"))
    legend = [*(bar(look) for look in used(looks, ())), cut_line()]
    figure, [axes] = row_canvas(heading, beside, 0.24, right=0.55, legend=legend)
    draw_probabilities(
        axes, rows["probability_bottom"], [looks[status] for status in rows["status"]]
    )
    draw_cuts(axes, rows)
    axes.set_xlabel(str(_("probability under a model (empirical Bayes), not a proof")))
    return figure


def _listed_places(side: str, size: int) -> Text:
    if side == "first":
        return _("the first {n}", n=size)
    return _("the last {n}", n=size)


def draw_probabilities(axes: Axes, values: pd.Series, looks: list[Look]) -> None:
    """Draw one bar a row with its number; where there is no probability, a dash."""
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    for row, (value, look) in enumerate(zip(values, looks, strict=True)):
        length = 0.0
        if not np.isnan(value):
            length = value * 100
        if length:
            style: Style = {"color": look.colour, "edgecolor": INK, "hatch": look.hatch}
            axes.barh(row, length, height=0.68, linewidth=0.5, **style)
        chance = probability(value)
        axes.annotate(chance, (length, row), va="center", fontsize=8, bbox=box, **BESIDE_BAR)
    axes.set_xlim(0, 100)
    axes.xaxis.set_major_formatter("{x:g}%")


Interval: TypeAlias = Literal["simultaneous", "marginal"]
_HOLDS = {
    "simultaneous": _("all pairs of the table at once"),
    "marginal": _("for this one unit, named beforehand"),
}


RUNS = {
    "choices": Look(_("choices only"), OPEN, "s"),
    "sampling": Look(_("sampling error only"), NEUTRAL, "o"),
    "both": Look(_("choices and sampling error"), ACCENT, "D"),
}


@themed
def list_shares(shares: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Draw how often the areas that are listed most are on the list, by what varies.

    Parameters
    ----------
    shares : DataFrame
        name_zh, name_en, rank, choices_list, sampling_list, both_list (shares 0-1; missing where nothing is known of the
        sampling error), mark.
    summary : mapping
        bottom (length of the list), side ("last", "first").
    """
    ranked = shares.dropna(subset="rank")
    often = ranked[[f"{kind}_list" for kind in RUNS]].max(axis=1)
    most = ranked.assign(often=often).sort_values(["often", "rank"], ascending=False, kind="stable")
    rows = most.head(NEAR).reset_index(drop=True)
    names = [f"{title}  {rank:g}" for title, rank in zip(names_of(rows), rows["rank"], strict=True)]
    known = {kind: look for kind, look in RUNS.items() if rows[f"{kind}_list"].notna().any()}
    places = _listed_places(summary["side"], summary["bottom"])
    heading = Heading(
        _(
            "How often among {places}: the {n} areas that are there most often",
            places=places,
            n=len(rows),
        ),
        mark_of(rows),
        _("Beside the name: rank as declared"),
    )
    written = [
        " / ".join(probability(row[f"{kind}_list"]) for kind in known)
        for row in rows.to_dict("records")
    ]
    legend = dots(known.values())
    figure, [axes] = row_canvas(heading, names, 0.24, beside=written, legend=legend)
    for kind, look in known.items():
        draw_marks(axes, rows[f"{kind}_list"] * 100, rows.index, look=look)
    axes.set_xlim(-2, 102)
    axes.xaxis.set_major_formatter("{x:g}%")
    axes.set_xlabel(str(_("share of the runs; no probability of the truth")))
    return figure


@themed
def pair_matrix(ranking: pd.DataFrame, order: Order) -> Figure:
    """Draw for every pair of units whether the row is proven better or worse than the column, or neither; with the cut.

    Parameters
    ----------
    ranking : DataFrame
        As `published.ranking_table` returns it.
    order : Order
        As `Ranking.order` returns it, its units named by their code.
    """
    rows = ranking.dropna(subset="rank").reset_index(drop=True)
    decided = order.decided.loc[rows["code"], rows["code"]].to_numpy()
    names = names_of(rows)
    places = rank_labels(rows)
    height = row_height(names, float(np.clip(4.6 / len(rows), 0.135, 0.4)))
    size = min(SMALL, height * 48)
    shrunk = size / SMALL
    title = _(
        "Pairs: {share:.1%} of {n:,} are decidable",
        share=order.share,
        n=len(rows) * (len(rows) - 1) // 2,
    )
    note = _("By the simultaneous sets, which hold for all pairs at once; chains are completed")
    left = breadth(names) * shrunk
    right = breadth(places) * shrunk + 0.1
    figure, grid = new_canvas(
        Heading(title, mark_of(ranking), note),
        Body(height * len(rows), left=left, right=right),
        legend=[*(bar(look) for look in COMPARED.values()), cut_line()],
    )
    axes = grid[0, 0]
    _draw_decided(axes, decided)
    label_rows(axes, names, size=size)
    write_right(axes, places, size=size)
    axes.set_xlim(-0.5, len(rows) - 0.5)
    ticks = rank_ticks(len(rows), 12)
    axes.set_xticks([at - 1 for at in ticks], [str(at) for at in ticks])
    axes.grid(color="white", linewidth=0.6)
    for at in cuts(rows):
        for draw in (axes.axhline, axes.axvline):
            draw(at, color="white", linewidth=2.4)  # the cut shows on dark cells too
            draw(at, **CUT)
    axes.set_xlabel(str(_("against the row of this number, counted from the top")))
    return figure


def _draw_decided(axes: Axes, decided: Ints) -> None:
    """Colour the cells of pairs: 1 where the row is proven better, -1 where worse, white on the diagonal."""
    axes.set_facecolor(COMPARED["undecided"].colour)
    for word, sign in (("better", 1), ("worse", -1)):
        colour = COMPARED[word].colour
        cells = runs(decided == sign)
        axes.add_collection(
            PolyCollection(cells, facecolor=colour, edgecolor=colour, linewidth=0.2)
        )
    diagonal = [_cell(place, place, place) for place in range(len(decided))]
    white: Style = {"facecolor": "white", "edgecolor": INK, "linewidth": 0.4}
    axes.add_collection(PolyCollection(diagonal, zorder=2, **white))


def runs(cells: Bools) -> list[Floats]:
    """Return the rectangles, each (4, 2), that the true cells of a (p, p) matrix make, joined along the rows."""
    edges = np.diff(np.pad(cells.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    row, first = np.nonzero(edges == 1)
    last = np.nonzero(edges == -1)[1] - 1
    return [
        _cell(*where) for where in zip(row.tolist(), first.tolist(), last.tolist(), strict=True)
    ]


def _cell(row: int, first: int, last: int) -> Floats:
    """Return the corners of the cells `first` to `last` of a row."""
    left = first - 0.5
    right = last + 0.5
    top = row - 0.5
    bottom = row + 0.5
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def difference_table(
    ranking: Ranking,
    *,
    against: str,
    interval: Interval = "simultaneous",
    unit: str = "points 0-100",
) -> pd.DataFrame:
    """Compare every ranked unit with a chosen one.

    Parameters
    ----------
    ranking : Ranking
    against : str
        Name of the chosen unit.
    interval : {"simultaneous", "marginal"}
        For all pairs of the table at once, or for the pairs of the chosen unit alone, named beforehand.
    unit : str
        Of the estimates, as published: "points 0-100" or "share 0-1".

    Returns
    -------
    DataFrame
        One row a ranked unit, in input order: code, difference (unit minus chosen), low, high, verdict ("better", "worse",
        "undecided" than the chosen one; without a probability sample always undecided), against, interval, level, method,
        unit. Intervals hold at the ranking's level.

    Raises
    ------
    RankingError
        K240 for a unit that is not ranked, K241 for another kind of interval.

    Notes
    -----
    Independent units: Tukey-Kramer / Dunnett's C (all pairs), Dunnett's integral (one unit); otherwise Bonferroni; scores
    that are drawn by max-t of the draws.
    """
    names = ranking.units.ranked_names
    one_of(against, names, argument="against", error=RankingError, code="K240")
    one_of(interval, get_args(Interval), argument="interval", error=RankingError, code="K241")
    chosen = names.index(against)
    pairs = ranking.pairs
    level = ranking.options.level
    ahead = pairs.score - pairs.score[chosen]
    half = np.full(len(names), np.nan)
    method = NO_ERROR
    if pairs.drawn is not None:
        half = drawn_reach(pairs, chosen, 1 - level, table=interval == "simultaneous")
        half[chosen] = 0.0
        method = "max-t of joint draws"
    elif ranking.summary["selection"] == "probability":
        quantile, method = reach(pairs, chosen, alpha=1 - level, interval=interval)
        half = quantile * spread_of(pairs.cov)[chosen]
        half[chosen] = 0.0
    proven = np.abs(ahead) > half
    difference = -ahead
    if ranking.options.higher_is_better:
        difference = ahead
    verdict = np.select([proven & (ahead > 0), proven], ["better", "worse"], "undecided")
    table = {
        "code": names,
        "difference": difference,
        "low": difference - half,
        "high": difference + half,
        "verdict": verdict,
        "against": against,
        "interval": interval,
        "level": level,
        "method": method,
        "unit": unit,
    }
    return pd.DataFrame(table)


def reach(pairs: Pairs, chosen: int, *, alpha: float, interval: Interval) -> tuple[Floats, str]:
    """Return how many standard errors a difference from the chosen unit is uncertain, (p,), and the method's name."""
    p = len(pairs.score)
    df = pairs.pair_df[chosen]
    if not pairs.independent:
        comparisons = p - 1.0
        if interval == "simultaneous":
            comparisons = p * (p - 1) / 2
        return -special.stdtrit(df, alpha / 2 / comparisons), "Bonferroni"
    if interval == "marginal":
        # nan: nothing is uncertain
        critical = np.nan_to_num(critical_value(pairs, chosen, alpha, sides=2))
        return t_critical(critical, df), "Dunnett"
    critical = tukey_critical(pairs, alpha)[chosen]
    if np.isinf(df).all():
        return critical, "Tukey-Kramer"
    return critical, "Dunnett C"


@themed
def difference_plot(ranking: pd.DataFrame, differences: pd.DataFrame) -> Figure:
    """Draw the difference of every ranked unit from a chosen one, with its interval.

    Parameters
    ----------
    ranking : DataFrame
        As `published.ranking_table` returns it.
    differences : DataFrame
        As `difference_table` returns it.
    """
    rows = ranking.merge(differences, on="code", suffixes=("", "_of_pair"))
    is_chosen = rows["code"] == rows["against"]
    chosen = int(np.flatnonzero(is_chosen)[0])
    zero = legend_line(_("chosen unit"), color=INK, linewidth=0.9, marker="*", markersize=9)
    unit = rows.iloc[chosen]
    title = _("Difference of every unit from {name}", name=label_of(unit, "name"))
    note = _(
        "{level} intervals: {pairs} ({method}); on the right: rank [marginal set]",
        level=confidence(unit["level"]),
        pairs=_HOLDS[unit["interval"]],
        method=unit["method"],
    )
    heading = Heading(title, mark_of(rows), note)
    legend = [*dots(COMPARED.values()), zero, cut_line()]
    figure, [axes] = row_canvas(
        heading, names_of(rows), 0.185, beside=rank_labels(rows), legend=legend
    )
    drawn = drawn_in(rows)
    others = rows[~is_chosen]
    low = others["low"] * drawn.factor
    high = others["high"] * drawn.factor
    axes.hlines(others.index, low, high, **INTERVAL_LINE)
    difference = others["difference"] * drawn.factor
    draw_points(axes, difference, others["verdict"], looks=COMPARED)
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    axes.scatter(0, chosen, marker="*", s=80, color=INK, zorder=4)
    draw_cuts(axes, rows)
    axes.set_xlabel(str(_("difference ({unit})", unit=drawn.difference)))
    return figure


TICKS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
ALONE = Look(_("in this area alone"), ACCENT, "o")
ALIKE = Look(_("in all areas alike"), NEUTRAL, "D")
SHOWN = 30
"""Areas of a picture: those nearest the cut."""


@themed
def odds_at_the_cut(odds: pd.DataFrame) -> Figure:
    """Draw for each area the odds of answering at which it leaves or enters the list: alone, and all alike.

    Parameters
    ----------
    odds : DataFrame
        code, name_zh, name_en, listed, odds_alone, odds_alike (missing: none from 1/10 to 10), mark; in rank order. At least
        one row; of many areas those nearest the cut are drawn.
    """
    # those that nothing moves come last
    distance = np.log(odds["odds_alone"]).abs()
    nearest = distance.sort_values(kind="stable").index[:SHOWN]
    rows = odds.loc[sorted(nearest)].reset_index(drop=True)
    names = []
    for name, listed in zip(names_of(rows), rows["listed"], strict=True):
        names.append(str(_("{name} (on the list)", name=name)) if listed == "yes" else name)
    title = _("How much likelier must the satisfied be to answer for an area to cross the cut?")
    note = _("Right of 1 the satisfied are likelier to answer, left of 1 all others are.")
    legend = dots((ALONE, ALIKE))
    figure, [axes] = row_canvas(Heading(title, mark_of(rows), note), names, 0.2, legend=legend)
    for column, look in {"odds_alone": ALONE, "odds_alike": ALIKE}.items():
        known = rows[column].dropna()
        draw_marks(axes, known, known.index, look=look)
    axes.axvline(1.0, color=INK, linewidth=1.0, zorder=1)
    axes.set_xscale("log")
    axes.set_xlim(1 / LARGEST / 1.1, LARGEST * 1.1)
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.minorticks_off()
    of_axis = _("odds of answering, the satisfied over all others")
    axes.set_xlabel(stacked(of_axis, _("without a mark: nothing from 1/10 to 10 moves the area")))
    return figure
