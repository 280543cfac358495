"""A tally cut into domains, what is estimated in them, and what each sampling unit contributes to the error.

Means, totals and ratios with their linearized variables and design effects; contributions by linearization, or from
replicates: the design's weighting recipe replayed on the tally, never on respondents.

T tally rows, D domains, M measures. A ratio's tally holds the M numerators first and the denominator once for each after
them, all counted where both are valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
from tqdm import tqdm

from satisfaction.estimation.intervals import fixed, quotient, standard_errors
from satisfaction.estimation.sample import Contributions, Replay, Sample, Unsolved, lay_out
from satisfaction.foundation.engines import matched
from satisfaction.foundation.errors import EstimatesError, shortened
from satisfaction.foundation.language import N_, _
from satisfaction.foundation.tables import Kept
from satisfaction.sampling.design import SampleDesign
from satisfaction.sampling.replicates import (
    LaidOverPsus,
    Replicates,
    balanced,
    deviations,
    deviations_of_given,
    jackknife,
    lay,
    rao_wu,
    replicated_sums,
)
from satisfaction.sampling.tally import Tally
from satisfaction.sampling.variance import (
    Array,
    Sparse,
    linearized_means,
    linearized_ratios,
    linearized_totals,
    sum_by_domain,
    summing,
)

Kind = Literal["mean", "proportion", "total", "ratio", "quantile"]
Variance = Literal["default", "linearized", "rake", "jkn", "brr", "fay", "rao-wu", "replicates"]
Interval = Literal["default", "t", "logit", "beta", "wilson", "xlogit", "mean", "likelihood"]
DegreesOfFreedom = Literal["domain", "design"]
_LAST_DOMAINS = Kept(4)  # of one tally, by level of areas
NOISE = 1e-13  # of the estimate
FAY = 0.5
LEFT_OUT = N_("{count} of {total} replicates ({share}) unsolved and left out, at {worst}")
LINEARIZED = N_(
    "{count} of {total} {variance} replicates ({share}) unsolved, at {worst}: linearized se instead"
)


@dataclass(frozen=True, slots=True)
class Options:
    """How one call of `estimate` estimates; see there."""

    kind: Kind
    variance: Variance
    level: float
    interval: Interval
    df: DegreesOfFreedom
    replicates: int
    seed: int

    @property
    def linearized(self) -> bool:
        """Return whether no replicates are asked for."""
        return self.variance in ("linearized", "rake")


@dataclass(frozen=True, slots=True, repr=False)
class Point:
    """Estimates of the full sample.

    Attributes
    ----------
    value : (D, M) float
        nan where there is no valid value.
    size : (D, M) float
        Estimated population with a valid value.
    z : (T, D*M) sparse
        Linearized variable, summed over a row's respondents, not weighted.
    """

    value: Array
    size: Array
    z: Sparse


def point(kind: Kind, counted: Tally, domain: Array, *, weight: Array, domains: int) -> Point:
    """Estimate one kind of statistic with final weights (T,)."""
    valid = counted.valid.astype(float)
    sums = counted.sums()
    if kind == "ratio":
        above, below = np.hsplit(sums, 2)
        value, z = linearized_ratios(
            domain, weight, numerator=above, denominator=below, domains=domains
        )
        with_both = valid[:, : above.shape[1]]
        return Point(value, sum_by_domain(domain, weight[:, None] * with_both, domains), z)
    value, size, z = linearized_means(domain, weight, valid=valid, total=sums, domains=domains)
    if kind == "total":
        value, z = linearized_totals(domain, weight, sums, domains=domains)
    return Point(value, size, z)


def _from_sums(kind: Kind, sums: Array) -> Array:
    """Form a statistic from weighted sums (2M, D, R), numerators, then denominators: (R, D*M), nan without a denominator."""
    half = len(sums) // 2
    value = sums[:half]
    if kind != "total":
        denominator = sums[half:]
        value = quotient(value, denominator, where=denominator != 0)
    by_replicate = value.transpose(2, 1, 0)
    return by_replicate.reshape(len(by_replicate), -1)


@dataclass(frozen=True, slots=True, repr=False)
class Domains:
    """A tally cut into D domains.

    Attributes
    ----------
    design : SampleDesign
    sample : Sample
    counted : Tally
        Rows outside every domain, or of weight 0, hold no valid value.
    keys : DataFrame (D, columns)
    domain : (T,) int
    columns : tuple of str
    left_out : int
        Respondents without a value of the columns, who are in no domain.
    """

    design: SampleDesign
    sample: Sample
    counted: Tally
    keys: pd.DataFrame
    domain: Array
    columns: tuple[str, ...]
    left_out: int

    def contributions(self, counted: Tally, z: Sparse, options: Options) -> Contributions:
        """Return what each sampling unit contributes to the covariance of a statistic with linearized variables z.

        A replicate that no weights solve is never part of it. Of the bootstrap it is left out, and the others divide by their
        own number. The jackknife and half-samples need every replicate: there the linearized deviations stand in their place.

        Raises
        ------
        EstimatesError
            As `make_replicates`; E382 where more than a twentieth of the bootstrap has no solution.
        """
        sample = self.sample
        domains = len(self.keys)
        valid = counted.valid[:, : z.shape[1] // domains]
        members = sample.members(self.domain, valid, domains=domains)
        if options.linearized:
            matrix = sample.deviations(z, raked=options.variance == "rake")
            return Contributions(sample.units, matrix, members)
        summands = counted.sums()
        if options.kind != "ratio":  # numerators, then denominators
            summands = np.concatenate([summands, counted.valid], axis=1)
        if options.variance == "replicates":
            matrix = self._deviations_of_given(summands, options.kind)
            return Contributions(pd.DataFrame(index=range(len(matrix))), matrix, members)
        unsolved = Unsolved()
        replicates = make_replicates(sample, options)
        theta = np.empty((len(replicates.scale), z.shape[1]))
        laid, recipe = self._laid(counted, summands, unsolved)
        label = _("replicates ({variance})", variance=options.variance).both
        with tqdm(total=len(theta), desc=label, disable=None, leave=False) as bar:
            for chosen, sums in replicated_sums(replicates, laid, recipe):
                theta[chosen] = _from_sums(options.kind, sums)
                bar.update(len(chosen))
        count = unsolved.count
        remark = ""
        if count and options.variance != "rao-wu":
            remark = unsolved.remark(LINEARIZED, variance=options.variance)
            return Contributions(sample.units, sample.deviations(z), members, count, remark)
        if count:
            remark = unsolved.remark(LEFT_OUT, variance=options.variance)
            unsolved.refuse_too_many()
            theta = theta[~unsolved.failed]
            scale = np.full(len(theta), 1 / len(theta))
            replicates = Replicates(scale, None, replicates.factors)
        units = sample.units
        if replicates.unit is None:
            units = pd.DataFrame(index=range(len(replicates.scale)))
        matrix = deviations(replicates, theta, len(sample.clusters.stratum))
        return Contributions(units, matrix, members, count, remark)

    def _deviations_of_given(self, summands: Array, kind: Kind) -> Array:
        """Form a statistic from summands (T, 2M or M) under every replicate weight that came with the data: (R, D*M)."""
        sample = self.sample
        assert sample.replicates is not None
        assert sample.replicate_weights is not None
        domains = len(self.keys)
        by_summand = [summing(self.domain, domains, column) for column in summands.T]
        into_domains = sp.vstack(by_summand)
        blocks = (summands.shape[1], domains, -1)
        sums = into_domains @ sample.replicate_weights
        full = into_domains @ sample.weight
        theta = _from_sums(kind, sums.reshape(blocks))
        centre = _from_sums(kind, full.reshape(blocks))[0]
        return deviations_of_given(sample.replicates, theta, centre)

    def _laid(
        self, counted: Tally, summands: Array, unsolved: Unsolved
    ) -> tuple[LaidOverPsus, Replay | None]:
        """Lay summands (T, K) over the PSUs, with the recipe to be replayed; None where the base weights stay."""
        sample = self.sample
        weighting = self.design.weighting
        counts = sample.n
        cell = np.zeros(len(self.domain), dtype=int)
        cells = 1
        recipe = None
        if weighting is not None:
            cell = self.design.cell_index(counted.keys)
            cells = len(weighting.cells)
            counts = sample.n * sample.base / weighting.start[cell]
            recipe = Replay(weighting, unsolved)
        laid = lay(
            summands * sample.base[:, None],
            psu=sample.clusters.psu,
            psus=len(sample.clusters.stratum),
            domain=self.domain,
            domains=len(self.keys),
            cell=cell,
            counts=counts,
            cells=cells,
        )
        return laid, recipe


def cut(
    design: SampleDesign, counted: Tally, *, columns: tuple[str, ...], listed: Sequence[Any] | None
) -> Domains:
    """Cut a tally into the domains of its columns, and of the values listed: sorted, missing keys in none.

    Raises
    ------
    EstimatesError
        E384 values listed of another kind than the column, E385 columns without a value.
    """
    asked = (columns, None if listed is None else tuple(listed))
    keys, domain = _LAST_DOMAINS.of(
        counted.keys, asked, lambda: _numbered_domains(counted, columns, listed)
    )
    sample = lay_out(design, counted)
    domain = np.where(counted.inside, domain, -1)
    used = counted.only((domain >= 0) & (sample.weight > 0))
    left_out = int(counted.n[counted.inside & (domain < 0)].sum())
    return Domains(design, sample, used, keys, np.maximum(domain, 0), columns, left_out)


def _numbered_domains(
    counted: Tally, columns: tuple[str, ...], listed: Sequence[Any] | None
) -> tuple[pd.DataFrame, Array]:
    """Return the domains, and of every row of the tally the number of its domain, -1 outside all: (T,) int."""
    if not columns:
        return pd.DataFrame(index=[0]), np.zeros(len(counted.keys), dtype=int)
    inside = counted.keys.loc[counted.inside, list(columns)]
    present = inside.drop_duplicates().dropna()
    if listed is not None:
        column = columns[0]
        held = present[column]
        number = pd.api.types.is_numeric_dtype(held)
        strange = [value for value in listed if isinstance(value, str) == number]
        if strange and len(held):
            value = repr(strange[0])
            raise EstimatesError(
                "E384",
                _(
                    "{value} of `domains` is of another kind than column '{column}', which holds "
                    "{kind}.",
                    value=value,
                    column=held.name,
                    kind=_("numbers") if number else _("text"),
                ),
                where="domains",
                available=map(repr, held.tolist()),
                got=value,
                hint=_("Write the values as the column has them."),
            )
        asked_for = pd.DataFrame({column: list(listed)})
        present = pd.concat([present, asked_for])
    if present.empty:
        raise EstimatesError(
            "E385",
            _("The columns {columns} hold no value: all are missing.", columns=list(columns)),
            where="by",
            hint=_("Check that the column was read and matched."),
        )
    keys = present.drop_duplicates().sort_values(list(columns), ignore_index=True)
    return keys, matched(counted.keys, keys, columns)


def without_rounding(cov: Array, value: Array) -> Array:
    """Return the covariance with an exact 0 where a variance is nothing but rounding, lest a rank be built on it."""
    noise = standard_errors(cov) <= NOISE * np.abs(value)
    return fixed(cov, noise) if noise.any() else cov


def fpc_dropped(design: SampleDesign, sample: Sample, variance: str) -> bool:
    """Return whether the design has an fpc that these replicates do not credit."""
    if not design.fpc:
        return False
    later_stages = variance in ("jkn", "rao-wu") and len(sample.stages) > 1
    return later_stages or variance in ("brr", "fay")


def make_replicates(sample: Sample, options: Options) -> Replicates:
    """Form replicates of a sample's first-stage units.

    Where later stages enter the variance, no sampling fraction is credited: replicates of first-stage units hold all of it
    only as if these were drawn with replacement.

    Raises
    ------
    EstimatesError
        E150 for BRR without exactly two PSUs in every stratum; E151 for lonely PSUs under a policy replicates cannot follow.
    """
    clusters = sample.clusters
    sizes = clusters.sizes()
    if len(sample.stages) > 1:
        clusters = replace(clusters, fraction=np.zeros_like(clusters.fraction))
    if (sizes == 1).any() and sample.lonely in ("adjust", "average"):
        raise EstimatesError(
            "E151",
            _('Replicates cannot follow lonely_psu="{lonely}".', lonely=sample.lonely),
            where="variance",
            available=("collapse", "certainty", "remove"),
            hint=_("Merge these strata with `collapse`."),
        )
    if options.variance == "jkn":
        return jackknife(clusters)
    if options.variance == "rao-wu":
        return rao_wu(clusters, replicates=options.replicates, seed=options.seed)
    if (sizes != 2).any():
        numbers = shortened(sorted(set(sizes.tolist())))
        raise EstimatesError(
            "E150",
            _(
                "{variance} needs exactly two PSUs in every stratum; there are {numbers}.",
                variance=options.variance,
                numbers=numbers,
            ),
            where="variance",
            available=("jkn", "rao-wu", "linearized"),
            hint=_('Use variance="jkn".'),
        )
    return balanced(clusters, fay=FAY if options.variance == "fay" else 0.0)
