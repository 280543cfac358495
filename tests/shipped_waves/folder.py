"""A wave's folder: sample, truth and responses made anew from its declarations and facts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from tests.shipped_waves import phone
from tests.shipped_waves.answers import ORDER, Population, simulate_population
from tests.shipped_waves.delivery import BAD_ROWS, as_delivered, dirty, write_deliveries
from tests.shipped_waves.residents import Days, generator, read_facts
from tests.shipped_waves.sampling import (
    TEXTS,
    Drawn,
    draw_wave,
    interviews,
)
from tests.shipped_waves.truth import true_values

from satisfaction.declarations.questionnaire import Questionnaire, read_questionnaire
from satisfaction.declarations.survey import read_declared
from satisfaction.declarations.wave import SurveyFile
from satisfaction.foundation.errors import SurveyError, shortened
from satisfaction.foundation.files import new_file
from satisfaction.foundation.language import _
from satisfaction.foundation.tables import write_csv
from satisfaction.foundation.yaml import Document
from satisfaction.sampling.variance import Array

PROVINCE_SEED = 2026  # communities, people and lasting leanings are the province's, not a wave's
INSTRUMENT = "civilised-city"
DESIGN = (*TEXTS, "residence", "sex", "age_group", "lived_here")
MODELLED = {INSTRUMENT: (*DESIGN, *ORDER), phone.INSTRUMENT: (*DESIGN, *phone.HOUSEHOLD, *ORDER)}


def simulate_survey(folder: Path, *, seed: int | None = None) -> None:
    """Write sample.csv (by telephone: nonrespondents.csv), truth.csv and responses/ of a wave from its declarations and facts.

    Parameters
    ----------
    folder : Path
        Holds survey.yaml with a `simulated` mark, the areas, frame and margins. Files of the same names are replaced.
    seed : int, optional
        In place of survey.yaml's; communities are then drawn with it too. The population, so the truth, stays.

    Raises
    ------
    SurveyError
        S155 for a wave that is not marked as simulated (its responses are people's), S156 for a questionnaire whose
        answers are not modelled; S151-S154 from the facts and the draw.
    """
    document, declared, instrument = read_declared(folder)
    questionnaire = read_questionnaire(instrument)
    fielded = _checked(document, declared, questionnaire)
    facts = read_facts(folder, declared)
    population = simulate_population(facts, seed=PROVINCE_SEED, wave=declared.wave)
    truth = true_values(population, questionnaire)
    with new_file(folder / "truth.csv", replace=True) as scratch:
        twelve_digits = [f"{value:.12g}" for value in truth["value"]]
        write_csv(truth.assign(value=twelve_digits), scratch)
    assert declared.simulated is not None
    draw_seed = declared.simulated.seed if seed is None else seed
    if questionnaire.questionnaire == phone.INSTRUMENT:
        phone.call_wave(
            population, questionnaire, fielded=fielded, seed=draw_seed, household_seed=PROVINCE_SEED
        ).write(folder)
        return
    communities_seed = PROVINCE_SEED if seed is None else seed
    drawn = draw_wave(
        population,
        questionnaire,
        fielded=fielded,
        seed=draw_seed,
        sample_seed=communities_seed,
    )
    with new_file(folder / "sample.csv", replace=True) as scratch:
        write_csv(drawn.sample.table(population.residents), scratch)
    rows, _unused = deliveries(population, questionnaire, drawn, fielded=fielded, seed=draw_seed)
    write_deliveries(folder / "responses", rows, questionnaire)


def deliveries(
    population: Population,
    questionnaire: Questionnaire,
    drawn: Drawn,
    *,
    fielded: Days,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what the teams deliver for a drawn wave, and the faults in it (see `dirty`)."""
    random = generator(seed, "faults", population.wave)
    faulty_rows = sum(BAD_ROWS.values()) - BAD_ROWS["duplicate"]
    community, person = _spare(drawn, population, faulty_rows, random)
    spare = interviews(
        population,
        questionnaire,
        community=community,
        person=person,
        fielded=fielded,
        random=random,
    )
    # numbered after the sound ones, so that only exact repetitions share a number
    spare["respondent_id"] = [
        f"{text[:-2]}{int(text[-2:]) + 50}" for text in spare["respondent_id"]
    ]
    sound = as_delivered(drawn.respondents, questionnaire)
    return dirty(
        sound,
        as_delivered(spare, questionnaire),
        topics=questionnaire.topics,
        fielded=fielded,
        random=random,
    )


def _spare(
    drawn: Drawn, population: Population, count: int, random: np.random.Generator
) -> tuple[Array, Array]:
    """Choose people of the sampled communities who were not interviewed, one a community."""
    chosen = random.choice(drawn.sample.position.size, count, replace=False)
    persons = np.arange(population.residents.sex.shape[1])
    spare = []
    for interviewed in drawn.person[chosen]:
        others = np.setdiff1d(persons, interviewed)
        spare.append(int(random.choice(others)))
    return drawn.sample.position[chosen], np.array(spare)


def _checked(document: Document, declared: SurveyFile, questionnaire: Questionnaire) -> Days:
    """Refuse what must not or cannot be simulated; return the first and last day of interviews."""
    if declared.simulated is None or declared.fielded is None:
        raise SurveyError(
            "S155",
            _(
                "The wave declares no `simulated` or no `fielded`; responses of people are "
                "never written over."
            ),
            where=document.place(("survey",)),
            hint=_("If it is simulated, declare `simulated` and `fielded`."),
        )
    modelled = MODELLED.get(questionnaire.questionnaire, ())
    unknown = [item for item in questionnaire.items if item not in modelled]
    if unknown:
        raise SurveyError(
            "S156",
            _(
                "Only the items of the questionnaires {modelled} can be simulated; "
                "{questionnaire} cannot be (items not modelled: {items}).",
                modelled=shortened(MODELLED),
                questionnaire=questionnaire.reference,
                items=shortened(unknown),
            ),
            where=document.place(("questionnaire",)),
            available=MODELLED,
            got=questionnaire.questionnaire,
            hint=_("Use it, or model the items in tests/shipped_waves/answers.py."),
        )
    return declared.fielded.start, declared.fielded.end
