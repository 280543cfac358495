"""Rankings as published, no rank without its sets, status or probability; and what the rules make of a wave.

That is: targets, thresholds, escalation, and ranks over waves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.declarations.rules import Escalation, Target
from satisfaction.declarations.survey import Survey
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.figures import unit_of
from satisfaction.foundation.language import NOTHING, Text, _, comma_list, ngettext
from satisfaction.publication.labels import (
    BELOW,
    STATUS,
    STEP,
    VERDICT,
    area_labels,
    labelled,
    names_of_scores,
    published,
    score_labels,
    whole_code,
    whole_numbers,
    worded,
)
from satisfaction.ranking.area_rankings import LeftOut, Rankings
from satisfaction.ranking.borrowed_errors import floored
from satisfaction.ranking.escalation import (
    RELEASE,
    LadderRow,
    highest,
    ladder,
    listed_in_a_row,
    standing,
)
from satisfaction.ranking.list_action import acting
from satisfaction.ranking.rank import Ranking
from satisfaction.ranking.table import RankingSummary
from satisfaction.ranking.targets import RANGE_MET, target_verdicts, threshold_verdicts

SETS = ["marginal_low", "marginal_high", "simultaneous_low", "simultaneous_high"]
AREA = ["code", "name_zh", "name_en"]
FIGURES = ["measure", "estimate", "se", "n"]
RANKING = [
    *(*AREA, *FIGURES, "rank", "rank_unrounded", "tie_break", *SETS),
    *("side", "listed", "status", "status_zh", "p_in", "p_out", "p_in_adjusted", "p_out_adjusted"),
    *("probability_bottom", "expected_rank", "reliability", "note"),
    *("probability_low", "probability_high", "model_dependent"),
    *("listed_by_rank", "listed_by", "spared_by", "list_status", "p_listed", "p_not_listed"),
    "grade",
]
ON_REQUEST = (
    *("rank_unrounded", "tie_break", "p_in_adjusted", "p_out_adjusted", "note"),
    *("probability_low", "probability_high", "model_dependent"),
    *("listed_by_rank", "listed_by", "spared_by", "list_status", "p_listed", "p_not_listed"),
)
WITHIN = [
    *("level", "within", "within_zh", "within_en", *AREA, *FIGURES, "rank", "rank_unrounded"),
    *("of", *SETS, "probability_first", "probability_last", "note"),
]
FEW = _("too few answers; not ranked")
ONLY = _("no other area has answers; not ranked")
SILENT = _("no answers; not ranked")
WITHHELD = _("withheld by the suppression rule; not ranked")


def ranking_table(
    survey: Survey, estimates: Mapping[str, Estimates], ranking: Ranking, *, graded: bool = True
) -> pd.DataFrame:
    """Return the ranking as published, in rank order: no rank without its sets, status and probability.

    Without `graded` nobody has a grade: finding grades takes as long as the ranks.

    Returns
    -------
    DataFrame
        survey, wave, code, name_zh, name_en, measure, estimate, se, n, rank, marginal_low, marginal_high, simultaneous_low,
        simultaneous_high, side ("last", "first": the listed end, which the columns after it concern), listed ("yes", "no",
        "tied"), status, status_zh, p_in, p_out, probability_bottom (of the listed end), expected_rank, reliability, mark.
        Where the rules ask for it also rank_unrounded, p_in_adjusted and p_out_adjusted, which then decide the status; where
        the se of areas comes from a larger area also note, which says so. Where a rate is ranked also probability_low,
        probability_high and model_dependent ("yes", "no"): the probability under other models. Before the mark stands grade
        (1 is the best; empty without a probability sample and where an area is not ranked). Where declared thresholds act on
        the list, `listed` is what they make of it, and beside it stand listed_by_rank, listed_by, spared_by, list_status,
        p_listed and p_not_listed (`ranking.list_action`); status, p_in, p_out and probability_bottom concern the rank alone.
    """
    ranked = estimates[survey.ranked_level].of(survey.ranked)
    answers = ranked.table["n"]
    barred = ranked.conventions.get("barred", {})
    table = ranking.table.rename(columns={"unit": "code"})
    has_score = table["estimate"].notna()
    status_zh = _in_chinese(table["status"], STATUS).mask(~has_score & (answers > 0), WITHHELD.zh)
    why = table["code"].map({code: words.zh for code, words in barred.items()})
    status_zh = status_zh.mask(why.notna(), why)
    if not ranking.ranks_any:
        status_zh = status_zh.mask(answers > 0, ONLY.zh)
    # a combined score that lacks a component is none, and so has no error
    se = table["se"].where(has_score)
    table = table.assign(se=se, n=whole_numbers(answers), measure=survey.ranked)
    listed = list(standing(ranking).values())
    table = table.assign(side=ranking.summary["side"], listed=listed, status_zh=status_zh)
    notes = dict(ranking.summary.get("se_from_larger") or {})
    exact = exact_words(survey, ranking.summary)
    if exact:
        notes = dict.fromkeys(ranking.units.ranked_names, exact)
    notes |= {code: words.both for code, words in barred.items()}
    if notes:
        table["note"] = [notes.get(code, "") for code in table["code"]]
    if "model_dependent" in table:
        table["model_dependent"] = yes_or_no(table["model_dependent"])
    table["grade"] = pd.array([pd.NA] * len(table), dtype="Int64")
    if graded:
        table["grade"] = ranking.grades(survey.rules.ranking.wrongly_ordered).table["grade"]
    columns = [name for name in RANKING if name in table or name not in ON_REQUEST]
    ordered = table.sort_values(["rank", "code"], na_position="last", ignore_index=True)
    return published(survey, ordered, columns)


def yes_or_no(flags: pd.Series) -> pd.Series:
    """Write flags as they are published; a missing one is empty."""
    words = flags.map({True: "yes", False: "no"})
    return words.astype(object).where(words.notna(), "")


def by_rank_alone(ranking: pd.DataFrame) -> pd.DataFrame:
    """Return the published ranking with the list as ranks alone make it; what speaks about the cut is made from it."""
    if "listed_by_rank" not in ranking:
        return ranking
    return ranking.assign(listed=ranking["listed_by_rank"])


def exact_words(survey: Survey, summary: Mapping[str, Any]) -> str:
    """Say in both languages which components are taken as exact; empty where none is."""
    labels = names_of_scores(survey)
    components = [labels[name] for name in summary.get("taken_as_exact", ())]
    if not components:
        return ""
    return _("taken as exact: {components}", components=comma_list(components)).both


def within_table(
    survey: Survey, estimates: Mapping[str, Estimates], rankings: Rankings
) -> pd.DataFrame:
    """Return the rankings of every level within its parents, in rank order.

    Returns
    -------
    DataFrame
        survey, wave, level, within (code of the parent), within_zh, within_en, code, name_zh, name_en, measure, estimate, se,
        n, rank, of (units ranked), marginal_low, marginal_high, simultaneous_low, simultaneous_high (jointly for the units of
        one parent), probability_first, probability_last (under the model), note (why a unit is not ranked), mark. Where the
        rules round scores also rank_unrounded.
    """
    parts = []
    for (level, parent), ranking in rankings.within.items():
        exact = exact_words(survey, ranking.summary)
        parts.append(_within(ranking, level=level, parent=parent, exact=exact))
    for group in rankings.left_out:
        parts.append(_left_out(survey, estimates[group.level], group))
    columns = list(WITHIN)
    if survey.rules.ranking.round_before_ranking == "off":
        columns.remove("rank_unrounded")
    if not parts:
        return published(survey, pd.DataFrame(columns=columns), columns)
    table = pd.concat(parts, ignore_index=True)
    answers = {level: _by_code(survey, estimates[level])["n"] for level in table["level"].unique()}
    areas = zip(table["level"], table["code"], strict=True)
    table["n"] = whole_numbers(pd.Series([answers[level][code] for level, code in areas]))
    table["measure"] = survey.ranked
    table = labelled(table, area_labels(survey), key="within", into="within")
    return published(survey, table, columns)


def _within(ranking: Ranking, *, level: str, parent: str, exact: str) -> pd.DataFrame:
    table = ranking.table.rename(columns={"unit": "code", "probability_bottom": "probability_last"})
    borrowed = ranking.summary.get("se_from_larger", {})
    se_note = [borrowed.get(code, "") for code in table["code"]]
    if exact:
        se_note = [exact] * len(table)
    reasons = why_not_ranked(ranking)
    why_unranked = [reasons.get(code, NOTHING).both for code in table["code"]]
    table["probability_first"] = ranking.target("top", 1).table["probability"]
    table["note"] = np.where(ranking.units.ranked, se_note, why_unranked)
    table = table.assign(level=level, within=parent, of=ranking.summary["p"])
    return table.sort_values(["rank", "code"], na_position="last")


def list_title(summary: RankingSummary) -> Text:
    """Say which list is filed: of the last or the first, or what thresholds make of it."""
    first_or_last = _("last {n} of {p}", n=len(summary.listed), p=summary.p)
    if summary.side == "first":
        first_or_last = _("first {n} of {p}", n=len(summary.listed), p=summary.p)
    if summary.on_list is None:
        return first_or_last
    filed = len(summary.filed)
    return _("{by_rank}; with the thresholds {n}", by_rank=first_or_last, n=filed)


def tied_line(ranking: Ranking, names: Mapping[str, Text]) -> Text:
    """Name the units tied at the cut, which the list may or may not hold; nothing where there are none."""
    tied = [names[unit] for unit, listed in standing(ranking).items() if listed == "tied"]
    if not tied:
        return NOTHING
    return _("  tied at the cut: {areas}", areas=comma_list(tied))


def why_not_ranked(ranking: Ranking) -> dict[str, Text]:
    """Say why units are not ranked, by the unit."""
    barred: Mapping[str, Text] = {}
    answers: Mapping[str, float] = {}
    if ranking.source is not None:
        barred = ranking.source.conventions.get("barred", {})
        table = ranking.source.table
        answers = dict(zip(table[ranking.source.by[0]].astype(str), table["n"], strict=True))
    estimate = ranking.table.set_index("unit")["estimate"]
    reasons = {}
    for unit in ranking.summary.not_ranked:
        usual = WITHHELD if pd.isna(estimate[unit]) else FEW
        if answers.get(unit) == 0:
            usual = SILENT
        reasons[unit] = barred.get(unit, usual)
    return reasons


def unranked_note(ranking: Ranking, names: Mapping[str, Text]) -> Text:
    """Name the units without a rank and say why; nothing where all have one, or none."""
    if not ranking.ranks_any:
        return NOTHING
    reasons = why_not_ranked(ranking)
    areas = [_("{area} ({why})", area=names[unit], why=why) for unit, why in reasons.items()]
    if not areas:
        return NOTHING
    return _("Without a rank: {areas}.", areas=comma_list(areas))


def _left_out(survey: Survey, estimates: Estimates, group: LeftOut) -> pd.DataFrame:
    """Return the rows of units without a ranking: their estimates and the reason."""
    ranked = _by_code(survey, estimates)
    table = ranked.loc[list(group.codes), ["estimate", "se"]].reset_index(names="code")
    table = table.assign(level=group.level, within=group.parent, of=0, note=group.reason.both)
    nowhere = pd.array([pd.NA] * len(table), dtype="Int64")
    ranks = dict.fromkeys(("rank", "rank_unrounded", *SETS), nowhere)
    return table.assign(**ranks, probability_first=np.nan, probability_last=np.nan)


def _by_code(survey: Survey, estimates: Estimates) -> pd.DataFrame:
    table = estimates.of(survey.ranked).table
    return table.set_index(table[estimates.by[0]].astype(str))


SET = ["rank", "marginal_low", "marginal_high"]
TARGETS = [
    *(*AREA, "target", "target_zh", "verdict", "verdict_zh", "p_met", "p_not_met", "probability"),
    *RANGE_MET,
    *("basis", "basis_zh", *SET, "of", "source"),
]
THRESHOLDS = [
    *(*AREA, "measure", "measure_zh", "measure_en", "threshold", "estimate", "se", "df"),
    *("ci_low", "ci_high", "n", "status", "status_zh", "p_below", "p_not_below"),
    *("p_below_adjusted", "p_not_below_adjusted"),
    *("consequence_zh", "consequence_en", "on_list", "note", "source"),
]
LADDER = [
    *(*AREA, "step_number", "trigger", "step_zh", "step_en", "reached", "in_force"),
    *("basis", "basis_zh", "status", "status_zh", "p_established", "p_excluded", "source"),
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
        verdict_zh, p_met, p_not_met (one-sided, for one area named beforehand), probability (under the model), of ranked
        rates probability_met_low, probability_met_high and model_dependent ("yes", "no": under other models), basis,
        basis_zh (what the target is counted in), rank, marginal_low, marginal_high, of (in the ranking that decides), source,
        mark.
    """
    table = target_verdicts(survey, ranking, rankings)
    records = table.to_dict("records")
    table = table.assign(**table[SET].convert_dtypes())
    demands = [demand(survey, record["code"], record["target"]) for record in records]
    table = worded(table, demands, zh="target_zh", en="target")
    bases = [_basis(survey, record) for record in records]
    table = worded(table, bases, zh="basis_zh", en="basis")
    table["source"] = [record["target"].source.both for record in records]
    table["verdict_zh"] = _in_chinese(table["verdict"], VERDICT)
    if "model_dependent" in table:
        table["model_dependent"] = yes_or_no(table["model_dependent"])
    columns = [name for name in TARGETS if name in table or name not in RANGE_MET]
    return published(survey, table, columns)


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
        p_below_adjusted and p_not_below_adjusted, which then decide the status. Where any of them acts on the list also
        on_list ("listed", "spared", empty).
    """
    rules = survey.rules
    level = survey.ranked_level
    columns = list(THRESHOLDS)
    if rules.ranking.multiplicity == "one":
        columns.remove("p_below_adjusted")
        columns.remove("p_not_below_adjusted")
    if not acting(survey):
        columns.remove("on_list")
    if not rules.thresholds:
        return published(survey, pd.DataFrame(columns=columns), columns)
    parts = []
    for threshold in rules.thresholds:
        floor = floored(survey, estimates, level, measure=threshold.measure)
        part = threshold_verdicts(estimates[level], threshold, rules.ranking, floor=floor)
        part = part.assign(
            threshold=threshold.below,
            consequence_zh=threshold.zh,
            consequence_en=threshold.en,
            on_list=threshold.on_list or "",
            source=threshold.source.both,
        )
        parts.append(part.sort_values(["estimate", "code"], na_position="last"))
    table = pd.concat(parts, ignore_index=True)
    table["status_zh"] = _in_chinese(table["status"], BELOW)
    table = labelled(table, names_of_scores(survey), key="measure", into="measure")
    return published(survey, table, columns)


def escalation_table(
    survey: Survey, ranking: Ranking, estimates: Mapping[str, Estimates]
) -> pd.DataFrame:
    """Return the step that follows for every area on the list, or tied at its cut, and how certain this wave's listing is.

    Returns
    -------
    DataFrame
        survey, wave, code, name_zh, name_en, listed ("yes", "tied"), listed_in_a_row (waves, this one included), tied_waves (of
        them, tied at the cut only), step_zh, step_en (empty where no step is reached), status ("established", "possible",
        "excluded": of belonging to the list now; nothing is known of earlier waves), status_zh, p_in, probability_bottom (of
        the listed end, under the model), source, mark. Longest run first. No rows where no escalation is declared. The step
        is the last one of the whole ladder.
    """
    escalation = survey.rules.escalation
    if escalation is None:
        return published(survey, pd.DataFrame(columns=ESCALATION), ESCALATION)
    table = listed_in_a_row(survey, ranking, ladder(survey, estimates, ranking))
    of_units = ranking.table
    if "list_status" in of_units:  # thresholds act on the list
        of_units = of_units.assign(status=of_units["list_status"], p_in=of_units["p_listed"])
        of_units = of_units.drop(columns="listed")
    table = table.merge(of_units, left_on="code", right_on="unit", how="left")
    labels = {number: step.text for number, step in enumerate(escalation.steps)}
    reached = [labels.get(number, NOTHING) for number in table["step"]]
    table = worded(table, reached, zh="step_zh", en="step_en")
    table["status_zh"] = _in_chinese(table["status"], STATUS)
    table["source"] = escalation.source.both
    table = table.sort_values(
        ["listed_in_a_row", "code"], ascending=[False, True], ignore_index=True
    )
    return published(survey, table, ESCALATION)


def ladder_table(
    survey: Survey, estimates: Mapping[str, Estimates], ranking: Ranking
) -> pd.DataFrame:
    """Return the steps of the ladder that areas have reached or may have, and the releases.

    Returns
    -------
    DataFrame
        survey, wave, code, name_zh, name_en, step_number (from 1; the release comes last), trigger, step_zh, step_en, reached
        ("yes", "tied", "no": by what was published), in_force ("yes" for the last step reached, and for a release), basis,
        basis_zh, status ("established", "possible", "excluded": how far the data prove what the step rests on), status_zh,
        p_established, p_excluded, source, mark. No rows where waves in a row are the only trigger: `escalation_table` says all.
    """
    escalation = survey.rules.escalation
    if escalation is None or not escalation.is_ladder:
        return published(survey, pd.DataFrame(columns=LADDER), LADDER)
    rows = ladder(survey, estimates, ranking)
    last = highest(rows)
    records = []
    for row in rows:
        if row.trigger == RELEASE:
            assert escalation.release is not None
            words = escalation.release.text
            in_force = row.reached == "yes"
        else:
            words = escalation.steps[row.number].text
            in_force = row.number == last.get(row.code) and row.reached != "no"
        basis = _ladder_basis(survey, escalation, row)
        record = {
            "code": row.code,
            "step_number": row.number + 1,
            "trigger": row.trigger,
            "step_zh": words.zh,
            "step_en": words.en,
            "reached": row.reached,
            "in_force": "yes" if in_force else "no",
            "basis": basis.en,
            "basis_zh": basis.zh,
            "status": row.status,
            "status_zh": STEP[row.status].zh,
            "p_established": row.p_in,
            "p_excluded": row.p_out,
            "source": escalation.source.both,
        }
        records.append(record)
    return published(survey, pd.DataFrame(records, columns=LADDER), LADDER)


def _ladder_basis(survey: Survey, escalation: Escalation, row: LadderRow) -> Text:
    """Say what a step or a release rests on."""
    waves = comma_list(row.waves)
    if row.trigger == "listed_in_a_row":
        return ngettext(
            "on the list {n} wave in a row ({waves})",
            "on the list {n} waves in a row ({waves})",
            row.counted,
            waves=waves,
        )
    if row.trigger == "listed_in_a_year":
        return ngettext(
            "on the list {n} time within a year ({waves})",
            "on the list {n} times within a year ({waves})",
            row.counted,
            waves=waves,
        )
    if row.trigger == "fall":
        return _(
            "published rank {before:g} in {since}, now {rank:g}",
            before=row.before,
            since=waves,
            rank=row.value,
        )
    if row.trigger == "rank_from":
        return _("rank {rank:g} now", rank=row.value)
    if row.trigger == "low":
        low = escalation.steps[row.number].low
        assert low is not None
        kind, measure = score_labels(survey)[low.measure]
        unit = unit_of(kind)
        return _(
            "{measure} {estimate}, line {below}",
            measure=measure,
            estimate=unit.level(row.value),
            below=unit.level(low.below),
        )
    release = escalation.release
    assert release is not None
    stood = ngettext(
        "listed since {since}, by now {n} wave off the list, rank {rank:g} now",
        "listed since {since}, by now {n} waves off the list, rank {rank:g} now",
        row.counted,
        since=row.waves[0],
        rank=row.value,
    )
    needed = ngettext(
        "release needs {n} wave off the list",
        "release needs {n} waves off the list",
        release.off_list,
    )
    if release.rank_at_most is None:
        return _("{stood}; {needed}", stood=stood, needed=needed)
    return _(
        "{stood}; {needed} and a rank of {rank} or better",
        stood=stood,
        needed=needed,
        rank=release.rank_at_most,
    )


def paths_table(
    survey: Survey, estimates: Mapping[str, Estimates], ranking: Ranking
) -> pd.DataFrame:
    """Return the published ranks of this wave's areas over the waves, oldest first.

    Returns
    -------
    DataFrame
        survey, wave, code, name_zh, name_en, rank, marginal_low, marginal_high (missing where an earlier wave published none,
        and without a probability sample), listed ("yes", "no", "tied"), n, mark; in rank order within a wave.
    """
    columns = [*AREA, *SET, "listed", "n"]
    now = ranking_table(survey, estimates, ranking, graded=False)
    if survey.history is None:
        return published(survey, now, columns)
    history = survey.history
    earlier = [history[history["wave"] == wave] for wave in survey.earlier_waves()]
    return _over_waves(survey, earlier, now[["wave", *columns]])


def within_paths_table(survey: Survey, within: pd.DataFrame) -> pd.DataFrame:
    """Return the published ranks of larger areas (prefectures in the province) over the waves, oldest first.

    Parameters
    ----------
    survey : Survey
    within : DataFrame
        As `within_table` returns it.

    Returns
    -------
    DataFrame
        survey, wave, code, name_zh, name_en, rank, marginal_low, marginal_high, n, mark; no rows where no earlier file set
        holds such ranks.
    """
    columns = [*AREA, *SET, "n"]
    earlier = [wave.larger for wave in survey.earlier if wave.larger is not None]
    now = within[within["level"] != survey.ranked_level]
    if not earlier or not len(now):
        return published(survey, now.iloc[:0], columns)
    return _over_waves(survey, earlier, now[["wave", *columns]])


def _over_waves(survey: Survey, earlier: list[pd.DataFrame], now: pd.DataFrame) -> pd.DataFrame:
    """Return this wave's ranks behind earlier ones of its areas, as published: whole numbers, each under its own wave."""
    _wave, *columns = now
    parts = []
    for table in earlier:
        known = table[table["code"].isin(now["code"])]
        parts.append(known.sort_values(["rank", "code"], na_position="last"))
    parts.append(now.astype(dict.fromkeys([*SET, "n"], float)))
    table = pd.concat(parts, ignore_index=True)
    if survey.declared.selection != "probability":  # as the mark of every row says
        table[SET[1:]] = np.nan
    whole = table[[*SET, "n"]].convert_dtypes()
    table = table.assign(**whole)
    return published(survey, table, columns).assign(wave=table["wave"])
