"""The facts a simulated province starts from: a wave's frame and margins, county by county.

Who lives where: communities, and model persons who each stand for a number of people.
"""

from __future__ import annotations

import datetime
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from satisfaction.declarations.wave import SurveyFile
from satisfaction.foundation.errors import SurveyError
from satisfaction.foundation.language import _
from satisfaction.foundation.tables import read_table
from satisfaction.sampling.variance import Array

Days = tuple[datetime.date, datetime.date]  # the first and the last


@dataclass(frozen=True, slots=True, repr=False)
class PopulationFacts:
    """Population by county.

    Attributes
    ----------
    counties : tuple of str
        Area codes in ascending order, length n.
    residence, sex, age : ndarray of int
        People by urban/rural (n x 2), by sex (n x 2), by age group (n x 4); the three add to the same county totals.
    """

    counties: tuple[str, ...]
    residence: Array
    sex: Array
    age: Array

    @property
    def population(self) -> Array:
        """Return the people of each county, length n."""
        total: Array = self.residence.sum(axis=1)
        return total


def read_facts(folder: Path, declared: SurveyFile) -> PopulationFacts:
    """Read the frame, and the margins county x sex and county x age_group.

    Raises
    ------
    SurveyError
        S151 when survey.yaml declares no such table, S152 when a county's totals differ between the tables.
    """
    files = {tuple(margin.by): margin.file for margin in declared.margins.values()}
    if declared.frame:
        files["county", "residence"] = declared.frame.file
    for by in (("county", "residence"), ("county", "sex"), ("county", "age_group")):
        if by not in files:
            raise _absent(folder, by)
    frame = read_table(folder / files["county", "residence"])
    counties = tuple(sorted(set(frame["county"])))
    residence = _grid(frame, "residence", counties)
    sex = _grid(read_table(folder / files["county", "sex"]), "sex", counties)
    age = _grid(read_table(folder / files["county", "age_group"]), "age_group", counties, levels=4)
    _agree(folder, counties, residence, sex, age)
    return PopulationFacts(counties, residence, sex, age)


def _grid(table: pd.DataFrame, by: str, counties: tuple[str, ...], levels: int = 2) -> Array:
    """Lay a table of counts out as counties x levels; a cell that is not there has nobody in it."""
    known = table[table["county"].isin(counties)]
    people = known["population"].astype(int)
    grid = np.zeros((len(counties), levels), dtype=np.int64)
    row = np.searchsorted(counties, known["county"])
    column = known[by].astype(int) - 1
    np.add.at(grid, (row, column), people)
    return grid


def _agree(folder: Path, counties: tuple[str, ...], residence: Array, *others: Array) -> None:
    for other in others:
        apart = np.flatnonzero(other.sum(axis=1) != residence.sum(axis=1))
        if apart.size:
            raise SurveyError(
                "S152",
                _(
                    "Frame and margins differ in the population of {counties}.",
                    counties=counties[apart[0]],
                ),
                where=str(folder),
                hint=_("Correct the tables, so that every county has one total."),
            )


def _absent(folder: Path, by: tuple[str, ...]) -> SurveyError:
    name = " x ".join(by)
    return SurveyError(
        "S151",
        _("Simulation needs a table by {name}; survey.yaml declares none.", name=name),
        where=str(folder / "survey.yaml"),
        hint=_("Declare it under areas, frame or margins."),
    )


PERSONS = 100  # model persons in a community
ROUNDS = 200  # of iterative proportional fitting
FEWEST = 150  # communities in a county
MOST = 250
USUAL_SIZE = 1500  # adults in a community, where the number of communities allows
SMALLEST_STRATUM = 10  # communities; keeps every community's inclusion probability well below one
SIZE_SD = 0.35  # of the logarithm of community sizes
# more old women, more young townspeople: only the shape; the margins fix the totals
SEX_BY_AGE = np.array([[1.0, 1.0, 1.0, 0.9], [1.0, 1.0, 1.0, 1.1]])
TOWN_BY_AGE = np.array([[1.25, 1.1, 0.9, 0.75], [0.8, 0.95, 1.1, 1.25]])


@dataclass(frozen=True, slots=True, repr=False)
class Residents:
    """Who lives where; the same in every wave.

    Attributes
    ----------
    facts : Facts
    county, residence : ndarray of int, length C
        Position of each community's county in `facts.counties`; 0 urban, 1 rural. Sorted by both.
    community : ndarray of str, length C
        Code: county, U or R, three digits.
    sex, age : ndarray of int8, C x PERSONS
        Of each model person, counted from 0.
    people : ndarray of int64, C x PERSONS
        People a model person stands for; add to the facts exactly, by county x sex, x age group and x residence.
    """

    facts: PopulationFacts
    county: Array
    residence: Array
    community: Array
    sex: Array
    age: Array
    people: Array

    @property
    def size(self) -> Array:
        """Return the people of each community, length C."""
        total: Array = self.people.sum(axis=1)
        return total


def generator(seed: int, *purpose: object) -> np.random.Generator:
    """Return the random numbers of one purpose: independent between purposes, the same for the same seed."""
    words = [zlib.crc32(str(word).encode()) for word in purpose]
    return np.random.default_rng([seed, *words])


def settle(facts: PopulationFacts, *, seed: int) -> Residents:
    """Spread the population of every county over communities and model persons.

    Parameters
    ----------
    facts : Facts
    seed : int

    Returns
    -------
    Residents
        About 200 communities a county, 100 model persons each.
    """
    cells = population_cells(facts).reshape(-1, 8)
    total = np.clip(facts.population // USUAL_SIZE, FEWEST, MOST)
    counts = town_and_country(facts, total, SMALLEST_STRATUM).ravel()
    stratum = np.repeat(np.arange(counts.size), counts)
    first = np.cumsum(counts) - counts
    number = np.arange(stratum.size) - first[stratum] + 1
    county, residence = np.divmod(stratum, 2)
    random = generator(seed, "residents")
    deviate = np.clip(random.standard_normal(stratum.size), -2, 2)
    relative = np.exp(SIZE_SD * deviate)
    cell = _draw_cells(cells, stratum, random)
    people = _share_out(cells, stratum, cell, relative)
    codes = []
    for c, r, n in zip(county, residence, number, strict=True):
        codes.append(f"{facts.counties[c]}{'UR'[r]}{n:03d}")
    sex, age = np.divmod(cell.astype(np.int8), 4)
    return Residents(facts, county, residence, np.array(codes), sex, age, people)


def population_cells(facts: PopulationFacts) -> Array:
    """Return whole numbers of people by county x residence x sex x age (n x 2 x 2 x 4) that keep every margin exactly.

    Only the margins are facts; how they cross is estimated by iterative proportional fitting from a usual shape.
    """
    sex_by_age = _crossed(SEX_BY_AGE, facts.sex, facts.age)
    by_cell = sex_by_age.reshape(-1, 8)
    shape = np.tile(TOWN_BY_AGE, 2)
    return _crossed(shape, facts.residence, by_cell).reshape(-1, 2, 2, 4)


def _crossed(shape: Array, rows: Array, columns: Array) -> Array:
    """Scale a usual shape (2 x k) to the row and column totals of n tables in turn; in whole numbers."""
    table = np.repeat(shape[None], len(rows), axis=0)
    for _unused in range(ROUNDS):
        growth = rows / np.maximum(table.sum(axis=2), 1e-300)
        table = table * growth[:, :, None]
        growth = columns / np.maximum(table.sum(axis=1), 1e-300)
        table = table * growth[:, None, :]
    return _whole(table, rows, columns)


def _whole(table: Array, rows: Array, columns: Array) -> Array:
    """Round two-row tables to whole people without moving a total: largest remainders in row 0, the rest in row 1."""
    exact = table[:, 0]
    floor = np.floor(exact).astype(np.int64)
    order = np.argsort(floor - exact, axis=1, kind="stable")
    place = np.argsort(order, axis=1, kind="stable")
    missing = rows[:, 0] - floor.sum(axis=1)
    first = floor + (place < missing[:, None])
    return np.stack([first, columns - first], axis=1)


def town_and_country(facts: PopulationFacts, total: Array | int, least: int) -> Array:
    """Divide a number of communities of each county by its people in town and country, at least `least` where any live, n x 2."""
    town, country = facts.residence.T
    share = total * town / facts.population
    urban = np.rint(share).astype(np.int64)
    urban = np.clip(urban, least, total - least)
    urban = np.where(town == 0, 0, urban)
    urban = np.where(country == 0, total, urban)
    return np.stack([urban, total - urban], axis=1)


def _draw_cells(cells: Array, stratum: Array, random: np.random.Generator) -> Array:
    """Draw every model person's sex x age cell (0-7) from the make-up of the stratum."""
    people = np.maximum(cells.sum(axis=1, keepdims=True), 1)
    share = np.cumsum(cells, axis=1) / people
    draw = random.random((stratum.size, PERSONS))
    cell = np.zeros(draw.shape, dtype=np.int64)
    for bound in share.T[:7]:
        cell += draw >= bound[stratum][:, None]
    return cell


def _share_out(cells: Array, stratum: Array, cell: Array, relative: Array) -> Array:
    """Share the people of each stratum's cells among its model persons by community size, in whole numbers."""
    group = (stratum[:, None] * 8 + cell).ravel()
    order = np.argsort(group.astype(np.int16), kind="stable")
    running = np.cumsum(np.broadcast_to(relative[:, None], cell.shape).ravel()[order])
    sorted_group = group[order]
    last = np.searchsorted(sorted_group, np.arange(cells.size), side="right") - 1
    start = np.concatenate([[0.0], running])[np.searchsorted(sorted_group, np.arange(cells.size))]
    extent = np.maximum(running[last] - start, 1e-300)
    share = (running - start[sorted_group]) / extent[sorted_group]
    upto = np.rint(share * cells.ravel()[sorted_group]).astype(np.int64)
    people = np.diff(upto, prepend=0)
    first = np.flatnonzero(np.diff(sorted_group, prepend=-1))
    people[first] = upto[first]
    shared = np.empty(group.size, dtype=np.int64)
    shared[order] = people
    return shared.reshape(cell.shape)
