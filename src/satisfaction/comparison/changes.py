"""Change between two waves as published: of every area's score, of its score relative to the field, and of its rank.

An index over the last waves, and the ranking on it, as published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.comparison.sides import (
    comparable_words,
    estimates_of,
    joint_mark,
    ranked_by,
    read_in_order,
)
from satisfaction.declarations.survey import Survey
from satisfaction.estimation.change import change as score_change
from satisfaction.estimation.intervals import t_interval
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.engines import Engine
from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.language import _
from satisfaction.pipeline import Results, rank_areas, run
from satisfaction.publication.labels import (
    UNITS,
    area_labels,
    labelled,
    measure_labels,
    twelve_digits,
)
from satisfaction.publication.ranking_table import ranking_table
from satisfaction.ranking.borrowed_errors import floored
from satisfaction.ranking.change import RankChange, rank_change
from satisfaction.ranking.rank import Ranking, require_ranks
from satisfaction.ranking.waves import comparability, rolling

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
    whole : mapping
        Change of all areas together: earlier, later, difference, se, df, ci_low, ci_high, t, p.
    table : DataFrame
        As published, in the order of the later ranks. Both waves: wave, score (before, after), published rank with its set for
        one named area. Scores (share 0-1 or points 0-100): change, change_se; relative_change (minus the mean change of the
        ranked areas) with se, df, ci, p, p_bh, significant ("yes", "no", "not tested"); shrunk_change, shrunk_sd (empirical
        Bayes). Ranks: rise (places gained among the areas ranked in both waves), rise_low, rise_high (guaranteed, one named
        area), all_low, all_high (guaranteed, whole table), expected_rise, probability_rise (at least `places`). Overlap:
        shared_psus (PSUs with respondents of the area in both waves), correlation of the two estimates.
    """

    earlier: Results
    later: Results
    measure: str
    ranks: RankChange = field(repr=False)
    whole: Mapping[str, Any]
    table: pd.DataFrame = field(repr=False)


def run_change(
    earlier: str | Path,
    later: str | Path,
    *,
    measure: str | None = None,
    places: int | None = None,
    engine: Engine = "duckdb",
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
    # before any work is done
    comparable_words(surveys, measure or surveys[-1].questionnaire.ranked)
    return compare_waves(
        *(run(survey, engine=engine) for survey in surveys), measure=measure, places=places
    )


def compare_waves(
    earlier: Results, later: Results, *, measure: str | None = None, places: int | None = None
) -> WaveChange:
    """Compare two waves in one measure, the covariance of the PSUs they share included.

    Parameters
    ----------
    earlier, later : Results
    measure : str, optional
        Default: what the later questionnaire ranks.
    places : int, optional
        For probability_rise; default 5, or as many as there are.

    Raises
    ------
    RankingError
        K140, K142 for waves that may not be compared, K145 for areas that differ, K149 for places out of range.
    EstimatesError
        E172 for replicates that belong to no PSU.
    """
    measure = measure or later.survey.questionnaire.ranked
    comparable = comparability(later.survey.questionnaire, earlier.survey.questionnaire, measure)
    earlier = ranked_by(earlier, measure)
    later = ranked_by(later, measure)
    after = _as_ranked(later, measure)
    before = _as_ranked(earlier, measure)
    in_both = ranked_in_both(earlier, later)
    for results in (earlier, later):
        require_ranks(results.ranking, where=str(results.survey.folder))
    if places is None:
        places = min(PLACES, int(in_both.sum()) - 1)
    ranks = rank_change(
        after,
        before,
        comparable=comparable,
        level=later.survey.rules.ranking.level,
        places=places,
        ranked=in_both,
    )
    whole = score_change(_of_whole(later, measure), _of_whole(earlier, measure))
    return WaveChange(
        earlier,
        later,
        measure,
        ranks,
        whole=whole.table.iloc[0].to_dict(),
        table=change_table(earlier, later, ranks=ranks, measure=measure),
    )


def _of_whole(results: Results, measure: str) -> Estimates:
    return estimates_of(results, measure, level=results.survey.whole())


def _as_ranked(results: Results, measure: str) -> Estimates:
    """Return the areas' estimates with the errors that their ranks rest on."""
    estimates = estimates_of(results, measure, level=results.area)
    floor = floored(results.survey, results.estimates, results.area, measure)
    return replace(estimates, table=floor.estimates.table, cov=floor.estimates.cov)


def ranked_in_both(earlier: Results, later: Results) -> Any:
    """Flag the later wave's areas that are ranked in both waves; (p,) bool."""
    units = earlier.ranking.units
    before = dict(zip(units.names, units.ranked, strict=True))
    units = later.ranking.units
    flags = []
    for name, ranked in zip(units.names, units.ranked, strict=True):
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
    table["unit"] = UNITS[measure_labels(later.survey.questionnaire)[measure][0]]
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
    low, high = t_interval(relative, se, table["df"].to_numpy(float), level=level)
    table["ci_low"] = pd.Series(low).where(tested)
    table["ci_high"] = pd.Series(high).where(tested)
    verdict = np.where(table["p_bh"] <= 1 - level, "yes", "no")
    table["significant"] = np.where(tested, verdict, "not tested")

    shared = table["code"].map(shared_psus(earlier, later))
    table["shared_psus"] = shared.fillna(0).astype(np.int64)
    table["places"] = ranks.summary["places"]
    table["mark"] = joint_mark([earlier.survey, later.survey])
    table = table.merge(_published_ranks(earlier, "rank_before"), on="code", how="left")
    table = table.merge(_published_ranks(later, "rank_after"), on="code", how="left")
    table = table.sort_values(["rank_after", "code"], na_position="last", ignore_index=True)
    return twelve_digits(table[list(COLUMNS)])


def _published_ranks(results: Results, column: str) -> pd.DataFrame:
    """Return a wave's ranks by code, with their sets for one named area."""
    ranks = results.ranking.table[["unit", "rank", "marginal_low", "marginal_high"]]
    return ranks.rename(
        columns={
            "unit": "code",
            "rank": column,
            "marginal_low": f"{column}_low",
            "marginal_high": f"{column}_high",
        }
    )


def shared_psus(earlier: Results, later: Results) -> dict[str, int]:
    """Count the PSUs with respondents of an area in both waves, by area; PSUs are the same by stratum and code."""
    roles = later.survey.questionnaire.roles
    earlier_roles = earlier.survey.questionnaire.roles
    if roles.psu is None or roles.psu != earlier_roles.psu or roles.strata != earlier_roles.strata:
        return {}
    keys = list(dict.fromkeys([later.area, *roles.strata, roles.psu]))
    before = earlier.responses.accepted[keys].drop_duplicates()
    after = later.responses.accepted[keys].drop_duplicates()
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
    return chosen.sort_values([*placed, "code"], ignore_index=True)[list(IMPROVED)]


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
    """

    waves: tuple[Results, ...]
    measure: str
    comparable: tuple[str, ...]
    estimates: Estimates = field(repr=False)
    ranking: Ranking = field(repr=False)
    table: pd.DataFrame = field(repr=False)


def run_rolling(
    folders: Sequence[str | Path],
    *,
    last: int | None = None,
    measure: str | None = None,
    engine: Engine = "duckdb",
) -> WaveRolling:
    """Run the last survey folders and average them; see `roll_waves`.

    Raises
    ------
    RankingError
        K171 and K172 as `read_in_order`, K173 for the number of waves, else as `roll_waves`.
    """
    surveys = window(read_in_order(folders), last)
    # before any work is done
    comparable_words(surveys, measure or surveys[-1].questionnaire.ranked)
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

    Parameters
    ----------
    waves : sequence of Results
        At least two, in order of time.
    measure : str, optional
        Default: what the last questionnaire ranks.

    Raises
    ------
    RankingError
        K140, K142 for waves that may not be put together, K145 for areas that differ, K155 for a single wave.
    """
    measure = measure or waves[-1].survey.questionnaire.ranked
    comparable = comparable_words([one.survey for one in waves], measure)
    waves = tuple(ranked_by(one, measure) for one in waves)
    last = waves[-1]
    by_name = {wave.survey.name: estimates_of(wave, measure, level=wave.area) for wave in waves}
    mean = rolling(by_name, comparable=True)
    mean = replace(mean, conventions=mean.conventions | {"comparable": comparable})
    ranking = rank_areas(last.survey, {last.area: mean})
    table = rolling_table(waves, mean, ranking)
    return WaveRolling(waves, measure, tuple(comparable), mean, ranking, table)


def rolling_table(waves: Sequence[Results], found: Estimates, ranking: Ranking) -> pd.DataFrame:
    """Return the ranking on the mean as published; see `WaveRolling`."""
    last = waves[-1]
    published = ranking_table(last.survey, {last.area: found}, ranking)
    figures = found.table[[*found.by, *FIGURES]].rename(columns={found.by[0]: "code"})
    figures = figures.astype({"code": str, "n": np.int64})
    table = published.drop(columns=["estimate", "se", "n"]).merge(figures, on="code", how="left")
    ranks = [name for name in published if name not in ("survey", "wave", "mark", *ABOUT, *FIGURES)]
    marks = {
        "waves": "+".join(one.survey.declared.wave for one in waves),
        "mark": joint_mark([one.survey for one in waves]),
    }
    return twelve_digits(table.assign(**marks)[["waves", *ABOUT, *FIGURES, *ranks, "mark"]])
