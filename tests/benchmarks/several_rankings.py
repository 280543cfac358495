"""CPU time of estimation and ranking: a combined ranking and four ranked measures beside one ranking, interleaved.

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
from satisfaction.ranking.critical_values import range_quantile

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
    """Return the CPU seconds of estimating and ranking, and how many rankings these gave."""
    began = {}
    range_quantile.cache_clear()  # a run begins without them

    def tell(step):
        began[step.en] = process_time()

    results = pipeline._from_sample(survey, responses, sample, tell=tell, reference=None)
    return process_time() - began[pipeline.ESTIMATING.en], len(results.all_rankings)


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
    times = {name: [] for name in sides}
    ratios = []
    for _repeat in range(REPEATS):
        for name, side in sides.items():
            took, rankings = seconds(side, responses, sample)
            times[name].append(took)
        ratios.append(times["several"][-1] / times["one"][-1])
    print({name: round(median(took), 3) for name, took in times.items()}, rankings, "rankings")
    print("ratio", round(median(ratios), 2), [round(ratio, 2) for ratio in ratios])


if __name__ == "__main__":
    folders = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    main(*folders, profile="--profile" in sys.argv)
