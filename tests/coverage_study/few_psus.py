"""Few PSUs: differences between sexes, and the change of a panel, where both sides lie in the same four or eight PSUs.

PSUs from an infinite population: a normal effect of the PSU, one of each sex (or wave) in it, and persons; so the difference
of two sides has as many degrees of freedom as there are PSUs minus strata, and its true value is known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from satisfaction.estimation.change import change
from satisfaction.estimation.estimates import estimate
from satisfaction.estimation.pairs import all_pairs
from satisfaction.sampling.design import SampleDesign, SurveyDesign

from .sampling import generator
from .scoring import scored

Array = np.ndarray[Any, Any]
PSUS = (4, 8)  # in one stratum, in two
PER_PSU = 24
DRAWS = 10  # samples a seed
TRUE = 0.3


def few_psus(seed: int) -> list[dict[str, Any]]:
    """Draw samples of 4 and of 8 PSUs and score the differences."""
    random = generator(seed, 7)
    records = []
    for psus in PSUS:
        sexes = pd.concat([_sexes(psus, random) for _ in range(DRAWS)])
        panel = pd.concat([_panel(psus, random) for _ in range(DRAWS)])
        for method, table in (("all_pairs by sex", sexes), ("change, all PSUs shared", panel)):
            found = table.rename(columns={"difference": "estimate"})
            truth = np.full(len(found), TRUE)
            records.append(
                scored("7 few PSUs", f"{psus} PSUs", method, found, truth, required=True)
            )
    return records


def _sexes(psus: int, random: np.random.Generator) -> pd.DataFrame:
    people = _people(psus)
    people["sex"] = random.integers(0, 2, len(people))
    people["y"] = _answers(people, people["sex"].to_numpy(), psus, random) - TRUE * people["sex"]
    return all_pairs(estimate(_design(people), "y", by="sex")).table


def _panel(psus: int, random: np.random.Generator) -> pd.DataFrame:
    community, people = random.normal(size=psus), _people(psus)
    waves = []
    for level in (TRUE, 0.0):
        y = (
            level
            + community[people["psu"]]
            + _answers(people, np.zeros(len(people), int), psus, random)
        )
        waves.append(estimate(_design(people.assign(y=y)), "y"))
    return change(*waves).table


def _people(psus: int) -> pd.DataFrame:
    psu = np.repeat(np.arange(psus), PER_PSU)
    return pd.DataFrame({"psu": psu, "stratum": psu % (psus // 4)})


def _answers(people: pd.DataFrame, side: Array, psus: int, random: np.random.Generator) -> Array:
    """Answers with an effect of the PSU, and one of each side in it."""
    psu = people["psu"].to_numpy()
    own, of_side = random.normal(size=psus), random.normal(size=(psus, 2))
    return np.asarray(own[psu] + 0.5 * of_side[psu, side] + random.normal(size=len(people)))


def _design(people: pd.DataFrame) -> SampleDesign:
    return SurveyDesign(people, strata="stratum", psu="psu")
