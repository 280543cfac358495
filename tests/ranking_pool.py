"""A pool of small provinces and their rankings for the tests of properties: a ranking is made once in a process.

Scores lie on a grid of 0.25, so that ties occur; every fourth province has few scores, every other fourth but one. `make fuzz`
takes provinces that nobody has seen.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from satisfaction.ranking.rank import Ranking, rank

CASES = 2**32 if "SATISFACTION_FUZZ" in os.environ else 80
KEPT = None if CASES == 80 else 1_000
GRIDS = (121, 4, 121, 1)
"""How many scores a province may have, by the remainder of its number."""


@dataclass(frozen=True)
class Province:
    """Units with independent errors; `df` is None where the errors are known."""

    score: np.ndarray
    se: np.ndarray
    df: np.ndarray | None
    made: dict = field(default_factory=dict, repr=False)

    @property
    def finite_df(self) -> np.ndarray:
        """Return the degrees of freedom as numbers: infinite where the errors are known."""
        return np.full(len(self.score), np.inf) if self.df is None else self.df

    def ranked(self, **how) -> Ranking:
        """Return its ranking, made when it is first asked for."""
        key = tuple(sorted(how.items()))
        if key not in self.made:
            self.made[key] = rank(self.score, self.se, df=self.df, **how)
        return self.made[key]


@functools.lru_cache(maxsize=KEPT)
def province(number: int, *, distinct: bool, most: int) -> Province:
    """Return a province of 4 to `most` units, se within a factor of ten, df 10 to 60 or known."""
    rng = np.random.default_rng([number, distinct, most])
    p = int(rng.integers(4, most, endpoint=True))
    steps = rng.permutation(121)[:p]
    if not distinct:
        steps = rng.integers(0, GRIDS[number % 4], p)
    se = rng.integers(3, 30, p, endpoint=True) / 10
    df = rng.integers(10, 60, p, endpoint=True).astype(float)
    return Province(60 + steps / 4, se, None if rng.random() < 0.4 else df)


def provinces(*, distinct: bool = False, most: int = 12) -> st.SearchStrategy[Province]:
    """Return the strategy that takes provinces from the pool; without ties if they are to be distinct."""
    numbers = st.integers(0, CASES - 1)
    return numbers.map(functools.partial(province, distinct=distinct, most=most))
