"""How much likelier must the satisfied be to answer for a county to cross the cut: by brute force and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import satisfaction as sat
from satisfaction.ranking.answering_odds import AnsweredSums, crossing_odds


def of_shares(shares, *, fraction=0.0, mixed=0.0) -> AnsweredSums:
    """Areas ranked by the share of the satisfied itself; `mixed` is what all others score (0-1)."""
    shares = np.asarray(shares, float)
    weight = 100 * np.column_stack([1 - shares, shares])
    value = weight * [mixed, 1.0]
    p = len(shares)
    return AnsweredSums(
        weight, weight[:, :, None], value[:, :, None], np.ones(1), np.full(p, fraction)
    )


def test_a_share_if_few_answer_is_its_odds_over_the_factor():
    sums = of_shares([0.8, 0.5])
    assert sums.score(2.0) == pytest.approx([2 / 3, 1 / 3], abs=1e-15)
    assert sums.score(1.0) == pytest.approx([0.8, 0.5], abs=1e-15)


def test_a_population_that_answers_by_such_odds_is_found_again():
    """900 satisfied of 1,500 residents; of the satisfied 40 % answer, of all others the odds are halved."""
    odds = 2.0
    chance = np.array([0.4 / 0.6 / odds / (1 + 0.4 / 0.6 / odds), 0.4])
    answered = np.array([600.0, 900.0]) * chance
    value = answered * [0.0, 1.0]
    sums = AnsweredSums(
        answered[None, :],
        answered[None, :, None],
        value[None, :, None],
        np.ones(1),
        np.array([answered.sum() / 1500]),
    )
    assert sums.score(odds) == pytest.approx([0.6], abs=1e-14)


def test_alone_by_hand():
    """0.80 enters a list of one headed by 0.60 when (.8/.2)/odds = .6/.4; 0.60 leaves past 0.70 when .6/.4/odds = .7/.3."""
    found = crossing_odds(of_shares([0.60, 0.70, 0.80]), 1)
    assert list(found.listed) == [True, False, False]
    assert found.alone == pytest.approx(
        [(0.6 / 0.4) / (0.7 / 0.3), (0.7 / 0.3) / (0.6 / 0.4), (0.8 / 0.2) / (0.6 / 0.4)], rel=1e-9
    )


def test_a_common_factor_never_moves_ranks_of_shares_and_says_so():
    assert np.isnan(crossing_odds(of_shares([0.60, 0.70, 0.80]), 1).alike).all()


def test_the_other_end():
    low = crossing_odds(of_shares([0.60, 0.70, 0.80]), 1)
    high = crossing_odds(of_shares([0.40, 0.30, 0.20]), 1, side="first")
    assert high.alone == pytest.approx(1 / low.alone, rel=1e-9)


def sums_at_random(rng, p: int, k: int) -> AnsweredSums:
    weight = rng.uniform(20, 200, (p, 2))
    valid = weight[:, :, None] * rng.uniform(0.8, 1.0, (p, 2, k))
    level = np.array([40.0, 85.0])[None, :, None] + rng.normal(0, 6, (p, 2, k))
    return AnsweredSums(weight, valid, valid * level, np.full(k, 1 / k), rng.uniform(0, 0.3, p))


@pytest.mark.parametrize("seed", range(6))
def test_by_brute_force(seed):
    rng = np.random.default_rng(seed)
    sums = sums_at_random(rng, p=12, k=2)
    found = crossing_odds(sums, 3)
    observed = sums.score(1.0)

    def is_listed(scores, area):
        return (np.delete(scores, area) < scores[area]).sum() < 3

    for area in range(12):

        def alone(odds, area=area):
            scores = observed.copy()
            scores[area] = sums.score(odds)[area]
            return is_listed(scores, area)

        def alike(odds, area=area):
            return is_listed(sums.score(odds), area)

        for odds, listed in ((found.alone[area], alone), (found.alike[area], alike)):
            now = is_listed(observed, area)
            assert now == found.listed[area]
            reach = abs(np.log(odds)) if np.isfinite(odds) else np.log(10)
            inside = np.exp(np.linspace(-reach, reach, 401)[1:-1])
            assert all(listed(one) == now for one in inside)
            if np.isfinite(odds):
                assert listed(np.exp(np.log(odds) * (1 + 1e-9))) != now


def test_identity_of_one_county_among_equals():
    """With everybody's score the same nothing separates the areas: all tie at the cut and stay listed."""
    found = crossing_odds(of_shares([0.7, 0.7, 0.7]), 1)
    assert found.listed.all()


def test_the_call_for_people_of_a_table_is_the_kernel():
    rng = np.random.default_rng(8)
    people = pd.DataFrame(
        {"county": rng.choice(list("ABCDE"), 400), "happy": rng.integers(0, 2, 400)}
    )
    people["score"] = 50 + 20 * people["happy"] + rng.normal(0, 8, 400)
    people["w"] = rng.uniform(1, 3, 400)
    people.loc[:20, "score"] = np.nan
    residents = dict.fromkeys("ABCDE", 1000.0)
    found = sat.answering_odds(
        people, "score", satisfied="happy", by="county", weight="w", residents=residents, bottom=2
    )
    valid = people.dropna(subset="score")
    means = valid.groupby("county")[["score", "w"]].apply(
        lambda part: np.average(part["score"], weights=part["w"])
    )
    assert found["estimate"].to_numpy() == pytest.approx(means.to_numpy(), rel=1e-12)
    assert found["listed"].sum() == 2
    assert found["odds_alone"].notna().any()


@pytest.mark.parametrize(
    ("change", "code"), [({"by": "nowhere"}, "K527"), ({"score": "empty"}, "K528")]
)
def test_calls_that_cannot_be_are_refused(change, code):
    people = pd.DataFrame({"county": ["A", "B"], "happy": [1, 0], "empty": [np.nan, np.nan]})
    call = {"score": "happy", "satisfied": "happy", "by": "county"} | change
    score = call.pop("score")
    with pytest.raises(sat.SatisfactionError) as fault:
        sat.answering_odds(people, score, **call)
    assert fault.value.code == code
