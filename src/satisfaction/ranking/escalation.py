"""The ladder: how often an area has been on the list, which steps follow, what releases it.

A step follows from what was published: lists, ranks, an estimate. How far the data prove what the step rests on is another
matter, and stands beside it: established, possible or excluded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from satisfaction.declarations.facts import period_of
from satisfaction.declarations.rules import EscalationStep, Release, Threshold
from satisfaction.declarations.survey import Survey
from satisfaction.estimation.result import Estimates
from satisfaction.ranking.borrowed_errors import floored
from satisfaction.ranking.membership import Membership, decide, top_membership, untested
from satisfaction.ranking.pairs import Floats
from satisfaction.ranking.rank import STATUS, Ranking
from satisfaction.ranking.rise_bounds import new_rank_tests, rank_claims
from satisfaction.ranking.targets import threshold_verdicts

COLUMNS = ("code", "listed", "listed_in_a_row", "tied_waves", "step")
RELEASE = "release"


class WaveStanding(NamedTuple):
    """How an area stood in one wave, as published; nan for what was not.

    Attributes
    ----------
    wave : str
    listed : {"yes", "tied", "no"}
    rank, p_in, p_out : float
        p_in and p_out: of belonging to that wave's list, of not belonging to it.
    """

    wave: str
    listed: str
    rank: float
    p_in: float
    p_out: float


class LadderRow(NamedTuple):
    """A step that an area has reached or may have, or its release.

    Attributes
    ----------
    code : str
    number : int
        Of the declared step, from 0; the release comes after the last one.
    trigger : str
        Key of the step, or "release".
    reached : {"yes", "tied", "no"}
        Whether the step follows from what was published; "tied" where that depends on how a tie is broken.
    status : {"established", "possible", "excluded"}
        How far the data prove what it rests on.
    p_in, p_out : float
        p-values of that, and of the contrary; nan where nothing can be tested.
    counted : int
        Waves counted: on the list, or off it for a release.
    waves : tuple of str
        Those waves, oldest first; of a fall the wave before; of a release first that in which the area was listed.
    before, value : float
        Rank in the wave before, of a fall; the rank now, or the estimate of a low measure.
    """

    code: str
    number: int
    trigger: str
    reached: str
    status: str
    p_in: float
    p_out: float
    counted: int = 0
    waves: tuple[str, ...] = ()
    before: float = np.nan
    value: float = np.nan


def standing(ranking: Ranking) -> dict[str, str]:
    """Return how every unit stands to the list: "yes", "tied" (in or out by how a tie is broken),
    "no".
    """
    if "listed" in ranking.table:  # thresholds act on the list
        return dict(ranking.table.set_index("unit")["listed"])
    stands = dict.fromkeys(ranking.table["unit"], "no")
    stands |= dict.fromkeys(ranking.summary.listed, "yes")
    return stands | dict.fromkeys(ranking.summary.tied_at_cut, "tied")


def _provable(ranking: Ranking) -> bool:
    """Whether anything can be established: with a sampling error, and no part of the score that counts as exact."""
    return bool(ranking.summary.proven) and not ranking.options.taken_as_exact


def paths_of(survey: Survey, ranking: Ranking) -> dict[str, list[WaveStanding]]:
    """Return how every area of this wave stood in all waves, oldest first, this one last."""
    published: dict[tuple[str, str], WaveStanding] = {}
    if survey.history is not None:
        columns = ["wave", "code", "listed", "rank", "p_in", "p_out"]
        for row in survey.history[columns].itertuples(index=False):
            wave, code, *stood = row
            published[wave, code] = WaveStanding(wave, *stood)
    paths = {}
    table = ranking.table.set_index("unit")
    tests = ["p_in", "p_out"]
    if "p_in_adjusted" in table:
        tests = ["p_in_adjusted", "p_out_adjusted"]
    if "p_listed" in table:
        tests = ["p_listed", "p_not_listed"]
    now = table[["rank", *tests]].astype(float)
    if not _provable(ranking) and "p_listed" not in table:
        now[tests] = np.nan
    this_wave = survey.declared.wave
    for code, listed in standing(ranking).items():
        path = []
        for wave in survey.earlier_waves():
            unknown = WaveStanding(wave, "no", np.nan, np.nan, np.nan)
            path.append(published.get((wave, code), unknown))
        last = WaveStanding(this_wave, listed, *now.loc[code])
        paths[code] = [*path, last]
    return paths


def listed_in_a_row(survey: Survey, ranking: Ranking, rows: Sequence[LadderRow]) -> pd.DataFrame:
    """Count waves on the list up to this one, for every area that is on it now or tied at its cut.

    Waves are those of the earlier rankings and this one; a wave that is missing there has been
    declared not to have taken place (`gaps` of the history), and the count goes on across it. A tie
    at the cut counts as listed; `tied_waves` says how often.

    Parameters
    ----------
    survey, ranking : Survey, Ranking
    rows : sequence of LadderRow
        Of the ladder.

    Returns
    -------
    DataFrame
        code, listed ("yes", "tied"), listed_in_a_row, tied_waves, step (number of the declared step
        reached, -1 for none).
    """
    reached = highest(rows)
    counted = []
    for code, path in paths_of(survey, ranking).items():
        run = _in_a_row(path)
        if run:
            tied = sum(stood.listed == "tied" for stood in run)
            counted.append((code, run[-1].listed, len(run), tied, reached.get(code, -1)))
    return pd.DataFrame(counted, columns=list(COLUMNS))


def highest(rows: Sequence[LadderRow]) -> dict[str, int]:
    """Return the last step that every area has reached."""
    reached: dict[str, int] = {}
    for row in rows:
        if row.reached != "no" and row.trigger != RELEASE:
            before = reached.get(row.code, -1)
            reached[row.code] = max(row.number, before)
    return reached


def ladder(survey: Survey, estimates: Mapping[str, Estimates], ranking: Ranking) -> list[LadderRow]:
    """Return the steps that areas have reached or may have, and the releases of those that were listed.

    A step that counts waves is established where every wave counted is: an intersection-union test, which needs no
    correction. Of k waves among n within a year it takes (n - k + 1) times the k-th smallest p-value, the partial conjunction
    of Benjamini and Heller (2008); that a step is excluded takes the contrary in the same way. A fall of m places since the
    published rank r is a rank of r + m or worse now; the earlier rank is a number. A step by a low measure is reached where
    that is established.

    Returns
    -------
    list of LadderRow
        By step, then by code; empty where no escalation is declared or nothing can be ranked.
    """
    escalation = survey.rules.escalation
    if escalation is None or not ranking.ranks_any:
        return []
    rows = _counting_rows(survey, ranking)
    for number, step in enumerate(escalation.steps):
        if step.fall is not None:
            rows += _falls(survey, ranking, number, places=step.fall)
        elif step.rank_from is not None:
            rows += _low_ranks(ranking, number, step.rank_from)
        elif step.low is not None:
            rows += _low_measures(survey, estimates, number, step=step)
    if escalation.release is not None:
        rows += _releases(survey, ranking, len(escalation.steps), release=escalation.release)
    return sorted(rows, key=lambda row: (row.number, row.code))


def partial_conjunction(p_values: Sequence[float], least: int) -> float:
    """Return the p-value of "at least so many of these hold", by Benjamini and Heller (2008).

    A missing p-value counts as 1; nan where all are missing.

    >>> partial_conjunction([0.01, 0.04], 2), partial_conjunction([0.01, 0.04], 1)
    (0.04, 0.02)
    """
    if np.isnan(p_values).all():
        return np.nan
    known = np.sort(np.nan_to_num(np.asarray(p_values, float), nan=1.0))
    return float(min(1.0, (len(known) - least + 1) * known[least - 1]))


def _in_a_row(path: list[WaveStanding]) -> list[WaveStanding]:
    """Return the waves on the list in a row up to the last one, oldest first."""
    run: list[WaveStanding] = []
    for stood in reversed(path):
        if stood.listed == "no":
            break
        run.insert(0, stood)
    return run


def _within_a_year(path: list[WaveStanding]) -> list[WaveStanding]:
    """Return the waves of the year that ends with the last one."""
    now = period_of(path[-1].wave)
    if now is None:
        return path[-1:]
    within = []
    for stood in path:
        period = period_of(stood.wave)
        if period and period.number * now.a_year > (now.number - now.a_year) * period.a_year:
            within.append(stood)
    return within


def _counting_rows(survey: Survey, ranking: Ranking) -> list[LadderRow]:
    """Return the steps that follow from waves on the list, of the areas on it now or tied at its cut."""
    escalation = survey.rules.escalation
    rows: list[LadderRow] = []
    if escalation is None:
        return rows
    for code, path in paths_of(survey, ranking).items():
        for number, step in enumerate(escalation.steps):
            row = _counted(code, path, number, step=step, level=ranking.summary.level)
            if row is not None:
                rows.append(row)
    return rows


def _counted(
    code: str, path: list[WaveStanding], number: int, *, step: EscalationStep, level: float
) -> LadderRow | None:
    """Return a step that counts waves, where an area on the list now or tied at its cut has reached it."""
    if step.listed_in_a_row is not None:
        needed = step.listed_in_a_row
        listed = _in_a_row(path)
        tested = listed[-needed:]
    elif step.listed_in_a_year is not None:
        needed = step.listed_in_a_year
        tested = _within_a_year(path)
        listed = [stood for stood in tested if stood.listed != "no"]
    else:
        return None
    if path[-1].listed == "no" or len(listed) < needed:
        return None
    surely = sum(stood.listed == "yes" for stood in listed)
    p_in = partial_conjunction([stood.p_in for stood in tested], needed)
    p_out = partial_conjunction([stood.p_out for stood in tested], len(tested) - needed + 1)
    reached = "tied"
    if surely >= needed and listed[-1].listed == "yes":
        reached = "yes"
    waves = tuple(stood.wave for stood in listed)
    return LadderRow(
        code=code,
        number=number,
        trigger=step.trigger,
        reached=reached,
        status=_status(p_in, p_out, level),
        p_in=p_in,
        p_out=p_out,
        counted=len(listed),
        waves=waves,
    )


def _status(p_in: float, p_out: float, level: float) -> str:
    one_area = Membership(np.full(1, p_in), np.full(1, p_out))
    verdicts = decide(one_area, 1 - level, words=STATUS)
    return str(verdicts[0])


def _ranks(ranking: Ranking) -> pd.Series:
    """Return the ranks of the units that are ranked."""
    ranks = ranking.table.set_index("unit")["rank"].astype(float)
    return ranks[list(ranking.units.ranked_names)]


def _falls(survey: Survey, ranking: Ranking, number: int, *, places: int) -> list[LadderRow]:
    """Return the areas that fell by so many places since the rank published for the wave before."""
    before = survey.earlier_waves()[-1]
    ranks = _ranks(ranking)
    published = [survey.published_rank(code, before) for code in ranks.index]
    earlier = pd.Series(published, index=ranks.index, dtype=float)
    last_without_fall = np.ceil(earlier.to_numpy() + places) - 1
    tests = untested(len(ranks))
    if ranking.summary.proven:
        possible = last_without_fall < len(ranks)
        goals = np.where(possible, last_without_fall, 0).astype(int)
        tests = Membership(*new_rank_tests(rank_claims(ranking.pairs), goals))
    rows = []
    for row in _worse_than(ranking, number, "fall", goals=last_without_fall, tests=tests):
        fell = row._replace(before=earlier[row.code], waves=(before,))
        rows.append(fell)
    return rows


def _low_ranks(ranking: Ranking, number: int, first: int) -> list[LadderRow]:
    """Return the areas of this rank or a worse one."""
    goal = first - 1
    count = len(_ranks(ranking))
    tests = untested(count)
    if ranking.summary.proven and goal < count:
        tests = top_membership(ranking.pairs, goal, ranking.options.membership)
    goals = np.full(count, float(goal))
    return _worse_than(ranking, number, "rank_from", goals=goals, tests=tests)


def _worse_than(
    ranking: Ranking, number: int, trigger: str, *, goals: Floats, tests: Membership
) -> list[LadderRow]:
    """Return the areas whose rank is worse than their goal (nan: none); `tests` are of reaching it."""
    worse = Membership(tests.p_out, tests.p_in)
    alpha = 1 - ranking.summary.level
    status = decide(worse, alpha, words=STATUS, provable=_provable(ranking))
    rows = []
    for place, (code, rank) in enumerate(_ranks(ranking).items()):
        if rank > goals[place]:
            row = LadderRow(
                code=str(code),
                number=number,
                trigger=trigger,
                reached="yes",
                status=str(status[place]),
                p_in=float(worse.p_in[place]),
                p_out=float(worse.p_out[place]),
                value=rank,
            )
            rows.append(row)
    return rows


def _low_measures(
    survey: Survey, estimates: Mapping[str, Estimates], number: int, *, step: EscalationStep
) -> list[LadderRow]:
    """Return the areas whose measure is proven to be low, and those whose estimate alone is."""
    low = step.low
    assert low is not None
    level = survey.ranked_level
    rules = survey.rules.ranking
    threshold = Threshold(
        measure=low.measure, below=low.below, zh=step.zh, en=step.en, source=step.text
    )
    floor = floored(survey, estimates, level, measure=low.measure)
    table = threshold_verdicts(estimates[level], threshold, rules, floor=floor)
    rows = []
    for area in table.itertuples(index=False):
        established = area.status == "established"
        if established or (area.status == "possible" and area.estimate < low.below):
            row = LadderRow(
                code=area.code,
                number=number,
                trigger="low",
                reached="yes" if established else "no",
                status=area.status,
                p_in=area.p_below,
                p_out=area.p_not_below,
                value=area.estimate,
            )
            rows.append(row)
    return rows


def _releases(
    survey: Survey, ranking: Ranking, number: int, *, release: Release
) -> list[LadderRow]:
    """Return the areas that were listed and are off the list now, released or not yet."""
    ranks = _ranks(ranking)
    reached = untested(len(ranks))
    limit = release.rank_at_most
    if limit is not None and limit < len(ranks) and _provable(ranking):
        reached = top_membership(ranking.pairs, limit, ranking.options.membership)
    rows = []
    for code, path in paths_of(survey, ranking).items():
        last = path[-1]
        way_off = _way_off(path, release)
        if not way_off.since or last.listed != "no" or not np.isfinite(last.rank):
            continue
        off = way_off.off
        tested = off[-release.off_list :]
        proofs = [stood.p_out for stood in tested]
        contrary = [stood.p_in for stood in tested]
        if limit is not None and limit < len(ranks):
            place = ranks.index.get_loc(code)
            proofs.append(reached.p_in[place])
            contrary.append(reached.p_out[place])
        p_in = partial_conjunction(proofs, len(proofs))
        p_out = partial_conjunction(contrary, 1)
        status = _status(p_in, p_out, ranking.summary.level)
        waves_off = [stood.wave for stood in off]
        row = LadderRow(
            code=code,
            number=number,
            trigger=RELEASE,
            reached=way_off.released,
            status=status,
            p_in=p_in,
            p_out=p_out,
            counted=len(off),
            waves=(way_off.since, *waves_off),
            value=last.rank,
        )
        rows.append(row)
    return rows


class WayOff(NamedTuple):
    """The way of an area off the list: the wave since which it was listed ("" without one), the waves
    off the list since, and whether the last of them released it ("yes", "no").
    """

    since: str
    off: list[WaveStanding]
    released: str


def _way_off(path: list[WaveStanding], release: Release) -> WayOff:
    """Follow an area through its waves, oldest first; what an earlier wave released counts anew."""
    since = ""
    off: list[WaveStanding] = []
    released = False
    for stood in path:
        if released:
            since = ""
            released = False
        if stood.listed != "no":
            since = since or stood.wave
            off = []
        elif since and np.isfinite(stood.rank):
            off.append(stood)
            placed = release.rank_at_most is None or stood.rank <= release.rank_at_most
            released = placed and len(off) >= release.off_list
    return WayOff(since, off, "yes" if released else "no")
