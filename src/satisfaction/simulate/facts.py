"""The facts a simulated province starts from: a wave's frame and margins, county by county."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import SurveyError
from ..io.tables import read_table
from ..survey import SurveyFile

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Facts:
    """Population by county.

    Attributes
    ----------
    counties : tuple of str
        Area codes in ascending order, length n.
    prefectures : tuple of str
        Code of each county's prefecture, length n.
    residence, sex, age : ndarray of int
        People by urban/rural (n x 2), by sex (n x 2), by age group (n x 4); the three add to the same county totals.
    """

    counties: tuple[str, ...]
    prefectures: tuple[str, ...]
    residence: Counts
    sex: Counts
    age: Counts

    @property
    def population(self) -> Counts:
        """Return the people of each county, length n."""
        total: Counts = self.residence.sum(axis=1)
        return total


def read_facts(folder: Path, declared: SurveyFile) -> Facts:
    """Read the frame, the margins county x sex and county x age_group, and the parents of the counties.

    Raises
    ------
    SurveyError
        S151 when survey.yaml declares no such table, S152 when a county's totals differ between the tables.
    """
    files = {tuple(margin.by): margin.file for margin in declared.margins.values()}
    files |= {("county", "residence"): declared.frame.file} if declared.frame else {}
    for by in (("county", "residence"), ("county", "sex"), ("county", "age_group")):
        if by not in files or declared.areas is None:
            raise _absent(folder, by if declared.areas else ("areas",))
    assert declared.areas is not None
    areas = read_table(folder / declared.areas.file)
    parents = dict(zip(areas["code"], areas["parent"], strict=True))
    frame = read_table(folder / files["county", "residence"])
    counties = tuple(sorted(set(frame["county"])))
    residence = _grid(frame, "residence", counties)
    sex = _grid(read_table(folder / files["county", "sex"]), "sex", counties)
    age = _grid(read_table(folder / files["county", "age_group"]), "age_group", counties, levels=4)
    _agree(folder, counties, residence, sex, age)
    return Facts(counties, tuple(str(parents.get(county, "")) for county in counties), residence, sex, age)


def _grid(table: pd.DataFrame, by: str, counties: tuple[str, ...], levels: int = 2) -> Counts:
    """Lay a table of counts out as counties x levels; a cell that is not there has nobody in it."""
    known = table[table["county"].isin(counties)]
    people = known["population"].astype(int)
    grid = np.zeros((len(counties), levels), dtype=np.int64)
    np.add.at(grid, (np.searchsorted(counties, known["county"]), known[by].astype(int) - 1), people)
    return grid


def _agree(folder: Path, counties: tuple[str, ...], residence: Counts, *others: Counts) -> None:
    for other in others:
        if (apart := np.flatnonzero(other.sum(axis=1) != residence.sum(axis=1))).size:
            raise SurveyError(
                "S152",
                f"{counties[apart[0]]} 的抽样框与边际人口数不一致。",
                f"Frame and margins differ in the population of {counties[apart[0]]}.",
                where=str(folder),
                hint=("改正人口表，使各县合计相同。", "Correct the tables, so that every county has one total."),
            )


def _absent(folder: Path, by: tuple[str, ...]) -> SurveyError:
    name = " x ".join(by)
    return SurveyError(
        "S151",
        f"模拟需要 {name} 的人口表，survey.yaml 未声明。",
        f"Simulation needs a table by {name}; survey.yaml declares none.",
        where=str(folder / "survey.yaml"),
        hint=("在 areas、frame 或 margins 中声明它。", "Declare it under areas, frame or margins."),
    )
