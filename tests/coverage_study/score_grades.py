"""Do grades of scores keep their promise? Shares of pairs in the wrong order, under truths with groups of equals and without.

usage: python -m tests.coverage_study.score_grades [--surveys 40] [--out ...]

88 areas with standard errors about 1; everything is simulated. "normal prior" is what graded scores before 0.12.
The bar: over the truths at most one point more of the ordered pairs in the wrong order than is promised, but for twice the
Monte-Carlo error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.random import Generator

from satisfaction.ranking import probability, rates
from satisfaction.ranking.grades import PROMISED, grade_units, less_sure

from .rank_scoring import write_tables
from .rate_priors import Array

OUT = Path(__file__).parents[1] / "out" / "score_grades.md"
BEYOND = 1.0  # points above the promise

AREAS = 88
PAIRS = AREAS * (AREAS - 1) / 2


def groups(levels: tuple[float, ...], shares: tuple[float, ...]) -> Callable[[Generator], Array]:
    """Groups of near equals: true scores differ by a tenth of a standard error inside each."""

    def drawn(random: Generator) -> Array:
        centre = random.choice(levels, AREAS, p=shares)
        return centre + random.normal(0, 0.1, AREAS)

    return drawn


def few_low(random: Generator) -> Array:
    """A tenth of the areas far below the others."""
    low = random.random(AREAS) < 0.1
    return np.where(low, random.normal(-5, 1, AREAS), random.normal(0, 0.3, AREAS))


TRUTHS: dict[str, Callable[[Generator], Array]] = {
    "three groups, 4 se apart": groups((0, 4, 8), (0.15, 0.45, 0.4)),
    "three groups, 2 se apart": groups((0, 2, 4), (0.3, 0.4, 0.3)),
    "two groups, 6 se apart": groups((0, 6), (0.2, 0.8)),
    "a tenth far below": few_low,
    "normal, sd 1 se": lambda random: random.normal(0, 1, AREAS),
    "normal, sd 2 se": lambda random: random.normal(0, 2, AREAS),
    "normal, sd 3 se": lambda random: random.normal(0, 3, AREAS),
    "heavy tails": lambda random: 1.5 * random.standard_t(3, AREAS),
    "long lower tail": lambda random: -random.exponential(2, AREAS),
    "uniform, 8 se wide": lambda random: random.uniform(-4, 4, AREAS),
}


def graded(truth: Callable[[Generator], Array], seed: int) -> dict[str, Array]:
    """Pairs that the grades of one survey order and pairs among them in the wrong order, (2,), by model."""
    random = np.random.default_rng([seed, 5])
    score = truth(random)
    se = np.exp(random.normal(0, 0.15, AREAS))
    estimate = score + se * random.standard_normal(AREAS)
    normal = probability.fit(estimate, se).better()
    any_shape = rates.fit_scores(estimate, se).better()
    counts = {}
    for model, better in {
        "normal prior": normal,
        "less sure": less_sure(normal, any_shape),
    }.items():
        grade = grade_units(better).grade
        above = grade[:, None] < grade
        wrong = above & (score[:, None] < score)
        counts[model] = np.array([np.count_nonzero(above), np.count_nonzero(wrong)], dtype=float)
    return counts


def study(surveys: int) -> pd.DataFrame:
    """By truth and model: wrong of the ordered pairs in %, its Monte-Carlo error, ordered of all pairs in %."""
    rows = []
    for name, truth in TRUTHS.items():
        of_surveys = [graded(truth, seed) for seed in range(surveys)]
        for model in of_surveys[0]:
            ordered, wrong = np.array([one[model] for one in of_surveys]).T
            every = max(ordered.sum(), 1.0)  # where no pair is ordered none is wrong
            share = wrong.sum() / every
            error = np.sqrt(np.sum((wrong - share * ordered) ** 2)) / every
            rows.append(
                {
                    "truth": name,
                    "model": model,
                    "wrong %": 100 * share,
                    "error": 100 * error,
                    "ordered %": 100 * ordered.mean() / PAIRS,
                }
            )
    return pd.DataFrame(rows)


def report(*, surveys: int, out: Path) -> int:
    """Run the study, print and write its table, return whether the bar was missed, as 0 or 1."""
    table = study(surveys)
    now = table[(table["model"] == "less sure") & (table["ordered %"] > 0)]
    wrong = float(now["wrong %"].mean())
    error = float(np.sqrt((now["error"] ** 2).sum())) / max(len(now), 1)
    missed = int(wrong - 2 * error > 100 * PROMISED + BEYOND)
    closing = [
        f"all truths: {wrong:.1f} +- {error:.1f} % wrong, promised {100 * PROMISED:g}; {missed} bars missed; all simulated"
    ]
    heading = f"Grades of scores; simulated; {surveys} surveys a truth"
    write_tables(out, heading, {"by truth": table.round(1)}, closing=closing)
    return missed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--surveys", type=int, default=40)
    parser.add_argument("--out", type=Path, default=OUT)
    sys.exit(report(**vars(parser.parse_args())))
