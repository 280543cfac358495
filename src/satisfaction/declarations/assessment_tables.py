"""The tables a county office or an inspection team hands in: the sheet of lost points, the points of inspection visited.

A sheet has one row an entry. What a row is, its item and its `state` say: points lost (or gained, of a bonus item), a veto
that occurred, an item that does not apply, a precondition that is met or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from satisfaction.declarations.area_names import read_area_table
from satisfaction.declarations.combined import LOST_WANTED, SITE_WANTED, Assessment
from satisfaction.foundation.errors import RankingError, require_names
from satisfaction.foundation.language import N_, Text, _
from satisfaction.foundation.personal import masked_within
from satisfaction.foundation.tables import refuse_rows
from satisfaction.foundation.yaml import Label

REQUIRED = ("code", "item", "points", "reason")
OPTIONAL = ("state", "site", "class", "due", "mended")
NOT_APPLICABLE = "not applicable"
MET = "met"
NOT_MET = "not met"
CLASSES = ("dead", "difficult", "winnable")
FEW = 2  # rows of an area: a single one that is equal may be another finding
HALF = 0.5  # of an area's rows: as many as a sheet that stands twice repeats
SITE_COLUMNS = ("code", "item", "site", "kind", "score", "possible")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PointsSheet:
    """A sheet of lost points, read.

    Attributes
    ----------
    lost : DataFrame
        code, item, site ("" where none is named), points (> 0), points_class ("" where none is named), reason, due, mended
        (dates as YYYY-MM-DD, "" where none). Of the items that lose points by a sheet.
    gained : DataFrame
        The same of the bonus items: points gained.
    absent : DataFrame
        code, item, reason: items that do not apply.
    vetoes : DataFrame
        code, item, reason: entries of the negative list.
    stated : DataFrame
        code, item, met (bool), reason: preconditions.
    """

    lost: pd.DataFrame
    gained: pd.DataFrame
    absent: pd.DataFrame
    vetoes: pd.DataFrame
    stated: pd.DataFrame


def read_sheet(
    path: Path, tree: Assessment, areas: Sequence[str], *, named: pd.DataFrame | None = None
) -> PointsSheet:
    """Read a sheet of lost points: code, item, points, reason; and, where they are there, state, site, class, due, mended.

    `named`: the table of areas that the sheet may name in place of their codes.

    Raises
    ------
    RankingError
        K311 a column that is not there, K312 a code or item nobody knows, K313 points that are no number >= 0, K375 a state,
        class or date nobody knows, K376 a row that its item does not take, K382 rows of an area handed in twice.
    """
    return checked_sheet(read_area_table(path, named, LOST_WANTED), path, tree, areas=areas)


def checked_sheet(
    table: pd.DataFrame, path: Path, tree: Assessment, *, areas: Sequence[str]
) -> PointsSheet:
    """Return a sheet of lost points, read from `path` as text, in its parts; errors as those of `read_sheet`."""
    again = table.duplicated()
    table = _sheet_columns(table, path, tree, areas=areas)
    _refuse_again(again, table["code"], path)
    leaves = {name: leaf for name, (_branch, leaf) in tree.leaves().items()}
    bonus = [name for name, leaf in leaves.items() if leaf.bonus]
    by_sheet = [name for name, leaf in leaves.items() if leaf.measure is None and not leaf.sites]
    item = table["item"]
    state = table["state"]
    is_precondition = item.isin(list(tree.preconditions))
    is_veto = item.isin(list(tree.veto))
    is_absent = state == NOT_APPLICABLE
    is_entry = ~is_precondition & ~is_veto & ~is_absent
    _refuse_misplaced(
        table,
        path,
        is_precondition != state.isin([MET, NOT_MET]),
        why=_("a precondition is stated as `met` or `not met`, and nothing else is"),
    )
    _refuse_misplaced(
        table,
        path,
        is_absent & (is_veto | item.isin(bonus)),
        why=_("vetoes and bonus items always apply"),
    )
    measured = [name for name, one in tree.preconditions.items() if one.measure is not None]
    _refuse_misplaced(
        table,
        path,
        (is_entry & ~item.isin(by_sheet)) | item.isin(measured),
        why=_("a measure of the survey or the points of inspection score this item, not the sheet"),
    )
    if tree.not_applicable is None:
        _refuse_misplaced(
            table,
            path,
            is_absent,
            why=_("the assessment does not say who takes over the points (`not_applicable`)"),
        )
    keys = ["code", "item"]
    is_stated = is_precondition | is_absent
    twice = table[is_stated].duplicated(keys, keep=False).reindex(table.index, fill_value=False)
    lacks_points = pd.MultiIndex.from_frame(table.loc[is_stated, keys])
    both = pd.MultiIndex.from_frame(table[keys]).isin(lacks_points) & is_entry
    _refuse_misplaced(
        table,
        path,
        twice | both,
        why=_("it is stated twice, or loses points where it does not apply"),
    )
    points = pd.to_numeric(table["points"], errors="coerce")
    wrong = is_entry & ~(np.isfinite(points) & (points >= 0))
    needed = _("`points` is a number >= 0: the points lost.")
    refuse_rows(wrong, RankingError, "K313", text=needed, where=path)
    table = table.assign(
        points=points.where(is_entry, 0.0),
        points_class=table["class"],
        reason=table["reason"].map(masked_within),
        site=table["site"].map(masked_within),
    )
    entries = table.loc[
        is_entry,
        ["code", "item", "site", "points", "points_class", "reason", "due", "mended"],
    ]
    gained = entries["item"].isin(bonus)
    short = ["code", "item", "reason"]
    stated = table.loc[is_precondition, short].assign(met=state[is_precondition] == MET)
    return PointsSheet(
        entries[~gained].reset_index(drop=True),
        entries[gained].reset_index(drop=True),
        table.loc[is_absent, short].reset_index(drop=True),
        table.loc[is_veto, short].reset_index(drop=True),
        stated.reset_index(drop=True),
    )


def _refuse_again(again: pd.Series, area: pd.Series, path: Path) -> None:
    """Refuse rows that repeat earlier ones where they are as many of their area's as of a sheet that stands twice (K382)."""
    of_area = again.groupby(area).transform
    handed_in_twice = (of_area("sum") >= FEW) & (of_area("mean") >= HALF)
    repeated = _(
        "These rows stand twice, alike in every column, as if a sheet had been handed in twice; "
        "they would be deducted twice. Findings that both count differ in `site` or `reason`."
    )
    refuse_rows(again & handed_in_twice, RankingError, "K382", text=repeated, where=path)


def _sheet_columns(
    table: pd.DataFrame, path: Path, tree: Assessment, *, areas: Sequence[str]
) -> pd.DataFrame:
    """Return a sheet with its optional columns, items by their names in the assessment, known states and classes, dates."""
    table = _with_columns(table, path, REQUIRED, optional=OPTIONAL)
    leaves = {name: leaf for name, (_branch, leaf) in tree.leaves().items()}
    items: dict[str, Label] = {**leaves, **tree.veto, **tree.preconditions}
    known_items = list(items)
    table["item"] = _items_by_name(table["item"], items)
    _refuse_unknown(table, path, {"code": areas, "item": known_items}, error="K312")
    allowed: dict[str, Sequence[str]] = {
        "state": ("", NOT_APPLICABLE, MET, NOT_MET),
        "class": ("", *CLASSES),
    }
    _refuse_unknown(table, path, allowed, error="K375")
    for column in ("due", "mended"):
        table[column] = _dates(table[column], path, column)
    return table


def read_sites(
    path: Path, tree: Assessment, areas: Sequence[str], *, named: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Read the points of inspection visited: one row a site and item.

    `named`: the table of areas that the sheet may name in place of their codes.

    Returns
    -------
    DataFrame
        code, item, site, kind, score (points the site got), possible (points it could get), population (sites of the kind in
        the area; NaN where not known), reason ("" where there is no such column).

    Raises
    ------
    RankingError
        K311 a column that is not there, K312 a code or item nobody knows or that no sites score, K313 numbers that are none or
        do not fit, K377 a site that stands twice.
    """
    return checked_sites(read_area_table(path, named, SITE_WANTED), path, tree, areas=areas)


def checked_sites(
    table: pd.DataFrame, path: Path, tree: Assessment, *, areas: Sequence[str]
) -> pd.DataFrame:
    """Return points of inspection, read from `path` as text, with their types; as `read_sites`."""
    table = _with_columns(table, path, SITE_COLUMNS, optional=("population", "reason"))
    leaves = {name: leaf for name, (_branch, leaf) in tree.leaves().items()}
    table["item"] = _items_by_name(table["item"], leaves)
    _refuse_unknown(table, path, {"code": areas, "item": tree.at_sites}, error="K312")
    numbers = {}
    for column in ("score", "possible", "population"):
        numbers[column] = pd.to_numeric(table[column], errors="coerce")
    possible = numbers["possible"]
    population = numbers["population"]
    fits = numbers["score"].between(0, possible)
    fits &= (possible > 0) & np.isfinite(possible)
    named = (table["site"] != "") & (table["kind"] != "")
    without_population = table["population"] == ""
    keys = [table[key] for key in ("code", "item", "kind")]
    visited = table["site"].groupby(keys).transform("size")
    populations = population.groupby(keys)
    same = populations.transform("nunique") <= 1
    known = populations.transform("count")
    complete = (known == 0) | (known == visited)
    fits &= without_population | (np.isfinite(population) & same & complete)
    fits &= without_population | (population >= visited)
    needed = _(
        "A site has a name and a kind, 0 <= score <= possible, and a population that is the "
        "same for all sites of the kind and at least the number visited."
    )
    refuse_rows(~(fits & named), RankingError, "K313", text=needed, where=path)
    twice = table.duplicated(["code", "item", "site"], keep=False)
    repeated = _("A site stands twice for the same item.")
    refuse_rows(twice, RankingError, "K377", text=repeated, where=path)
    site = table["site"].map(masked_within)
    reason = table["reason"].map(masked_within)
    return table.assign(**numbers, site=site, reason=reason).reset_index(drop=True)


def _items_by_name(values: pd.Series, items: Mapping[str, Label]) -> pd.Series:
    """Exchange titles of items for their names; a title that several items have stays and is refused as unknown."""
    titles: dict[str, list[str]] = {}
    for name, item in items.items():
        for title in {item.zh, item.en}:
            titles.setdefault(title, []).append(name)
    names = {}
    for title, bearers in titles.items():
        if len(bearers) == 1 and title not in items:
            names[title] = bearers[0]
    return values.replace(names)


def _with_columns(
    table: pd.DataFrame, path: Path, required: Sequence[str], *, optional: Sequence[str]
) -> pd.DataFrame:
    """Return the columns wanted of a table of text; optional ones that are not there are empty."""
    missing = [column for column in optional if column not in table]
    table = table.assign(**dict.fromkeys(missing, ""))
    not_there = N_("Column '{name}' not found.")
    hint = _("Add the column.")
    require_names(
        required, table, RankingError, code="K311", text=not_there, where=f"{path} row 1", hint=hint
    )
    return table[[*required, *optional]]


def _refuse_unknown(
    table: pd.DataFrame, path: Path, known: Mapping[str, Sequence[str]], *, error: str
) -> None:
    for column, allowed in known.items():
        unknown = ~table[column].isin(list(allowed))
        first = _first(table.loc[unknown, column])
        text = _("`{column}` {first!r} does not exist.", column=column, first=first)
        refuse_rows(
            unknown, RankingError, error, text=text, where=path, available=allowed, got=first
        )


def _first(values: pd.Series) -> str:
    return str(next(iter(values), ""))


def _refuse_misplaced(table: pd.DataFrame, path: Path, wrong: pd.Series, *, why: Text) -> None:
    item = _first(table.loc[wrong, "item"])
    text = _("The row does not fit its item '{item}': {why}.", item=item, why=why)
    refuse_rows(wrong, RankingError, "K376", text=text, where=path, got=item)


def _dates(values: pd.Series, path: Path, column: str) -> pd.Series:
    """Return dates as YYYY-MM-DD, "" where there is none."""
    dates = pd.to_datetime(values.where(values != ""), format="ISO8601", errors="coerce")
    wrong = dates.isna() & (values != "")
    first = _first(values[wrong])
    text = _("`{column}` {first!r} is no date (YYYY-MM-DD).", column=column, first=first)
    refuse_rows(wrong, RankingError, "K375", text=text, where=path, got=first)
    return dates.dt.strftime("%Y-%m-%d").fillna("")
