"""Declared thresholds that act on the list: below them an area is listed whatever its rank, above them it is spared.

The list follows the published figures, as it does without thresholds. How far the data prove that an area belongs on it is
another matter, and follows from verdicts that are each made by themselves: that on its rank, and those of the thresholds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from satisfaction.declarations.rules import Threshold
from satisfaction.declarations.survey import Survey
from satisfaction.estimation.multiplicity import holm
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.language import Text, _, comma_list
from satisfaction.ranking.area_rankings import PUBLISHED
from satisfaction.ranking.borrowed_errors import floored
from satisfaction.ranking.escalation import standing
from satisfaction.ranking.membership import Membership, decide
from satisfaction.ranking.pairs import Bools, Floats
from satisfaction.ranking.rank import STATUS, Ranking
from satisfaction.ranking.targets import threshold_verdicts

COLUMNS = (
    *("listed", "listed_by_rank", "listed_by", "spared_by"),
    *("list_status", "p_listed", "p_not_listed"),
)
"""Columns of a ranking's table where thresholds act on its list."""
BY_RANK = "rank"


@dataclass(frozen=True, slots=True, repr=False)
class ListGround(Brief):
    """Why the p ranked units of a table may be on the list, or off it.

    Attributes
    ----------
    name : str
        "rank", or the measure of the threshold.
    holds : (p,) bool
        As published.
    p_in, p_out : (p,)
        p-values that it truly holds, and that it does not; nan where nothing can be tested, 1 where nothing may be proven.
    """

    name: str
    holds: Bools
    p_in: Floats
    p_out: Floats


def acting(survey: Survey) -> list[Threshold]:
    """Return the thresholds that act on the list."""
    return [one for one in survey.rules.thresholds if one.on_list is not None]


def with_thresholds(
    ranking: Ranking, survey: Survey, estimates: Mapping[str, Estimates]
) -> Ranking:
    """Return the ranking with the list that the declared thresholds make of it; as it is where none acts.

    An area is on the list where a threshold with `on_list: listed` has it below, whatever its rank; or where its rank puts it
    there and no threshold with `on_list: spared` has it at or above the value. Being listed goes before being spared. Areas
    that are not ranked, or whose figure is withheld, are left as they are.

    Returns
    -------
    Ranking
        `table` with the columns of `COLUMNS`: listed ("yes", "no", "tied"), listed_by_rank, listed_by and spared_by (what
        decides: "rank", measures), list_status, p_listed, p_not_listed. The summary holds `on_list`, and a note.

    Notes
    -----
    A p-value of belonging to the list is the smallest over the ways onto it, each adjusted by Holm for their number; on the
    way by rank it is the largest over what must hold together (an intersection-union test). That an area does not belong is
    tested the other way round. So the error is promised for the verdict on the list, of one area named beforehand (or of all,
    where a multiplicity is declared), however many grounds are declared, and not for each ground by itself.
    """
    thresholds = acting(survey)
    if not thresholds or not ranking.ranks_any:
        return ranking
    table = ranking.table
    alpha = 1 - ranking.summary.level
    by_rank = pd.Series(standing(ranking))
    rank_status = table["status"].to_numpy(str)
    ground = ListGround(
        BY_RANK,
        (by_rank != "no").to_numpy(bool),
        _provable(_tested(table, "p_in"), rank_status, alpha),
        _provable(_tested(table, "p_out"), rank_status, alpha),
    )
    listing: list[ListGround] = []
    sparing: list[ListGround] = []
    for threshold in thresholds:
        below = _below(survey, estimates, threshold, units=table["unit"], alpha=alpha)
        if threshold.on_list == "listed":
            listing.append(below)
        else:
            sparing.append(below)
    ranked = ranking.units.ranked
    tests = _belonging(ground, listing, sparing)
    not_below = [replace(one, holds=~one.holds) for one in sparing]
    spared = _any(not_below, ground) & ground.holds
    listed = np.where(spared, "no", by_rank.to_numpy(str))
    listed = np.where(_any(listing, ground), "yes", listed)
    listed = np.where(ranked, listed, "no")
    spared &= ranked & (listed == "no")
    status = decide(tests, alpha, words=STATUS, provable=bool(ranking.summary.proven))
    table = table.assign(listed=listed, listed_by_rank=by_rank.to_numpy(str))
    stays = ground.holds & ~spared
    listed_by = _named([replace(ground, holds=stays), *listing], len(table))
    table["listed_by"] = np.where(listed != "no", list(map(" ".join, listed_by)), "")
    spared_by = [" ".join(dict.fromkeys(names)) for names in _named(not_below, len(table))]
    table["spared_by"] = np.where(spared, spared_by, "")
    table["list_status"] = np.where(ranked, status, table["status"])
    table["p_listed"] = np.where(ranked, tests.p_in, np.nan)
    table["p_not_listed"] = np.where(ranked, tests.p_out, np.nan)
    summary = ranking.summary
    on_list = tuple(table["unit"][listed == "yes"])
    notes = (*summary.notes, _note(survey, table))
    return replace(ranking, table=table, summary=replace(summary, on_list=on_list, notes=notes))


def _named(grounds: Sequence[ListGround], units: int) -> list[list[str]]:
    """Name the grounds that hold of every unit, (p,) lists."""
    return [[one.name for one in grounds if one.holds[unit]] for unit in range(units)]


def _tested(table: pd.DataFrame, name: str) -> Floats:
    """Return the p-values that decide: the adjusted ones where a multiplicity is declared."""
    adjusted = f"{name}_adjusted"
    column = adjusted if adjusted in table else name
    values: Floats = table[column].to_numpy(float)
    return values


def _provable(p_values: Floats, status: np.ndarray, alpha: float) -> Floats:
    """Return 1 in the place of p-values by which nothing may be established."""
    return np.where((status == "possible") & (p_values <= alpha), 1.0, p_values)


def _below(
    survey: Survey,
    estimates: Mapping[str, Estimates],
    threshold: Threshold,
    *,
    units: pd.Series,
    alpha: float,
) -> ListGround:
    """Return which units lie below a threshold, as published and as tested by the threshold's own verdict."""
    level = survey.ranked_level
    floor = floored(survey, estimates, level, measure=threshold.measure)
    rules = survey.rules.ranking
    verdicts = threshold_verdicts(estimates[level], threshold, rules, floor=floor)
    verdicts = verdicts.set_index("code").loc[units]
    status = verdicts["status"].to_numpy(str)
    written = [f"{value:.{PUBLISHED}g}" for value in verdicts["estimate"]]
    published = np.array(written, dtype=float)
    holds = published < threshold.below
    if threshold.on_list == "spared":
        holds |= np.isnan(published)  # nobody is spared by a figure that is not there
    p_below = _provable(_tested(verdicts, "p_below"), status, alpha)
    p_not_below = _provable(_tested(verdicts, "p_not_below"), status, alpha)
    return ListGround(threshold.measure, holds, p_below, p_not_below)


def _any(grounds: Sequence[ListGround], like: ListGround) -> Bools:
    """Tell of which units any ground holds, (p,) bool."""
    holds = np.zeros(len(like.holds), dtype=bool)
    for ground in grounds:
        holds |= ground.holds
    return holds


def _belonging(
    rank: ListGround, listing: Sequence[ListGround], sparing: Sequence[ListGround]
) -> Membership:
    """Test whether units truly belong to the list: by a listing threshold, or by rank and below every sparing one."""
    together = [rank, *sparing]
    in_by_rank = _all_hold([one.p_in for one in together])
    out_by_rank = _any_holds([one.p_out for one in together])
    p_in = _any_holds([in_by_rank, *(one.p_in for one in listing)])
    p_out = _all_hold([out_by_rank, *(one.p_out for one in listing)])
    return Membership(p_in, p_out)


def _all_hold(p_values: Sequence[Floats]) -> Floats:
    """Test of every unit that all claims hold: the largest of their (p,) p-values needs no correction."""
    largest: Floats = np.max(p_values, axis=0)
    return largest


def _any_holds(p_values: Sequence[Floats]) -> Floats:
    """Test of every unit that one of the claims holds: the smallest of their (p,) p-values, adjusted for their number."""
    smallest: Floats = holm(np.stack(p_values, axis=1)).min(axis=1)
    return smallest


@dataclass(frozen=True, slots=True)
class MovedByThresholds:
    """Codes of the areas that are on the list by a threshold alone, and of those that are spared it."""

    listed: tuple[str, ...]
    spared: tuple[str, ...]


def moved_by_thresholds(table: pd.DataFrame) -> MovedByThresholds:
    """Return whom thresholds put on the list of a ranking's table, or take off it."""
    by_rank = table["listed_by_rank"]
    is_added = (table["listed"] == "yes") & (by_rank != "yes")
    is_spared = (table["listed"] == "no") & (by_rank != "no")
    added = table["unit"][is_added]
    spared = table["unit"][is_spared]
    return MovedByThresholds(tuple(added), tuple(spared))


def areas_by_name(survey: Survey, codes: Sequence[str]) -> Text:
    """Name areas, with their codes where another area has the same name; "none" where there are none."""
    if not codes:
        return _("none")
    names = survey.area_names()
    chinese = Counter(name.zh for name in names.values())
    english = Counter(name.in_language("en") for name in names.values())
    areas = []
    for code in codes:
        name = names.get(code, Text(code))
        if max(chinese[name.zh], english[name.in_language("en")]) > 1:
            name = _("{code} {name}", code=code, name=name)
        areas.append(name)
    return comma_list(areas)


def _note(survey: Survey, table: pd.DataFrame) -> Text:
    """Say who is on the list by a threshold alone, who is spared, how long the list is, and what its verdicts promise."""
    moved = moved_by_thresholds(table)
    return _(
        "Declared thresholds act on the list: listed whatever their rank {added}; spared "
        "{spared}; the list has {size} areas. Whether an area belongs on it is judged over all "
        "grounds together (Holm): the error is promised for the verdict on the list, not for each "
        "ground by itself.",
        added=areas_by_name(survey, moved.listed),
        spared=areas_by_name(survey, moved.spared),
        size=int((table["listed"] == "yes").sum()),
    )
