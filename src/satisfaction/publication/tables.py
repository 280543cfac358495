"""Every table a wave publishes, made once: estimates of every level, the ranking and its verdicts, strong and weak topics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pandas as pd

from satisfaction.declarations.survey import Survey
from satisfaction.estimation.indicators import (
    Importance,
    Indicators,
    importance,
    strengths_and_weaknesses,
    unknown_importance,
)
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import EstimatesError
from satisfaction.foundation.figures import Kind
from satisfaction.foundation.language import NOTHING, Text, _, use
from satisfaction.pipeline import Results
from satisfaction.publication.clauses import Ground, ground_of
from satisfaction.publication.labels import (
    area_labels,
    labelled,
    measures_named,
    names_of_scores,
    published,
    score_labels,
    whole_code,
    whole_numbers,
)
from satisfaction.publication.ranking_table import (
    by_rank_alone,
    escalation_table,
    ladder_table,
    paths_table,
    ranking_table,
    targets_table,
    thresholds_table,
    within_paths_table,
    within_table,
)
from satisfaction.publication.selection_tables import SelectionTables, selection_tables
from satisfaction.publication.sentences import (
    Statement,
    acted_statement,
    list_statement,
    near_cut,
    unit_sentences,
    with_acted_sentences,
)

INDICES = [
    *("level", "code", "name_zh", "name_en", "measure", "measure_zh", "measure_en", "kind", "unit"),
    *("estimate", "se", "df", "ci_low", "ci_high", "cv", "deff", "n", "note", "selection"),
]


@use(None)
def indices_table(survey: Survey, estimates: dict[str, Estimates]) -> pd.DataFrame:
    """Return every estimate of every level as published.

    Returns
    -------
    DataFrame
        survey, wave, level, code, name_zh, name_en, measure, measure_zh, measure_en, kind, unit, estimate, se, df, ci_low,
        ci_high, cv, deff, n, note, selection, mark; rates as shares 0-1, scores and indices in points 0-100. Without degrees of
        freedom (df 0) there are no limits.
    """
    parts = []
    for level, estimates_of_level in estimates.items():
        figures = estimates_of_level.table
        if estimates_of_level.by:
            domain = estimates_of_level.by[0]
            codes = figures[domain].astype(str)
            figures = figures.drop(columns=list(estimates_of_level.by))
        else:
            codes = pd.Series(whole_code(survey), index=figures.index)
        parts.append(figures.assign(level=level, code=codes))
        if not ranks_composed(survey):
            continue
        for composed in estimates_of_level.apart.values():
            figures = composed.table.drop(columns=list(composed.by))
            parts.append(figures.assign(level=level, code=codes.unique()))
    table = pd.concat(parts, ignore_index=True)
    limits = table[["ci_low", "ci_high"]]
    table[["ci_low", "ci_high"]] = limits.where(np.isfinite(limits))
    table["n"] = whole_numbers(table["n"])
    table["selection"] = survey.declared.selection
    table = measures_named(survey, table)
    return published(survey, table, INDICES)


def ranks_composed(survey: Survey) -> bool:
    """Tell whether the ranking or its rules use a score that combined.yaml makes."""
    rules = survey.rules
    thresholds = [threshold.measure for threshold in rules.thresholds]
    used = {survey.ranked, rules.ranking.tie_break, *thresholds}
    return not used.isdisjoint(survey.composed)


@dataclass(frozen=True, slots=True)
class Tables:
    """The published tables of a wave; those that nothing is declared for have no rows.

    Attributes
    ----------
    indices, ranking, within, targets, thresholds, escalation, ladder, paths, within_paths : DataFrame
        As the functions of `published` return them.
    sentences : DataFrame
        code, zh, en: what may be said of every area; in rank order.
    near_cut : DataFrame
        As `sentences.near_cut` returns it.
    ground : Ground
        What all sentences about the ranking share.
    selection : SelectionTables
        Of a wave whose respondents were not drawn.
    statement : Statement
        The filed list with what may be said about it.
    """

    indices: pd.DataFrame = field(repr=False)
    ranking: pd.DataFrame = field(repr=False)
    within: pd.DataFrame = field(repr=False)
    targets: pd.DataFrame = field(repr=False)
    thresholds: pd.DataFrame = field(repr=False)
    escalation: pd.DataFrame = field(repr=False)
    ladder: pd.DataFrame = field(repr=False)
    paths: pd.DataFrame = field(repr=False)
    within_paths: pd.DataFrame = field(repr=False)
    sentences: pd.DataFrame = field(repr=False)
    near_cut: pd.DataFrame = field(repr=False)
    ground: Ground = field(repr=False)
    statement: Statement
    selection: SelectionTables


@use(None)
def tables_of(results: Results, *, every_measure: bool = True) -> Tables:
    """Return every table a wave publishes; without `every_measure` the indices are those of the ranked one alone."""
    survey = results.survey
    estimates = results.estimates
    shown = estimates
    if not every_measure:
        shown = {
            level: of_level.of(survey.ranked)
            for level, of_level in estimates.items()
            if of_level.holds(survey.ranked)
        }
    first = results.ranking
    ranking = ranking_table(survey, estimates, first)
    kind, measure = spoken(survey)
    ground = ground_of(by_rank_alone(ranking), first.summary, kind=kind, measure=measure)
    sentences = unit_sentences(ground, minimum_n=survey.rules.ranking.minimum_n)
    statement = list_statement(ground)
    thresholds = thresholds_table(survey, estimates)
    sentences = with_acted_sentences(survey, sentences, ranking, thresholds=thresholds)
    statement = acted_statement(survey, statement, ranking)
    within = within_table(survey, estimates, results.rankings)
    return Tables(
        indices=indices_table(survey, shown),
        ranking=ranking,
        within=within,
        targets=targets_table(survey, first, results.rankings),
        thresholds=thresholds,
        escalation=escalation_table(survey, first, estimates),
        ladder=ladder_table(survey, estimates, first),
        paths=paths_table(survey, estimates, first),
        within_paths=within_paths_table(survey, within),
        sentences=sentences,
        near_cut=near_cut(ground),
        ground=ground,
        statement=statement,
        selection=selection_tables(survey, results.selection_study),
    )


def spoken(survey: Survey) -> tuple[Kind, Text]:
    """Return the kind of the ranked measure, and its name as a sentence says it."""
    kind, label = score_labels(survey)[survey.ranked]
    return cast(Kind, kind), Text(label.zh, f"the {label.en[:1].lower()}{label.en[1:]}")


VERDICTS = {
    "strong": _("strong"),
    "weak": _("weak"),
    "not decidable": _("not decidable"),
}
QUADRANTS = {
    "keep": _("keep"),
    "improve first": _("improve first"),
    "keep, minor": _("keep, minor"),
    "improve, minor": _("improve, minor"),
    "": Text(zh="", en=""),
}
INDICATORS = [
    *("code", "name_zh", "name_en", "topic", "topic_zh", "topic_en", "score"),
    *("whole", "whole_zh", "whole_en"),
    *("difference", "se", "df", "ci_low", "ci_high", "p", "p_holm", "verdict", "verdict_zh"),
    *("importance", "high", "quadrant", "quadrant_zh"),
]


def indicators_of(results: Results, *, level: str | None = None) -> Indicators | None:
    """Compare the topics of a level's areas (default: the ranked one) with the whole; None without topics or overall rate."""
    matters = _importance_of(results)
    if matters is None:
        return None
    areas = results.estimates[level or results.area]
    return strengths_and_weaknesses(areas, results.estimates[results.survey.whole()], matters)


def _importance_of(results: Results) -> Importance | None:
    """Return what each topic goes with; None without topics or overall rate."""
    survey = results.survey
    if not survey.questionnaire.topics or survey.overall is None:
        return None
    try:
        return importance(results.design, survey.questionnaire, overall=survey.overall)
    except EstimatesError as fault:  # answers that do not vary, for instance
        return unknown_importance(list(survey.questionnaire.topics), fault)


@use(None)
def indicators_table(survey: Survey, indicators: Indicators) -> pd.DataFrame:
    """Return the topics of every area as published.

    Returns
    -------
    DataFrame
        survey, wave, code, name_zh, name_en, topic, topic_zh, topic_en, score, whole (points 0-100), whole_zh, whole_en (its
        name), difference, se, df, ci_low, ci_high, p, p_holm, verdict, verdict_zh, importance (percentage points of the
        overall rate for 25 points), high, quadrant, quadrant_zh, mark.
    """
    whole = area_labels(survey)[whole_code(survey)]
    table = labelled(indicators.table, names_of_scores(survey), key="topic", into="topic")
    table = table.assign(whole_zh=whole.zh, whole_en=whole.en)
    table = labelled(table, VERDICTS, key="verdict", into="verdict")
    table = labelled(table, QUADRANTS, key="quadrant", into="quadrant")
    return published(survey, table, INDICATORS)


def topics_table(results: Results) -> pd.DataFrame | None:
    """Compare the topics of the areas of every level below the whole with the whole, as published; None without topics."""
    survey = results.survey
    matters = _importance_of(results)
    levels = survey.area_levels()
    if matters is None or not levels:
        return None
    whole = results.estimates[survey.whole()]
    tables = []
    for level in levels:
        indicators = strengths_and_weaknesses(results.estimates[level], whole, matters)
        table = indicators_table(survey, indicators)
        table.insert(2, "level", level)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def with_parent_names(survey: Survey, indices: pd.DataFrame) -> pd.DataFrame:
    """Add the name of the area above to every row (parent_zh, parent_en; empty without a table of areas)."""
    names = survey.area_names()
    above = {code: names.get(parent, NOTHING) for code, parent in survey.parents().items()}
    table = labelled(indices, above, key="code", into="parent")
    return table.fillna({"parent_zh": "", "parent_en": ""})
