"""Samples of a simulated province.

Design: in every stratum PSUs are drawn with replacement and probability proportional to their households (each draw is a
PSU of its own, so the with-replacement variance is the exact one); in each drawn PSU households systematically from a
random start, equal probability; in each household one adult. A base weight is H_h / (n_h k) x adults of the household.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .province import MEASURES, RESPONSE, Province

Array = np.ndarray[Any, Any]
PER_PSU, PER_PSU_WITH_NONRESPONSE = 10, 13


def generator(*seed: int) -> np.random.Generator:
    """Return the generator of one sample (and of one purpose within it)."""
    return np.random.default_rng(list(seed))


def draw_communities(province: Province, random: np.random.Generator) -> pd.DataFrame:
    """Draw PSUs: stratum (row of `strata`), psu (number of the draw in its stratum), community (of the population)."""
    strata = province.strata
    stratum = np.repeat(np.arange(len(strata)), strata["take"])
    number = np.concatenate([np.arange(take) for take in strata["take"]])
    low, high = strata["first"].to_numpy()[stratum], strata["last"].to_numpy()[stratum]
    household = low + np.floor(random.random(len(stratum)) * (high - low)).astype(int)
    community = np.searchsorted(province.community_end, household, side="right")
    return pd.DataFrame({"stratum": stratum, "psu": number, "community": community})


def next_communities(
    province: Province, earlier: pd.DataFrame, random: np.random.Generator
) -> pd.DataFrame:
    """Draw the PSUs of a later wave: a quarter of each stratum's PSUs stay (and keep their number), the others are new."""
    fresh = draw_communities(province, random)
    take = province.strata["take"].to_numpy()[earlier["stratum"]]
    stays = earlier["psu"].to_numpy() < np.rint(take / 4)
    return fresh.assign(
        psu=np.where(stays, earlier["psu"], 1000 + fresh["psu"]),
        community=np.where(stays, earlier["community"], fresh["community"]),
    )


def interview(
    province: Province,
    drawn: pd.DataFrame,
    random: np.random.Generator,
    *,
    wave: int = 1,
    take: int = PER_PSU,
) -> pd.DataFrame:
    """Draw and ask `take` adults in every PSU; one row a person, all answer."""
    community = drawn["community"].to_numpy()
    end = province.community_end[community]
    start = np.where(community > 0, province.community_end[community - 1], 0)
    steps = (random.random(len(drawn))[:, None] + np.arange(take)) / take
    household = (start[:, None] + np.floor(steps * (end - start)[:, None]).astype(int)).ravel()
    adults = province.adults[household]
    person = province.first_adult[household] + np.floor(
        random.random(len(household)) * adults
    ).astype(int)
    stratum = np.repeat(drawn["stratum"].to_numpy(), take)
    frame = province.strata.iloc[stratum].reset_index(drop=True)
    weight = (frame["last"] - frame["first"]) / (frame["take"] * take) * adults
    facts = {
        "county": frame["county"],
        "residence": frame["residence"],
        "psu": np.repeat(drawn["psu"].to_numpy(), take),
    }
    facts |= {
        "age": province.age[person],
        "sex": province.sex[person],
        "base_weight": weight,
        "one": 1,
    }
    return pd.DataFrame(
        facts | {name: province.answers[name, wave][person].astype(np.int64) for name in MEASURES}
    )


def with_nonresponse(sampled: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Add who answered (by age and sex) and blank the answers of the others, so that no estimate can use them."""
    answered = random.random(len(sampled)) < RESPONSE[sampled["age"], sampled["sex"]]
    blank = {name: sampled[name].where(answered, 0) for name in MEASURES}
    return sampled.assign(responded=answered.astype(int), **blank)
