"""What the ranks' study draws: true scores of p counties, and samples of them as linearization would estimate them.

The design is the shipped wave's: strata (residence) of each county with their numbers of PSUs, ten residents a PSU. A PSU
has a normal mean; a county's estimate is the mean of its PSU means, its variance the linearized one
(sum over strata of n/(n-1) times the squared deviations of z = PSU mean / n of the county), its df PSUs minus strata.
Everything here is simulated; scores are points 0-100.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

Array = np.ndarray[Any, Any]
SEED = 20260704
LEVEL, SPREAD = 68.5, 4.1  # of the shipped wave's index over counties
SE, SE_SPREAD = 1.45, 0.15  # median se of the shipped wave's index; sd of log true se
FEWER_EVERY, FEWER = 8, 12  # every eighth county has about 12 PSUs in place of 25
STAYS, KEPT = 0.25, 0.5  # share of PSUs that stay for the next wave; correlation of their means
ROSE = 4  # places by which counties truly rise from one wave to the next (those on top fall)


@dataclass(frozen=True, slots=True)
class Design:
    """C counties, S strata, P PSUs.

    Attributes
    ----------
    county, stratum : (P,) int
        Of each PSU.
    sd : (C,)
        Of PSU means within strata.
    df : (C,)
    stays : (P,) bool
        PSUs that are asked again in the next wave.
    """

    county: Array
    stratum: Array
    sd: Array
    df: Array
    stays: Array

    def true_se(self) -> Array:
        """(C,)."""
        return np.asarray(self.sd / np.sqrt(np.bincount(self.county)))

    def estimated(self, normal: Array) -> tuple[Array, Array]:
        """Errors of the county means and their estimated se, (C,) each, from the PSUs' standard normals (P,)."""
        z = self.sd[self.county] * normal / np.bincount(self.county)[self.county]
        size = np.bincount(self.stratum)
        deviation = z - (np.bincount(self.stratum, z) / size)[self.stratum]
        variance = np.bincount(self.county, (size / (size - 1))[self.stratum] * deviation**2)
        return np.bincount(self.county, z), np.sqrt(variance)


def shipped_design(allocation: pd.DataFrame) -> Design:
    """Lay out an allocation (columns county, take; one row a stratum) and invent what it does not tell."""
    random = np.random.default_rng([SEED, 0])
    counties, county = np.unique(allocation["county"], return_inverse=True)
    take = allocation["take"].to_numpy()
    full = np.bincount(county, take)
    few = (np.arange(len(counties)) % FEWER_EVERY == 0)[county]
    take = np.where(few, np.maximum(np.rint(take * FEWER / full[county]).astype(int), 2), take)
    stratum = np.repeat(np.arange(len(take)), take)
    number = np.concatenate([np.arange(n) for n in take])
    sd = SE * np.sqrt(full) * np.exp(random.normal(0, SE_SPREAD, len(counties)))
    df = np.bincount(county, take) - np.bincount(county)
    return Design(
        county[stratum], stratum, sd, df.astype(float), number < np.rint(STAYS * take)[stratum]
    )


def two_waves(design: Design, random: np.random.Generator) -> tuple[Array, Array]:
    """Standard normals of the PSUs of an earlier and a later wave, (P,) each; those that stay are correlated."""
    before, fresh = random.standard_normal((2, len(design.county)))
    return before, np.where(design.stays, KEPT * before + np.sqrt(1 - KEPT**2) * fresh, fresh)


def truths(p: int) -> dict[str, tuple[Array, Array]]:
    """True scores of an earlier and a later wave, (p,) each, by name; the place of a county has nothing to do with its se.

    The last two are the least favourable ones for membership of the last ten (and the top 20): as many counties tied as
    must not be told apart, all others far away.
    """
    place = np.arange(p)
    spread = LEVEL + SPREAD * special.ndtri(1 - (place + 0.5) / p)
    in_order = {
        "well spread": spread,
        "clusters of 11": LEVEL + 2.0 * ((p - 1) // 11 / 2 - place // 11),
        "near-tied at the cut": np.where(
            place < p - 21, spread + 1.0, spread[p - 21] - 0.01 * (place - (p - 21))
        ),
        "fully tied": np.full(p, LEVEL),
        "21, 56, 11 tied": np.select([place < 21, place < p - 11], [95.0, 65.0], 35.0),
        "79, 9 tied": np.where(place < p - 9, 80.0, 40.0),
    }
    who = np.random.default_rng([SEED, 1]).permutation(p)
    return {
        name: (assigned(scores, who), assigned(np.roll(scores, ROSE), who))
        for name, scores in in_order.items()
    }


def assigned(scores: Array, who: Array) -> Array:
    """Give scores to counties: (p,) in the order of the counties."""
    given = np.empty_like(scores)
    given[who] = scores
    return given


def true_ranks(score: Array) -> tuple[Array, Array]:
    """Best and worst true rank, (p,) each: 1 + counties strictly better, p - counties strictly worse."""
    ahead = score[:, None] > score
    return 1 + ahead.sum(axis=0), len(score) - ahead.sum(axis=1)
