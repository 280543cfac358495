"""CPU time of estimation and ranking: a combined ranking and four ranked measures beside one ranking, interleaved.

Two times each: until the wave is ranked, and until the ranks within every parent are there too, which are made when they
are asked for; a published set needs them.

Run it from the project's folder::

    python -m tests.benchmarks.several_rankings [survey folder] [--profile]
"""

from __future__ import annotations

import cProfile
import pstats
import sys
from dataclasses import replace
from statistics import median
from time import process_time

import satisfaction as sat
from satisfaction import pipeline
from satisfaction.declarations.survey import RankedBy
from satisfaction.ranking import critical_values

FOLDER = "surveys/guizhou-2026q3"
REPEATS = 5


def with_one(survey):
    """Return the wave with its own ranking alone."""
    return replace(survey, further=(), combined=None)


def with_several(survey):
    """Return the wave with four more measures ranked, and the combined score."""
    by_rate = []
    for rate in list(survey.questionnaire.rates)[:4]:
        by_rate.append(RankedBy(rate, rate, survey.rules.alone()))
    return replace(survey, further=(*by_rate, *survey.further))


def seconds(survey, responses, sample):
    """Return the CPU seconds of estimating and ranking, without and with the ranks within parents, and how many rankings."""
    began = {}
    critical_values._range_quantiles.cache_clear()  # a run begins without them

    def tell(step):
        began[step.en] = process_time()

    results = pipeline._from_sample(survey, responses, sample, tell=tell, reference=None)
    ranked = process_time()
    for ranking in results.all_rankings:
        _ = ranking.within
    start = began[pipeline.ESTIMATING.en]
    return ranked - start, process_time() - start, len(results.all_rankings)


def main(folder=FOLDER, *, profile=False):
    """Measure and print."""
    survey = sat.read_survey(folder)
    responses = sat.load_responses(survey)
    answered = responses.accepted[survey.questionnaire.roles.area].dropna()
    survey = replace(survey, covered=frozenset(answered.astype(str)))
    sample = pipeline.draw_up_sample(survey, responses)
    sides = {"one": with_one(survey), "several": with_several(survey)}
    for side in sides.values():
        seconds(side, responses, sample)
    if profile:
        profiled = cProfile.Profile()
        profiled.runcall(seconds, sides["several"], responses, sample)
        pstats.Stats(profiled).sort_stats("cumulative").print_stats(70)
        return
    times = []
    for _repeat in range(REPEATS):
        row = {}
        for name, side in sides.items():
            row[name], row[f"{name}, within too"], rankings = seconds(side, responses, sample)
        row["ratio"] = row["several"] / row["one"]
        row["ratio, within too"] = row["several, within too"] / row["one, within too"]
        times.append(row)
    print(f"{rankings} rankings, CPU seconds, median of {REPEATS}:")
    for name in times[0]:
        print(f"  {name:<20} {median(row[name] for row in times):.3f}")


if __name__ == "__main__":
    folders = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    main(*folders, profile="--profile" in sys.argv)
