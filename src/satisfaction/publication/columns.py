"""What every published column holds: the one source of Chinese headings, dictionary, table schemas and README."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import pandas as pd

from satisfaction.declarations.rules import TRIGGERS
from satisfaction.foundation.language import Text, _, pgettext

Type = Literal["string", "number", "integer"]
SHARE_OR_POINTS = _("share 0-1 (rates) or points 0-100")
POINTS = _("points 0-100")
PROBABILITY = Text("0-1")
RATIO = Text("1")
PLACE = pgettext("unit of a column", "rank")


@dataclass(frozen=True, slots=True)
class Column:
    """One published column.

    Attributes
    ----------
    type : {"string", "number", "integer"}
    title : Text
        Its heading.
    meaning : Text
    unit : Text, optional
    low, high : float, optional
        Bounds of its numbers.
    allowed : tuple of str
        All texts that may stand there; empty: any.
    filled : bool
        Whether every row has it.
    """

    type: Type
    title: Text
    meaning: Text
    unit: Text | None = None
    low: float | None = None
    high: float | None = None
    allowed: tuple[str, ...] = ()
    filled: bool = False


_text = partial(Column, "string")
_number = partial(Column, "number")
_measured = partial(Column, "number", unit=SHARE_OR_POINTS)
_probability = partial(Column, "number", unit=PROBABILITY, low=0, high=1)
_count = partial(Column, "integer", low=0)
_place = partial(Column, "integer", unit=PLACE, low=1)
MEMBERSHIP = ("established", "possible", "excluded", "not ranked")
WAVES = pgettext("unit of a column", "waves")
COLUMNS: dict[str, Column] = {
    "survey": _text(_("survey"), _("name of the survey, its folder in surveys/"), filled=True),
    "wave": _text(_("wave"), _("which fielding"), filled=True),
    "level": _text(_("level"), _("level of the area"), filled=True),
    "code": _text(_("code"), _("area code (GB/T 2260), text"), filled=True),
    "other_code": _text(_("other code"), _("the other area of the covariance"), filled=True),
    "name_zh": _text(_("Chinese name"), _("Chinese name of the area")),
    "name_en": _text(_("English name"), _("English name of the area")),
    "measure": _text(_("measure"), _("the measure's name in the questionnaire"), filled=True),
    "measure_zh": _text(_("Chinese label"), _("Chinese label of the measure")),
    "measure_en": _text(_("English label"), _("English label of the measure")),
    "kind": _text(
        _("kind"), _("rate, score or index"), allowed=("rate", "score", "index"), filled=True
    ),
    "unit": _text(
        _("unit"),
        _("unit of the row's estimate"),
        allowed=("share 0-1", "points 0-100"),
        filled=True,
    ),
    "estimate": _measured(_("estimate"), _("weighted estimate"), low=0, high=100),
    "se": _measured(_("se"), _("standard error of sampling"), low=0),
    "df": _number(_("df"), _("degrees of freedom of the standard error"), low=0),
    "ci_low": _measured(_("lower limit"), _("lower confidence limit")),
    "ci_high": _measured(_("upper limit"), _("upper confidence limit")),
    "cv": _number(_("cv"), _("standard error over estimate"), unit=RATIO, low=0),
    "deff": _number(
        _("deff"), _("variance over that of simple random sampling"), unit=RATIO, low=0
    ),
    "n": _count(_("n"), _("valid answers"), unit=pgettext("unit of a column", "persons")),
    "note": _text(_("note"), _("why there is no figure, or a special interval")),
    "selection": _text(
        _("selection"),
        _("how the sample was selected"),
        allowed=("probability", "quota", "open_link", "undeclared"),
    ),
    "mark": _text(_("mark"), _("what must be said of the data; empty: nothing")),
    "rank": _place(_("rank"), _("rank; to be used with its sets and status only")),
    "rank_unrounded": _place(_("unrounded rank"), _("rank of the unrounded scores")),
    "tie_break": _number(_("tie-break"), _("the score by which areas of equal score are ordered")),
    "marginal_low": _place(_("set from"), _("rank set for this unit by itself, from")),
    "marginal_high": _place(_("set to"), _("rank set for this unit by itself, to")),
    "simultaneous_low": _place(
        _("joint set from"), _("rank set for the whole table at once, from")
    ),
    "simultaneous_high": _place(_("joint set to"), _("rank set for the whole table at once, to")),
    "side": _text(_("side"), _("which end is listed"), allowed=("last", "first")),
    "listed": _text(_("listed"), _("on the list; tied: at its cut"), allowed=("yes", "no", "tied")),
    "status": _text(_("status"), _("what the tests say"), allowed=MEMBERSHIP, filled=True),
    "status_zh": _text(_("status in Chinese"), _("the status in Chinese")),
    "listed_by_rank": _text(
        _("listed by rank"),
        _("on the list by rank alone, before thresholds act on it"),
        allowed=("yes", "no", "tied"),
        filled=True,
    ),
    "listed_by": _text(
        _("listed by"), _("what puts it on the list: rank, measures below their threshold")
    ),
    "spared_by": _text(
        _("spared by"), _("measures at or above the threshold that spares it the list")
    ),
    "list_status": _text(
        _("status on the list"),
        _("what the tests say of belonging to the list that thresholds act on"),
        allowed=MEMBERSHIP,
        filled=True,
    ),
    "p_listed": _probability(
        _("p listed"), _("small: established on the list that thresholds act on")
    ),
    "p_not_listed": _probability(
        _("p not listed"), _("small: excluded from the list that thresholds act on")
    ),
    "on_list": _text(
        _("acts on the list"),
        _("listed: below it whatever the rank; spared: at or above it whatever the rank"),
        allowed=("listed", "spared"),
    ),
    "p_in": _probability(_("p in"), _("small: established on the list")),
    "p_out": _probability(_("p out"), _("small: excluded from the list")),
    "p_in_adjusted": _probability(_("p in, adjusted"), _("adjusted over the table")),
    "p_out_adjusted": _probability(_("p out, adjusted"), _("adjusted over the table")),
    "probability_bottom": _probability(_("P(list)"), _("under the model: truly at the listed end")),
    "expected_rank": _number(
        _("expected rank"), _("expected rank under the model"), unit=PLACE, low=1
    ),
    "reliability": _probability(_("reliability"), _("variance between units over the total")),
    "probability_low": _probability(
        _("P(list), lowest"), _("the smallest over the assumptions compared")
    ),
    "probability_high": _probability(
        _("P(list), highest"), _("the largest over the assumptions compared")
    ),
    "probability_met_low": _probability(
        _("P(met), lowest"), _("the smallest over the assumptions compared")
    ),
    "probability_met_high": _probability(
        _("P(met), highest"), _("the largest over the assumptions compared")
    ),
    "model_dependent": _text(
        _("depends on the model"),
        _("the probabilities under these assumptions differ by more than 0.1"),
        allowed=("yes", "no"),
    ),
    "grade": _count(
        _("grade"),
        _(
            "1 is the best; within one no order is told; the share in the wrong order is declared; "
            "combined scores have none"
        ),
        unit=pgettext("unit of a column", "grade"),
        low=1,
    ),
    "within": _text(_("within"), _("ranked within this larger area"), filled=True),
    "within_zh": _text(_("within, Chinese"), _("Chinese name of the larger area")),
    "within_en": _text(_("within, English"), _("English name of the larger area")),
    "of": _count(_("of"), _("units of that ranking"), unit=pgettext("unit of a column", "units")),
    "probability_first": _probability(_("P(first)"), _("truly first, under the model")),
    "probability_last": _probability(_("P(last)"), _("truly last, under the model")),
    "target": _text(_("target"), _("target set by the rules"), filled=True),
    "target_zh": _text(_("target in Chinese"), _("the target in Chinese")),
    "verdict": _text(
        _("verdict"),
        _("whether the target is met; whether a topic is strong or weak"),
        allowed=("met", "not met", "not decidable", "not ranked", "strong", "weak"),
        filled=True,
    ),
    "verdict_zh": _text(_("verdict in Chinese"), _("the verdict in Chinese")),
    "p_met": _probability(_("p met"), _("small: met")),
    "p_not_met": _probability(_("p not met"), _("small: not met")),
    "probability": _probability(
        _("probability"), _("truly met, under one model of this wave alone, without a range")
    ),
    "basis": _text(_("basis"), _("what the target is counted in")),
    "basis_zh": _text(_("basis in Chinese"), _("the basis in Chinese")),
    "source": _text(pgettext("of the rules", "source"), _("source of the rule")),
    "threshold": _measured(_("threshold"), _("threshold set by the rules"), low=0, high=100),
    "p_below": _probability(_("p below"), _("small: established below")),
    "p_not_below": _probability(_("p not below"), _("small: excluded below")),
    "p_below_adjusted": _probability(_("p below, adjusted"), _("adjusted over the table")),
    "p_not_below_adjusted": _probability(_("p not below, adjusted"), _("adjusted over the table")),
    "consequence_zh": _text(_("consequence in Chinese"), _("what follows from lying below")),
    "consequence_en": _text(_("consequence"), _("what follows from lying below")),
    "listed_in_a_row": _count(
        _("listed in a row"), _("waves on the list in a row, this one too"), unit=WAVES
    ),
    "tied_waves": _count(_("tied waves"), _("of them, tied at the cut only"), unit=WAVES),
    "step_zh": _text(_("step in Chinese"), _("the step that follows")),
    "step_en": _text(_("step"), _("the step that follows")),
    "model": _text(
        _("model"),
        _("how the estimate was formed, where nobody was drawn"),
        allowed=("calibration", "inverse_propensity", "doubly_robust"),
        filled=True,
    ),
    "model_zh": _text(_("model in Chinese"), _("the model in Chinese")),
    "reference": _text(
        _("population of the model"),
        _("the margins by name, or the wave that was drawn and its items"),
        filled=True,
    ),
    "estimate_model": _measured(
        _("estimate of the model"),
        _("right only if the model is; no sampling error belongs to it"),
    ),
    "se_model": _measured(_("se of the model"), _("standard error if the model is right"), low=0),
    "ci_model_low": _measured(
        _("lower limit of the model"), _("lower limit if the model is right")
    ),
    "ci_model_high": _measured(
        _("upper limit of the model"), _("upper limit if the model is right")
    ),
    "estimate_answered": _measured(_("of those who answered"), _("every respondent counted once")),
    "phi_0": _measured(
        _("phi = 0"),
        _("if respondents differ from the others only as the margins show"),
    ),
    "phi_05": _measured(_("phi = 0.5"), _("if half of the difference lies in the answer")),
    "phi_1": _measured(
        _("phi = 1"),
        _("if all of it does; empty: no bound, so no range"),
    ),
    "proxy_correlation": _number(
        _("correlation of the proxy"),
        _("of the answer with its best prediction from the margins; below 0.5 weak"),
        unit=RATIO,
        low=-1,
        high=1,
    ),
    "satisfied_share": _number(
        _("share of the satisfied"),
        _("weighted, among those who answered"),
        unit=PROBABILITY,
        low=0,
        high=1,
    ),
    "odds_alone": _number(
        _("odds, alone"),
        _(
            "odds of answering of the satisfied over all others' at which this area alone crosses "
            "the cut; below 1: the others are likelier; empty: none from 1/10 to 10"
        ),
        unit=RATIO,
        low=0,
    ),
    "odds_alike": _number(
        _("odds, all alike"),
        _("the same, if these odds hold in all areas alike"),
        unit=RATIO,
        low=0,
    ),
    "step_number": _count(
        _("step number"),
        _("place on the ladder; the release comes last"),
        unit=pgettext("unit of a column", "step"),
        low=1,
    ),
    "trigger": _text(
        _("trigger"),
        _("key of the rule that triggers the step"),
        allowed=(*TRIGGERS, "release"),
        filled=True,
    ),
    "reached": _text(
        _("reached"),
        _("whether the step follows from what was published; tied: from how a tie is broken"),
        allowed=("yes", "tied", "no"),
        filled=True,
    ),
    "in_force": _text(
        _("in force"),
        _("the last step reached, or the release"),
        allowed=("yes", "no"),
        filled=True,
    ),
    "p_established": _probability(
        _("p established"), _("small: what the step rests on is established")
    ),
    "p_excluded": _probability(_("p excluded"), _("small: what the step rests on is excluded")),
    "covariance": _number(
        _("covariance"), _("sampling covariance of two estimates"), unit=_("unit squared")
    ),
    "test": _text(
        _("test"),
        _("what is compared, and how"),
        allowed=(
            *("pair", "rest", "change", "means", "ranks"),
            *("independence", "coefficient", "regression", "joint"),
        ),
        filled=True,
    ),
    "variable": _text(
        pgettext("of a test", "variable"),
        _("the item or level of area whose groups are compared"),
        filled=True,
    ),
    "first": _text(_("first group"), _("area code or answer; of a regression the baseline")),
    "second": _text(
        _("second group"),
        _(
            "area code, answer or earlier wave that is compared with the first; empty: all other areas together"
        ),
    ),
    "difference": _number(
        _("difference"),
        _("of the two groups, in the measure's unit or in ranks; of an area from the whole"),
    ),
    "statistic": _number(_("statistic"), _("what is looked up in t or F")),
    "ddf": _number(_("denominator df"), _("degrees of freedom of the denominator"), low=0),
    "p": _probability(_("p"), _("of this test by itself")),
    "p_adjusted": _probability(_("p, adjusted"), _("for all tests of its kind in this file")),
    "multiplicity": _text(_("multiplicity"), _("how p is adjusted, and for how many tests")),
    "null": _text(_("null hypothesis"), _("what the test may refute")),
    "method": _text(_("method"), _("how it is computed")),
    "part": _text(
        _("part"),
        _("the index as a whole, one of its items, all interviewers, or one of them"),
        allowed=("index", "item", "interviewers", "interviewer"),
        filled=True,
    ),
    "item": _text(
        _("item"),
        _("name of the item in the questionnaire or the assessment; pseudonym of an interviewer"),
    ),
    "coefficient": _number(
        _("coefficient"),
        _(
            "alpha; of an item its correlation with the others; of interviewers the intraclass correlation, "
            "of one of them that without this one"
        ),
        unit=RATIO,
    ),
    "coefficient_low": _number(_("coefficient, lower limit"), _("without the design"), unit=RATIO),
    "coefficient_high": _number(_("coefficient, upper limit"), _("without the design"), unit=RATIO),
    "weighted_coefficient": _number(
        _("weighted coefficient"), _("of the population, by the weights"), unit=RATIO
    ),
    "weighted_low": _number(_("weighted, lower limit"), _("under the design"), unit=RATIO),
    "weighted_high": _number(_("weighted, upper limit"), _("under the design"), unit=RATIO),
    "alpha_without": _number(_("alpha without it"), _("alpha of the other items"), unit=RATIO),
    "component": _text(_("component"), _("part of the combined score"), filled=True),
    "component_zh": _text(_("component, Chinese"), _("Chinese name of the component")),
    "component_en": _text(_("component, English"), _("English name of the component")),
    "weight": _number(
        pgettext("of a component", "weight"), _("share of the combined score"), unit=RATIO
    ),
    "score": _number(_("score"), _("on the scale of its own source")),
    "scaled": _number(_("scaled score"), _("the score as it is combined"), unit=POINTS),
    "contribution": _number(
        _("contribution"), _("weight times scaled score; empty where no sum is made"), unit=POINTS
    ),
    "exact": _text(
        _("exact"),
        _("without a standard error: declared exact, or taken as exact for want of one"),
        allowed=("declared", "taken", "no"),
    ),
    "item_zh": _text(_("item, Chinese"), _("Chinese name of the item")),
    "item_en": _text(_("item, English"), _("English name of the item")),
    "branch": _text(_("branch"), _("items above it, / between")),
    "department": _text(_("department"), _("department that answers for the item")),
    "points": _number(_("points lost"), _("points taken off"), low=0),
    "asked": _number(_("points handed in"), _("points to be taken off as handed in")),
    "veto": _text(_("veto"), _("whether the item is one of the negative list")),
    "reason": _text(_("reason"), _("why the points were taken off")),
    "areas": _count(
        _("number of areas"),
        _("areas that lost points"),
        unit=pgettext("unit of a column", "units"),
    ),
    "share": _probability(_("share"), _("of all points lost")),
    "topic": _text(_("topic"), _("topic of the questionnaire"), filled=True),
    "topic_zh": _text(_("topic, Chinese"), _("Chinese name of the topic")),
    "topic_en": _text(_("topic, English"), _("English name of the topic")),
    "whole": _number(_("score of the whole"), _("the topic in all areas together"), unit=POINTS),
    "whole_zh": _text(_("the whole, Chinese"), _("Chinese name of all areas together")),
    "whole_en": _text(_("the whole, English"), _("English name of all areas together")),
    "p_holm": _probability(_("adjusted p"), _("adjusted by Holm over the topics of the area")),
    "importance": _number(
        _("importance"),
        _("percentage points of the overall rate that go with 25 points of the topic"),
    ),
    "high": _text(_("high importance"), _("whether the topic is among the more important ones")),
    "quadrant": _text(_("advice"), _("what importance and difference advise together")),
    "quadrant_zh": _text(_("advice in Chinese"), _("the advice in Chinese")),
    "zh": _text(_("sentence in Chinese"), _("what may be said, in Chinese"), filled=True),
    "en": _text(_("sentence"), _("what may be said, in English"), filled=True),
}


_points = partial(Column, "number", unit=pgettext("unit of a column", "points"))
YES_NO = ("yes", "no")
STATES = (
    "open", "new", "back", "mended", "mended earlier", "not looked at again", "does not apply",
)  # fmt: skip


OF_ASSESSMENT: dict[str, Column] = COLUMNS | {
    "level": _count(_("level"), _("level of the tree: 0 the whole, 1 its top items, and so on")),
    "node": _text(_("place in the tree"), _("names from the top of the tree, / between")),
    "zh": _text(_("in Chinese"), _("what it is called in Chinese")),
    "en": _text(_("in English"), _("what it is called in English")),
    "standards": _count(_("standards"), _("lowest items below, bonus items apart")),
    "not_applicable": _count(_("not applicable"), _("of them, that do not apply in the area")),
    "points": _points(
        _("points"),
        _("points declared; of entries of the ledger, points lost before others are taken over"),
    ),
    "based": _points(
        _("points that count"),
        _("points after those of items that do not apply in the area were taken over"),
    ),
    "got": _points(_("points got"), _("points got; empty where an item is awaited")),
    "lost": _points(_("points lost"), _("points that count minus points got")),
    "share_lost": _number(
        _("share lost"), _("points lost over points that count"), unit=PROBABILITY
    ),
    "share": _number(_("share"), _("of all points that the area lost"), unit=PROBABILITY),
    "scored_by": _text(
        _("scored by"),
        _("the sheet of lost points, a measure of the survey, points of inspection, or bonus"),
        allowed=("sheet", "measure", "sites", "bonus"),
    ),
    "applies": _text(_("applies"), _("whether the item applies in the area"), allowed=YES_NO),
    "se": _number(
        _("se"), _("sampling error of what is got at sites, or of the measure; empty: none known")
    ),
    "error": _text(
        _("what is known of the error"),
        _("why there is a standard error, or none"),
        allowed=(
            "exact as handed in",
            "passing",
            "sampled",
            "one site of a kind",
            "all sites alike",
            "awaited",
        ),
    ),
    "bonus": _points(_("bonus points"), _("points beyond the others, cut at their highest")),
    "winnable": _points(_("winnable"), _("points lost that can be won")),
    "difficult": _points(_("difficult"), _("points lost that are difficult to win")),
    "dead": _points(_("dead"), _("points lost that cannot be won")),
    "unclassed": _points(_("of no class"), _("points lost that nobody put into a class")),
    "undecided": _points(
        _("undecided"),
        _("points of which no test says whether the mark is reached"),
    ),
    "score": _points(_("score"), _("points got and bonus points over the tree's points")),
    "score_winnable": _points(_("reachable score"), _("score were the winnable points got too")),
    "score_difficult": _points(
        _("with the difficult"),
        _("score were the winnable and the difficult points got too"),
    ),
    "score_most": _points(_("highest score"), _("score were all but the dead points got")),
    "rank_winnable": _number(
        _("reachable rank"), _("rank were this area alone to get its winnable points")
    ),
    "excluded": _text(
        _("out of the ranking"),
        _("a veto or precondition takes it out of the ranking"),
        allowed=YES_NO,
    ),
    "by": _text(_("for what"), _("vetoes that occurred and preconditions not met")),
    "at_least": _number(
        _("at least"), _("the mark: share 0-1 of a rate, points 0-100 of a score or index")
    ),
    "reached": _text(
        _("reached"),
        _("whether the estimate reaches the mark; empty: no estimate"),
        allowed=("yes", "no", ""),
    ),
    "probability": _number(
        _("probability of passing"),
        _("that a value drawn around the estimate reaches the mark; empty: no design error"),
        unit=PROBABILITY,
    ),
    "verdict": _text(
        _("verdict"),
        _("whether a one-sided test establishes that the mark is reached or not"),
        allowed=("reached", "not reached", "not decidable"),
    ),
    "met": _text(
        pgettext("of a precondition", "met"),
        _("whether the precondition is met"),
        allowed=("yes", "no", "not stated"),
    ),
    "effect": _text(
        _("effect"),
        _("what follows from a precondition not met"),
        allowed=("zero", "cap", "exclude"),
    ),
    "site": _text(_("point of inspection"), _("the site; empty: the item as a whole")),
    "state": _text(_("state"), _("how the entry stands in this wave"), allowed=STATES),
    "first_wave": _text(_("first wave"), _("the wave in which points were first lost")),
    "last_lost": _text(_("last lost"), _("the last wave in which points were lost")),
    "last_looked": _text(_("last looked at"), _("the last wave in which somebody looked")),
    "waves_lost": _count(_("waves lost"), _("waves in which points were lost")),
    "in_a_row": _count(_("in a row"), _("looks in a row with points lost, up to the last one")),
    "times_back": _count(_("times back"), _("how often points were lost again after a clean look")),
    "points_class": _text(
        _("class of points"),
        _("class of the points"),
        allowed=("dead", "difficult", "winnable", ""),
    ),
    "due": _text(_("due"), _("date by which it is to be mended")),
    "stated_mended": _text(
        _("stated mended"), _("date by which the area says it is mended; no look has shown it")
    ),
    "overdue": _text(
        _("overdue"),
        _("due before the day of this assessment and still open"),
        allowed=("yes", "no", ""),
    ),
    "number": _count(_("number of the wave"), _("which wave, from 0")),
    "looked": _text(
        _("looked at"),
        _("whether somebody looked in the wave"),
        allowed=("yes", "no", "does not apply"),
    ),
    "entries": _count(_("entries"), _("entries of the ledger in this state")),
    "score_mean": _points(
        _("mean of the draws"),
        _("points that a mark decides count by the probability of passing"),
    ),
    "score_sd": _points(_("spread of the draws"), _("standard deviation of the draws")),
    "score_low": _points(_("2.5% of the draws"), _("2.5% of the draws lie below")),
    "score_high": _points(_("97.5% of the draws"), _("2.5% of the draws lie above")),
    "rank_low": _number(_("rank drawn, from"), _("2.5% of the ranks drawn; no confidence set")),
    "rank_high": _number(_("rank drawn, to"), _("97.5% of the ranks drawn; no confidence set")),
    "probability_list": _number(
        _("share of draws on the list"),
        _("share of the draws in which the area is among the last; no test"),
        unit=PROBABILITY,
    ),
}
"""Columns of the files of `satisfaction assessment`, where several names mean something of their own."""


def with_chinese_headings(table: pd.DataFrame) -> pd.DataFrame:
    """Return a published table under its Chinese headings."""
    return table.rename(columns={name: COLUMNS[name].title.zh for name in table})


def typed(texts: pd.DataFrame) -> pd.DataFrame:
    """Return a published table, read as text, with its types: numbers as float, counts and ranks as Int64, codes as text."""
    table = texts.copy()
    for name in texts:
        if name not in COLUMNS or COLUMNS[name].type == "string":
            continue
        filled = texts[name].where(texts[name] != "")
        numbers = pd.to_numeric(filled, errors="raise").astype(float)
        # ranks that a rule makes fractional stay floating
        if COLUMNS[name].type == "integer" and (numbers.dropna() % 1 == 0).all():
            numbers = numbers.astype("Int64")
        table[name] = numbers
    return table


def dictionary_table(names: Iterable[str]) -> pd.DataFrame:
    """Return one row a column in the current language: its name, heading, type, unit and meaning."""
    rows = []
    for name in names:
        column = COLUMNS[name]
        unit = column.unit or ""
        rows.append([name, str(column.title), column.type, str(unit), str(column.meaning)])
    headings = [_("column"), _("heading"), _("type"), _("unit"), _("meaning")]
    return pd.DataFrame(rows, columns=[str(heading) for heading in headings])


def described_columns(
    tables: Mapping[str, pd.DataFrame], columns: Mapping[str, Column]
) -> pd.DataFrame:
    """Return one row a file and column: file, rows, column, type, unit, meaning_zh, meaning_en, allowed."""
    rows = []
    for file, table in tables.items():
        for name in table:
            column = columns[str(name)]
            row: dict[str, object] = {"file": f"{file}.csv", "rows": len(table), "column": name}
            row["type"] = column.type
            row["unit"] = (column.unit or Text("")).both
            row["meaning_zh"] = column.meaning.zh
            row["meaning_en"] = column.meaning.in_language("en")
            row["allowed"] = "; ".join(value or '""' for value in column.allowed)
            rows.append(row)
    return pd.DataFrame(rows)
