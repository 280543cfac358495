"""A province with known truth: population, answers, samples of it, and the files field teams would deliver.

Areas and population are facts; communities, people and their answers are simulated and every file says so. The truth is
the finite-population value under the questionnaire's own denominator rules, computed here apart from `measures`.
"""

from __future__ import annotations

from .delivery import as_delivered, dirty, write_responses
from .facts import Facts, read_facts
from .folder import PROVINCE_SEED, simulate_survey
from .population import Population, simulate_population
from .residents import settle
from .sampling import Drawn, Sample, communities, draw_sample, draw_wave, given_sample
from .truth import true_values

__all__ = [
    "PROVINCE_SEED",
    "Drawn",
    "Facts",
    "Population",
    "Sample",
    "as_delivered",
    "communities",
    "dirty",
    "draw_sample",
    "draw_wave",
    "given_sample",
    "read_facts",
    "settle",
    "simulate_population",
    "simulate_survey",
    "true_values",
    "write_responses",
]
