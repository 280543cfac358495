"""What the rules make of a wave, as published: targets, thresholds, escalation, and ranks over waves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from satisfaction.declarations.rules import Target
from satisfaction.declarations.survey import Survey
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.yaml import Label
from satisfaction.publication.labels import (
    BELOW,
    STATUS,
    VERDICT,
    area_labels,
    labelled,
    measure_labels,
    published,
    whole_code,
)
from satisfaction.publication.ranking_table import ranking_table
from satisfaction.ranking.borrowed_errors import floored
from satisfaction.ranking.escalation import listed_in_a_row
from satisfaction.ranking.rank import Ranking
from satisfaction.ranking.rules import Rankings
from satisfaction.ranking.targets import target_verdicts, threshold_verdicts

SET = ["rank", "marginal_low", "marginal_high"]
NOBODY = Label(zh="", en="")


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
    demands, bases = (
        [demand(survey, row["code"], row["target"]) for row in records],
        [_basis(survey, row) for row in records],
    )
    table = table.assign(
        target=[demand.en for demand in demands],
        target_zh=[demand.zh for demand in demands],
        basis=[basis.en for basis in bases],
        basis_zh=[basis.zh for basis in bases],
        source=[row["target"].source for row in records],
        verdict_zh=table["verdict"].map({word: label.zh for word, label in VERDICT.items()}),
        **table[SET].convert_dtypes(),
    )
    first = [
        "code",
        "name_zh",
        "name_en",
        "target",
        "target_zh",
        "verdict",
        "verdict_zh",
        "p_met",
        "p_not_met",
        "probability",
    ]
    return published(survey, table, [*first, "basis", "basis_zh", *SET, "of", "source"])


def demand(survey: Survey, code: str, target: Target) -> Label:
    """Say what an area has been set."""
    if target.top is not None:
        return Label(zh=f"前 {target.top} 名", en=f"top {target.top}")
    if target.rise is not None:
        since = target.since or survey.earlier_waves()[-1]
        return Label(zh=f"比 {since} 上升 {target.rise} 位", en=f"rise {target.rise} since {since}")
    whole = target.first_in == survey.whole()
    within = area_labels(survey)[whole_code(survey) if whole else survey.parents()[code]]
    return Label(zh=f"{within.zh}第一", en=f"first in {target.first_in}")


def _basis(survey: Survey, row: dict[Any, Any]) -> Label:
    """Say what a target is counted in: a ranking of so many, an earlier published rank."""
    if row["since"]:
        return Label(
            zh=f"{row['since']} 公布的名次 {row['before']:g}",
            en=f"published rank {row['before']:g} in {row['since']}",
        )
    within = area_labels(survey)[row["parent"]] if row["parent"] else NOBODY
    place = f" in {within.en}" if within.en else ""
    return Label(
        zh=f"{within.zh} {row['of']} 个地区的排名".lstrip(), en=f"ranking of {row['of']}{place}"
    )


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
    declared = survey.rules
    level = survey.ranked_level
    counties = estimates[level]
    tests = ["p_below", "p_not_below"]
    if declared.ranking.multiplicity != "one":
        tests += ["p_below_adjusted", "p_not_below_adjusted"]
    first = [
        "code",
        "name_zh",
        "name_en",
        "measure",
        "measure_zh",
        "measure_en",
        "threshold",
        "estimate",
        "se",
        "df",
        "ci_low",
    ]
    columns = [
        *first,
        "ci_high",
        "n",
        "status",
        "status_zh",
        *tests,
        "consequence_zh",
        "consequence_en",
        "note",
        "source",
    ]
    parts = [
        threshold_verdicts(
            counties, one, declared.ranking, floor=floored(survey, estimates, level, one.measure)
        )
        .assign(
            threshold=one.below, consequence_zh=one.zh, consequence_en=one.en, source=one.source
        )
        .sort_values(["estimate", "code"], na_position="last")
        for one in declared.thresholds
    ]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    labels = {name: label for name, (_, label) in measure_labels(survey.questionnaire).items()}
    table = table.assign(
        status_zh=table["status"].map({word: label.zh for word, label in BELOW.items()})
    )
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
    declared = survey.rules.escalation
    table = listed_in_a_row(survey, ranking).merge(
        ranking.table, left_on="code", right_on="unit", how="left"
    )
    table = table if declared else table.iloc[:0]
    steps = dict(enumerate(declared.steps)) if declared else {}
    table = table.assign(
        step_zh=[steps[at].zh if at in steps else "" for at in table["step"]],
        step_en=[steps[at].en if at in steps else "" for at in table["step"]],
        status_zh=table["status"].map({word: label.zh for word, label in STATUS.items()}),
        source=declared.source if declared else "",
    ).sort_values(["listed_in_a_row", "code"], ascending=[False, True], ignore_index=True)
    counted = [
        "code",
        "name_zh",
        "name_en",
        "listed",
        "listed_in_a_row",
        "tied_waves",
        "step_zh",
        "step_en",
    ]
    return published(
        survey, table, [*counted, "status", "status_zh", "p_in", "probability_bottom", "source"]
    )


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
    columns = ["code", "name_zh", "name_en", *SET, "listed", "n"]
    now = ranking_table(survey, estimates, ranking)[["wave", *columns]]
    if survey.history is None:
        return published(survey, now, columns)
    earlier = survey.history[survey.history["code"].isin(now["code"])]
    earlier = earlier.sort_values(["rank", "code"], na_position="last")
    waves = [earlier[earlier["wave"] == wave] for wave in survey.earlier_waves()]
    table = pd.concat([*waves, now.astype(dict.fromkeys([*SET, "n"], float))], ignore_index=True)
    table = table.assign(**table[[*SET, "n"]].convert_dtypes())
    return published(survey, table, columns).assign(wave=table["wave"])
