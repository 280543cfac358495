"""The shipped wave from end to end: samples drawn without replacement by its own simulator, weighed as the pipeline does."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
from tests.shipped_waves.answers import Population, simulate_population
from tests.shipped_waves.folder import PROVINCE_SEED
from tests.shipped_waves.residents import read_facts
from tests.shipped_waves.sampling import draw_wave
from tests.shipped_waves.truth import true_values

from satisfaction.declarations.survey import Survey, read_survey
from satisfaction.estimation.estimates import estimate
from satisfaction.estimation.result import add_area_indices
from satisfaction.sampling.counted_answers import compile_measures
from satisfaction.sampling.design import SurveyDesign
from satisfaction.weighting.wave_design import base_weights, weigh

from .scoring import scored


def shipped(folder: Path, seed: int) -> list[dict[str, Any]]:
    """Draw one sample and compare all counties' measures with the simulated population's values."""
    survey, population, truth = _world(folder)
    table = county_estimates(survey, population, seed)
    value = truth.reindex(pd.MultiIndex.from_frame(table[["county", "measure"]])).to_numpy()
    rates = table["measure"].isin(list(survey.questionnaire.rates)).to_numpy()
    parts = {"rates": (rates, "linearized, logit"), "scores, indices": (~rates, "linearized, t")}
    return [
        scored("shipped wave, end to end", name, method, table[at], value[at], required=True)
        for name, (at, method) in parts.items()
    ]


def county_estimates(survey: Survey, population: Population, seed: int) -> pd.DataFrame:
    """Draw one sample and return the table of county estimates."""
    fielded = survey.declared.fielded
    drawn = draw_wave(
        population, survey.questionnaire, fielded=(fielded.start, fielded.end), seed=seed
    )
    roles = survey.questionnaire.roles
    respondents = base_weights(
        drawn.respondents, drawn.sample.table(population.residents), roles.psu
    )
    measures = compile_measures(survey.questionnaire)
    design = SurveyDesign(
        respondents,
        strata=roles.strata,
        psu=roles.psu,
        base_weight="base_weight",
        measures=measures,
    )
    found = estimate(weigh(survey, design), list(design.measures), by=roles.area)
    return add_area_indices(found, survey.questionnaire).table


@lru_cache(maxsize=1)
def _world(folder: Path) -> tuple[Survey, Population, pd.Series]:
    """Return the survey, its simulated population and the true values; the slow part, once a process."""
    survey = read_survey(folder)
    population = simulate_population(
        read_facts(survey.folder, survey.declared), seed=PROVINCE_SEED, wave=survey.declared.wave
    )
    return (
        survey,
        population,
        true_values(population, survey.questionnaire).set_index(["county", "measure"])["value"],
    )
