"""CPU time of estimation and ranking: a combined ranking and four ranked measures beside one ranking, interleaved.

Three times each: until the wave is ranked; until the ranks within every parent are there too, which are made when they are
asked for and which a published set needs; and all that, with reading and weighting the responses: a run without its files,
pages and pictures.

Run it from the project's folder::

    python -m tests.benchmarks.several_rankings [survey folder] [--profile]
"""

from __future__ import annotations

import cProfile
import pstats
import sys
from dataclasses import replace
from time import process_time

import pandas as pd

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


def seconds(survey):
    """Return the CPU seconds by part, and how many rankings there are."""
    began = {}
    critical_values._range_quantiles.cache_clear()  # a run begins without them
    start = process_time()
    responses = sat.load_responses(survey)
    answered = responses.accepted[survey.questionnaire.roles.area].dropna()
    survey = replace(survey, covered=frozenset(answered.astype(str)))
    sample = pipeline.draw_up_sample(survey, responses)

    def tell(step):
        began[step.en] = process_time()

    results = pipeline._from_sample(survey, responses, sample, tell=tell, reference=None)
    ranked = process_time()
    for ranking in results.all_rankings:
        _ = ranking.within
    end = process_time()
    estimating = began[pipeline.ESTIMATING.en]
    times = {
        "estimating, ranking": ranked - estimating,
        "within parents too": end - estimating,
        "from the files on": end - start,
    }
    return times, len(results.all_rankings)


def main(folder=FOLDER, *, profile=False):
    """Measure and print."""
    survey = sat.read_survey(folder)
    one = with_one(survey)
    several = with_several(survey)
    if profile:
        profiled = cProfile.Profile()
        profiled.runcall(seconds, several)
        pstats.Stats(profiled).sort_stats("cumulative").print_stats(70)
        return
    seconds(several)
    rows = []
    for _repeat in range(REPEATS):
        of_one, _rankings = seconds(one)
        of_several, rankings = seconds(several)
        for part, first in of_one.items():
            rows.append((part, first, of_several[part], of_several[part] / first))
    table = pd.DataFrame(rows, columns=["part", "one", "several", "ratio"])
    print(f"one ranking and {rankings}, CPU seconds, medians of {REPEATS} pairs:")
    print(table.groupby("part", sort=False).median().round(3).to_string())


if __name__ == "__main__":
    folders = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    main(*folders, profile="--profile" in sys.argv)
