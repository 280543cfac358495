"""How fast grades are: 88 counties and 2,850 units, simulated; seconds on the wall and of the processor.

usage: python tests/benchmarks/grades.py [--repeats 5] [--gap]      --gap: the proof that 88 grades are optimal, too

Bars: 0.05 s for 88 units, 5 s for 2,850 (on a quiet machine).
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from numpy.typing import NDArray

from satisfaction import rank
from satisfaction.foundation.engines import one_blas_thread
from satisfaction.ranking.grades import Grading, grade_units, less_sure, optimality_gap
from satisfaction.ranking.probability import fit
from satisfaction.ranking.rates import fit_scores

Array = NDArray[np.float64]
BARS = {88: 0.05, 2_850: 5.0}


@one_blas_thread
def graded(score: Array, se: Array) -> Grading:
    """Grade scores as `Ranking.grades` does, both models included."""
    better = less_sure(fit(score, se).better(), fit_scores(score, se).better())
    return grade_units(better)


def main() -> None:
    """Time grades of a ranking, and of a matrix for many units."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--gap", action="store_true")
    chosen = options.parse_args()
    for units, bar in BARS.items():
        random = np.random.default_rng(units)
        se = 1.45 * np.sqrt(random.chisquare(23, units) / 23)
        score = random.normal(68.5, 4.1, units) + 1.45 * random.standard_normal(units)
        wall, processor = [], []
        for _ in range(chosen.repeats if units < 1_000 else 1):
            began = time.perf_counter(), time.process_time()
            grading = graded(score, se)
            wall.append(time.perf_counter() - began[0])
            processor.append(time.process_time() - began[1])
        print(
            f"{units:>5} units: {statistics.median(wall):.3f} s wall, "
            f"{statistics.median(processor):.3f} s processor, bar {bar:g} s; {grading!r}"
        )
    if chosen.gap:
        of_some = rank(score[:88], se[:88]).grades()
        began = time.process_time()
        gap = optimality_gap(of_some.better, of_some.grading)
        print(f"   88 units: gap {gap:g}, {time.process_time() - began:.2f} s processor")


if __name__ == "__main__":
    main()
