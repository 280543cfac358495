"""What the rules make of a wave, as published: targets, thresholds, escalation, and ranks over waves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from satisfaction.declarations.rules import Target
from satisfaction.declarations.survey import Survey
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.language import Text, _
from satisfaction.publication.labels import (
    BELOW,
    STATUS,
    VERDICT,
    area_labels,
    labelled,
    published,
    score_labels,
    whole_code,
)
from satisfaction.publication.ranking_table import ranking_table
from satisfaction.ranking.borrowed_errors import floored
from satisfaction.ranking.escalation import listed_in_a_row
from satisfaction.ranking.rank import Ranking
from satisfaction.ranking.rules import Rankings
from satisfaction.ranking.targets import target_verdicts, threshold_verdicts

SET = ["rank", "marginal_low", "marginal_high"]
NO_STEP = Text(zh="", en="")
AREA = ["code", "name_zh", "name_en"]
TARGETS = [
    *(*AREA, "target", "target_zh", "verdict", "verdict_zh", "p_met", "p_not_met", "probability"),
    *("basis", "basis_zh", *SET, "of", "source"),
]
THRESHOLDS = [
    *(*AREA, "measure", "measure_zh", "measure_en", "threshold", "estimate", "se", "df"),
    *("ci_low", "ci_high", "n", "status", "status_zh", "p_below", "p_not_below"),
    *("p_below_adjusted", "p_not_below_adjusted"),
    *("consequence_zh", "consequence_en", "note", "source"),
]
ESCALATION = [
    *(*AREA, "listed", "listed_in_a_row", "tied_waves", "step_zh", "step_en"),
    *("status", "status_zh", "p_in", "probability_bottom", "source"),
]


def targets_table(survey: Survey, ranking: Ranking, rankings: Rankings) -> pd.DataFrame:
    """Return the verdict on every target, in the order of rules.yaml.

    Returns
    -------
    DataFrame
        survey, wave, code, name_zh, name_en, target, target_zh, verdict ("met", "not met", "not decidable", "not ranked"),
        verdict_zh, p_met, p_not_met (one-sided, for one area named beforehand), probability (under the model), basis,
        basis_zh (what the target is counted in), rank, marginal_low, marginal_high, of (in the ranking that decides), source,
        mark.
    """
    table = target_verdicts(survey, ranking, rankings)
    records = table.to_dict("records")
    demands = [demand(survey, record["code"], record["target"]) for record in records]
    bases = [_basis(survey, record) for record in records]
    table = table.assign(**table[SET].convert_dtypes())
    table["target"] = [label.en for label in demands]
    table["target_zh"] = [label.zh for label in demands]
    table["basis"] = [label.en for label in bases]
    table["basis_zh"] = [label.zh for label in bases]
    table["source"] = [record["target"].source for record in records]
    table["verdict_zh"] = _in_chinese(table["verdict"], VERDICT)
    return published(survey, table, TARGETS)


def demand(survey: Survey, code: str, target: Target) -> Text:
    """Say what an area has been set."""
    if target.top is not None:
        return _("top {top}", top=target.top)
    if target.rise is not None:
        since = target.since or survey.earlier_waves()[-1]
        if target.rise == 0:
            return _("hold the rank of {since}", since=since)
        return _("rise {rise} since {since}", rise=target.rise, since=since)
    whole = target.first_in == survey.whole()
    within = area_labels(survey)[whole_code(survey) if whole else survey.parents()[code]]
    among = Text(within.zh, str(target.first_in))  # the file names the level in English
    return _("first in {area}", area=among)


def _basis(survey: Survey, row: dict[Any, Any]) -> Text:
    """Say what a target is counted in: a ranking of so many, an earlier published rank."""
    if row["since"]:
        return _("published rank {before:g} in {since}", before=row["before"], since=row["since"])
    if row["parent"]:
        area = area_labels(survey)[row["parent"]]
        return _("ranking of {of} in {area}", of=row["of"], area=area)
    return _("ranking of {of}", of=row["of"])


def _in_chinese(verdicts: pd.Series, labels: Mapping[str, Text]) -> pd.Series:
    return verdicts.map({verdict: label.zh for verdict, label in labels.items()})


def thresholds_table(survey: Survey, estimates: Mapping[str, Estimates]) -> pd.DataFrame:
    """Return, for every declared threshold, which areas lie below it: established, possible or excluded.

    Returns
    -------
    DataFrame
        survey, wave, code, name_zh, name_en, measure, measure_zh, measure_en, threshold, estimate, se, df, ci_low, ci_high (at
        the survey's level), n, status ("established" below, "possible", "excluded"), status_zh, p_below, p_not_below (one-sided
        t tests with the estimate's df, for one area named beforehand), consequence_zh, consequence_en, note, source, mark.
        Shares 0-1 or points 0-100 as the measure; lowest estimate first. With a multiplicity other than one also
        p_below_adjusted and p_not_below_adjusted, which then decide the status.
    """
    rules = survey.rules
    level = survey.ranked_level
    columns = list(THRESHOLDS)
    if rules.ranking.multiplicity == "one":
        columns.remove("p_below_adjusted")
        columns.remove("p_not_below_adjusted")
    if not rules.thresholds:
        return published(survey, pd.DataFrame(columns=columns), columns)
    parts = []
    for threshold in rules.thresholds:
        floor = floored(survey, estimates, level, threshold.measure)
        part = threshold_verdicts(estimates[level], threshold, rules.ranking, floor=floor)
        part["threshold"] = threshold.below
        part["consequence_zh"] = threshold.zh
        part["consequence_en"] = threshold.en
        part["source"] = threshold.source
        parts.append(part.sort_values(["estimate", "code"], na_position="last"))
    table = pd.concat(parts, ignore_index=True)
    table["status_zh"] = _in_chinese(table["status"], BELOW)
    labels = {name: label for name, (_kind, label) in score_labels(survey).items()}
    return published(survey, labelled(table, labels, key="measure", into="measure"), columns)


def escalation_table(survey: Survey, ranking: Ranking) -> pd.DataFrame:
    """Return the step that follows for every area on the list, or tied at its cut, and how certain this wave's listing is.

    Returns
    -------
    DataFrame
        survey, wave, code, name_zh, name_en, listed ("yes", "tied"), listed_in_a_row (waves, this one included), tied_waves (of
        them, tied at the cut only), step_zh, step_en (empty where no step is reached), status ("established", "possible",
        "excluded": of belonging to the list now; nothing is known of earlier waves), status_zh, p_in, probability_bottom (of
        the listed end, under the model), source, mark. Longest run first. No rows where no escalation is declared.
    """
    escalation = survey.rules.escalation
    table = listed_in_a_row(survey, ranking)
    table = table.merge(ranking.table, left_on="code", right_on="unit", how="left")
    labels: dict[int, Text] = {}
    if escalation is None:
        table = table.iloc[:0]
    else:
        for number, step in enumerate(escalation.steps):
            labels[number] = Text(zh=step.zh, en=step.en)
    reached = [labels.get(number, NO_STEP) for number in table["step"]]
    table = table.assign(
        step_zh=[label.zh for label in reached],
        step_en=[label.en for label in reached],
        status_zh=_in_chinese(table["status"], STATUS),
        source=escalation.source if escalation else "",
    )
    table = table.sort_values(
        ["listed_in_a_row", "code"], ascending=[False, True], ignore_index=True
    )
    return published(survey, table, ESCALATION)


def paths_table(
    survey: Survey, estimates: Mapping[str, Estimates], ranking: Ranking
) -> pd.DataFrame:
    """Return the published ranks of this wave's areas over the waves, oldest first.

    Returns
    -------
    DataFrame
        survey, wave, code, name_zh, name_en, rank, marginal_low, marginal_high (missing where an earlier wave published none),
        listed ("yes", "no", "tied"), n, mark; in rank order within a wave.
    """
    columns = [*AREA, *SET, "listed", "n"]
    now = ranking_table(survey, estimates, ranking)[["wave", *columns]]
    if survey.history is None:
        return published(survey, now, columns)
    earlier = survey.history[survey.history["code"].isin(now["code"])]
    earlier = earlier.sort_values(["rank", "code"], na_position="last")
    waves = [earlier[earlier["wave"] == wave] for wave in survey.earlier_waves()]
    table = pd.concat([*waves, now.astype(dict.fromkeys([*SET, "n"], float))], ignore_index=True)
    table = table.assign(**table[[*SET, "n"]].convert_dtypes())
    return published(survey, table, columns).assign(wave=table["wave"])
