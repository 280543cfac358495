"""A wave's folder: sample, truth and responses made anew from its declarations and facts."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import SurveyError, shortened
from ..io.files import new_file
from ..io.tables import read_table
from ..io.writing import write_csv
from ..io.yaml import Document
from ..questionnaire import Questionnaire, read_questionnaire
from ..survey import SurveyFile, read_declared
from . import phone
from .answers import ORDER
from .delivery import BAD_ROWS, as_delivered, dirty, write_responses
from .facts import read_facts
from .population import Population, simulate_population
from .residents import generator
from .sampling import TEXTS, Drawn, Positions, draw_wave, given_sample, interviews
from .truth import true_values

PROVINCE_SEED = 2026  # communities, people and lasting leanings are the province's, not a wave's
INSTRUMENT = "civilised-city"
DESIGN = (*TEXTS, "residence", "sex", "age_group", "lived_here")
MODELLED = {INSTRUMENT: (*DESIGN, *ORDER), phone.INSTRUMENT: (*DESIGN, *phone.HOUSEHOLD, *ORDER)}


def simulate_survey(folder: Path, *, seed: int | None = None, sampled: bool = False) -> None:
    """Write sample.csv (by telephone: nonrespondents.csv), truth.csv and responses/ of a wave from its declarations and facts.

    Parameters
    ----------
    folder : Path
        Holds survey.yaml with a `simulated` mark, the areas, frame and margins. Files of the same names are replaced.
    seed : int, optional
        In place of survey.yaml's; communities are then drawn with it too. The population, so the truth, stays.
    sampled : bool
        Whether sample.csv is there already, drawn from `communities`: its communities are visited, and it stays as it is.

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
        write_csv(truth.assign(value=[f"{value:.12g}" for value in truth["value"]]), scratch)
    assert declared.simulated is not None
    draw_seed = declared.simulated.seed if seed is None else seed
    if questionnaire.questionnaire == phone.INSTRUMENT:
        phone.call_wave(population, questionnaire, fielded=fielded, seed=draw_seed, household_seed=PROVINCE_SEED).write(folder)
        return
    given = given_sample(read_table(folder / "sample.csv"), population.residents) if sampled else None
    communities_seed = PROVINCE_SEED if seed is None else seed
    drawn = draw_wave(population, questionnaire, fielded=fielded, seed=draw_seed, sample_seed=communities_seed, sample=given)
    if given is None:
        with new_file(folder / "sample.csv", replace=True) as scratch:
            write_csv(drawn.sample.table(population.residents), scratch)
    rows, _ = deliveries(population, questionnaire, drawn, fielded=fielded, seed=draw_seed)
    write_responses(folder / "responses", rows, questionnaire)


def deliveries(
    population: Population,
    questionnaire: Questionnaire,
    drawn: Drawn,
    *,
    fielded: tuple[datetime.date, datetime.date],
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what the teams deliver for a drawn wave, and the faults in it (see `dirty`)."""
    random = generator(seed, "faults", population.wave)
    community, person = _spare(drawn, population, sum(BAD_ROWS.values()) - BAD_ROWS["duplicate"], random)
    spare = interviews(population, questionnaire, community=community, person=person, fielded=fielded, random=random)
    # numbered after the sound ones, so that only exact repetitions share a number
    spare["respondent_id"] = [f"{text[:-2]}{int(text[-2:]) + 50}" for text in spare["respondent_id"]]
    sound = as_delivered(drawn.respondents, questionnaire)
    return dirty(sound, as_delivered(spare, questionnaire), topics=questionnaire.topics, fielded=fielded, random=random)


def _spare(drawn: Drawn, population: Population, count: int, random: np.random.Generator) -> tuple[Positions, Positions]:
    """Choose people of the sampled communities who were not interviewed, one a community."""
    chosen = random.choice(drawn.sample.position.size, count, replace=False)
    persons = np.arange(population.residents.sex.shape[1])
    other = [int(random.choice(np.setdiff1d(persons, drawn.person[k]))) for k in chosen]
    return drawn.sample.position[chosen], np.array(other)


def _checked(document: Document, declared: SurveyFile, questionnaire: Questionnaire) -> tuple[datetime.date, datetime.date]:
    """Refuse what must not or cannot be simulated; return the first and last day of interviews."""
    if declared.simulated is None or declared.fielded is None:
        raise SurveyError(
            "S155",
            "本期没有 simulated 或 fielded 声明；真实的调查数据不会被覆盖。",
            "The wave declares no `simulated` or no `fielded`; responses of people are never written over.",
            where=document.place(("survey",)),
            hint=("若确为模拟，补上 simulated 与 fielded。", "If it is simulated, declare `simulated` and `fielded`."),
        )
    modelled = MODELLED.get(questionnaire.questionnaire, ())
    if unknown := [item for item in questionnaire.items if item not in modelled]:
        raise SurveyError(
            "S156",
            f"只能模拟问卷 {shortened(MODELLED)} 的题目；{questionnaire.reference} 不能模拟。",
            f"{questionnaire.reference} cannot be simulated (items not modelled: {shortened(unknown)}).",
            where=document.place(("questionnaire",)),
            available=MODELLED,
            got=questionnaire.questionnaire,
            hint=(
                "改用该问卷，或在 simulate/answers.py 中为新题目建模。",
                "Use it, or model the items in simulate/answers.py.",
            ),
        )
    return declared.fielded.start, declared.fielded.end
