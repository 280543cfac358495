"""The sample design laid over the rows of a tally: the one seam between linearized variables and their covariance.

A design's weighting recipe replayed in replicates, and what is said of those it cannot solve: C cells of the recipe, R
replicates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from satisfaction.foundation.errors import EstimatesError
from satisfaction.foundation.figures import percent
from satisfaction.foundation.language import _
from satisfaction.foundation.tables import Kept
from satisfaction.sampling.design import ROW, SampleDesign, Weighting, WeightingStep, level_tuples
from satisfaction.sampling.replicates import GivenReplicates, Replayed, deviations_of_given, rank_df
from satisfaction.sampling.residuals import inverse_of_margins, residual_totals, swept_means
from satisfaction.sampling.tally import Tally
from satisfaction.sampling.variance import (
    Array,
    Clusters,
    LonelyPsu,
    Members,
    Sparse,
    contributions,
    crossed,
    domain_members,
    psu_totals,
    psus_minus_strata,
    summing,
)

MOST_UNSOLVED = 0.05  # of the bootstrap's replicates


class Unsolved:
    """Which replicates some weighting step could not solve, and at which levels, classes or bounds."""

    def __init__(self) -> None:
        self.chunks: list[Array] = []
        self.places: Counter[str] = Counter()

    def note(self, missed: Array, places: tuple[str, ...]) -> None:
        """Count the replicates that failed at each place: (K, r) bool."""
        for name, count in zip(places, missed.sum(axis=1).tolist(), strict=True):
            if count:
                self.places[name] += count

    @property
    def failed(self) -> Array:
        """Return which replicates failed, in the order of the replays: (R,) bool."""
        return np.concatenate([np.zeros(0, dtype=bool), *self.chunks])

    @property
    def count(self) -> int:
        """Return how many failed."""
        return int(self.failed.sum())

    @property
    def worst(self) -> str:
        """Return the place at which most of them failed."""
        return self.places.most_common(1)[0][0]

    def remark(self, done: str, *, variance: str) -> str:
        """Say how many failed, where, and what was done, in both languages; `done` is in the catalogue."""
        total = len(self.failed)
        share = percent(self.count / total)
        facts = {"count": self.count, "total": total, "share": share, "worst": self.worst}
        return _(done, **facts, variance=variance).both

    def refuse_too_many(self) -> None:
        """Refuse a bootstrap of which more than a twentieth has no solution (E382)."""
        share = self.failed.mean()
        if share <= MOST_UNSOLVED:
            return
        total = len(self.failed)
        raise EstimatesError(
            "E382",
            _(
                "{count} of {total} replicates ({share}) have no weights that do what "
                "the steps declare; their se would mean nothing. Most often: {worst}.",
                count=self.count,
                total=total,
                share=percent(share),
                worst=self.worst,
            ),
            where="variance",
            available=("linearized", "jkn"),
            hint=_(
                "Merge that level with a neighbour, widen the bounds, or write "
                'variance="linearized".'
            ),
        )


@dataclass(frozen=True, slots=True)
class Replay:
    """A recipe as a function of counts; it notes in `unsolved` what some step could not solve."""

    weighting: Weighting
    unsolved: Unsolved

    @property
    def factor(self) -> Array:
        """Return final / base weight of the full sample: (C,)."""
        return self.weighting.factor

    @property
    def block(self) -> Array:
        """Return which cells depend on one another through some step: (C,) int."""
        ties = [step.linked for step in self.weighting.steps]
        linked = sp.csr_array(sp.hstack(ties))
        both_ways = sp.block_array([[None, linked], [linked.T, None]], format="csr")
        block = connected_components(both_ways, directed=False)[1]
        return np.asarray(block[: len(self.factor)])

    def replay(self, count: Array) -> Replayed:
        """Replay the recipe on all cells: counts (C, r)."""
        everywhere = np.ones(count.shape[1], dtype=bool)
        replayed = self._replay(self.weighting.steps, self.weighting.start, count, noted=everywhere)
        return replace(replayed, kept=everywhere)

    def on_part(self, cells: Array) -> Callable[[Array], Replayed]:
        """Return the replay on whole blocks of cells; replicates that do not keep their weight are noted elsewhere."""
        steps = tuple(step.part(cells) for step in self.weighting.steps)
        start = self.weighting.start[cells]
        return lambda count: self._replay(steps, start, count, noted=None)

    def _replay(
        self,
        steps: tuple[WeightingStep, ...],
        start: Array,
        count: Array,
        *,
        noted: Array | None,
    ) -> Replayed:
        """Replay steps in r replicates; what they miss is noted for `noted` (r,) bool, by default those that keep all."""
        weight = np.repeat(start[:, None], count.shape[1], axis=1)
        kept = np.ones(count.shape[1], dtype=bool)
        missed = []
        for step in steps:
            before = weight
            weight = step.reweight(count, before)
            missed.append(step.unsolved(count, before, weight))
            kept &= step.kept(count, before, weight)
        noted = kept if noted is None else noted
        for step, of_step in zip(steps, missed, strict=True):
            self.unsolved.note(of_step[:, noted], step.places)
        failed = np.asarray(np.concatenate(missed)[:, noted].any(axis=0))
        self.unsolved.chunks.append(failed)
        return Replayed(weight / start[:, None], kept)


@dataclass(frozen=True, slots=True, repr=False)
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

    units: pd.DataFrame
    matrix: Sparse | Array
    members: Members
    unsolved: int = 0
    remark: str = ""

    @property
    def covariance(self) -> Array:
        """Return D'D: (Q, Q)."""
        return crossed(self.matrix, self.matrix)

    def of(self, at: Array) -> Contributions:
        """Return the contributions to the quantities numbered `at`."""
        members = self.members.of(at)
        return replace(self, matrix=self.matrix[:, at], members=members)

    def combined(self, matrix: Sparse) -> Contributions:
        """Return the contributions to linear combinations, (K, Q) coefficients."""
        coefficients = sp.csr_array(matrix)
        members = self.members.combined(coefficients)
        return replace(self, matrix=self.matrix @ coefficients.T, members=members)

    def without_values(self) -> Contributions:
        """Return the same units with nothing known of what they contribute: every entry is missing."""
        return replace(self, matrix=np.full(self.matrix.shape, np.nan))


@dataclass(frozen=True, repr=False)
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
    inside : (T,) bool
        Which rows belong to the design's subpopulation.
    replicates : GivenReplicates or None
        Replicate weights that came with the data.
    replicate_weights : (T, R) float, or None
        The final weight of each row under them: a row is then a respondent.
    """

    stages: tuple[Clusters, ...]
    units: pd.DataFrame
    n: Array
    base: Array
    entering: Array
    weight: Array
    margins: Sparse | None
    margin_of: Array
    lonely: LonelyPsu
    inside: Array
    replicates: GivenReplicates | None = None
    replicate_weights: Array | None = None

    @property
    def clusters(self) -> Clusters:
        """Return the first stage."""
        return self.stages[0]

    @property
    def df(self) -> int:
        """Return the design's degrees of freedom: PSUs minus strata, of those with a member whose weight is above 0."""
        if self.replicates is not None:
            if self.inside.all():
                return self.replicates.df
            return self._replicate_df(self.inside)
        members = self.inside & (self.weight > 0)
        return psus_minus_strata(self.clusters.psu[members], self.clusters.stratum)

    def members(self, domain: Array, valid: Array, *, domains: int) -> Members:
        """Find the PSUs with a valid member of each domain and measure; quantities are domain-major.

        Replicate weights do not say who shares a PSU: there df are the rank of the members' weights minus 1 (as R's `degf` of
        a subset), at most the design's, and the domains count as nested in each other, so that a combination of several has
        the largest df among them.
        """
        if self.replicates is None:
            return domain_members(domain, valid, self.clusters, domains=domains)
        units: list[int] = []
        known: dict[bytes, int] = {}
        for at in range(domains):
            for of_measure in valid.T:
                rows = (domain == at) & (of_measure > 0)
                key = rows.tobytes()
                if key not in known:
                    known[key] = self._replicate_df(rows) + 1
                units.append(known[key])
        numbers = np.arange(max(units, default=1))
        inside = numbers[:, None] < np.array(units)
        stratum = np.zeros(len(inside), dtype=int)
        return Members(sp.csr_array(inside.astype(float)), stratum)

    def _replicate_df(self, inside: Array) -> int:
        """Return the df of the respondents marked, under replicate weights."""
        assert self.replicates is not None
        assert self.replicate_weights is not None
        of_members = rank_df(self.replicate_weights[inside])
        return max(min(of_members, self.replicates.df), 0)

    def deviations(self, z: Sparse, *, raked: bool = False) -> Sparse | Array:
        """Turn linearized variables into what the sampling units contribute: D (P', Q), so that V = D'D.

        Parameters
        ----------
        z : (T, Q) sparse
            Sum over a row's respondents of the linearized variable, not weighted.
        raked : bool
            The last calibration is credited by R's `rake` sweeps, not by residuals from the regression weighted by the
            weights entering it (R's `calibrate`). Replicate weights that came with the data stand in for both.
        """
        if self.replicates is not None:
            assert self.replicate_weights is not None
            theta = np.asarray((z.T @ self.replicate_weights).T)
            full = np.asarray(z.T @ self.weight)
            return deviations_of_given(self.replicates, theta, full)
        coefficients = None
        if self.margins is not None:
            if raked:
                coefficients = swept_means(self.margins, z, n=self.n, margin_of=self.margin_of)
            else:
                moments = self.margins.T @ sp.diags_array(self.entering) @ z
                coefficients = sp.csr_array(self._inverse_of_margins @ sp.csr_array(moments))
        parts = []
        for stage, clusters in enumerate(self.stages):
            totals = psu_totals(z, self.weight, clusters)
            if coefficients is not None:
                totals = residual_totals(totals, self._totals_of_margins[stage], coefficients)
            parts.append(contributions(totals, clusters, self.lonely))
        if len(parts) == 1:
            return parts[0]
        return sp.csr_array(sp.vstack([sp.csr_array(part) for part in parts]))

    @cached_property
    def _inverse_of_margins(self) -> Sparse:
        assert self.margins is not None
        return inverse_of_margins(self.margins, self.n * self.entering)

    @cached_property
    def _totals_of_margins(self) -> list[Sparse]:
        """Weighted totals of the margins by the units of every stage, (P, L) each."""
        of_row = self.weight * self.n
        margins = self.margins
        return [sp.csr_array(psu_totals(margins, of_row, clusters)) for clusters in self.stages]

    def covariance(self, z: Sparse) -> Array:
        """Return the covariance of weighted sums of z: (Q, Q)."""
        matrix = self.deviations(z)
        return crossed(matrix, matrix)


# every level of areas asks for those of one tally
_LAST_SAMPLES = Kept(2)
_LAST_STAGES = Kept(2)
_LAST_CELLS = Kept(
    2
)  # of its rows, by the table of cells: recipes that are tried have one in common


def lay_out(design: SampleDesign, counted: Tally) -> Sample:
    """Lay a design over the rows of one of its tallies."""
    asked: tuple[Any, ...] = (design.strata, design.stages, design.fpc, design.collapse)
    asked += (design.lonely_psu, design.weight_column, design.weighting, design.replicates)
    sample: Sample = _LAST_SAMPLES.of(counted.keys, asked, partial(_laid_out, design, counted))
    return sample


def _laid_out(design: SampleDesign, counted: Tally) -> Sample:
    keys = counted.keys
    weighting = design.weighting
    asked = (design.strata, design.stages, design.fpc, design.collapse)
    stages, units = _LAST_STAGES.of(keys, asked, lambda: _stages(design, keys))
    base = entering = weight = keys[design.weight_column].to_numpy(float)
    margins = None
    margin_of = np.array([], dtype=int)
    if weighting is not None:
        of_keys = _LAST_CELLS.of(keys, weighting.columns, partial(Kept, 1))
        cell = of_keys.of(weighting.cells, None, partial(design.cell_index, keys))
        entering = base * weighting.entering[cell]
        weight = base * weighting.factor[cell]
        if weighting.margins is not None:
            margins = sp.csr_array(weighting.margins)[cell]
            margin_of = weighting.margin_of
    replicated: Array | None = None
    if design.replicates is not None:  # a row is then a respondent
        replicated = design.replicates.weights[keys[ROW].to_numpy()]
        if weighting is not None:
            unsolved = Unsolved()
            into_cells = summing(cell, len(weighting.cells), 1 / weighting.start[cell])
            change = Replay(weighting, unsolved).replay(into_cells @ replicated).factor
            if unsolved.count:
                raise EstimatesError(
                    "E524",
                    _(
                        "{count} of the replicate weights have no solution of the weighting steps. Most often: {worst}.",
                        count=unsolved.count,
                        worst=unsolved.worst,
                    ),
                    where="calibrate",
                    hint=_("Merge that level with a neighbour, or widen the bounds."),
                )
            replicated = replicated * change[cell]
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
        inside=counted.inside,
        replicates=design.replicates,
        replicate_weights=replicated,
    )


def _stages(design: SampleDesign, keys: pd.DataFrame) -> tuple[tuple[Clusters, ...], pd.DataFrame]:
    """Number the units of every stage and find their sampling fractions; name those of the first."""
    above, label = _strata(design, keys)
    share = np.ones(1)
    stages = []
    units = pd.DataFrame()
    for stage in range(len(design.stages)):
        unit, names = numbered(keys, [*design.strata, *design.stages[: stage + 1]])
        first = np.unique(unit, return_index=True)[1]
        parent = above[first]
        fraction = np.zeros(int(parent.max()) + 1)
        if stage < len(design.fpc):
            population = keys[design.fpc[stage]].to_numpy(float)
            of_first = np.unique(label[first], return_index=True)[1]
            units_in_all = np.bincount(parent[of_first], population[first][of_first])
            fraction = np.bincount(parent) / units_in_all
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
    levels = level_tuples(names, design.strata)
    place = {level: i for i, level in enumerate(levels)}
    merged = [place[design.collapse.get(level, level)] for level in levels]
    collapsed = np.unique(merged, return_inverse=True)[1]
    return collapsed[stratum], stratum


def numbered(keys: pd.DataFrame, columns: Sequence[str]) -> tuple[Array, pd.DataFrame]:
    """Number the combinations of columns in sorted order: (T,) int and their names."""
    grouped = keys.groupby(list(columns), sort=True)
    number = grouped.ngroup().to_numpy()
    first = np.unique(number, return_index=True)[1]
    names = keys.iloc[first][list(columns)]
    return number, names.reset_index(drop=True)
