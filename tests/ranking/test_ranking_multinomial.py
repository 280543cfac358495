"""Ranks of counts: csranks' exact sets, binomial tests by brute force, and coverage."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from conftest import ROOT
from satisfaction import rank_counts
from satisfaction.foundation.errors import RankingError
from satisfaction.ranking.answer_ranks import exact_p_values

GOLDEN = ROOT / "tests" / "golden" / "ranks" / "csranks_multinom.json"
CASES = json.loads(GOLDEN.read_text(encoding="utf-8"))["cases"]
DIRECTION = {"two-sided": "two-sided", "lower": "best", "upper": "worst"}
COLUMNS = {
    True: ["simultaneous_low", "simultaneous_high"],
    False: ["marginal_low", "marginal_high"],
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(len(case["x"])))
def test_sets_equal_csranks(case):
    for told in case["results"]:
        # csranks 1.2.3 takes Holm's correction for marginal sets, whatever is asked for
        correction = told["multcorr"].lower() if told["simul"] else "holm"
        chosen = range(1, len(case["x"]) + 1) if told["indices"] == {} else told["indices"]
        found = rank_counts(
            case["x"],
            level=told["coverage"],
            correction=correction,
            direction=DIRECTION[told["cstype"]],
            jointly=chosen,
        )
        low, high = COLUMNS[told["simul"]]
        table = found.table.set_index("answer").loc[[str(k) for k in chosen]]
        assert table["rank"].tolist() == told["rank"]
        assert table[low].tolist() == told["L"]
        assert table[high].tolist() == told["U"]


def test_all_of_csranks_is_compared():
    assert sum(len(case["results"]) for case in CASES) == 144


@given(st.lists(st.integers(0, 60), min_size=2, max_size=7))
def test_p_values_are_binomial_tails(counts):
    p_values = exact_p_values(np.array(counts))
    for j, row in enumerate(counts):
        for k, column in enumerate(counts):
            tail = sum(binom.pmf(x, row + column, 0.5) for x in range(row, row + column + 1))
            assert p_values[j, k] == pytest.approx(min(tail, 1.0), rel=1e-9)


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=9), st.randoms(use_true_random=False))
def test_sets_hold_the_rank_nest_and_follow_the_answers(counts, random):
    table = rank_counts(counts).table
    for low, high in COLUMNS.values():
        assert ((table[low] <= table["rank"]) & (table["rank"] <= table[high])).all()
    assert (table["marginal_low"] >= table["simultaneous_low"]).all()
    assert (table["marginal_high"] <= table["simultaneous_high"]).all()
    order = list(range(len(counts)))
    random.shuffle(order)
    shuffled = rank_counts([counts[k] for k in order]).table.drop(columns="answer")
    assert shuffled.equals(table.drop(columns="answer").iloc[order].reset_index(drop=True))
    best = table.sort_values("count", ascending=False)["simultaneous_low"].tolist()
    assert all(a <= b for a, b in pairwise(best))


@pytest.mark.parametrize(
    "shares", [[0.2] * 5, [0.3, 0.25, 0.2, 0.15, 0.1]], ids=["equal", "falling"]
)
def test_sets_cover_the_true_ranks(shares):
    true_low = np.array([1 + sum(other > share for other in shares) for share in shares])
    true_high = np.array([sum(other >= share for other in shares) for share in shares])
    rng, samples, held = np.random.default_rng(8), 400, 0
    for counts in rng.multinomial(300, shares, size=samples):
        table = rank_counts(counts).table
        held += bool(
            (
                (table["simultaneous_low"] <= true_low) & (table["simultaneous_high"] >= true_high)
            ).all()
        )
    assert held / samples >= 0.95 - 2 * np.sqrt(0.95 * 0.05 / samples)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"counts": [1.5, 2]}, "K180"), ({"counts": [3]}, "K180"), ({"counts": [-1, 2]}, "K180"), ({"counts": ["a", "b"]}, "K180"),
        ({"counts": [np.nan, 2]}, "K180"), ({"counts": [1, 2], "names": ["a", "a"]}, "K181"), ({"counts": [1, 2], "level": 0.2}, "K182"),
        ({"counts": [1, 2], "jointly": ["3"]}, "K181"), ({"counts": [1, 2], "correction": "none"}, "K182"), ({"counts": [1, 2], "direction": "up"}, "K182"),
    ],
)  # fmt: skip
def test_what_cannot_be_ranked_is_refused(arguments, code):
    with pytest.raises(RankingError, match=code):
        rank_counts(arguments.pop("counts"), **arguments)
