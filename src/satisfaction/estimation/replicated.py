"""Contributions from replicates: the design's weighting recipe replayed on the tally, never on respondents."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from tqdm import tqdm

from satisfaction.estimation.sample import Contributions, Sample
from satisfaction.estimation.statistics import Kind, from_sums, summed
from satisfaction.foundation.errors import EstimatesError, shortened
from satisfaction.foundation.yaml import Label
from satisfaction.sampling.design import SurveyDesign
from satisfaction.sampling.replicates import (
    Replicates,
    balanced,
    deviations,
    jackknife,
    rao_wu,
    replicated_sums,
)
from satisfaction.sampling.tally import Tally
from satisfaction.sampling.variance import Members, Sparse

Array = np.ndarray[Any, Any]
Replication = Literal["jkn", "brr", "fay", "rao-wu"]
FAY = 0.5
MOST_UNSOLVED = 0.05  # of the bootstrap's replicates
LEFT_OUT = Label(
    zh="{total} 个重复样本中有 {count} 个（{share}）无解，已剔除（{worst}）",
    en="{count} of {total} replicates ({share}) unsolved and left out, at {worst}",
)
LINEARIZED = Label(
    zh="{variance} 的 {total} 个重复样本中有 {count} 个（{share}）无解（{worst}），改用线性化标准误",
    en="{count} of {total} {variance} replicates ({share}) unsolved, at {worst}: linearized se instead",
)


def replicated_contributions(
    design: SurveyDesign, sample: Sample, counted: Tally, domain: Array, domains: int,
    *, z: Sparse, members: Members, kind: Kind, variance: Replication, replicates: int, seed: int,
) -> Contributions:  # fmt: skip
    """Estimate the statistic in every replicate and return the deviations as contributions.

    A replicate that no weights solve is never part of them. Of the bootstrap it is left out, and the others divide by their
    own number. The jackknife and half-samples need every replicate: there the linearized deviations stand in their place.

    Raises
    ------
    EstimatesError
        As `make_replicates`; E382 where more than a twentieth of the bootstrap has no solution.
    """
    made, clusters, weighting = (
        make_replicates(sample, variance, replicates=replicates, seed=seed),
        sample.clusters,
        design.weighting,
    )
    cell = design.cell_index(counted.keys) if weighting else np.zeros(len(domain), dtype=int)
    counts = sample.n if weighting is None else sample.n * sample.base / weighting.start[cell]
    theta, unsolved = np.empty((len(made.scale), 0)), Unsolved()
    chunks = replicated_sums(
        made,
        summed(kind, counted) * sample.base[:, None],
        psu=clusters.psu,
        psus=len(clusters.stratum),
        domain=domain,
        domains=domains,
        cell=cell,
        counts=counts,
        cells=len(weighting.cells) if weighting else 1,
        reweight=_recipe(design, unsolved),
    )
    with tqdm(
        total=len(theta), desc=f"重复样本 replicates ({variance})", disable=None, leave=False
    ) as bar:
        for chosen, sums in chunks:
            found = from_sums(kind, sums)
            theta = theta if theta.shape[1] else np.empty((len(theta), found.shape[1]))
            theta[chosen] = found
            bar.update(len(chosen))
    count = unsolved.count
    if count and variance != "rao-wu":
        return Contributions(
            sample.units,
            sample.deviations(z),
            members,
            count,
            unsolved.remark(LINEARIZED, variance=variance),
        )
    if count:
        made, theta = _without(made, theta, unsolved)
    units = sample.units if made.unit is not None else pd.DataFrame(index=range(len(made.scale)))
    remark = unsolved.remark(LEFT_OUT, variance=variance) if count else ""
    return Contributions(
        units, deviations(made, theta, len(clusters.stratum)), members, count, remark
    )


def _without(made: Replicates, theta: Array, unsolved: Unsolved) -> tuple[Replicates, Array]:
    """Leave out the bootstrap's replicates without a solution.

    Raises
    ------
    EstimatesError
        E382.
    """
    failed = unsolved.failed
    if failed.mean() > MOST_UNSOLVED:
        raise EstimatesError(
            "E382",
            f"{len(failed)} 个重复样本中有 {failed.sum()} 个（{failed.mean():.1%}）没有满足加权步骤的权数，标准误不可信。最常见: {unsolved.worst}。",
            f"{failed.sum()} of {len(failed)} replicates ({failed.mean():.1%}) have no weights that do what the steps declare; their "
            f"se would mean nothing. Most often: {unsolved.worst}.",
            where="variance",
            available=("linearized", "jkn"),
            hint=(
                '把该水平与相邻水平合并，放宽界限，或写 variance="linearized"。',
                'Merge that level with a neighbour, widen the bounds, or write variance="linearized".',
            ),
        )
    kept = int((~failed).sum())
    return Replicates(np.full(kept, 1 / kept), None, made.factors), theta[~failed]


def make_replicates(
    sample: Sample, variance: Replication, *, replicates: int, seed: int
) -> Replicates:
    """Form replicates of a sample's first-stage units.

    Where later stages enter the variance, no sampling fraction is credited: replicates of first-stage units hold all of it
    only as if these were drawn with replacement.

    Raises
    ------
    EstimatesError
        E150 for BRR without exactly two PSUs in every stratum; E151 for lonely PSUs under a policy replicates cannot follow.
    """
    clusters, sizes = sample.clusters, sample.clusters.sizes()
    if len(sample.stages) > 1:
        clusters = replace(clusters, fraction=np.zeros_like(clusters.fraction))
    if (sizes == 1).any() and sample.lonely in ("adjust", "average"):
        raise EstimatesError(
            "E151",
            f'重复样本法不能执行 lonely_psu="{sample.lonely}"。',
            f'Replicates cannot follow lonely_psu="{sample.lonely}".',
            where="variance",
            available=("collapse", "certainty", "remove"),
            hint=("用 collapse 合并这些层。", "Merge these strata with `collapse`."),
        )
    if variance == "jkn":
        return jackknife(clusters)
    if variance == "rao-wu":
        return rao_wu(clusters, replicates=replicates, seed=seed)
    if (sizes != 2).any():
        raise EstimatesError(
            "E150",
            f"{variance} 要求每层恰有两个初级单元；现有 {shortened(sorted(set(sizes.tolist())))} 个。",
            f"{variance} needs exactly two PSUs in every stratum; there are {shortened(sorted(set(sizes.tolist())))}.",
            where="variance",
            available=("jkn", "rao-wu", "linearized"),
            hint=('改用 variance="jkn"。', 'Use variance="jkn".'),
        )
    return balanced(clusters, fay=FAY if variance == "fay" else 0.0)


class Unsolved:
    """Which replicates some weighting step could not solve, and at which levels, classes or bounds."""

    def __init__(self) -> None:
        self.chunks: list[Array] = []
        self.places: Counter[str] = Counter()

    @property
    def failed(self) -> Array:
        """Return which replicates failed: (R,) bool."""
        return np.concatenate(self.chunks) if self.chunks else np.zeros(0, dtype=bool)

    @property
    def count(self) -> int:
        """Return how many failed."""
        return int(self.failed.sum())

    @property
    def worst(self) -> str:
        """Return the place at which most of them failed."""
        return self.places.most_common(1)[0][0]

    def remark(self, done: Label, *, variance: str) -> str:
        """Say how many failed, where, and what was done."""
        share = f"{self.count / len(self.failed):.1%}"
        facts = {
            "count": self.count,
            "total": len(self.failed),
            "share": share,
            "worst": self.worst,
            "variance": variance,
        }
        return f"{done.zh} {done.en}".format(**facts)


def _recipe(design: SurveyDesign, unsolved: Unsolved) -> Any:
    """Return the recipe as a function of counts; it notes in `unsolved` what some step could not solve."""
    weighting = design.weighting
    if weighting is None:
        return None

    def reweight(count: Array) -> Array:
        """Return final / base weight for counts (C, r)."""
        weight = np.repeat(weighting.start[:, None], count.shape[1], axis=1)
        failed = np.zeros(count.shape[1], dtype=bool)
        for step in weighting.steps:
            before, weight = weight, step.reweight(count, weight)
            missed = step.unsolved(count, before, weight)
            failed |= missed.any(axis=0)
            for k in np.flatnonzero(missed.any(axis=1)):
                unsolved.places[step.places[k]] += int(missed[k].sum())
        unsolved.chunks.append(failed)
        return np.asarray(weight / weighting.start[:, None])

    return reweight
