"""The rows of the report's tables: the published rows themselves, and what the rules make of them.

Templates read the published columns and write them with `FILTERS`. No rank leaves without its sets and its status.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import pandas as pd

from satisfaction.collection.account import ACTIONS, unanswered_areas
from satisfaction.declarations.survey import Survey
from satisfaction.foundation import figures
from satisfaction.foundation.figures import ABSENT, p_value, probability
from satisfaction.foundation.language import Text, _, as_text, pgettext
from satisfaction.publication.clauses import mark_in_brackets
from satisfaction.publication.labels import STATUS, label_of, levels_to_compare
from satisfaction.publication.selection_tables import (
    CAUTION,
    MODELS,
    ODDS,
    SENSITIVITY,
)

Row: TypeAlias = dict[str, Any]

SHAPES = {"established": "■", "possible": "◆", "excluded": "●", "not ranked": "✕"}
SIDES = {"last": _("last"), "first": _("first")}
LEVELS = {
    "province": _("province"),
    "prefecture": _("prefecture"),
    "county": _("county"),
    "township": _("township"),
    "all": _("all"),
}


def words_of(row: Row, what: str) -> Text:
    """Return the words of a published status: its Chinese stands in a column of its own."""
    return Text.of(row[f"{what}_zh"], row[what])


FILTERS: dict[str, Callable[..., str | Text]] = {
    "estimate": figures.estimate_text,
    "label_of": label_of,
    "words_of": words_of,
    "interval": figures.interval,
    "model": lambda name: MODELS[name],
    "spoken": as_text,
    "p_value": p_value,
    "probability": probability,
    "rank": figures.rank_text,
    "rank_set": figures.rank_set,
    "rank_with_set": figures.rank_with_set,
    "signed": figures.signed,
    "signed_limits": figures.signed_limits,
    "whole_number": figures.count,
}


class AreaTable(NamedTuple):
    """All areas of one level, the whole last: the published rows of each, one a measure."""

    level: Text
    heads: list[Text]
    areas: list[list[Row]]


class Verdict(NamedTuple):
    """A verdict on the area of a published row: what was asked, and on what basis."""

    row: Row
    asked: Text
    basis: Text
    verdict: Text


class Within(NamedTuple):
    """One ranking within a larger area."""

    title: Text
    rows: list[Row]


def values_of_pages(survey: Survey, summary: Mapping[str, Any]) -> dict[str, object]:
    """Return what the templates of the report and of all pages of areas read of a wave and its ranking."""
    return {
        "survey": survey,
        "declared": survey.declared,
        "marks": survey.marks,
        "confidence": figures.confidence(survey.declared.level),
        "cautions": {"model": CAUTION, "sensitivity": SENSITIVITY, "odds": ODDS},
        "shapes": SHAPES,
        "words": STATUS,
        "side": SIDES[summary["side"]],
        "size": int(summary["bottom"]),
    }


def records(table: pd.DataFrame) -> list[Row]:
    """Return the rows of a table."""
    rows: list[Row] = table.to_dict("records")
    return rows


def rows_where(table: pd.DataFrame, **values: str) -> list[Row]:
    """Return the rows of a table that have these values in the columns of these names; none of a table without rows."""
    for name, value in values.items():
        if len(table):
            table = table[table[name] == value]
    return records(table)


def rows_in_words(rows: list[Row], marks: Text | None) -> list[Text]:
    """Return the sentences of rows without the mark in front."""
    texts = [Text(row["zh"], row["en"]) for row in rows]
    return [unmarked(words, marks) for words in texts]


def unmarked(words: Text, marks: Text | None) -> Text:
    """Return a sentence without the mark in front, which a page carries on top."""
    if marks is None:
        return words
    mark = mark_in_brackets(marks)
    english = words.en.removeprefix(mark.en)
    return Text(words.zh.removeprefix(mark.zh), english.lstrip())


def silent_areas(survey: Survey, by_area: pd.DataFrame) -> list[Text]:
    """Return the names of the areas without answers, each behind the area that it lies in."""
    names = survey.area_names()
    parents = survey.parents()
    silent = []
    for code in unanswered_areas(survey, by_area)["code"]:
        parent = names.get(parents.get(code, ""))
        name = names[code]
        silent.append(_("{parent} {name}", parent=parent, name=name) if parent else name)
    return silent


def areas(survey: Survey, indices: pd.DataFrame) -> list[AreaTable]:
    """Return rates and indices of the levels below the whole, the highest first; the whole closes each table."""
    shown = indices[indices["kind"] != "score"]
    *below, whole = levels_to_compare(indices)
    heads = [label_of(row, "measure") for row in records(shown.drop_duplicates("measure"))]
    tables = []
    for level in reversed(below):
        by_area: dict[str, list[Row]] = {}
        for part in (level, whole):
            for row in records(shown[shown["level"] == part]):
                by_area.setdefault(row["code"], []).append(row)
        tables.append(AreaTable(level_label(survey, level), heads, list(by_area.values())))
    return tables


def level_label(survey: Survey, level: str) -> Text:
    """Return what a level of area is called: as in the questionnaire, where it has no common name."""
    if level in LEVELS:
        return LEVELS[level]
    item = survey.questionnaire.items.get(level)
    if item is None:
        return Text(level)
    return item.text


def ranked_measure(indices: pd.DataFrame, ranking: pd.DataFrame) -> Any:
    """Return a published row of the measure that is ranked."""
    return indices[indices["measure"] == ranking["measure"].iloc[0]].iloc[0]


def reasons(log: pd.DataFrame) -> list[tuple[str, Text, Text, str]]:
    """Count the log's entries by rule: rule, action, message, entries."""
    counted = []
    entries = log.groupby(["rule", "action", "zh", "en"]).size()
    for (rule, action, zh, en), number in entries.items():
        what = ACTIONS.get(action, Text(action))
        counted.append((rule, what, Text.of(zh, en), figures.count(number)))
    return counted


def target_rows(targets: pd.DataFrame) -> list[Verdict]:
    """Return the targets: what the rank is counted in, and whether they are met."""
    rows = []
    for row in records(targets):
        asked = Text(row["target_zh"], row["target"])
        verdict = words_of(row, "verdict")
        rows.append(Verdict(row, asked, words_of(row, "basis"), verdict))
    return rows


def threshold_rows(thresholds: pd.DataFrame) -> list[Verdict]:
    """Return the areas that are not excluded from lying below a threshold."""
    rows = []
    for row in records(thresholds):
        if row["status"] == "excluded":
            continue
        kind = "rate" if row["threshold"] <= 1 else "index"
        estimate = Text(figures.estimate_text(row["estimate"], kind))
        if not pd.isna(row["ci_low"]):
            limits_of_it = figures.interval(row["ci_low"], row["ci_high"], kind)
            estimate = _("{estimate} ({interval})", estimate=estimate, interval=limits_of_it)
        asked = Text(row["consequence_zh"], row["consequence_en"])
        rows.append(Verdict(row, asked, estimate, words_of(row, "status")))
    return rows


def escalation_rows(escalation: pd.DataFrame) -> list[Verdict]:
    """Return the step that follows for every area on the list, with the status of its listing."""
    rows = []
    for row in records(escalation):
        times = row["listed_in_a_row"]
        step = Text(row["step_zh"] or ABSENT, row["step_en"])
        in_a_row = _("{times} in a row", times=times)
        rows.append(Verdict(row, step, in_a_row, words_of(row, "status")))
    return rows


REACHED = {
    "yes": pgettext("of a step", "reached"),
    "tied": _("depends on how a tie is broken"),
    "no": _("not reached"),
}


def ladder_rows(ladder: pd.DataFrame) -> list[Verdict]:
    """Return the steps of the ladder and the releases: whether the rule has reached them, and how far the data prove it."""
    rows = []
    for row in records(ladder):
        step = Text(row["step_zh"], row["step_en"])
        basis = Text(row["basis_zh"], row["basis"])
        reached = REACHED[row["reached"]]
        status = words_of(row, "status")
        verdict = _("by rule: {reached}; by the data: {status}", reached=reached, status=status)
        rows.append(Verdict(row, step, basis, verdict))
    return rows


def within_tables(survey: Survey, within: pd.DataFrame) -> list[Within]:
    """Return the rankings within larger areas, the highest level first; none where nothing is ranked."""
    tables = []
    for (level, _area), part in within.groupby(["level", "within"], sort=False):
        if part["rank"].isna().all():
            continue
        among = label_of(part.iloc[0], "within")
        label = level_label(survey, str(level))
        title = _("{area}: ranking by {level}", area=among, level=label)
        tables.append(Within(title, records(part)))
    return tables[::-1]
