"""An index over the last waves and the ranking on it, as published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

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
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.engines import Engine
from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.language import _
from satisfaction.pipeline import Results, rank_areas, run
from satisfaction.publication.labels import twelve_digits
from satisfaction.publication.ranking_table import ranking_table
from satisfaction.ranking.rank import Ranking
from satisfaction.ranking.waves import rolling

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
