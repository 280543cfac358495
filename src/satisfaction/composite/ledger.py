"""Lost points from wave to wave: what is mended, what came back, what is new, what nobody looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from satisfaction.composite.normalising import Array
from satisfaction.composite.tree_scores import site_weights

KEY = ["code", "item", "site"]
STILL_OPEN = ("open", "new", "back", "not looked at again")


@dataclass(frozen=True, slots=True, eq=False)
class WavePoints:
    """What an assessment found in one wave.

    Attributes
    ----------
    wave : str
    lost : DataFrame
        code, item, site ("" where the item is assessed as a whole), points (> 0), points_class, reason, due, mended.
    visited : DataFrame or None
        code, item, site of the points of inspection visited, lost points or not; None where no list of them was handed in.
    absent : DataFrame
        code, item: where the item does not apply.
    """

    wave: str
    lost: pd.DataFrame = field(repr=False)
    visited: pd.DataFrame | None = field(repr=False)
    absent: pd.DataFrame = field(repr=False)


def points_lost_at_sites(sites: pd.DataFrame, points: pd.Series) -> pd.DataFrame:
    """Return the sites that lost points as entries of a ledger.

    Parameters
    ----------
    sites : DataFrame
        As `read_sites` returns it.
    points : Series
        Points of an item, by its name. The sites of an area and item divide what it loses among them.
    """
    share = 1 - sites["score"] / sites["possible"]
    part = share * site_weights(sites)
    of_item = sites["item"].map(points).astype(float)
    lost = sites.assign(points=part * of_item)
    lost = lost.loc[lost["points"] > 0, [*KEY, "points", "reason"]]
    return lost.assign(points_class="", due="", mended="")


def followed(waves: Sequence[WavePoints]) -> pd.DataFrame:
    """Return one row an entry and wave from the first in which it lost points.

    Returns
    -------
    DataFrame
        code, item, site, wave, number (of the wave, from 0), points (lost; 0 where none), looked ("yes", "no": nobody looked, or
        nobody says so; "does not apply").

    Notes
    -----
    An item without a site is looked at in every wave. A site is looked at where it stands in the list of those visited, or lost
    points; a sampled inspection that did not come by says nothing of it.
    """
    entries = []
    for number, one in enumerate(waves):
        sums = one.lost[one.lost["points"] > 0].groupby(KEY, as_index=False)["points"].sum()
        entries.append(sums.assign(number=number))
    lost = pd.concat(entries, ignore_index=True)
    keys = lost.groupby(KEY, as_index=False)["number"].min().rename(columns={"number": "first"})
    parts = []
    for number, one in enumerate(waves):
        part = keys[keys["first"] <= number].drop(columns="first")
        now = lost.loc[lost["number"] == number, [*KEY, "points"]]
        part = part.merge(now, how="left", on=KEY)
        part["wave"] = one.wave
        part["number"] = number
        looked = (part["site"] == "") | part["points"].notna()
        if one.visited is not None:
            looked = looked | _standing_in(part, one.visited, KEY)
        part["looked"] = np.where(looked, "yes", "no")
        part.loc[_standing_in(part, one.absent, ["code", "item"]), "looked"] = "does not apply"
        part["points"] = part["points"].fillna(0.0)
        parts.append(part)
    together = pd.concat(parts, ignore_index=True)
    together = together.sort_values([*KEY, "number"], kind="stable", ignore_index=True)
    return together[[*KEY, "wave", "number", "points", "looked"]]


def _standing_in(table: pd.DataFrame, other: pd.DataFrame, keys: list[str]) -> pd.Series:
    rows = pd.MultiIndex.from_frame(table[keys])
    listed = pd.MultiIndex.from_frame(other[keys])
    return pd.Series(rows.isin(listed), index=table.index)


def ledger(waves: Sequence[WavePoints], *, day: str = "") -> pd.DataFrame:
    """Follow lost points over waves, oldest first, and say how each stands in the last.

    Parameters
    ----------
    waves : sequence of WavePoints
    day : str
        YYYY-MM-DD; what was due before it and is not mended is overdue. "" : nothing is said of it.

    Returns
    -------
    DataFrame
        One row a code, item and site: state, points (lost in the last wave; of one not looked at again, when it was last looked
        at), first_wave, last_lost, last_looked (waves), waves_lost, in_a_row (waves lost without a break up to the last look),
        times_back, points_class, reason, due, stated_mended (date by which the area says it is mended), overdue ("yes", "no",
        "" without a date).

    Notes
    -----
    open: lost now and when last looked at. back: lost now, clean when last looked at, lost before. new: lost for the first time, where
    earlier waves are known. mended: clean now, lost when last looked at. mended earlier: clean when last looked at. not looked at
    again: lost when last looked at, and nobody looked in the last wave; that the area says it is mended does not change it.
    """
    names = [one.wave for one in waves]
    table = _standing(followed(waves), names)
    columns = ["points_class", "reason", "due", "mended"]
    entries = [one.lost[one.lost["points"] > 0] for one in waves]
    together = pd.concat(entries, ignore_index=True)
    latest = together.groupby(KEY, as_index=False)[columns].last()
    table = table.merge(latest.rename(columns={"mended": "stated_mended"}), how="left", on=KEY)
    is_open = table["state"].isin(STILL_OPEN)
    has_due = (table["due"] != "") & (day != "")
    is_past = table["due"] < day
    late = np.where(is_open & is_past, "yes", "no")
    table["overdue"] = np.where(has_due, late, "")
    return table


def _standing(long: pd.DataFrame, waves: Sequence[str]) -> pd.DataFrame:
    """Say how every entry stands after the last wave, going through the waves in order."""
    table = long[KEY].drop_duplicates(ignore_index=True)
    row = long.groupby(KEY, sort=False).ngroup().to_numpy(int)
    number_of_wave = long["number"].to_numpy(int)
    looked = np.full((len(table), len(waves)), "no", dtype=object)
    points = np.zeros((len(table), len(waves)))
    looked[row, number_of_wave] = long["looked"]
    points[row, number_of_wave] = long["points"]
    is_look = looked == "yes"
    is_lost = is_look & (points > 0)
    in_a_row = np.zeros(len(table), dtype=int)
    times_back = np.zeros(len(table), dtype=int)
    at_last_look = np.full(len(table), "never lost", dtype=object)
    for number in range(len(waves)):
        lost = is_lost[:, number]
        clean = is_look[:, number] & ~lost
        before = at_last_look.copy()
        times_back += lost & (before == "clean")
        in_a_row[lost] += 1
        in_a_row[clean] = 0
        at_last_look[lost] = "lost"
        at_last_look[clean & (before != "never lost")] = "clean"

    names = np.array(waves, dtype=object)
    final = len(waves) - 1
    last_look = final - is_look[:, ::-1].argmax(axis=1)
    last_loss = final - is_lost[:, ::-1].argmax(axis=1)
    table["state"] = _states(lost, looked[:, final], before, only_wave=final == 0)
    table["points"] = points[np.arange(len(table)), last_look]
    first_loss = is_lost.argmax(axis=1)
    waves_lost = is_lost.sum(axis=1)
    table = table.assign(
        first_wave=names[first_loss], last_lost=names[last_loss], last_looked=names[last_look]
    )
    return table.assign(waves_lost=waves_lost, in_a_row=in_a_row, times_back=times_back)


def _states(lost: Array, looked: Array, before: Array, *, only_wave: bool) -> Array:
    """Name the states after the last wave; `before` is what the look before the last wave showed."""
    conditions = {
        "does not apply": looked == "does not apply",
        "not looked at again": (looked == "no") & (before == "lost"),
        "mended earlier": looked == "no",
        "open": lost & (before == "lost") | lost & only_wave,
        "back": lost & (before == "clean"),
        "new": lost,
        "mended": before == "lost",
    }
    states = np.select(list(conditions.values()), list(conditions), "mended earlier")
    return states.astype(object)


def transitions(table: pd.DataFrame) -> pd.DataFrame:
    """Count a ledger by area and state.

    Returns
    -------
    DataFrame
        code, state, entries, points.
    """
    by_state = table.groupby(["code", "state"], as_index=False)
    return by_state.agg(entries=("item", "size"), points=("points", "sum"))
