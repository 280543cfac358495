"""Every table a wave publishes, made once: estimates of every level, the ranking and its verdicts, strong and weak topics.

Of a combined score its components by area, and the points that were lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from satisfaction.composite.scores import CombinedScores, LevelScores, scale_slope
from satisfaction.composite.tree_tables import lost_entries, most_lost
from satisfaction.declarations.combined import COMBINED
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
from satisfaction.foundation.language import NOTHING, Text, _, rendered, use
from satisfaction.pipeline import Results
from satisfaction.publication.clauses import Ground, ground_of
from satisfaction.publication.labels import (
    area_labels,
    labelled,
    mark,
    measures_named,
    names_of_scores,
    published,
    score_labels,
    twelve_digits,
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
from satisfaction.publication.selection_tables import OF_ROW, SelectionTables, selection_tables
from satisfaction.publication.sentences import (
    acted_statement,
    list_statement,
    near_cut,
    unit_sentences,
    with_acted_sentences,
)

INDICES = [
    *(*OF_ROW, "estimate", "se", "df", "ci_low", "ci_high", "cv", "deff", "n", "note", "selection"),
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


@dataclass(frozen=True, slots=True, repr=False)
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
    statement : Text
        The filed list with what may be said about it.
    """

    indices: pd.DataFrame
    ranking: pd.DataFrame
    within: pd.DataFrame
    targets: pd.DataFrame
    thresholds: pd.DataFrame
    escalation: pd.DataFrame
    ladder: pd.DataFrame
    paths: pd.DataFrame
    within_paths: pd.DataFrame
    sentences: pd.DataFrame
    near_cut: pd.DataFrame
    ground: Ground
    statement: Text
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
    thresholds = thresholds_table(survey, estimates)
    sentences = with_acted_sentences(survey, sentences, ranking, thresholds=thresholds)
    statement = acted_statement(survey, list_statement(ground), ranking)
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


def indicators_of(results: Results) -> Indicators | None:
    """Compare the topics of the ranked areas with the whole; None without topics or overall rate."""
    matters = _importance_of(results)
    if matters is None:
        return None
    whole = results.estimates[results.survey.whole()]
    return strengths_and_weaknesses(results.estimates[results.area], whole, matters)


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


SCORES = [
    *("level", "code", "name_zh", "name_en", "component", "component_zh", "component_en"),
    *("weight", "score", "scaled", "se", "contribution", "exact"),
]

AGGREGATIONS = {
    "arithmetic": _("weighted arithmetic mean"),
    "geometric": _("weighted geometric mean"),
}


def formula_lines(results: Results) -> list[Text]:
    """Say how the combined score is put together, where the ranking is by it."""
    if results.combined is None or results.survey.ranked != COMBINED:
        return []
    declared = results.combined.inputs.declared
    summands = []
    for component in declared.components.values():
        summands.append(_("{weight:g} {component}", weight=component.weight, component=component))
    return [
        _(
            "combined score = {weights} ({aggregation})",
            weights=rendered(lambda: " + ".join(map(str, summands))),
            aggregation=AGGREGATIONS[declared.aggregation],
        ),
        _("source: {source}", source=declared.source),
    ]


def results_by(results: Results, score: str) -> Results | None:
    """Return the wave ranked by a score, None where it is not ranked by it."""
    for ranked in (results, *results.further.values()):
        if ranked.survey.ranked == score:
            return ranked
    return None


@use(None)
def scores_table(survey: Survey, combined: CombinedScores) -> pd.DataFrame:
    """Return the components of the combined score of every area, the combined score itself after them.

    Returns
    -------
    DataFrame
        survey, wave, level, code, name_zh, name_en, component, component_zh, component_en, weight, score (on the component's
        own scale), scaled (as it is combined), se (of scaled; empty: none), contribution (weight times scaled; empty where the
        aggregation is no sum), exact ("declared", "taken": without an error, as declared or for want of one; "no"), mark.
    """
    parts = []
    for scores in combined.levels.values():
        parts += _components(combined, scores)
    table = pd.concat(parts, ignore_index=True)
    order = {code: row for row, code in enumerate(dict.fromkeys(table["code"]))}
    table = table.sort_values("code", key=lambda codes: codes.map(order), kind="stable")
    if survey.declared.selection != "probability":
        table["se"] = np.nan  # a component's as well: no figure of such a wave states an error
    labels = combined.inputs.labels
    table = labelled(table, labels, key="component", into="component")
    return published(survey, table.reset_index(drop=True), SCORES)


def _components(combined: CombinedScores, scores: LevelScores) -> list[pd.DataFrame]:
    """Return one table a component of a level, and one of the combined score."""
    is_sum = combined.inputs.declared.aggregation == "arithmetic"
    tables = []
    for k, part in enumerate(scores.parts):
        declared = part.declared
        scaled = scores.scaled[:, k]
        without = "taken" if declared.exact is None else "declared"
        without_se = part.without_error & (not part.by_draws)
        se = part.se * np.abs(scale_slope(part))
        columns = {
            "code": scores.codes,
            "score": part.score,
            "scaled": scaled,
            "se": np.where(without_se, np.nan, se),
            "exact": np.where(part.without_error, without, "no"),
            "weight": declared.weight,
            "contribution": declared.weight * scaled if is_sum else np.nan,
            "component": part.name,
        }
        tables.append(pd.DataFrame(columns))
    se_of_sum = np.sqrt(np.diag(scores.cov))
    columns = {
        "code": scores.codes,
        "score": scores.score,
        "scaled": scores.score,
        "se": np.where(scores.incomplete, np.nan, se_of_sum),
        "exact": "taken" if scores.taken_as_exact else "no",
        "weight": 1.0,
        "contribution": scores.score,
        "component": COMBINED,
    }
    tables.append(pd.DataFrame(columns))
    return [table.assign(level=scores.level) for table in tables]


@use(None)
def combined_files(results: Results) -> dict[str, pd.DataFrame]:
    """Return the tables beside the rankings that the combined score publishes, by the names of their files.

    Its components; the points lost in every assessment: by entry, by item and by department.
    """
    if results.combined is None:
        return {}
    tables = {"combined_scores": scores_table(results.survey, results.combined)}
    marks = mark(results.survey)
    for part in results.combined.ranked.parts:
        if part.assessed is None:
            continue
        entries = lost_entries(part.assessed)
        items = most_lost(entries, ["item", "item_zh", "item_en"])
        departments = most_lost(entries, ["department"])
        for name, table in (("lost", entries), ("items", items), ("departments", departments)):
            if len(table):
                file = f"combined_{part.name}_{name}"
                tables[file] = twelve_digits(table.assign(mark=marks))
    return tables
