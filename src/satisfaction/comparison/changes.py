"""Change between two waves as published: of every area's score, of its score relative to the field, and of its rank.

An index over the last waves, and the ranking on it, as published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.comparison.sides import (
    SharedRanking,
    all_compared,
    comparable_words,
    estimates_of,
    joint_mark,
    psus_of_today,
    read_in_order,
    redrawn,
    refuse_incomparable,
    relation_lines,
    shared_ranking,
    with_shared_psus,
)
from satisfaction.declarations.combined import COMBINED
from satisfaction.declarations.facts import codes_of_today
from satisfaction.declarations.survey import Survey
from satisfaction.estimation.change import change as score_change
from satisfaction.estimation.intervals import t_interval
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.engines import Engine
from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.language import Text, _
from satisfaction.pipeline import (
    Results,
    notes_with_names,
    rank_areas,
    ranked_scores,
    run,
)
from satisfaction.publication.labels import (
    UNITS,
    area_labels,
    labelled,
    score_labels,
    twelve_digits,
    whole_numbers,
)
from satisfaction.publication.ranking_table import ranking_table, yes_or_no
from satisfaction.ranking.borrowed_errors import floored
from satisfaction.ranking.change import RISE_RANGE, RankChange, rank_change
from satisfaction.ranking.rank import Ranking, require_ranks
from satisfaction.ranking.waves import rolling

PLACES = 5
COLUMNS = (
    "wave_before", "wave_after", "code", "name_zh", "name_en", "measure", "unit", "before", "after", "change", "change_se",
    "relative_change", "se", "df", "ci_low", "ci_high", "p", "p_bh", "significant", "shrunk_change", "shrunk_sd",
    "rank_before", "rank_before_low", "rank_before_high", "rank_after", "rank_after_low", "rank_after_high",
    "rise", "rise_low", "rise_high", "all_low", "all_high", "expected_rise", "probability_rise", "places",
    "shared_psus", "correlation", "mark",
)  # fmt: skip
IMPROVED = (
    "raw_order", "shrunk_order", "code", "name_zh", "name_en", "measure", "rank_before", "rank_before_low", "rank_before_high",
    "rank_after", "rank_after_low", "rank_after_high", "rise", "rise_low", "rise_high", "expected_rise", "probability_rise", "places",
    "relative_change", "ci_low", "ci_high", "p_bh", "significant", "shrunk_change", "shrunk_sd", "mark",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class WaveChange:
    """What changed between two waves of a survey.

    Attributes
    ----------
    earlier, later : Results
        Ranked by `measure`.
    measure : str
    ranks : RankChange
        Of the ranked areas; units ranked in only one wave take no part. Its summary says why the waves may be compared.
    whole : mapping or None
        Change of all areas together: earlier, later, difference, se, df, ci_low, ci_high, t, p; None for a combined score and
        its components, which all areas together do not have.
    table : DataFrame
        As published, in the order of the later ranks. Both waves: wave, score (before, after), published rank with its set for
        one named area. Scores (share 0-1 or points 0-100): change, change_se; relative_change (minus the mean change of the
        ranked areas) with se, df, ci, p, p_bh, significant ("yes", "no", "not tested"; "possible" for "yes" where a component
        is taken as exact that nobody declares so); shrunk_change, shrunk_sd (empirical Bayes). Ranks: rise (places gained among the areas ranked in both waves), rise_low, rise_high (guaranteed, one named
        area), all_low, all_high (guaranteed, whole table), expected_rise, probability_rise (at least `places`; with its
        range under other assumptions, and model_dependent: "yes" where that is wider than 0.1). Overlap:
        shared_psus (PSUs with respondents of the area in both waves), correlation of the two estimates.
    taken_as_exact : tuple of str
        Components of the score that are taken as exact although nobody declares that they are: nothing is established then.
    notes : tuple of Text
        What differs between the waves, and what the errors of the score leave out.
    further : mapping of str to WaveChange
        By the other rankings that both waves declare, by name.
    left_out : mapping of str to Text
        Rankings that cannot be compared, and why.
    asked : mapping
        The options it was made with.
    """

    earlier: Results = field(repr=False)
    later: Results = field(repr=False)
    measure: str
    ranks: RankChange = field(repr=False)
    whole: Mapping[str, Any] | None
    table: pd.DataFrame = field(repr=False)
    taken_as_exact: tuple[str, ...] = ()
    notes: tuple[Text, ...] = ()
    further: Mapping[str, WaveChange] = field(default_factory=dict)
    left_out: Mapping[str, Text] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)


def run_change(
    earlier: str | Path,
    later: str | Path,
    *,
    measure: str | None = None,
    places: int | None = None,
    engine: Engine = "auto",
) -> WaveChange:
    """Run two survey folders and compare them; see `compare_waves`.

    Raises
    ------
    RankingError
        K171 and K172 for folders that are the same survey or in the wrong order, else as `compare_waves`.
    SatisfactionError
        Whatever a stage of a run refuses.
    """
    surveys = read_in_order([earlier, later])
    refuse_incomparable(surveys, measure)  # before any work is done
    before, after = (run(survey, engine=engine) for survey in surveys)
    return compare_waves(before, after, measure=measure, places=places)


def compare_waves(
    earlier: Results, later: Results, *, measure: str | None = None, places: int | None = None
) -> WaveChange:
    """Compare two waves in what the later one ranks, and in every further ranking of both; shared PSUs count.

    Parameters
    ----------
    earlier, later : Results
    measure : str, optional
        One score alone: a measure of the questionnaire, `combined`, or a component of it.
    places : int, optional
        For probability_rise; default 5, or as many as there are.

    Raises
    ------
    RankingError
        K140, K142 for waves that may not be compared, K145 for waves without areas in common, K149 for places out of range,
        K317 for a combined score that waits for its files.
    EstimatesError
        E172 for replicates that belong to no PSU.

    Notes
    -----
    A ranking that cannot be compared stops nothing as long as another one can: `left_out` says why. Areas that only one of
    the waves has (merged ones) are left out, and named.
    """
    waves = (earlier, later)
    asked = {"measure": measure, "places": places}
    if measure is not None:
        return replace(_compared(shared_ranking(waves, measure), places), asked=asked)
    found = all_compared(waves, lambda shared: _compared(shared, places))
    first = replace(found.first, notes=found.notes + found.first.notes)
    return replace(first, further=found.further, left_out=found.left_out, asked=asked)


def _compared(shared: SharedRanking, places: int | None) -> WaveChange:
    """Compare two waves that are ranked by the same score."""
    earlier, later = shared.waves
    measure = later.survey.ranked
    recoded = shared.aligned[0].codes
    before, after = shared.estimates(lambda wave: _as_ranked(wave, measure, recoded))
    in_both = ranked_in_both(earlier, later, shared.aligned[-1].only_here)
    for results in shared.waves:
        require_ranks(results.ranking, where=str(results.survey.folder))
    if places is None:
        places = min(PLACES, int(in_both.sum()) - 1)
    ranks = rank_change(
        after,
        before,
        comparable=True,
        level=later.survey.rules.ranking.level,
        places=places,
        ranked=in_both,
    )
    table = change_table(earlier, later, ranks=ranks, measure=measure)
    summary = replace(ranks.summary, comparable="; ".join(shared.comparable))
    whole = None
    if measure not in later.survey.composed:
        both = [estimates_of(wave, measure, level=wave.survey.whole()) for wave in (earlier, later)]
        old, new = with_shared_psus(both, later.survey)
        whole = score_change(new, old).table.iloc[0].to_dict()
    else:  # lasting errors of components are no sampling units
        summary = replace(summary, shared_psus=int(table["shared_psus"].sum()))
    ranks = replace(ranks, summary=summary)
    exact = [*_taken_as_exact(earlier), *_taken_as_exact(later)]
    if exact:
        table["significant"] = table["significant"].replace("yes", "possible")
    return WaveChange(
        earlier,
        later,
        measure,
        ranks,
        whole=whole,
        table=table,
        taken_as_exact=tuple(dict.fromkeys(exact)),
        notes=shared.notes,
    )


def _taken_as_exact(results: Results) -> tuple[str, ...]:
    """Return the components whose scores count as exact although nobody declares that they are."""
    return tuple(results.ranked.conventions.get("taken_as_exact", ()))


def _as_ranked(results: Results, measure: str, recoded: Mapping[str, str]) -> Estimates:
    """Return the areas' estimates with the errors that their ranks rest on."""
    estimates = estimates_of(results, measure, level=results.area, codes=recoded)
    floor = floored(results.survey, results.estimates, results.area, measure=measure)
    return replace(estimates, table=floor.estimates.table, cov=floor.estimates.cov)


def ranked_in_both(earlier: Results, later: Results, only_later: Sequence[str]) -> Any:
    """Flag the later wave's areas, but for those that it alone has, that are ranked in both waves; (p,) bool."""
    units = earlier.ranking.units
    before = dict(zip(units.names, units.ranked, strict=True))
    units = later.ranking.units
    flags = []
    for name, ranked in zip(units.names, units.ranked, strict=True):
        if name not in only_later:
            flags.append(bool(ranked and before.get(name, True)))
    return np.array(flags)


def change_table(
    earlier: Results, later: Results, *, ranks: RankChange, measure: str
) -> pd.DataFrame:
    """Return the change of every area as published; see `WaveChange`."""
    level = ranks.summary["level"]
    waves = ranks.waves
    table = ranks.table.rename(columns={"unit": "code"})
    table = table.drop(columns=["rank_before", "rank_after"])
    table["wave_before"] = earlier.survey.declared.wave
    table["wave_after"] = later.survey.declared.wave
    table = labelled(table, area_labels(later.survey), key="code", into="name")
    table["measure"] = measure
    table["unit"] = UNITS[score_labels(later.survey)[measure][0]]
    table["change"] = waves.after.estimate - waves.before.estimate

    after = np.diag(waves.after.cov)
    before = np.diag(waves.before.cov)
    cross = np.diag(waves.cross)
    table["change_se"] = np.sqrt(np.maximum(after + before - 2 * cross, 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        table["correlation"] = cross / np.sqrt(after * before)

    tested = table["p"].notna()
    relative = table["relative_change"].to_numpy(float)
    se = table["se"].to_numpy(float)
    if not waves.drawn:  # drawn scores bring theirs
        low, high = t_interval(relative, se, table["df"].to_numpy(float), level=level)
        table["ci_low"] = pd.Series(low).where(tested)
        table["ci_high"] = pd.Series(high).where(tested)
    verdict = np.where(table["p_bh"] <= 1 - level, "yes", "no")
    table["significant"] = np.where(tested, verdict, "not tested")

    shared = {}
    if rests_on_survey(later):
        shared = shared_psus(earlier, later)
    table["shared_psus"] = table["code"].map(shared).fillna(0).astype(np.int64)
    table["places"] = ranks.summary["places"]
    if RISE_RANGE[2] in table:
        table[RISE_RANGE[2]] = yes_or_no(table[RISE_RANGE[2]])
    table["mark"] = joint_mark([earlier.survey, later.survey])
    table = table.merge(_published_ranks(earlier, "rank_before"), on="code", how="left")
    table = table.merge(_published_ranks(later, "rank_after"), on="code", how="left")
    table = table.sort_values(["rank_after", "code"], na_position="last", ignore_index=True)
    return twelve_digits(table[_with_range(COLUMNS, table)])


def _with_range(columns: tuple[str, ...], table: pd.DataFrame) -> list[str]:
    """Put the range of the probability of a rise behind it, where both waves are probability samples."""
    placed = list(columns)
    if RISE_RANGE[0] in table:
        behind = placed.index("probability_rise") + 1
        placed[behind:behind] = RISE_RANGE
    return placed


def _published_ranks(results: Results, column: str) -> pd.DataFrame:
    """Return a wave's ranks by code, with their sets for one named area."""
    ranks = results.ranking.table[["unit", "rank", "marginal_low", "marginal_high"]]
    titles = ["code", column, f"{column}_low", f"{column}_high"]
    return ranks.set_axis(titles, axis="columns")


def rests_on_survey(results: Results) -> bool:
    """Tell whether the ranked score is a measure of the survey, or has one in it."""
    score = results.survey.ranked
    if score not in results.survey.composed or results.combined is None:
        return True
    parts = results.combined.ranked.parts
    return score == COMBINED and any(part.surveyed for part in parts)


def shared_psus(earlier: Results, later: Results) -> dict[str, int]:
    """Count the PSUs with respondents of an area in both waves, by area; PSUs are the same by stratum and code."""
    roles = later.survey.questionnaire.roles
    earlier_roles = earlier.survey.questionnaire.roles
    if roles.psu is None or roles.psu != earlier_roles.psu or roles.strata != earlier_roles.strata:
        return {}
    keys = list(dict.fromkeys([later.area, *roles.strata, roles.psu]))
    before = earlier.responses.accepted[keys].drop_duplicates()
    after = later.responses.accepted[keys].drop_duplicates()
    before = psus_of_today(before, after, codes_of_today(later.survey.areas, merged=True))
    counted = before.merge(after, on=keys)[later.area].astype(str).value_counts()
    return {str(code): int(number) for code, number in counted.items()}


def most_improved(table: pd.DataFrame, *, count: int = 10) -> pd.DataFrame:
    """Return the areas among the first `count` by places gained or by shrunk change, both orders side by side.

    Parameters
    ----------
    table : DataFrame
        `WaveChange.table`.
    count : int
        Ties at the cut stay in.
    """
    ranked = table[table["rise"].notna()]
    orders = {"raw_order": ranked["rise"], "shrunk_order": ranked["shrunk_change"]}
    placed = {
        name: values.astype(float).rank(method="min", ascending=False).astype("Int64")
        for name, values in orders.items()
    }
    both = ranked.assign(**placed)
    chosen = both[both[list(placed)].min(axis=1) <= count]
    return chosen.sort_values([*placed, "code"], ignore_index=True)[_with_range(IMPROVED, ranked)]


FIGURES = ["estimate", "se", "df", "ci_low", "ci_high", "n"]
ABOUT = ["code", "name_zh", "name_en", "measure"]


@dataclass(frozen=True, slots=True, eq=False)
class WaveRolling:
    """The mean of the last waves of a survey, and its ranking.

    Attributes
    ----------
    waves : tuple of Results
        In order of time, ranked by `measure`.
    measure : str
    comparable : tuple of str
        Why the waves may be put together.
    estimates : Estimates
        The mean over the waves by area, with its covariance.
    ranking : Ranking
        On it, under the rules of the last wave.
    table : DataFrame
        As published, in rank order: waves, code, name_zh, name_en, measure, estimate, se, df, ci_low, ci_high, n, rank, its sets,
        status, probabilities, mark.
    notes, further, left_out, asked
        As of `WaveChange`.
    """

    waves: tuple[Results, ...] = field(repr=False)
    measure: str
    comparable: tuple[str, ...]
    estimates: Estimates = field(repr=False)
    ranking: Ranking = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    notes: tuple[Text, ...] = ()
    further: Mapping[str, WaveRolling] = field(default_factory=dict)
    left_out: Mapping[str, Text] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)


def run_rolling(
    folders: Sequence[str | Path],
    *,
    last: int | None = None,
    measure: str | None = None,
    engine: Engine = "auto",
) -> WaveRolling:
    """Run the last survey folders and average them; see `roll_waves`.

    Raises
    ------
    RankingError
        K171 and K172 as `read_in_order`, K173 for the number of waves, else as `roll_waves`.
    """
    surveys = window(read_in_order(folders), last)
    refuse_incomparable(surveys, measure)  # before any work is done
    return roll_waves([run(survey, engine=engine) for survey in surveys], measure=measure)


def window(waves: Sequence[Survey], last: int | None) -> Sequence[Survey]:
    """Take the last of the waves."""
    count = last
    if count is None:
        count = len(waves)
    if not 2 <= count <= len(waves):
        raise RankingError(
            "K173",
            _(
                "A rolling index needs two waves or more: {n} given, the last {count} asked for.",
                n=len(waves),
                count=count,
            ),
            where="last",
            available=[one.declared.wave for one in waves],
            hint=_("Give as many waves as the window needs."),
        )
    return waves[-count:]


def roll_waves(waves: Sequence[Results], *, measure: str | None = None) -> WaveRolling:
    """Average waves area by area, every wave counting the same, and rank the areas on the mean.

    A combined score is averaged as every wave published it, with that wave's weights and scales. Where a wave's score is drawn,
    the scores of all waves are drawn again, together.

    Parameters
    ----------
    waves : sequence of Results
        At least two, in order of time.
    measure : str, optional
        One score alone; default: what the last wave ranks, and every further ranking that all waves declare.

    Raises
    ------
    RankingError
        K140, K142 for waves that may not be put together, K145 for waves without areas in common, K155 for a single wave,
        K317 for a combined score that waits for its files.
    """
    asked = {"measure": measure}
    if measure is not None:
        return replace(_rolled(shared_ranking(waves, measure)), asked=asked)
    found = all_compared(waves, _rolled)
    first = replace(found.first, notes=found.notes + found.first.notes)
    return replace(first, further=found.further, left_out=found.left_out, asked=asked)


def _rolled(shared: SharedRanking) -> WaveRolling:
    """Average waves that are ranked by the same score."""
    waves = shared.waves
    last = waves[-1]
    score = last.survey.ranked
    mean = _mean_of(shared, score)
    conventions: dict[str, Any] = {"comparable": list(shared.comparable)}
    if score in last.survey.composed:
        conventions["barred"] = _barred_in_any(waves)
        exact = [name for wave in waves for name in _taken_as_exact(wave)]
        conventions["taken_as_exact"] = tuple(dict.fromkeys(exact))
    mean = replace(mean, conventions=mean.conventions | conventions)
    decisive = {name for name in ranked_scores(last.survey) if name not in (None, score)}
    others = {}
    for name in sorted(map(str, decisive)):  # what breaks ties, and thresholds that act on the list
        comparable_words([wave.survey for wave in waves], name)
        others[name] = _mean_of(shared, name)
    ranking = rank_areas(last.survey, {last.area: replace(mean, apart=MappingProxyType(others))})
    notes = tuple(notes_with_names(last.survey, ranking))
    ranking = replace(ranking, summary=replace(ranking.summary, notes=notes))
    table = rolling_table(waves, mean, ranking)
    told = shared.notes
    if mean.drawn is not None:
        told = (*told, *relation_lines(waves, score))
    return WaveRolling(waves, score, shared.comparable, mean, ranking, table, told)


def _mean_of(shared: SharedRanking, score: str) -> Estimates:
    """Average a score over the waves, area by area."""
    recoded: dict[str, str] = {}
    for alignment in shared.aligned:
        recoded |= alignment.codes
    each = shared.estimates(lambda wave: estimates_of(wave, score, level=wave.area, codes=recoded))
    drawn = any(one.drawn is not None for one in each)
    if any(wave.survey.declared.selection != "probability" for wave in shared.waves):
        each = [replace(one, drawn=None) for one in each]  # nothing is known of the mean's error
        drawn = False
    elif drawn:
        each = redrawn(shared, score)
    names = [wave.survey.name for wave in shared.waves]
    return rolling(dict(zip(names, each, strict=True)), drawn_together=drawn)


def _barred_in_any(waves: Sequence[Results]) -> dict[str, Text]:
    """Return the areas that some wave does not rank by a composed score: no mean of them is ranked."""
    barred: dict[str, Text] = {}
    for wave in waves:
        barred |= wave.ranked.conventions["barred"]
    return barred


def rolling_table(waves: Sequence[Results], found: Estimates, ranking: Ranking) -> pd.DataFrame:
    """Return the ranking on the mean as published; see `WaveRolling`."""
    last = waves[-1]
    published = ranking_table(last.survey, {last.area: found}, ranking)
    figures = found.table[[*found.by, *FIGURES]].rename(columns={found.by[0]: "code"})
    figures = figures.assign(code=figures["code"].astype(str), n=whole_numbers(figures["n"]))
    table = published.drop(columns=["estimate", "se", "n"]).merge(figures, on="code", how="left")
    ranks = [name for name in published if name not in ("survey", "wave", "mark", *ABOUT, *FIGURES)]
    marks = {
        "waves": "+".join(one.survey.declared.wave for one in waves),
        "mark": joint_mark([one.survey for one in waves]),
    }
    return twelve_digits(table.assign(**marks)[["waves", *ABOUT, *FIGURES, *ranks, "mark"]])
