"""Change between two waves as published: of every area's score, of its score relative to the field, and of its rank."""

from __future__ import annotations

from collections.abc import Mapping
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
from satisfaction.estimation.change import change as score_change
from satisfaction.estimation.intervals import t_interval
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.engines import Engine
from satisfaction.pipeline import Results, run
from satisfaction.publication.labels import area_labels, measure_labels, twelve_digits
from satisfaction.publication.tables import UNITS
from satisfaction.ranking.borrowed_errors import floored
from satisfaction.ranking.change import RankChange, rank_change
from satisfaction.ranking.rank import require_ranks
from satisfaction.ranking.waves import comparability

PLACES = 5
SETS = ["rank", "marginal_low", "marginal_high"]
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
    comparable_words(
        surveys, measure or surveys[-1].questionnaire.ranked
    )  # before any work is done
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
    earlier, later = ranked_by(earlier, measure), ranked_by(later, measure)
    sides = [_as_ranked(one, measure) for one in (later, earlier)]
    both = ranked_in_both(earlier, later)
    for one in (earlier, later):
        require_ranks(one.ranking, where=str(one.survey.folder))
    ranks = rank_change(
        *sides,
        comparable=comparable,
        level=later.survey.rules.ranking.level,
        places=min(PLACES, int(both.sum()) - 1) if places is None else places,
        ranked=both,
    )
    wholes = [estimates_of(one, measure, level=one.survey.whole()) for one in (later, earlier)]
    whole = score_change(*wholes).table.iloc[0].to_dict()
    table = change_table(earlier, later, ranks=ranks, measure=measure)
    return WaveChange(earlier, later, measure, ranks, whole, table)


def _as_ranked(results: Results, measure: str) -> Estimates:
    """Return the areas' estimates with the errors that their ranks rest on."""
    own = estimates_of(results, measure, level=results.area)
    floor = floored(results.survey, results.estimates, results.area, measure)
    return replace(own, table=floor.estimates.table, cov=floor.estimates.cov)


def ranked_in_both(earlier: Results, later: Results) -> Any:
    """Flag the later wave's areas that are ranked in both waves; (p,) bool."""
    before, after = (
        dict(zip(one.ranking.units.names, one.ranking.units.ranked, strict=True))
        for one in (earlier, later)
    )
    return np.array(
        [bool(taking_part and before.get(name, True)) for name, taking_part in after.items()]
    )


def change_table(
    earlier: Results, later: Results, *, ranks: RankChange, measure: str
) -> pd.DataFrame:
    """Return the change of every area as published; see `WaveChange`."""
    names, table = area_labels(later.survey), ranks.table.rename(columns={"unit": "code"})
    code, waves = table["code"], ranks.waves
    variance = np.diag(waves.after.cov), np.diag(waves.before.cov), np.diag(waves.cross)
    tested = table["p"].notna()
    low, high = t_interval(
        *(table[name].to_numpy(float) for name in ("relative_change", "se", "df")),
        level=ranks.summary["level"],
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = variance[2] / np.sqrt(variance[0] * variance[1])
    table = table.assign(
        wave_before=earlier.survey.declared.wave,
        wave_after=later.survey.declared.wave,
        name_zh=code.map({c: label.zh for c, label in names.items()}),
        name_en=code.map({c: label.en for c, label in names.items()}),
        measure=measure,
        unit=UNITS[measure_labels(later.survey.questionnaire)[measure][0]],
        change=waves.after.estimate - waves.before.estimate,
        change_se=np.sqrt(np.maximum(variance[0] + variance[1] - 2 * variance[2], 0.0)),
        ci_low=pd.Series(low).where(tested),
        ci_high=pd.Series(high).where(tested),
        significant=np.where(
            tested, np.where(table["p_bh"] <= 1 - ranks.summary["level"], "yes", "no"), "not tested"
        ),
        shared_psus=code.map(shared_psus(earlier, later)).fillna(0).astype(np.int64),
        correlation=correlation,
        places=ranks.summary["places"],
        mark=joint_mark([earlier.survey, later.survey]),
    ).drop(columns=["rank_before", "rank_after"])
    for when, one in (("before", earlier), ("after", later)):
        named = dict(
            zip(SETS, (f"rank_{when}", f"rank_{when}_low", f"rank_{when}_high"), strict=True)
        )
        table = table.merge(
            one.ranking.table[["unit", *SETS]].rename(columns={"unit": "code"} | named),
            on="code",
            how="left",
        )
    table = table.sort_values(["rank_after", "code"], na_position="last", ignore_index=True)
    return twelve_digits(table[list(COLUMNS)])


def shared_psus(earlier: Results, later: Results) -> dict[str, int]:
    """Count the PSUs with respondents of an area in both waves, by area; PSUs are the same by stratum and code."""
    roles, other = (one.survey.questionnaire.roles for one in (later, earlier))
    if roles.psu is None or (roles.psu, roles.strata) != (other.psu, other.strata):
        return {}
    keys = list(dict.fromkeys([later.area, *roles.strata, roles.psu]))
    before, after = (one.responses.accepted[keys].drop_duplicates() for one in (earlier, later))
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
