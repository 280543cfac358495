"""The sample design laid over the rows of a tally: the one seam between linearized variables and their covariance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.sampling.design import SampleDesign
from satisfaction.sampling.residuals import residual_totals
from satisfaction.sampling.tally import Tally
from satisfaction.sampling.variance import (
    Clusters,
    LonelyPsu,
    Members,
    Sparse,
    contributions,
    crossed,
    psu_totals,
)

Array = np.ndarray[Any, Any]
Convention = Literal["linearized", "rake"]


@dataclass(frozen=True, slots=True)
class Contributions:
    """What the sampling units contribute to the covariance of Q quantities: V = D'D.

    Attributes
    ----------
    units : DataFrame (P, ...)
        Strata and PSU of the first stage's units; later stages follow unnamed (missing).
    matrix : (P', Q), sparse or dense
        D, one row a unit of any stage, the first stage first.
    members : Members
        Which PSUs of the design hold a member of each quantity; in the order of `units`, except under replicates that
        belong to no PSU.
    unsolved : int
        Replicates in which a weighting step has no full solution.
    remark : str
        What was done about them, and which level or bound it is; empty without any.
    """

    units: pd.DataFrame = field(repr=False)
    matrix: Sparse | Array = field(repr=False)
    members: Members = field(repr=False)
    unsolved: int = 0
    remark: str = ""

    @property
    def covariance(self) -> Array:
        """Return D'D: (Q, Q)."""
        return crossed(self.matrix, self.matrix)

    def of(self, at: Array) -> Contributions:
        """Return the contributions to the quantities numbered `at`."""
        return replace(self, matrix=self.matrix[:, at], members=self.members.of(at))

    def combined(self, matrix: Sparse) -> Contributions:
        """Return the contributions to linear combinations, (K, Q) coefficients."""
        coefficients = sp.csr_array(matrix)
        return replace(
            self, matrix=self.matrix @ coefficients.T, members=self.members.combined(coefficients)
        )

    def without_values(self) -> Contributions:
        """Return the same units with nothing known of what they contribute: every entry is missing."""
        return replace(self, matrix=np.full(self.matrix.shape, np.nan))


@dataclass(frozen=True, slots=True)
class Sample:
    """A design laid over T tally rows.

    Attributes
    ----------
    stages : tuple of Clusters
        One a stage that enters the variance.
    units : DataFrame (P, strata + PSU)
        Names of the first stage's units, in their numbering.
    n : (T,) float
        Respondents of each row.
    base, entering, weight : (T,) float
        Base weight, weight entering the last calibration, final weight of each of them.
    margins : (T, L) sparse, or None
        Indicators and numeric values of the last calibration.
    margin_of : (L,) int
        Which margin a level belongs to.
    lonely : str
    """

    stages: tuple[Clusters, ...] = field(repr=False)
    units: pd.DataFrame = field(repr=False)
    n: Array = field(repr=False)
    base: Array = field(repr=False)
    entering: Array = field(repr=False)
    weight: Array = field(repr=False)
    margins: Sparse | None = field(repr=False)
    margin_of: Array = field(repr=False)
    lonely: LonelyPsu

    @property
    def clusters(self) -> Clusters:
        """Return the first stage."""
        return self.stages[0]

    @property
    def df(self) -> int:
        """Return the design's degrees of freedom: PSUs minus strata."""
        return len(self.clusters.stratum) - len(self.clusters.fraction)

    def deviations(self, z: Sparse, *, convention: Convention = "linearized") -> Sparse | Array:
        """Turn linearized variables into what the sampling units contribute: D (P', Q), so that V = D'D.

        Parameters
        ----------
        z : (T, Q) sparse
            Sum over a row's respondents of the linearized variable, not weighted.
        convention : {"linearized", "rake"}
            How the last calibration is credited: residuals from the regression weighted by the weights entering it (R's
            `calibrate`), or R's `rake` sweeps.
        """
        parts = []
        for clusters in self.stages:
            if self.margins is None:
                totals = psu_totals(z, self.weight, clusters)
            else:
                totals = residual_totals(
                    z,
                    self.margins,
                    n=self.n,
                    entering=self.entering,
                    weight=self.weight,
                    clusters=clusters,
                    sweeps=self.margin_of if convention == "rake" else None,
                )
            parts.append(contributions(totals, clusters, self.lonely))
        return parts[0] if len(parts) == 1 else sp.csr_array(sp.vstack(parts))

    def covariance(self, z: Sparse, *, convention: Convention = "linearized") -> Array:
        """Return the covariance of weighted sums of z: (Q, Q)."""
        matrix = self.deviations(z, convention=convention)
        return crossed(matrix, matrix)


def lay_out(design: SampleDesign, counted: Tally) -> Sample:
    """Lay a design over the rows of one of its tallies."""
    keys = counted.keys
    weighting = design.weighting
    stages, units = _stages(design, keys)
    base = entering = weight = keys[design.weight_column].to_numpy(float)
    margins = None
    margin_of = np.array([], dtype=int)
    if weighting is not None:
        cell = design.cell_index(keys)
        entering = base * weighting.entering[cell]
        weight = base * weighting.factor[cell]
        if weighting.margins is not None:
            margins = sp.csr_array(weighting.margins)[cell]
            margin_of = weighting.margin_of
    return Sample(
        stages,
        units,
        n=counted.n.astype(float),
        base=base,
        entering=entering,
        weight=weight,
        margins=margins,
        margin_of=margin_of,
        lonely=design.lonely_psu,
    )


def _stages(design: SampleDesign, keys: pd.DataFrame) -> tuple[tuple[Clusters, ...], pd.DataFrame]:
    """Number the units of every stage and find their sampling fractions; name those of the first."""
    above, label = _strata(design, keys)
    share = np.ones(1)
    stages = []
    units = pd.DataFrame()
    for stage, column in enumerate(design.stages):
        unit, names = numbered(keys, [*design.strata, *design.stages[:stage], column])
        first = np.unique(unit, return_index=True)[1]
        parent = above[first]
        fraction = np.zeros(int(parent.max()) + 1)
        if stage < len(design.fpc):
            population = keys[design.fpc[stage]].to_numpy(float)[first]
            fraction = np.bincount(parent) / _population(population, label[first], parent)
        if stage == 0:
            units = names
            share = np.broadcast_to(share, fraction.shape)
        stages.append(Clusters(unit, parent, fraction, share))
        share = (share * fraction)[parent]
        above = label = unit
    return tuple(stages), units


def _strata(design: SampleDesign, keys: pd.DataFrame) -> tuple[Array, Array]:
    """Number the strata of the tally rows, after and before collapsing."""
    if not design.strata:
        none = np.zeros(len(keys), dtype=int)
        return none, none
    stratum, names = numbered(keys, list(design.strata))
    if not design.collapse:
        return stratum, stratum
    levels = list(names.itertuples(index=False, name=None))
    place = {level: i for i, level in enumerate(levels)}
    merged = np.array([place[design.collapse.get(level, level)] for level in levels])
    collapsed = np.unique(merged, return_inverse=True)[1]
    return collapsed[stratum], stratum


def _population(of_unit: Array, stratum: Array, parent: Array) -> Array:
    """Population of units of each parent: one count a stratum, added where strata are collapsed."""
    first = np.unique(stratum, return_index=True)[1]
    return np.bincount(parent[first], of_unit[first])


def numbered(keys: pd.DataFrame, columns: Sequence[str]) -> tuple[Array, pd.DataFrame]:
    """Number the combinations of columns in sorted order: (T,) int and their names."""
    grouped = keys.groupby(list(columns), sort=True)
    number = grouped.ngroup().to_numpy()
    first = np.unique(number, return_index=True)[1]
    return number, keys.iloc[first][list(columns)].reset_index(drop=True)
