"""The finite population of a wave: residents and what each of them answers."""

from __future__ import annotations

from dataclasses import dataclass

from .answers import Codes, answer
from .facts import Facts
from .residents import Residents, settle


@dataclass(frozen=True, slots=True)
class Population:
    """Residents of a province and their answers in one wave.

    Attributes
    ----------
    residents : Residents
        Communities and model persons; the same in every wave.
    wave : str
    answers : dict of ndarray of int16, each C x PERSONS
        By item of the questionnaire; see `answers.answer` for the codes.
    """

    residents: Residents
    wave: str
    answers: dict[str, Codes]


def simulate_population(facts: Facts, *, seed: int, wave: str) -> Population:
    """Simulate a finite population once; draw from it as often as wanted with `draw_wave`.

    Parameters
    ----------
    facts : Facts
        Population by county x residence, x sex and x age group; kept exactly.
    seed : int
        The province's: two waves with the same seed share communities, people and lasting leanings.
    wave : str
        Label of the wave, as in survey.yaml.

    Returns
    -------
    Population
        About 1.65 million model persons for Guizhou: some seconds, under one gigabyte.
    """
    residents = settle(facts, seed=seed)
    return Population(residents, wave, answer(residents, seed=seed, wave=wave))
