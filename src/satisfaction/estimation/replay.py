"""A design's weighting recipe replayed in replicates, and what is said of those it cannot solve.

C cells of the recipe, R replicates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from satisfaction.foundation.errors import EstimatesError
from satisfaction.foundation.figures import percent
from satisfaction.foundation.language import _
from satisfaction.sampling.design import Weighting, WeightingStep
from satisfaction.sampling.replicates import Replayed
from satisfaction.sampling.variance import Array

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


class Replay:
    """A recipe as a function of counts; it notes in `unsolved` what some step could not solve."""

    def __init__(self, weighting: Weighting, unsolved: Unsolved) -> None:
        self.weighting = weighting
        self.unsolved = unsolved

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
        replayed = self._replay(self.weighting.steps, self.weighting.start, count, everywhere)
        return replace(replayed, kept=everywhere)

    def on_part(self, cells: Array) -> Callable[[Array], Replayed]:
        """Return the replay on whole blocks of cells; replicates that do not keep their weight are noted elsewhere."""
        steps = tuple(step.part(cells) for step in self.weighting.steps)
        start = self.weighting.start[cells]
        return lambda count: self._replay(steps, start, count, None)

    def _replay(
        self,
        steps: tuple[WeightingStep, ...],
        start: Array,
        count: Array,
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
