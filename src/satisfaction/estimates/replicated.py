"""Contributions from replicates: the design's weighting recipe replayed on the tally, never on respondents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from tqdm import tqdm

from ..design import SurveyDesign
from ..errors import EstimatesError, shortened
from ..replicates import Replicates, balanced, deviations, jackknife, rao_wu, replicated_sums
from ..tally import Tally
from ..variance import Members
from .sample import Contributions, Sample
from .statistics import Kind, from_sums, summed

Array = np.ndarray[Any, Any]
Replication = Literal["jkn", "brr", "fay", "rao-wu"]
FAY = 0.5


def replicated_contributions(
    design: SurveyDesign, sample: Sample, counted: Tally, domain: Array, domains: int,
    *, members: Members, kind: Kind, variance: Replication, replicates: int, seed: int,
) -> Contributions:  # fmt: skip
    """Estimate the statistic in every replicate and return the deviations as contributions."""
    made, clusters, weighting = (
        make_replicates(sample, variance, replicates=replicates, seed=seed),
        sample.clusters,
        design.weighting,
    )
    cell = design.cell_index(counted.keys) if weighting else np.zeros(len(domain), dtype=int)
    counts = sample.n if weighting is None else sample.n * sample.base / weighting.start[cell]
    theta, unsolved = np.empty((len(made.scale), 0)), [0]
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
    with tqdm(total=len(theta), desc=f"重复样本 replicates ({variance})", disable=None, leave=False) as bar:
        for chosen, sums in chunks:
            found = from_sums(kind, sums)
            theta = theta if theta.shape[1] else np.empty((len(theta), found.shape[1]))
            theta[chosen] = found
            bar.update(len(chosen))
    units = sample.units if made.unit is not None else pd.DataFrame(index=range(len(made.scale)))
    return Contributions(units, deviations(made, theta, len(clusters.stratum)), members, unsolved[0])


def make_replicates(sample: Sample, variance: Replication, *, replicates: int, seed: int) -> Replicates:
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


def _recipe(design: SurveyDesign, unsolved: list[int]) -> Any:
    """Return the recipe as a function of counts; it adds the replicates that some step could not solve to `unsolved`."""
    weighting = design.weighting
    if weighting is None:
        return None

    def reweight(count: Array) -> Array:
        """Return final / base weight for counts (C, r)."""
        weight = np.repeat(weighting.start[:, None], count.shape[1], axis=1)
        failed = np.zeros(count.shape[1], dtype=bool)
        for step in weighting.steps:
            before, weight = weight, step.reweight(count, weight)
            failed |= step.unsolved(count, before, weight)
        unsolved[0] += int(failed.sum())
        return np.asarray(weight / weighting.start[:, None])

    return reweight
