"""Nonresponse: the weight of sampled persons who did not answer goes to those who did, by classes or by propensities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.foundation.engines import one_blas_thread
from satisfaction.foundation.errors import WeightsError, one_of, shortened
from satisfaction.foundation.language import _, comma_list
from satisfaction.sampling.conditions import require_columns
from satisfaction.sampling.design import SampleDesign, named
from satisfaction.sampling.variance import Array, Sparse, summing
from satisfaction.weighting.recipe import (
    Cells,
    cells_for,
    extended,
    place,
    ratio_or,
    renumbered,
)
from satisfaction.weighting.solving import LOGISTIC, EquationStep, SolvedEquation, newton

ResponseMethod = Literal["classes", "propensity"]
TOLERANCE = 1e-10
CERTAIN = 1e-8  # a propensity as near to 0 or 1 as this is a limit that the fit runs to
FAR_FROM_SAMPLED = 0.25  # of the sampled weight: inverse propensities that add up to another sum belong to a model that fits nothing


@one_blas_thread
def adjust_nonresponse(
    design: SampleDesign,
    responded: str,
    *,
    by: str | Sequence[str],
    method: ResponseMethod = "classes",
) -> SampleDesign:
    """Give the weight of sampled persons who did not answer to those who did.

    Parameters
    ----------
    design : SampleDesign
        Its rows are all sampled persons; they stay in the design.
    responded : str
        Column that is 1 (or true) for respondents, 0 for nonrespondents, who get weight 0.
    by : sequence of str
        Columns known for all sampled persons. classes: their combinations are the weighting classes. propensity: main
        effects of a logistic regression; columns of floating-point numbers enter as they are, all others by their levels.
    method : {"classes", "propensity"}

    Raises
    ------
    WeightsError
        W100, W101, W120 a class without respondents, W121 values other than 0 and 1, W122 missing values, W123 a
        propensity model without a solution, W380 one in which a covariate separates respondents from nonrespondents.

    Examples
    --------
    >>> sampled = pd.DataFrame({"sex": [1, 1, 1, 1, 2, 2], "responded": [1, 1, 0, 0, 1, 1]})
    >>> design = sat.adjust_nonresponse(sat.SurveyDesign(sampled), "responded", by="sex")
    >>> design.weights
    array([2., 2., 0., 0., 1., 1.])
    """
    one_of(method, ResponseMethod, argument="method", error=WeightsError, code="W100")
    by = named(by)
    require_columns(
        design.table,
        [responded, *by],
        argument="adjust_nonresponse",
        error=WeightsError,
        code="W101",
    )
    cells = cells_for(design, [responded, *by])
    values = cells.table[responded]
    if not values.isin([0, 1]).all():
        raise WeightsError(
            "W121",
            _("Column '{responded}' must be 0 or 1.", responded=responded),
            where=responded,
            available=values.unique(),
            hint=_("Correct the column."),
        )
    lacking = [name for name in by if cells.table[name].isna().any()]
    if lacking:
        raise WeightsError(
            "W122",
            _(
                "Columns {lacking} are missing for some sampled persons and cannot adjust "
                "for nonresponse.",
                lacking=lacking,
            ),
            where="by",
            available=by,
            hint=_("Use only columns known for every sampled person."),
        )
    answered = np.asarray(values.to_numpy(float) == 1)
    step: Classes | Propensity
    if method == "classes":
        group = cells.groups(by)
        silent = np.bincount(group, answered * cells.size) <= 0
        if silent.any():
            rows = cells.table.loc[silent[group], list(by)]
            names = rows.drop_duplicates().to_numpy().tolist()
            raise WeightsError(
                "W120",
                _("Weighting classes have no respondents: {names}.", names=shortened(names)),
                where="by",
                hint=_("Merge them with a similar class, or use one column less."),
            )
        step = Classes(group, answered, tuple(cells.names(group, by)))
    else:
        step = _propensity(cells, answered, by)
    weight = cells.after(step)
    record = {
        "step": "nonresponse",
        "method": method,
        "by": list(by),
        "sampled": float(cells.people.sum()),
        "response_rate": float(cells.size[answered].sum() / cells.size.sum()),
    }
    return extended(design, cells, step, weight=weight, record=record)


@dataclass(frozen=True, slots=True, repr=False)
class Classes:
    """Nonresponse adjustment by classes: respondents carry the weight of the whole class.

    Attributes
    ----------
    group : (C,) int
        Class of each cell.
    responded : (C,) bool
    places : tuple of str
        Names of the classes.
    """

    group: Array
    responded: Array
    places: tuple[str, ...]

    def reweight(self, count: Array, weight: Array) -> Array:
        """Return new weights: 0 for nonrespondents, the class's ratio for respondents; (C, R)."""
        sampled, answered = self._sums(count * weight)
        ratio = ratio_or(sampled, answered, 0.0)[self.group]
        carried = np.where(answered > 0, sampled, 0.0).sum(axis=0)
        rest = ratio_or(sampled.sum(axis=0), carried, 1.0)
        return weight * ratio * self.responded[:, None] * rest

    def _sums(self, size: Array) -> tuple[Array, Array]:
        """Return the weight of each class, and that of its respondents: (classes, R)."""
        classes = summing(self.group)
        return classes @ size, classes @ (size * self.responded[:, None])

    def unsolved(self, count: Array, before: Array, after: Array) -> Array:
        """Tell which class has no respondents, so that its weight went to those of all classes: (classes, R) bool."""
        sampled, answered = self._sums(count * before)
        return np.asarray((sampled > 0) & (answered <= 0))

    def kept(self, count: Array, before: Array, after: Array) -> Array:
        """Tell in which replicates every class has respondents to carry its weight: (R,) bool."""
        unsolved = self.unsolved(count, before, after)
        return np.asarray(~unsolved.any(axis=0))

    @property
    def linked(self) -> Sparse:
        """Return the classes, which tie their cells together: (C, classes)."""
        return sp.csr_array(summing(self.group).T)

    def on(self, index: Array) -> Classes:
        """Return the step on finer cells."""
        responded = self.responded[index]
        return replace(self, group=self.group[index], responded=responded)

    def part(self, cells: Array) -> Classes:
        """Return the step on some of the cells, none of which shares a class with another one."""
        group = self.group[cells]
        places = tuple(self.places[number] for number in np.unique(group))
        return Classes(renumbered(group), self.responded[cells], places)


@dataclass(frozen=True, slots=True, repr=False)
class Propensity(EquationStep):
    """Nonresponse adjustment by inverse response propensities from a logistic regression, weighted by base weights.

    The factors of its equation are the propensities; the intercept ties all cells together.

    Attributes
    ----------
    responded : (C,) bool
    places : tuple of str
        Names of the L covariates and levels, and of the model.
    """

    responded: Array
    places: tuple[str, ...]

    def reweight(self, count: Array, weight: Array) -> Array:
        """Return new weights: 0 for nonrespondents, weight / propensity for respondents; (C, R)."""
        size = count * weight
        answered = self.responded[:, None]
        targets = self.equation.matrix.T @ (size * answered)
        propensity = self.equation.replay(size, targets)
        nothing = np.zeros_like(propensity)
        return np.divide(weight, propensity, out=nothing, where=answered)

    def unsolved(self, count: Array, before: Array, after: Array) -> Array:
        """Tell of which level nobody responded, and where the propensities do not make up for the silent: (L + 1, R) bool."""
        size = count * before
        covariates = abs(self.equation.matrix).T
        sampled = covariates @ size
        answered = covariates @ (size * self.responded[:, None])
        adjusted = (count * after).sum(axis=0)
        ratio = adjusted / size.sum(axis=0)
        far = np.abs(ratio - 1) > FAR_FROM_SAMPLED
        return np.vstack([(sampled > 0) & (answered <= 0), far])

    def on(self, index: Array) -> Propensity:
        """Return the step on finer cells."""
        responded = self.responded[index]
        return replace(self, equation=self.equation.on(index), responded=responded)

    def part(self, cells: Array) -> Propensity:
        """Return the step on all cells, in another order: none can be replayed without the others."""
        return self.on(cells)


def _propensity(cells: Cells, answered: Array, by: Sequence[str]) -> Propensity:
    parts = [sp.csr_array(np.ones((len(cells.table), 1)))]
    places = ["nonresponse"]
    for name in by:
        if pd.api.types.is_float_dtype(cells.table[name]):
            parts.append(sp.csr_array(cells.table[name].to_numpy(float)[:, None]))
            places.append(name)
        else:
            grouped = cells.table.groupby(name)
            places += [place(name, level) for level in grouped.groups]
            parts.append(sp.csr_array(summing(grouped.ngroup().to_numpy()).T))
    covariates = sp.csr_array(sp.hstack(parts))
    places.append(f"propensities ({', '.join(by)})")
    answered_size = cells.size * answered
    targets = covariates.T @ answered_size
    solution = newton(covariates, cells.size, targets, distance=LOGISTIC, tolerance=TOLERANCE)
    nobody = (abs(covariates).T @ answered_size == 0).any()
    if nobody or not solution.discrepancy <= TOLERANCE:
        raise WeightsError(
            "W123",
            _("The propensity model has no solution: nobody of some level responded."),
            where="by",
            available=by,
            hint=_("Merge that level, or use classes."),
        )
    equation = SolvedEquation.of(
        covariates, cells.size, solution, distance=LOGISTIC, tolerance=TOLERANCE
    )
    step = Propensity(equation, answered, tuple(places))
    equation = step.equation
    propensity = equation.distance.curve(equation.matrix @ equation.coefficients)[cells.size > 0]
    total = float((cells.count * cells.after(step)).sum())
    sampled = float(cells.size.sum())
    uncertain = propensity.min() >= CERTAIN and propensity.max() <= 1 - CERTAIN
    if not (uncertain and abs(total / sampled - 1) <= FAR_FROM_SAMPLED):
        separating = [name for name in by if _separates(cells.table[name], step.responded)]
        guilty = separating or list(by)
        raise WeightsError(
            "W380",
            _(
                "The propensity model adjusts nothing: {guilty} tells respondents from "
                "nonrespondents (almost) completely; the adjusted weights add up to "
                "{total:,.6g}, the sample to {sampled:,.6g}.",
                guilty=comma_list(guilty),
                total=total,
                sampled=sampled,
            ),
            where=f"by: {', '.join(guilty)}",
            available=by,
            hint=_("Leave it out, cut it into groups, or use classes."),
        )
    return step


def _separates(values: pd.Series, responded: Array) -> bool:
    """Return whether all respondents lie on one side of all nonrespondents."""
    if not pd.api.types.is_numeric_dtype(values) or responded.all():
        return False
    answered = values[responded]
    silent = values[~responded]
    above = answered.min() >= silent.max()
    below = answered.max() <= silent.min()
    return bool(above or below)
