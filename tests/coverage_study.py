"""How often do the 95 % intervals hold the truth? Fresh samples of the simulated province, one a seed.

usage: python tests/coverage_study.py [--seeds 20] [--first 1] [--survey surveys/guizhou-2026q3]

Each seed draws new communities and persons by the shipped wave's own design, goes through base weights, calibration and
estimation as the pipeline does, and is compared with the finite population's values under the questionnaire's rules.
Exit status 1 when fewer than 93.5 or more than 97 % of counties x measures hold the truth (with ten seeds or more).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from satisfaction.design import SurveyDesign
from satisfaction.estimates import estimate
from satisfaction.index import add_area_indices
from satisfaction.measures import compile_measures
from satisfaction.pipeline import weigh
from satisfaction.simulate import PROVINCE_SEED, draw_wave, read_facts, simulate_population, true_values
from satisfaction.survey import Survey, read_survey
from satisfaction.weights import base_weights

LOW, HIGH, ENOUGH_SEEDS = 93.5, 97.0, 10


def county_estimates(survey: Survey, population: object, seed: int) -> pd.DataFrame:
    """Draw one sample and return the table of county estimates."""
    fielded = survey.declared.fielded
    drawn = draw_wave(population, survey.questionnaire, fielded=(fielded.start, fielded.end), seed=seed)
    roles = survey.questionnaire.roles
    respondents = base_weights(drawn.respondents, drawn.sample.table(population.residents), roles.psu)
    measures = compile_measures(survey.questionnaire)
    design = SurveyDesign(respondents, strata=roles.strata, psu=roles.psu, base_weight="base_weight", measures=measures)
    found = estimate(weigh(survey, design), list(design.measures), by=roles.area)
    return add_area_indices(found, survey.questionnaire).table


def main() -> int:
    """Run the study and print coverage by measure."""
    options = argparse.ArgumentParser()
    options.add_argument("--seeds", type=int, default=20)
    options.add_argument("--first", type=int, default=1)
    options.add_argument("--survey", type=Path, default=Path(__file__).parents[1] / "surveys" / "guizhou-2026q3")
    chosen = options.parse_args()
    survey = read_survey(chosen.survey)
    facts = read_facts(survey.folder, survey.declared)
    population = simulate_population(facts, seed=PROVINCE_SEED, wave=survey.declared.wave)
    truth = true_values(population, survey.questionnaire).set_index(["county", "measure"])["value"]
    parts = []
    for seed in tqdm(range(chosen.first, chosen.first + chosen.seeds), desc="seeds", disable=None):
        table = county_estimates(survey, population, seed)
        value = truth.reindex(pd.MultiIndex.from_frame(table[["county", "measure"]])).to_numpy()
        held = (table["ci_low"] <= value) & (value <= table["ci_high"])
        parts.append(pd.DataFrame({"seed": seed, "measure": table["measure"], "held": held, "error": table["estimate"] - value}))
    found = pd.concat(parts)
    by_measure = found.groupby("measure", sort=False).agg(coverage=("held", "mean"), bias=("error", "mean"))
    print((by_measure * [100, 1]).round({"coverage": 1, "bias": 4}).to_string())
    overall = 100 * found["held"].mean()
    print(f"{chosen.seeds} seeds, {len(found)} intervals (simulated): {overall:.2f} % hold the truth")
    return int(chosen.seeds >= ENOUGH_SEEDS and not LOW <= overall <= HIGH)


if __name__ == "__main__":
    sys.exit(main())
