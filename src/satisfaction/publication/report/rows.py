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
from satisfaction.foundation.language import NOTHING, Text, _, as_text, pgettext
from satisfaction.publication.clauses import mark_in_brackets
from satisfaction.publication.labels import STATUS, label_of, published_levels
from satisfaction.publication.selection_tables import MODELS, SelectionTables

Row: TypeAlias = dict[str, Any]

SHAPES = {"established": "■", "possible": "◆", "excluded": "●", "not ranked": "✕"}
WORDS = {status: Text.of(label.zh, label.en) for status, label in STATUS.items()}
SIDES = {"last": _("last"), "first": _("first")}
LEVELS = {
    "province": _("province"),
    "prefecture": _("prefecture"),
    "county": _("county"),
    "township": _("township"),
    "all": _("all"),
}


def _limits(row: Row) -> str:
    """Write the interval of a published estimate."""
    return figures.interval(row["ci_low"], row["ci_high"], row["kind"])


def _limits_of_model(row: Row) -> str:
    """Write the limits of a model's estimate."""
    return figures.interval(row["ci_model_low"], row["ci_model_high"], row["kind"])


def _odds(value: Any) -> str:
    """Write a ratio with two digits."""
    return figures.estimate_text(value, "", 2)


def words_of(row: Row, what: str) -> Text:
    """Return the words of a published status: its Chinese stands in a column of its own."""
    return Text.of(row[f"{what}_zh"], row[what])


FILTERS: dict[str, Callable[..., str | Text]] = {
    "estimate": figures.estimate_text,
    "label_of": label_of,
    "words_of": words_of,
    "limits": _limits,
    "limits_of_model": _limits_of_model,
    "odds": _odds,
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
    """A verdict on the area of a published row: what was asked, on what basis, how sure it is."""

    row: Row
    asked: Text
    basis: Text
    verdict: Text
    figures: tuple[str, ...]


class Within(NamedTuple):
    """One ranking within a larger area."""

    title: Text
    rows: list[Verdict]


def records(table: pd.DataFrame) -> list[Row]:
    """Return the rows of a table."""
    rows: list[Row] = table.to_dict("records")
    return rows


def sentences(table: pd.DataFrame, marks: Text | None) -> list[Text]:
    """Return the sentences of a table without the mark in front."""
    return [unmarked(row["zh"], row["en"], marks) for row in records(table)]


def unmarked(zh: str, en: str, marks: Text | None) -> Text:
    """Return a sentence without the mark in front, which a page carries on top."""
    if marks is None:
        return Text(zh, en)
    mark = mark_in_brackets(marks)
    return Text(zh.removeprefix(mark.zh), en.removeprefix(mark.en).lstrip())


def not_read(table: pd.DataFrame) -> list[tuple[str, Text]]:
    """Return the files that were not read, each with the reason."""
    return [(row["file"], Text(row["zh"], row["en"])) for row in records(table)]


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


def of_the_whole(indices: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of all areas together."""
    return indices[indices["level"] == published_levels(indices)[-1]]


def topics(indices: pd.DataFrame) -> list[Row]:
    """Return the topics of all areas together, strongest first."""
    whole = of_the_whole(indices)
    scores = whole[whole["kind"] == "score"]
    return records(scores.sort_values("estimate", ascending=False, kind="stable"))


def areas(survey: Survey, indices: pd.DataFrame) -> list[AreaTable]:
    """Return rates and indices of every level but the whole, the highest first; the whole closes each table."""
    shown = indices[indices["kind"] != "score"]
    *below, whole = published_levels(indices)
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
    return Text.of(item.zh, item.en) if item else Text(level)


def ranked_kind(indices: pd.DataFrame, ranking: pd.DataFrame) -> str:
    """Return the kind of the measure that is ranked."""
    return str(_ranked_measure(indices, ranking)["kind"])


def ranked_label(indices: pd.DataFrame, ranking: pd.DataFrame) -> Text:
    """Return the label of the measure that is ranked."""
    return label_of(_ranked_measure(indices, ranking), "measure")


def _ranked_measure(indices: pd.DataFrame, ranking: pd.DataFrame) -> Any:
    return indices[indices["measure"] == ranking["measure"].iloc[0]].iloc[0]


def ranking_findings(summary: Mapping[str, Any]) -> list[Text]:
    """Say in sentences what the ranking as a whole can and cannot tell."""
    if summary["selection"] != "probability":
        return []
    size = summary["list_size_low"]
    bottom = summary["bottom"]
    side = SIDES[summary["side"]]
    expected = f"{summary['expected_true_bottom']:.1f}"
    p = p_value(summary["list_p"])
    alpha = f"{1 - summary['level']:.3g}"
    share = figures.percent(summary["decidable_share"])
    units = summary["p"]
    rankability = f"{summary['rankability']:.2f}"
    return [
        _(
            "Under the model, {expected} of the {size} units listed are expected to be "
            "true members of the {side} {bottom}.",
            expected=expected,
            size=size,
            side=side,
            bottom=bottom,
        ),
        _(
            "The p-value of the list as a whole is {p}; a probability sample and a value "
            "of at most {alpha} would establish it.",
            p=p,
            alpha=alpha,
        ),
        _(
            "Of all pairs of the {units} units, {share} can be put in order for the "
            "whole table at once; rankability {rankability} (0-1).",
            units=units,
            share=share,
            rankability=rankability,
        ),
    ]


def reasons(log: pd.DataFrame) -> list[tuple[str, Text, Text, str]]:
    """Count the log's entries by rule: rule, action, message, entries."""
    counted = []
    for (rule, action, zh, en), number in (
        log.groupby(["rule", "action", "zh", "en"]).size().items()
    ):
        what = ACTIONS.get(action, Text(action))
        counted.append((rule, what, Text.of(zh, en), figures.count(number)))
    return counted


def alternatives(
    indices: pd.DataFrame, ranking: pd.DataFrame, summary: Mapping[str, Any]
) -> dict[str, Text]:
    """Describe each figure in words, for those who cannot see it."""
    size = summary["bottom"]
    side = SIDES[summary["side"]]
    units = int(ranking["rank"].notna().sum())
    many = indices.loc[indices["level"] == published_levels(indices)[-2], "code"].nunique()
    with_sets = with_limits = and_limits = NOTHING
    if summary["selection"] == "probability":
        with_sets = _(", interval and rank sets")
        with_limits = _(" with intervals")
        and_limits = _(" and interval")
    described = {
        "ladder": _(
            "{units} units in rank order, each with estimate{with_sets}; the full "
            "ranking table holds the numbers.",
            units=units,
            with_sets=with_sets,
        ),
        "probability": _(
            "Probability of the {side} {size} for the units nearest the cut; the full "
            "ranking table holds the numbers.",
            side=side,
            size=size,
        ),
        "rates": _(
            "Rates of {many} areas{with_limits}; the tables by area hold the numbers.",
            many=many,
            with_limits=with_limits,
        ),
        "paths": _(
            "Ranks of the units listed over the waves, with their sets where there are any."
        ),
        "targets": _("Verdicts on the targets; the table of targets holds the numbers."),
        "thresholds": _(
            "Every area's value{and_limits} beside the threshold.", and_limits=and_limits
        ),
    }
    if summary["decidable_share"] is not None:
        share = figures.percent(summary["decidable_share"])
        described["pairs"] = _(
            "All pairs of {units} units: {share} can be put in order, the others cannot.",
            units=units,
            share=share,
        )
    described["odds"] = _(
        "The odds of answering at which each area would cross the cut of the list; the table holds "
        "the numbers."
    )
    if scores := topics(indices):
        best = label_of(scores[0], "measure")
        worst = label_of(scores[-1], "measure")
        described["topics"] = _(
            "Scores of {n} topics: strongest {best}, weakest {worst}.",
            n=len(scores),
            best=best,
            worst=worst,
        )
    return described


def target_rows(targets: pd.DataFrame) -> list[Verdict]:
    """Return the targets: the rank that decides with its set, p of met and of not met, probability."""
    rows = []
    for row in records(targets):
        rank = f"{figures.rank_with_set(row)} / {row['of']}"
        ps = p_value(row["p_met"]), p_value(row["p_not_met"])
        asked = Text(row["target_zh"], row["target"])
        basis = Text.of(row["basis_zh"], row["basis"])
        verdict = Text.of(row["verdict_zh"], row["verdict"])
        rows.append(
            Verdict(row, asked, basis, verdict, (rank, *ps, probability(row["probability"])))
        )
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
        ps = p_value(row["p_below"]), p_value(row["p_not_below"])
        rows.append(Verdict(row, asked, estimate, _status(row), (*ps, figures.count(row["n"]))))
    return rows


def escalation_rows(escalation: pd.DataFrame) -> list[Verdict]:
    """Return the step that follows for every area on the list, with the status of its listing."""
    rows = []
    for row in records(escalation):
        times = row["listed_in_a_row"]
        step = Text(row["step_zh"] or ABSENT, row["step_en"])
        in_a_row = _("{times} in a row", times=times)
        sure = p_value(row["p_in"]), probability(row["probability_bottom"])
        rows.append(Verdict(row, step, in_a_row, _status(row), sure))
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
        verdict = _(
            "by rule: {reached}; by the data: {status}",
            reached=REACHED[row["reached"]],
            status=_status(row),
        )
        sure = p_value(row["p_established"]), p_value(row["p_excluded"])
        rows.append(Verdict(row, step, basis, verdict, sure))
    return rows


def _status(row: Row) -> Text:
    return Text.of(row["status_zh"], row["status"])


def within_tables(survey: Survey, within: pd.DataFrame, kind: str) -> list[Within]:
    """Return the rankings within larger areas, the highest level first."""
    tables: list[Within] = []
    if not len(within):
        return tables
    for (level, _area), part in within.groupby(["level", "within"], sort=False):
        among = label_of(part.iloc[0], "within")
        label = level_label(survey, str(level))
        title = _("{area}: ranking by {level}", area=among, level=label)
        tables.append(Within(title, [_within_row(row, kind) for row in records(part)]))
    return tables[::-1]


def _within_row(row: Row, kind: str) -> Verdict:
    written = (
        figures.estimate_text(row["estimate"], kind, 2),
        figures.rank_set(row["simultaneous_low"], row["simultaneous_high"]),
        probability(row["probability_first"]),
        probability(row["probability_last"]),
        figures.count(row["n"]),
    )
    rank = Text(figures.rank_with_set(row))
    return Verdict(row, NOTHING, rank, as_text(row["note"]), written)


class SelectionRow(NamedTuple):
    """One area where nobody was drawn: its sensitivity row, and the rows of every model."""

    sensitivity: Row
    models: list[Row]


def selection_rows(tables: SelectionTables, level: str, measure: str) -> list[SelectionRow]:
    """Return the ranked measure of every ranked area: sensitivity, with the models beside it."""
    model, sensitivity = tables.of_ranked(level, measure)
    by_area: dict[str, list[Row]] = {}
    for row in records(model):
        by_area.setdefault(row["code"], []).append(row)
    return [SelectionRow(row, by_area.get(row["code"], [])) for row in records(sensitivity)]
