"""Cells too small to be published, and the further cells without which they could be calculated
from their neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.declarations.survey import Survey
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.language import _
from satisfaction.sampling.tally import Tally

SMALL = _("too few answers; withheld by the suppression rule")
SHIELD = _("withheld so that another withheld figure cannot be calculated")
Cell = tuple[str, str, str]
"""Level, code of the area ("" for the whole), measure."""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """The cells that are not published.

    Attributes
    ----------
    small, shields : frozenset of Cell
        Too small themselves; withheld because they would give away others.
    """

    small: frozenset[Cell]
    shields: frozenset[Cell]


def suppressed_cells(
    survey: Survey, estimates: Mapping[str, Estimates], counted: Tally
) -> Suppressed:
    """Find the cells that the survey's rule withholds.

    A published area is the weighted mean of the areas it consists of, an area's index that of its
    parts. Whoever has all terms of such an equation but one can calculate it; therefore in every
    equation none or at least two are withheld.

    Parameters
    ----------
    survey : Survey
    estimates : mapping of Estimates
        By level of area.
    counted : Tally
        What they come from, by the levels of area.

    Notes
    -----
    Equations of the tree of areas are safe in whatever way they are combined, because each area
    stands in two of them at most. Combinations across areas *and* measures whose weights differ
    slightly are not looked for.
    """
    rule = survey.rules.suppression
    if rule is None:
        return Suppressed(frozenset(), frozenset())
    sizes: dict[Cell, int] = {}
    for level, of_level in estimates.items():
        respondents = of_level.table["n"].astype(int)
        sizes |= zip(_cells(of_level, level), respondents, strict=True)
    small = set()
    for cell, n in sizes.items():
        if 0 < n < rule.minimum_n:
            small.add(cell)
    if rule.minimum_psus > 1:
        for cell, psus in _psus(estimates, counted):
            if 0 < psus < rule.minimum_psus:
                small.add(cell)
    small |= _of_small_parts(survey, small, sizes)
    if rule.complementary == "off":
        return Suppressed(frozenset(small), frozenset())
    equations = list(_area_equations(survey, sizes))
    equations += _index_equations(survey, sizes)
    shields = shielded(small, equations, sizes) - small
    return Suppressed(frozenset(small), frozenset(shields))


def shielded(
    small: set[Cell], equations: list[tuple[Cell, ...]], sizes: Mapping[Cell, int]
) -> set[Cell]:
    """Return the withheld cells with those added that no equation has exactly one of them.

    An equation is its total and then its terms. The smallest term that is still published joins,
    the total only where there is none.
    """

    def smallest_first(cell: Cell) -> tuple[int, Cell]:
        return sizes[cell], cell

    withheld = set(small)
    before = -1
    while len(withheld) > before:
        before = len(withheld)
        for total, *terms in equations:
            published = [cell for cell in terms if cell not in withheld]
            hidden_terms = len(terms) - len(published)
            if hidden_terms + (total in withheld) == 1:
                withheld.add(min(published, key=smallest_first, default=total))
    return withheld


def withhold(
    survey: Survey, estimates: Mapping[str, Estimates], counted: Tally
) -> dict[str, Estimates]:
    """Blank the estimates that may not be published: figures and covariances missing, the reason in
    `note`, n as it is.
    """
    if survey.rules.suppression is None:
        return dict(estimates)
    suppressed = suppressed_cells(survey, estimates, counted)
    published = {}
    for level, of_level in estimates.items():
        published[level] = _blanked(of_level, suppressed, level=level)
    return published


def _blanked(estimates: Estimates, suppressed: Suppressed, *, level: str) -> Estimates:
    cells = _cells(estimates, level)
    small = np.array([cell in suppressed.small for cell in cells])
    shield = np.array([cell in suppressed.shields for cell in cells])
    gone = small | shield
    if not gone.any():
        return estimates
    table = estimates.table.copy()
    for name in table.select_dtypes("number"):
        if name not in (*estimates.by, "n"):
            table[name] = table[name].astype(float).mask(gone)
    note = table["note"].to_numpy(str)
    table["note"] = np.select([small, shield], [SMALL.both, SHIELD.both], note)
    covariance = estimates.cov.copy()
    covariance[gone] = np.nan
    covariance[:, gone] = np.nan
    blank = sp.diags_array(np.where(gone, np.nan, 1.0))
    matrix = estimates.contributions.matrix @ blank
    contributions = replace(estimates.contributions, matrix=matrix)
    return replace(estimates, table=table, cov=covariance, contributions=contributions)


def _cells(estimates: Estimates, level: str) -> list[Cell]:
    table = estimates.table
    codes = table[estimates.by[0]].astype(str) if estimates.by else [""] * len(table)
    return [(level, code, measure) for code, measure in zip(codes, table["measure"], strict=True)]


def _of_small_parts(survey: Survey, small: set[Cell], sizes: Mapping[Cell, int]) -> set[Cell]:
    """Return the cells of indices of level `area` of which a part is too small."""
    cells = set()
    for level, code, measure in sizes:
        index = survey.questionnaire.indices.get(measure)
        if index is not None and index.level == "area":
            parts = {(level, code, part) for part in index.weights}
            if parts & small:
                cells.add((level, code, measure))
    return cells


def _psus(estimates: Mapping[str, Estimates], counted: Tally) -> Iterator[tuple[Cell, int]]:
    """Yield the number of PSUs with a valid answer, of every cell of a measure counted in the
    respondents.
    """
    for level, of_level in estimates.items():
        design = of_level.design
        if not design.psu:
            return
        keys = counted.keys
        unit = [*design.strata, design.stages[0]]
        psu = keys.groupby(unit).ngroup()
        code = pd.Series("", index=keys.index)
        if of_level.by:
            code = keys[of_level.by[0]].astype(str)
        for column, measure in enumerate(counted.measures):
            answered = counted.valid[:, column] > 0
            psus_of_area = psu[answered].groupby(code[answered]).nunique()
            for area, psus in psus_of_area.items():
                yield (level, str(area), measure), int(psus)


def _area_equations(survey: Survey, sizes: Mapping[Cell, int]) -> Iterator[tuple[Cell, ...]]:
    """Yield, for every area that consists of published ones and every measure, the area and then
    its parts.
    """
    parents = survey.parents()
    levels = survey.levels()
    whole = survey.whole()
    parts: dict[Cell, list[Cell]] = {}
    for cell, n in sizes.items():
        level, code, measure = cell
        if n and level != whole:
            parent = parents.get(code, "")
            above = levels.get(parent, whole)
            total = (above, "" if above == whole else parent, measure)
            parts.setdefault(total, []).append(cell)
    for total, of_total in parts.items():
        if total in sizes:
            yield total, *of_total


def _index_equations(survey: Survey, sizes: Mapping[Cell, int]) -> Iterator[tuple[Cell, ...]]:
    """Yield the index and then its parts where it is exactly their weighted mean: of level `area`,
    or answered in full by all.
    """
    for cell, n in sizes.items():
        level, code, measure = cell
        index = survey.questionnaire.indices.get(measure)
        if index is None:
            continue
        parts = [(level, code, part) for part in index.weights]
        if not all(part in sizes for part in parts):
            continue
        answered_in_full = all(sizes[part] == n for part in parts)
        if index.level == "area" or answered_in_full:
            yield cell, *parts
