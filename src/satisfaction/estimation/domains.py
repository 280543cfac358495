"""A tally cut into domains and laid over its design, and how one call estimates from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from satisfaction.estimation.replicated import Replication, replicated_contributions
from satisfaction.estimation.sample import Contributions, Sample, lay_out
from satisfaction.estimation.statistics import Kind
from satisfaction.foundation.engines import matched
from satisfaction.foundation.errors import EstimatesError
from satisfaction.sampling.design import SurveyDesign
from satisfaction.sampling.tally import Tally
from satisfaction.sampling.variance import Sparse, domain_members

Array = np.ndarray[Any, Any]
Variance = Literal["default", "linearized", "rake", "jkn", "brr", "fay", "rao-wu"]
Interval = Literal["default", "t", "logit", "beta", "wilson", "xlogit", "mean", "likelihood"]
DegreesOfFreedom = Literal["domain", "design"]
NOISE = 1e-13  # of the estimate


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


@dataclass(frozen=True, slots=True)
class Domains:
    """A tally cut into D domains.

    Attributes
    ----------
    design : SurveyDesign
    sample : Sample
    counted : Tally
        Rows outside every domain, or of weight 0, hold no valid value.
    keys : DataFrame (D, columns)
    domain : (T,) int
    columns : tuple of str
    """

    design: SurveyDesign
    sample: Sample
    counted: Tally
    keys: pd.DataFrame
    domain: Array
    columns: tuple[str, ...]

    def contributions(self, counted: Tally, z: Sparse, options: Options) -> Contributions:
        """Return what each sampling unit contributes to the covariance of a statistic with linearized variables z."""
        valid = counted.valid[:, : z.shape[1] // len(self.keys)]
        members = domain_members(self.domain, valid, self.sample.clusters, domains=len(self.keys))
        if options.variance in ("linearized", "rake"):
            matrix = self.sample.deviations(
                z, convention="rake" if options.variance == "rake" else "linearized"
            )
            return Contributions(self.sample.units, matrix, members)
        return replicated_contributions(
            self.design,
            self.sample,
            counted,
            self.domain,
            len(self.keys),
            z=z,
            members=members,
            kind=options.kind,
            variance=cast(Replication, options.variance),
            replicates=options.replicates,
            seed=options.seed,
        )


def cut(
    design: SurveyDesign, counted: Tally, *, columns: tuple[str, ...], listed: Sequence[Any] | None
) -> Domains:
    """Cut a tally into the domains of its columns, and of the values listed."""
    keys, domain = numbered_domains(counted.keys, columns, listed)
    sample = lay_out(design, counted)
    kept = counted.only((domain >= 0) & (sample.weight > 0))
    return Domains(design, sample, kept, keys, np.maximum(domain, 0), columns)


def numbered_domains(
    keys: pd.DataFrame, columns: tuple[str, ...], listed: Sequence[Any] | None
) -> tuple[pd.DataFrame, Array]:
    """List the domains in sorted order and the domain of every tally row, -1 where a key is missing."""
    if not columns:
        return pd.DataFrame(index=[0]), np.zeros(len(keys), dtype=int)
    found = keys[list(columns)].drop_duplicates().dropna()
    if listed is not None:
        _refuse_other_kind(found[columns[0]], listed)
        found = pd.concat([found, pd.DataFrame({columns[0]: list(listed)})]).drop_duplicates()
    if found.empty:
        raise EstimatesError(
            "E385",
            f"列 {list(columns)} 没有任何取值（全部缺失）。",
            f"The columns {list(columns)} hold no value: all are missing.",
            where="by",
            hint=("检查该列是否读入、是否匹配上。", "Check that the column was read and matched."),
        )
    domains = found.sort_values(list(columns), ignore_index=True)
    return domains, matched(keys, domains, columns)


def _refuse_other_kind(found: pd.Series[Any], listed: Sequence[Any]) -> None:
    """Refuse domains listed as text where the column holds numbers, and the other way round."""
    number = pd.api.types.is_numeric_dtype(found)
    strange = [value for value in listed if isinstance(value, str) == number] if len(found) else []
    if strange:
        raise EstimatesError(
            "E384",
            f"domains 中的 {strange[0]!r} 与列 '{found.name}' 的类型不同（{'数值' if number else '文本'}）。",
            f"{strange[0]!r} of `domains` is of another kind than column '{found.name}', which holds {'numbers' if number else 'text'}.",
            where="domains",
            available=[repr(value) for value in found.tolist()],
            got=repr(strange[0]),
            hint=("按该列的类型书写。", "Write the values as the column has them."),
        )


def without_rounding(cov: Array, value: Array) -> Array:
    """Return the covariance with an exact 0 where a variance is nothing but rounding, lest a rank be built on it."""
    noise = np.sqrt(np.maximum(np.diag(cov), 0)) <= NOISE * np.abs(value)
    return np.where(noise[:, None] | noise, 0.0, cov) if noise.any() else cov
