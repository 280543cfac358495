"""Every table a wave publishes, made once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pandas as pd

from ..pipeline import Results
from ..sentences import Kind, Said, Statement, list_statement, near_cut, unit_sentences
from ..survey import Survey
from .indices import indices_table
from .labels import measure_labels
from .ranking import ranking_table, within_table
from .verdicts import escalation_table, paths_table, targets_table, thresholds_table


@dataclass(frozen=True, slots=True)
class Tables:
    """The published tables of a wave; those that nothing is declared for have no rows.

    Attributes
    ----------
    indices, ranking, within, targets, thresholds, escalation, paths : DataFrame
        As the functions of `published` return them.
    sentences : DataFrame
        code, zh, en: what may be said of every area; in rank order.
    near_cut : DataFrame
        As `sentences.near_cut` returns it.
    statement : Statement
        The filed list with what may be said about it.
    """

    indices: pd.DataFrame
    ranking: pd.DataFrame
    within: pd.DataFrame
    targets: pd.DataFrame
    thresholds: pd.DataFrame
    escalation: pd.DataFrame
    paths: pd.DataFrame
    sentences: pd.DataFrame
    near_cut: pd.DataFrame
    statement: Statement


def tables_of(results: Results) -> Tables:
    """Return every table a wave publishes."""
    survey, estimates = results.survey, results.estimates
    ranking, summary = ranking_table(survey, estimates, results.ranking), results.ranking.summary
    kind, measure = spoken(survey)
    return Tables(
        indices=indices_table(survey, estimates),
        ranking=ranking,
        within=within_table(survey, estimates, results.rankings),
        targets=targets_table(survey, results.ranking, results.rankings),
        thresholds=thresholds_table(survey, estimates),
        escalation=escalation_table(survey, results.ranking),
        paths=paths_table(survey, estimates, results.ranking),
        sentences=unit_sentences(ranking, summary, kind=kind, measure=measure, minimum_n=survey.rules.ranking.minimum_n),
        near_cut=near_cut(ranking, summary, kind=kind, measure=measure),
        statement=list_statement(ranking, summary, kind=kind, measure=measure),
    )


def spoken(survey: Survey) -> tuple[Kind, Said]:
    """Return the kind of the ranked measure, and its name as a sentence says it."""
    kind, label = measure_labels(survey.questionnaire)[survey.questionnaire.ranked]
    return cast(Kind, kind), Said(label.zh, f"the {label.en[:1].lower()}{label.en[1:]}")
