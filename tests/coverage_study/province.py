"""A simulated province as arrays: a fixed finite population of adults in households in communities, answered in two waves.

The truth is the finite population's own mean, not a model parameter. Strata and their numbers of PSUs are the shipped
wave's (county x residence, 25 communities a county); everything else is invented here and estimated from nothing.

P communities, H households, N adults, C counties. Effects are in points of the score or on the logit scale of a rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

Array = np.ndarray[Any, Any]
WAVES = (1, 2)
MEASURES = ("score", "rate90", "rate60")
SEED = 20260703
COMMUNITIES_PER_PSU = (
    5  # communities of the population for one that is drawn, times the strata's own factors
)
COUNTY_SIZE, STRATUM_SIZE, COMMUNITY_SIZE = (
    0.30,
    0.20,
    0.30,
)  # sd of log sizes: base weights differ 1:4
HOUSEHOLDS, FEWEST_HOUSEHOLDS = 100, 30
ADULTS = np.array([0.22, 0.48, 0.20, 0.10])  # of a household: 1, 2, 3, 4
AGES, SEXES = 3, 2
AGE_SHARE = np.array([[0.38, 0.36, 0.26], [0.25, 0.38, 0.37]])  # by residence
SCORE = {"level": 70.0, "county": 4.0, "community": 4.4, "person": 15.0, "moved": 1.5}
SCORE_AGE, SCORE_SEX, SCORE_ALONE, SCORE_COUNTRY = (
    np.array([-4.0, 0.0, 5.0]),
    np.array([-1.0, 1.0]),
    -1.5,
    -1.5,
)
RATES = {
    "rate90": (2.50, 0.15, 0.78, 0.10),
    "rate60": (0.40, 0.25, 0.60, 0.15),
}  # level, county, community, moved
RATE_AGE, RATE_SEX, RATE_ALONE = np.array([-0.30, 0.0, 0.35]), np.array([-0.10, 0.10]), -0.15
RESPONSE = np.array(
    [[0.62, 0.68], [0.75, 0.79], [0.84, 0.88]]
)  # age x sex: missing at random given both


@dataclass(frozen=True, slots=True)
class Province:
    """The finite population.

    Attributes
    ----------
    counties : (C,) int
        Their codes.
    strata : DataFrame (S, ...)
        county, residence, take (PSUs to draw), households; `first` and `last`: their households' numbers.
    community_end : (P,) int
        Number of the household after the community's last; communities lie by stratum.
    first_adult : (H,) int
    adults : (H,) int
    age, sex : (N,) int
        0, 1, ...
    county_of : (N,) int
        Place in `counties`.
    answers : dict
        (measure, wave) -> (N,) int: points 0-100, or 0 and 1.
    """

    counties: Array
    strata: pd.DataFrame
    community_end: Array
    first_adult: Array
    adults: Array
    age: Array
    sex: Array
    county_of: Array
    answers: dict[tuple[str, int], Array]

    def means(self, measure: str, wave: int = 1) -> Array:
        """Return the counties' true means: (C,)."""
        size = np.bincount(self.county_of)
        return np.asarray(
            np.bincount(self.county_of, self.answers[measure, wave].astype(float)) / size
        )

    def mean(self, measure: str, wave: int = 1) -> float:
        """Return the province's true mean."""
        return float(self.answers[measure, wave].mean())

    def medians(self, measure: str, wave: int = 1) -> Array:
        """Return the counties' true medians: the smallest value that half the people have or are below. (C,)."""
        start = np.searchsorted(self.county_of, np.arange(len(self.counties) + 1))
        values = self.answers[measure, wave]
        pieces = (np.sort(values[a:b]) for a, b in pairwise(start))
        return np.array([piece[(len(piece) + 1) // 2 - 1] for piece in pieces], dtype=float)

    def margin(self, other: Array) -> dict[tuple[int, int], float]:
        """Return the people by county x another column, as `calibrate` takes them."""
        counted = np.bincount(
            self.county_of * 10 + other, minlength=10 * len(self.counties)
        ).reshape(-1, 10)
        return {
            (int(self.counties[c]), int(k)): float(counted[c, k]) for c, k in np.argwhere(counted)
        }

    def margins(self) -> dict[tuple[str, str], dict[tuple[int, int], float]]:
        """Return county x sex and county x age."""
        return {("county", "sex"): self.margin(self.sex), ("county", "age"): self.margin(self.age)}


def read_allocation(survey: Path, *, every: int = 1) -> pd.DataFrame:
    """Count the communities of a wave's sample: county, residence (0 town, 1 country), take; every k-th county."""
    sample = pd.read_csv(survey / "sample.csv", encoding="utf-8-sig")
    counted = sample.groupby(["county", "residence"]).size().rename("take").reset_index()
    kept = counted[counted["county"].isin(np.unique(counted["county"])[::every])].reset_index(
        drop=True
    )
    return kept.assign(residence=kept["residence"] - 1)


def simulate_province(allocation: pd.DataFrame, *, seed: int = SEED) -> Province:
    """Invent a province with the strata of an allocation (see `read_allocation`); equal seeds give equal provinces."""
    random = np.random.default_rng([seed, 0])
    counties, county = np.unique(allocation["county"], return_inverse=True)
    residence = allocation["residence"].to_numpy()
    grown = np.exp(
        random.normal(0, COUNTY_SIZE, len(counties))[county]
        + random.normal(0, STRATUM_SIZE, len(county))
    )
    communities = np.maximum(
        np.rint(COMMUNITIES_PER_PSU * allocation["take"] * grown).astype(int), 8
    )
    stratum = np.repeat(np.arange(len(county)), communities)
    households = np.maximum(
        np.rint(HOUSEHOLDS * np.exp(random.normal(0, COMMUNITY_SIZE, len(stratum)))),
        FEWEST_HOUSEHOLDS,
    )
    community = np.repeat(np.arange(len(stratum)), households.astype(int))
    adults = 1 + random.choice(len(ADULTS), len(community), p=ADULTS)
    household = np.repeat(np.arange(len(adults)), adults)
    place = community[household]
    people = pd.DataFrame(
        {"place": place, "county": county[stratum[place]], "country": residence[stratum[place]]}
    )
    people["alone"] = adults[household] == 1
    people["sex"] = random.integers(0, SEXES, len(people))
    bounds = np.cumsum(AGE_SHARE, axis=1)[people["country"]]
    people["age"] = (random.random(len(people))[:, None] > bounds[:, :-1]).sum(axis=1)
    ends = np.cumsum(np.bincount(stratum, households)).astype(int)
    strata = allocation.assign(first=np.concatenate([[0], ends[:-1]]), last=ends).reset_index(
        drop=True
    )
    return Province(
        counties, strata, np.cumsum(households).astype(int), np.cumsum(adults) - adults, adults,
        people["age"].to_numpy(), people["sex"].to_numpy(), people["county"].to_numpy(), _answers(people, len(stratum), seed),
    )  # fmt: skip


def _answers(people: pd.DataFrame, communities: int, seed: int) -> dict[tuple[str, int], Array]:
    """Answer both waves: counties move, communities keep their effects, what is left of a person is drawn anew."""
    random = np.random.default_rng([seed, 1])
    county, place, age, sex = (
        people[name].to_numpy() for name in ("county", "place", "age", "sex")
    )
    alone, country, size = (
        people["alone"].to_numpy(),
        people["country"].to_numpy(),
        int(people["county"].max()) + 1,
    )
    held: dict[tuple[str, int], Array] = {}
    fixed = (
        SCORE["level"]
        + SCORE_AGE[age]
        + SCORE_SEX[sex]
        + SCORE_ALONE * alone
        + SCORE_COUNTRY * country
    )
    fixed += (
        random.normal(0, SCORE["county"], size)[county]
        + random.normal(0, SCORE["community"], communities)[place]
    )
    for wave in WAVES:
        moved = random.normal(0, SCORE["moved"], size) if wave > 1 else np.zeros(size)
        points = fixed + moved[county] + random.normal(0, SCORE["person"], len(people))
        held["score", wave] = np.clip(np.rint(points), 0, 100).astype(np.int8)
    for name, (level, spread, shared, moving) in RATES.items():
        leaning = level + RATE_AGE[age] + RATE_SEX[sex] + RATE_ALONE * alone
        leaning += (
            random.normal(0, spread, size)[county] + random.normal(0, shared, communities)[place]
        )
        for wave in WAVES:
            moved = random.normal(0, moving, size) if wave > 1 else np.zeros(size)
            held[name, wave] = (
                random.random(len(people)) < special.expit(leaning + moved[county])
            ).astype(np.int8)
    return held


def described(province: Province) -> pd.DataFrame:
    """Return each measure's true county means (lowest, middle, highest) and its intraclass correlation within strata."""
    first = np.append(province.first_adult, len(province.age))
    ends = first[province.community_end]
    place = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    stratum = np.searchsorted(province.strata["last"].to_numpy(), province.community_end)[place]
    rows = {}
    for name in MEASURES:
        true, values = province.means(name), province.answers[name, 1].astype(float)
        within, between = _scatter(values, place, stratum)
        rows[name] = {
            "lowest": true.min(),
            "median": np.median(true),
            "highest": true.max(),
            "icc": between / (between + within),
        }
    return pd.DataFrame(rows).T


def _scatter(values: Array, place: Array, stratum: Array) -> tuple[float, float]:
    """Return the variance within communities and the component between communities of a stratum."""
    size, own = np.bincount(place), np.bincount(place, values)
    residual = values - (own / size)[place]
    within = float((residual**2).sum() / (len(values) - len(size)))
    middle = np.bincount(stratum, values) / np.bincount(stratum)
    away = own / size - middle[stratum[np.cumsum(size) - 1]]
    return within, float(np.average(away**2, weights=size) - within * len(size) / size.sum())
