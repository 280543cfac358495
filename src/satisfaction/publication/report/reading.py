"""How to read the ranks at the listed end of the table: one A4 page for readers without statistics, Chinese first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup, escape

from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.pages import fill
from satisfaction.publication.clauses import Row, Rows
from satisfaction.publication.ground import (
    Ground,
    Kind,
    Said,
    check_columns,
    ground_of,
    many_units,
    places,
)
from satisfaction.publication.report import explained
from satisfaction.publication.report.explained import NoChange, with_set
from satisfaction.publication.report.words import STATUS_SHAPES

WIDTH, RIGHT, LINE = 720.0, 708.0, 18.0
"""Frame of the picture, in its own units: its width, the last rank, the height for each unit."""
CHINESE, LATIN, LONGEST = 11.0, 6.3, 400.0
"""Widths of a character of a label, and the most that labels may take."""
SET = re.compile(r"[\d.]+–[\d.]+")
COLUMNS = ("survey", "wave", "se")
ROUND = 10


class Bar(NamedTuple):
    """A rank set in the picture; positions in its own units."""

    label: Said
    y: float
    low: float
    high: float
    rank: float


class Picture(NamedTuple):
    """The picture of some units' sets: ranks from left to right, the listed places from cut[0] to cut[1]."""

    width: float
    height: float
    left: float
    right: float
    bars: list[Bar]
    cut: tuple[float, float]
    alt: Said


def render_reading(
    ranking: pd.DataFrame,
    summary: Mapping[str, Any],
    *,
    kind: Kind,
    measure: Said | None = None,
    stretch: tuple[int, int] | None = None,
    no_change: NoChange | None = None,
) -> str:
    """Write the page "how to read ranks 61 to 88".

    Parameters
    ----------
    ranking, summary, kind, measure
        As for `sentences.unit_sentences`; the table also has survey, wave and se.
    stretch : (int, int), optional
        First and last rank the page speaks of; default: about the third of the field that holds the list, from a round number
        on (88 units: 61 to 88).
    no_change : NoChange, optional
        What a simulation showed; without it the page says nothing of it.

    Returns
    -------
    str
        A self-contained HTML page that prints on one sheet of A4: same input, same text; no clock, no outside host.

    Raises
    ------
    RankingError
        K190-K192 as `sentences.unit_sentences`; K360 without a probability sample, which has no sets to read.
    """
    check_columns(ranking, COLUMNS)
    marked = ground_of(ranking, summary, kind=kind, measure=measure)
    if not marked.proven:
        raise RankingError(
            "K360",
            "样本不是概率样本，没有名次集合可读。",
            "The sample is no probability sample: there are no rank sets to read.",
            where="ranking",
            hint=("直接使用名次表和名单说明。", "Use the ranking and the statement of the list."),
        )
    ground = replace(marked, mark=None)  # it stands above the page once
    first, last = stretch or stretch_of(ground.p, ground.end.side)
    inner = first if ground.end.side == "last" else last
    shown = [row for row in ground.ranked() if first <= row["rank"] <= last] or ground.ranked()
    example, wide = min(shown, key=lambda row: abs(row["rank"] - inner)), _widest(ground, shown)
    values = {
        "mark": marked.mark,
        "ranks": places(first, last),
        "about": _about(ground, ranking),
        "parts": [
            explained.what_a_set_is(ground, example),
            explained.why_so_wide(ground, shown, wide),
            explained.why_ranks_jump(ground, example, no_change),
        ],
        "picture": _picture(ground, [ground.ranked()[0], example, wide]),
        "standings": explained.standings(ground),
        "shapes": STATUS_SHAPES,
        "status_note": explained.how_status_is_made(ground),
        "right": explained.right(ground),
        "wrong": explained.wrong(ground, wide, summary),
        "where": explained.where_to_look(ground),
        "end": ground.end.name,
        "side": ground.end.side,
    }
    return fill("reading.html", values, filters={"whole_sets": _whole_sets})


def stretch_of(p: int, side: str) -> tuple[int, int]:
    """Return the ranks of about a third of p units at one end; where there are enough, from a round number on."""
    start = 2 * p / 3
    first = ROUND * round(start / ROUND) + 1 if start >= ROUND else int(start) + 1
    return (first, p) if side == "last" else (1, p + 1 - first)


def _whole_sets(text: str) -> Markup:
    """Keep a set of ranks on one line."""
    return Markup(SET.sub(lambda found: f'<span class="set">{found[0]}</span>', str(escape(text))))


def _widest(ground: Ground, shown: Rows) -> Row:
    """Return the unit whose set reaches farthest away from the listed end, one on the list if there is any."""
    listed = [row for row in shown if row["listed"] != "no"] or shown
    if ground.end.side == "last":
        return max(listed, key=lambda row: float(row["rank"] - row["marginal_low"]))
    return max(listed, key=lambda row: float(row["marginal_high"] - row["rank"]))


def _about(ground: Ground, ranking: pd.DataFrame) -> Said:
    survey = f"{ranking['survey'].iloc[0]} · {ranking['wave'].iloc[0]}"
    return Said(
        f"{survey} · 按{ground.measure.zh}排名 · {ground.p} 个单位参加排名 · {ground.level} 置信水平",
        f"{many_units(ground.p)} ranked by {ground.measure.en}",
    )


def _picture(ground: Ground, rows: Rows) -> Picture:
    """Draw the sets of some units on a line from the first to the last rank."""
    chosen = sorted({row["code"]: row for row in rows}.values(), key=lambda row: float(row["rank"]))
    left = min(max(_breadth(with_set(row).zh) for row in chosen) + CHINESE, LONGEST)
    unit = (RIGHT - left) / ground.p
    bars = [
        Bar(
            with_set(row),
            y=LINE * k,
            low=left + unit * (row["marginal_low"] - 1),
            high=left + unit * row["marginal_high"],
            rank=left + unit * (row["rank"] - 0.5),
        )
        for k, row in enumerate(chosen, 1)
    ]
    end = ground.end
    first = ground.p - end.size if end.side == "last" else 0
    alt = Said(
        f"名次集合示意图，横轴为第 1 至 {ground.p} 名，阴影为{end.name.zh}：{'；'.join(bar.label.zh for bar in bars)}。",
        f"Rank sets on a line from 1 to {ground.p}, {end.name.en} shaded: {'; '.join(bar.label.en for bar in bars)}.",
    )
    cut = left + unit * first, left + unit * (first + end.size)
    return Picture(WIDTH, LINE * (len(bars) + 1), left, RIGHT, bars, cut, alt)


def _breadth(label: str) -> float:
    return sum(CHINESE if ord(letter) > 0xFF else LATIN for letter in label)
