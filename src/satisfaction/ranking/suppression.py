"""Cells too small to be published, and the further cells without which they could be calculated from their neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from satisfaction.declarations.rules import SuppressionRules
from satisfaction.declarations.survey import Survey
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.yaml import Label
from satisfaction.sampling.tally import Tally

SMALL = Label(
    zh="样本过少，按保密规则不公布", en="too few answers; withheld by the suppression rule"
)
SHIELD = Label(
    zh="为保护其他不公布的数值而不公布",
    en="withheld so that another withheld figure cannot be calculated",
)
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

    A published area is the weighted mean of the areas it consists of, an area's index that of its parts. Whoever has
    all terms of such an equation but one can calculate it; therefore in every equation none or at least two are withheld.

    Parameters
    ----------
    survey : Survey
    estimates : mapping of Estimates
        By level of area.
    counted : Tally
        What they come from, by the levels of area.

    Notes
    -----
    Equations of the tree of areas are safe in whatever way they are combined, because each area stands in two of them at
    most. Combinations across areas *and* measures whose weights differ slightly are not looked for.
    """
    rule = survey.rules.suppression
    if rule is None:
        return Suppressed(frozenset(), frozenset())
    sizes = dict(_sizes(estimates))
    small = _small(rule, estimates, sizes, survey=survey, counted=counted)
    if rule.complementary == "off":
        return Suppressed(frozenset(small), frozenset())
    equations = [*_area_equations(survey, sizes), *_index_equations(survey, sizes)]
    return Suppressed(frozenset(small), frozenset(shielded(small, equations, sizes) - small))


def shielded(
    small: set[Cell], equations: list[tuple[Cell, ...]], sizes: Mapping[Cell, int]
) -> set[Cell]:
    """Return the withheld cells with those added that no equation has exactly one of them.

    An equation is its total and then its terms. The smallest term that is still published joins, the total only where
    there is none.
    """
    withheld, changed = set(small), True
    while changed:
        changed = False
        for total, *terms in equations:
            if sum(cell in withheld for cell in (total, *terms)) == 1:
                free = sorted(
                    (cell for cell in terms if cell not in withheld),
                    key=lambda cell: (sizes[cell], cell),
                )
                withheld.add(free[0] if free else total)
                changed = True
    return withheld


def withhold(
    survey: Survey, estimates: Mapping[str, Estimates], counted: Tally
) -> dict[str, Estimates]:
    """Blank the estimates that may not be published: figures and covariances missing, the reason in `note`, n as it is."""
    if survey.rules.suppression is None:
        return dict(estimates)
    found = suppressed_cells(survey, estimates, counted)
    return {level: _blanked(one, found, level=level) for level, one in estimates.items()}


def _blanked(one: Estimates, found: Suppressed, *, level: str) -> Estimates:
    cells = _cells(one, level)
    small, shield = (
        np.array([cell in group for cell in cells]) for group in (found.small, found.shields)
    )
    gone = small | shield
    if not gone.any():
        return one
    figures = [name for name in one.table.select_dtypes("number") if name not in (*one.by, "n")]
    blank = {name: one.table[name].astype(float).mask(gone) for name in figures}
    note = np.select([small, shield], [str(SMALL), str(SHIELD)], one.table["note"].to_numpy(str))
    table = one.table.assign(**blank, note=note)
    covariance = np.where(gone[:, None] | gone, np.nan, one.cov)
    kept = sp.diags_array(np.where(gone, np.nan, 1.0))
    held = replace(one.contributions, matrix=one.contributions.matrix @ kept)
    return replace(one, table=table, cov=covariance, contributions=held)


def _cells(one: Estimates, level: str) -> list[Cell]:
    codes = one.table[one.by[0]].astype(str) if one.by else [""] * len(one.table)
    return [
        (level, code, measure) for code, measure in zip(codes, one.table["measure"], strict=True)
    ]


def _sizes(estimates: Mapping[str, Estimates]) -> Iterator[tuple[Cell, int]]:
    for level, one in estimates.items():
        yield from zip(_cells(one, level), one.table["n"].astype(int), strict=True)


def _small(
    rule: SuppressionRules,
    estimates: Mapping[str, Estimates],
    sizes: Mapping[Cell, int],
    *,
    survey: Survey,
    counted: Tally,
) -> set[Cell]:
    """Return the cells with answers, but too few of them or from too few PSUs."""
    small = {cell for cell, n in sizes.items() if 0 < n < rule.minimum_n}
    if rule.minimum_psus > 1:
        small |= {cell for cell, psus in _psus(estimates, counted) if 0 < psus < rule.minimum_psus}
    parts = {
        name: index.weights
        for name, index in survey.questionnaire.indices.items()
        if index.level == "area"
    }
    return small | {
        cell for cell in sizes if any((*cell[:2], part) in small for part in parts.get(cell[2], ()))
    }


def _psus(estimates: Mapping[str, Estimates], counted: Tally) -> Iterator[tuple[Cell, int]]:
    """Yield the number of PSUs with a valid answer, of every cell of a measure counted in the respondents."""
    for level, one in estimates.items():
        design = one.design
        if not design.psu:
            return
        unit = counted.keys.groupby([*design.strata, design.stages[0]]).ngroup()
        code = counted.keys[one.by[0]].astype(str) if one.by else unit.map(lambda _: "")
        for place, measure in enumerate(counted.measures):
            answered = counted.valid[:, place] > 0
            for area, psus in unit[answered].groupby(code[answered]).nunique().items():
                yield (level, str(area), measure), int(psus)


def _area_equations(survey: Survey, sizes: Mapping[Cell, int]) -> Iterator[tuple[Cell, ...]]:
    """Yield, for every area that consists of published ones and every measure, the area and then its parts."""
    parents, levels, whole = survey.parents(), survey.levels(), survey.whole()
    groups: dict[Cell, list[Cell]] = {}
    for cell, n in sizes.items():
        level, code, measure = cell
        if n and level != whole:
            parent = parents.get(code, "")
            above = levels.get(parent, whole)
            groups.setdefault((above, "" if above == whole else parent, measure), []).append(cell)
    yield from ((total, *parts) for total, parts in groups.items() if total in sizes)


def _index_equations(survey: Survey, sizes: Mapping[Cell, int]) -> Iterator[tuple[Cell, ...]]:
    """Yield the index and then its parts where it is exactly their weighted mean: of level `area`, or answered in full by all."""
    for level, code, measure in sizes:
        index = survey.questionnaire.indices.get(measure)
        parts = [(level, code, part) for part in index.weights] if index else []
        if index and all(part in sizes for part in parts):
            own = sizes[level, code, measure]
            if index.level == "area" or all(sizes[part] == own for part in parts):
                yield ((level, code, measure), *parts)
