"""A design's weighting recipe replayed in replicates, and what is said of those it cannot solve.

C cells of the recipe, R replicates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from satisfaction.foundation.errors import EstimatesError
from satisfaction.foundation.language import Text, _
from satisfaction.sampling.design import SampleDesign

Array = np.ndarray[Any, Any]
MOST_UNSOLVED = 0.05  # of the bootstrap's replicates


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

    def remark(self, done: Text, *, variance: str) -> str:
        """Say how many failed, where, and what was done."""
        total = len(self.failed)
        share = f"{self.count / total:.1%}"
        return f"{done.zh} {done.en}".format(
            count=self.count, total=total, share=share, worst=self.worst, variance=variance
        )

    def refuse_too_many(self) -> None:
        """Refuse a bootstrap of which more than a twentieth has no solution (E382)."""
        share = self.failed.mean()
        if share <= MOST_UNSOLVED:
            return
        total = len(self.failed)
        raise EstimatesError(
            "E382",
            _(
                "{count} of {total} replicates ({share:.1%}) have no weights that do what "
                "the steps declare; their se would mean nothing. Most often: {worst}.",
                count=self.count,
                total=total,
                share=share,
                worst=self.worst,
            ),
            where="variance",
            available=("linearized", "jkn"),
            hint=_(
                "Merge that level with a neighbour, widen the bounds, or write "
                'variance="linearized".'
            ),
        )


def recipe(design: SampleDesign, unsolved: Unsolved) -> Callable[[Array], Array] | None:
    """Return the recipe as a function of counts, None without one; it notes in `unsolved` what some step could not solve."""
    weighting = design.weighting
    if weighting is None:
        return None

    def reweight(count: Array) -> Array:
        """Return final / base weight for counts (C, r)."""
        weight = np.repeat(weighting.start[:, None], count.shape[1], axis=1)
        failed = np.zeros(count.shape[1], dtype=bool)
        for step in weighting.steps:
            before = weight
            weight = step.reweight(count, before)
            missed = step.unsolved(count, before, weight)
            failed |= missed.any(axis=0)
            for k in np.flatnonzero(missed.any(axis=1)):
                unsolved.places[step.places[k]] += int(missed[k].sum())
        unsolved.chunks.append(failed)
        return np.asarray(weight / weighting.start[:, None])

    return reweight
