"""What the columns of an assessment's files hold: the source of columns.csv and of the headings of its workbooks."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from satisfaction.foundation.language import Text, _, pgettext
from satisfaction.publication.columns import COLUMNS, PROBABILITY, Column, Type

POINTS = pgettext("unit of a column", "points")
SHARE = Text("0-1")
YES_NO = ("yes", "no")
STATES = (
    "open", "new", "back", "mended", "mended earlier", "not looked at again", "does not apply",
)  # fmt: skip


def _number(title: Text, meaning: Text, unit: Text | None) -> Column:
    return Column(title, "number", meaning, unit=unit)


def _count(title: Text, meaning: Text) -> Column:
    return Column(title, "integer", meaning, low=0)


def _text(title: Text, meaning: Text, allowed: tuple[str, ...] = ()) -> Column:
    return Column(title, "string", meaning, allowed=allowed)


ASSESSMENT_COLUMNS: Mapping[str, Column] = {
    "level": _count(_("level"), _("level of the tree: 0 the whole, 1 its top items, and so on")),
    "node": _text(_("place in the tree"), _("names from the top of the tree, / between")),
    "item": _text(
        pgettext("of an assessment", "item"), _("name of the item in the assessment's file")
    ),
    "zh": _text(_("in Chinese"), _("what it is called in Chinese")),
    "en": _text(_("in English"), _("what it is called in English")),
    "standards": _count(_("standards"), _("lowest items below, bonus items apart")),
    "not_applicable": _count(_("not applicable"), _("of them, that do not apply in the area")),
    "points": _number(
        _("points"),
        _("points declared; of entries of the ledger, points lost before others are taken over"),
        POINTS,
    ),
    "based": _number(
        _("points that count"),
        _("points after those of items that do not apply in the area were taken over"),
        POINTS,
    ),
    "got": _number(_("points got"), _("points got; empty where an item is awaited"), POINTS),
    "lost": _number(_("points lost"), _("points that count minus points got"), POINTS),
    "share_lost": _number(_("share lost"), _("points lost over points that count"), SHARE),
    "share": _number(_("share"), _("of all points that the area lost"), SHARE),
    "department": _text(
        _("department"), _("the department that answers for it; empty: none named")
    ),
    "scored_by": _text(
        _("scored by"),
        _("the sheet of lost points, a measure of the survey, points of inspection, or bonus"),
        ("sheet", "measure", "sites", "bonus"),
    ),
    "applies": _text(_("applies"), _("whether the item applies in the area"), YES_NO),
    "se": _number(
        _("se"),
        _("sampling error of what is got at sites, or of the measure; empty: none known"),
        None,
    ),
    "error": _text(
        _("what is known of the error"),
        _("why there is a standard error, or none"),
        (
            "exact as handed in",
            "passing",
            "sampled",
            "one site of a kind",
            "all sites alike",
            "awaited",
        ),
    ),
    "bonus": _number(
        _("bonus points"), _("points beyond the others, cut at their highest"), POINTS
    ),
    "winnable": _number(_("winnable"), _("points lost that can be won"), POINTS),
    "difficult": _number(_("difficult"), _("points lost that are difficult to win"), POINTS),
    "dead": _number(_("dead"), _("points lost that cannot be won"), POINTS),
    "unclassed": _number(_("of no class"), _("points lost that nobody put into a class"), POINTS),
    "undecided": _number(
        _("undecided"), _("points of which no test says whether the mark is reached"), POINTS
    ),
    "score": _number(_("score"), _("points got and bonus points over the tree's points"), POINTS),
    "score_winnable": _number(
        _("reachable score"), _("score were the winnable points got too"), POINTS
    ),
    "score_difficult": _number(
        _("with the difficult"),
        _("score were the winnable and the difficult points got too"),
        POINTS,
    ),
    "score_most": _number(_("highest score"), _("score were all but the dead points got"), POINTS),
    "rank_winnable": _number(
        _("reachable rank"), _("rank were this area alone to get its winnable points"), None
    ),
    "excluded": _text(
        _("out of the ranking"), _("a veto or precondition takes it out of the ranking"), YES_NO
    ),
    "by": _text(_("for what"), _("vetoes that occurred and preconditions not met")),
    "measure": _text(_("measure"), _("the survey's measure that decides")),
    "at_least": _number(
        _("at least"), _("the mark: share 0-1 of a rate, points 0-100 of a score or index"), None
    ),
    "reached": _text(
        _("reached"),
        _("whether the estimate reaches the mark; empty: no estimate"),
        ("yes", "no", ""),
    ),
    "probability": _number(
        _("probability of passing"),
        _("that a value drawn around the estimate reaches the mark; empty: no design error"),
        PROBABILITY,
    ),
    "verdict": _text(
        _("verdict"),
        _("whether a one-sided test establishes that the mark is reached or not"),
        ("reached", "not reached", "not decidable"),
    ),
    "met": _text(
        pgettext("of a precondition", "met"),
        _("whether the precondition is met"),
        ("yes", "no", "not stated"),
    ),
    "effect": _text(
        _("effect"), _("what follows from a precondition not met"), ("zero", "cap", "exclude")
    ),
    "site": _text(_("point of inspection"), _("the site; empty: the item as a whole")),
    "state": _text(_("state"), _("how the entry stands in this wave"), STATES),
    "first_wave": _text(_("first wave"), _("the wave in which points were first lost")),
    "last_lost": _text(_("last lost"), _("the last wave in which points were lost")),
    "last_looked": _text(_("last looked at"), _("the last wave in which somebody looked")),
    "waves_lost": _count(_("waves lost"), _("waves in which points were lost")),
    "in_a_row": _count(_("in a row"), _("looks in a row with points lost, up to the last one")),
    "times_back": _count(_("times back"), _("how often points were lost again after a clean look")),
    "points_class": _text(
        _("class of points"), _("class of the points"), ("dead", "difficult", "winnable", "")
    ),
    "reason": _text(_("reason"), _("what the sheet says of it")),
    "due": _text(_("due"), _("date by which it is to be mended")),
    "stated_mended": _text(
        _("stated mended"), _("date by which the area says it is mended; no look has shown it")
    ),
    "overdue": _text(
        _("overdue"), _("due before the day of this assessment and still open"), ("yes", "no", "")
    ),
    "number": _count(_("number of the wave"), _("which wave, from 0")),
    "looked": _text(
        _("looked at"), _("whether somebody looked in the wave"), ("yes", "no", "does not apply")
    ),
    "entries": _count(_("entries"), _("entries of the ledger in this state")),
    "score_mean": _number(
        _("mean of the draws"),
        _("points that a mark decides count by the probability of passing"),
        POINTS,
    ),
    "score_sd": _number(_("spread of the draws"), _("standard deviation of the draws"), POINTS),
    "score_low": _number(_("2.5 % of the draws"), _("2.5 % of the draws lie below"), POINTS),
    "score_high": _number(_("97.5 % of the draws"), _("2.5 % of the draws lie above"), POINTS),
    "rank_low": _number(
        _("rank drawn, from"), _("2.5 % of the ranks drawn; no confidence set"), None
    ),
    "rank_high": _number(
        _("rank drawn, to"), _("97.5 % of the ranks drawn; no confidence set"), None
    ),
    "probability_list": _number(
        _("share of draws on the list"),
        _("share of the draws in which the area is among the last; no test"),
        PROBABILITY,
    ),
}


def column_of(name: str) -> Column:
    """Return what a column of an assessment's files holds."""
    return ASSESSMENT_COLUMNS.get(name) or COLUMNS[name]


def described_columns(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return one row a file and column: file, rows, column, type, unit, meaning_zh, meaning_en, allowed."""
    rows = []
    for file, table in tables.items():
        for name in table:
            column = column_of(str(name))
            kind: Type = column.type
            rows.append(
                {
                    "file": f"{file}.csv",
                    "rows": len(table),
                    "column": name,
                    "type": kind,
                    "unit": (column.unit or Text("")).both,
                    "meaning_zh": column.meaning.zh,
                    "meaning_en": column.meaning.in_language("en"),
                    "allowed": "; ".join(value or '""' for value in column.allowed),
                }
            )
    return pd.DataFrame(rows)
