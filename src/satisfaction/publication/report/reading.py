"""How to read the ranks at the listed end of the table: one A4 page for readers without statistics."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

import pandas as pd
from markupsafe import Markup, escape

from satisfaction.foundation.figures import amount, difference, places, rank_set
from satisfaction.foundation.language import (
    Language,
    Text,
    _,
    ngettext,
    semicolon_list,
    use,
)
from satisfaction.foundation.pages import across, fill, page_name
from satisfaction.publication import plots
from satisfaction.publication.clauses import (
    MODEL,
    Ground,
    Row,
    Rows,
    established,
    expected_members,
    is_ranked,
    step_from_cut,
    unit_name,
)
from satisfaction.publication.labels import STATUS
from satisfaction.publication.plots.canvas import Picture, picture
from satisfaction.publication.report.rows import SHAPES

SET = re.compile(r"[\d.]+–[\d.]+")
ROUND = 10


def render_reading(marked: Ground, *, language: Language, languages: Sequence[Language]) -> str:
    """Write the page "how to read ranks 61 to 88".

    Parameters
    ----------
    marked : Ground
        Of a ranking in a probability sample: without one there are no sets to read. Its rows also have survey, wave and se.
    language : {"zh", "en"}
        Of the page.
    languages : sequence of {"zh", "en"}
        All that the page is written in, the first one under the plain file name.

    Returns
    -------
    str
        A self-contained HTML page that prints on one sheet of A4: same input, same text; no clock, no outside host.
    """
    ground = replace(marked, mark=None)  # it stands above the page once
    first, last = stretch_of(ground.p, ground.side)
    inner = first if ground.side == "last" else last
    shown = [row for row in ground.ranked() if first <= row["rank"] <= last] or ground.ranked()
    example = min(shown, key=lambda row: abs(row["rank"] - inner))
    wide = _widest(ground, shown)
    with use(language):
        drawn = _picture(ground, [ground.ranked()[0], example, wide])
    if ground.side == "last":
        bound = wide["marginal_low"]
        beyond = int(bound - 1)
    else:
        bound = wide["marginal_high"]
        beyond = int(ground.p - bound)
    survey = f"{wide['survey']} · {wide['wave']}"
    values: dict[str, object] = {
        "across": across("reading.html", language, languages),
        "mark": marked.mark,
        "ranks": places(first, last),
        "about": ngettext(
            "{survey} · {n} unit ranked by {measure} · at the {level} confidence level",
            "{survey} · {n} units ranked by {measure} · at the {level} confidence level",
            ground.p,
            survey=survey,
            **ground.words,
        ),
        "crowded": _crowded(ground, shown),
        "bound": bound,
        "beyond": beyond,
        "jumped": places(*after_one_se(ground, example)),
        "picture": drawn,
        "example": example,
        "standings": _standings(ground),
        "words": STATUS,
        "shapes": SHAPES,
    }
    values |= {
        "ground": ground,
        "by_draws": ground.words["basis"] is not MODEL,
        "right": right(ground),
        "wide": wide,
        "report": page_name("report.html", language, languages),
    }
    with use(language):
        return fill("reading.html", values, filters=FILTERS)


def stretch_of(p: int, side: str) -> tuple[int, int]:
    """Return the ranks of about a third of p units at one end; where there are enough, from a round number on."""
    start = 2 * p / 3
    first = int(start) + 1
    if start >= ROUND:
        first = ROUND * round(start / ROUND) + 1
    if side == "last":
        return first, p
    return 1, p + 1 - first


def _whole_sets(text: str) -> Markup:
    """Keep a set of ranks on one line."""
    return Markup(SET.sub(lambda match: f'<span class="set">{match[0]}</span>', str(escape(text))))


def _widest(ground: Ground, shown: Rows) -> Row:
    """Return the unit whose set reaches farthest away from the listed end, one on the list if there is any."""

    def reach(row: Row) -> float:
        """Return how many places the set reaches beyond the unit's own rank, away from the listed end."""
        if ground.side == "last":
            return float(row["rank"] - row["marginal_low"])
        return float(row["marginal_high"] - row["rank"])

    listed = [row for row in shown if row["listed"] != "no"]
    return max(listed or shown, key=reach)


def _picture(ground: Ground, rows: Rows) -> Picture:
    """Draw the sets of some units on a line from the first to the last rank."""
    chosen = {row["code"]: row for row in sorted(rows, key=lambda row: float(row["rank"]))}
    labels = [with_set(row) for row in chosen.values()]
    first = ground.p + 1 - ground.size if ground.side == "last" else 1
    drawn = plots.sets_on_a_line(
        pd.DataFrame(list(chosen.values())),
        labels,
        units=ground.p,
        listed=(first, first + ground.size - 1),
        shaded=ground.words["end"],
    )
    alt = _(
        "Rank sets on a line from 1 to {p}, {name} shaded: {labels}.",
        name=ground.words["end"],
        labels=semicolon_list(labels),
        p=ground.p,
    )
    return picture(drawn, alt)


def with_set(row: Row) -> Text:
    """Write a unit with its rank and set, as short as can be."""
    unit = unit_name(row)
    rank = f"{row['rank']:g}"
    return _("{unit}, rank {rank} ({span})", unit=unit, rank=rank, span=span(row))


def span(row: Row, which: str = "marginal") -> str:
    """Write a set of ranks, "marginal" or "simultaneous", in figures."""
    low = row[f"{which}_low"]
    high = row[f"{which}_high"]
    return f"{low:g}" if low == high else rank_set(low, high)


def _crowded(ground: Ground, shown: Rows) -> dict[str, object] | None:
    """Set the distance between neighbours beside the standard error; None for a unit alone."""
    if len(shown) < 2:
        return None
    scores = [float(row["estimate"]) for row in shown]
    step = (max(scores) - min(scores)) / (len(shown) - 1)
    error = median(float(row["se"]) for row in shown)
    return {
        "n": len(shown),
        "low": amount(min(scores), ground.kind),
        "high": amount(max(scores), ground.kind),
        "apart": difference(step, ground.kind),
        "wide": difference(error, ground.kind),
        "blurred": step < error,
    }


def after_one_se(ground: Ground, row: Row) -> tuple[int, int]:
    """Return best and worst rank of a unit whose estimate moves by one standard error, all others staying."""
    ranked = ground.ranked()
    up = 1 if ranked[0]["estimate"] >= ranked[-1]["estimate"] else -1
    others = [up * other["estimate"] for other in ranked if other["code"] != row["code"]]
    better = up * row["estimate"] + row["se"]
    worse = up * row["estimate"] - row["se"]
    best = 1 + sum(other > better for other in others)
    worst = 1 + sum(other > worse for other in others)
    return best, worst


def _standings(ground: Ground) -> dict[str, list[Row]]:
    """Return the units by their status."""
    by_status: dict[str, list[Row]] = {}
    for row in ground.rows:
        status = "not ranked"
        if is_ranked(row):
            status = ground.status(row)
        by_status.setdefault(status, []).append(row)
    return by_status


def _least_clear(rows: Rows) -> Text:
    """Return the unit whose probability is least clear, with its rank and set."""
    if not rows:
        return _("none in this wave")
    if not is_ranked(rows[0]):
        return unit_name(rows[0])
    return with_set(min(rows, key=lambda row: abs(row["probability_bottom"] - 0.5)))


FILTERS: dict[str, Callable[..., object]] = {
    "amount": amount,
    "difference": difference,
    "name": unit_name,
    "least_clear": _least_clear,
    "span": span,
    "whole_sets": _whole_sets,
    "with_set": with_set,
}


def right(ground: Ground) -> list[Text]:
    """Write what a briefing may say: a unit near the cut with its set, and the list with its certainty."""
    listed = ground.at("yes")
    near = min(listed or ground.ranked(), key=lambda row: abs(ground.gap(row)))
    sure = [row for row in listed if ground.status(row) == "established"]
    expected = float(sum(row["probability_bottom"] for row in listed))
    sentences = [
        step_from_cut(ground, near),
        established(ground, listed, sure),
        expected_members(ground, listed, expected),
    ]
    return [sentence for sentence in sentences if sentence]
