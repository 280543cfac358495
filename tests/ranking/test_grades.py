"""Grades: least loss beside the reference and beside every weak order, and the promise about wrong pairs."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import special
from tests.coverage_study import score_grades

from satisfaction import rank
from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.language import Text
from satisfaction.publication.clauses import ground_of, ranked_unit
from satisfaction.ranking import grades, rates
from satisfaction.ranking.grades import less_sure
from satisfaction.ranking.probability import fit

REFERENCE = Path(__file__).parents[1] / "golden" / "grades"
LOSS = 1e-9  # per pair of units, of the reference; grades of the same loss may differ
GRID = np.linspace(-3, 4, 7001)
SMALL = ["normal8", "skewed8", "normal12", "skewed12", "cycle5"]
LAMBDAS = (0, 1, 2, 3)


def stored(name: str):
    """A case of the reference: P(row better than column) and its gradings by lambda."""
    path = REFERENCE / "grades.json"
    case = json.loads(path.read_text(encoding="utf-8"))[name]
    if "probability" in case:
        return np.array(case["probability"]), case["grades"]
    units = pd.read_csv(path.parent / f"units_{name}.csv")
    return rebuilt(units, name), case["grades"]


def rebuilt(units: pd.DataFrame, name: str) -> np.ndarray:
    """P(row better than column) under the reference's known priors."""
    x = units["estimate"].to_numpy()
    se = units["se"].to_numpy()
    if name.startswith("normal"):
        pull = 0.16 / (0.16 + se**2)
        spread = np.sqrt(np.add.outer(pull * se**2, pull * se**2))
        better = special.ndtr(np.subtract.outer(pull * x, pull * x) / spread)
    else:
        usual = np.exp(-(((GRID + 0.3) / 0.2) ** 2) / 2) / 0.2
        other = np.exp(-(((GRID - 0.9) / 0.45) ** 2) / 2) / 0.45
        mass = (0.75 * usual + 0.25 * other) * np.exp(
            -(((x[:, None] - GRID) / se[:, None]) ** 2) / 2
        )
        mass /= mass.sum(axis=1, keepdims=True)
        better = mass @ (np.cumsum(mass, axis=1) - mass / 2).T
    np.fill_diagonal(better, 0.5)
    return better


def weak_orders(n: int):
    """Every grading of n units."""
    for grade in itertools.product(range(1, n + 1), repeat=n):
        if set(grade) == set(range(1, max(grade) + 1)):
            yield np.array(grade)


def any_probabilities(n: int, seed: int) -> np.ndarray:
    """P(row better than column), with cycles."""
    better = np.triu(np.random.default_rng(seed).uniform(0.02, 0.98, (n, n)), 1)
    return better + np.tril(1 - better.T, -1) + 0.5 * np.eye(n)


# ---- least loss


@pytest.mark.parametrize("at", LAMBDAS)
@pytest.mark.parametrize("name", [*SMALL, "normal88", "skewed88"])
def test_loss_is_that_of_the_reference(name, at):
    better, expected = stored(name)
    wanted = expected[at]
    grading = grades.least_loss(better, wanted["lambda"])
    assert abs(grading.loss - wanted["loss"]) <= LOSS
    if np.array_equal(grading.grade, wanted["grade"]):
        assert grading.ordered == wanted["pairs_graded"]
        assert grading.wrong == pytest.approx(wanted["discordance_of_graded"] or 0.0, abs=1e-9)


@pytest.mark.parametrize("at", LAMBDAS)
@pytest.mark.parametrize("name", SMALL)
def test_the_reference_cases_are_proven_optimal(name, at):
    better, expected = stored(name)
    assert grades.optimality_gap(better, grades.least_loss(better, expected[at]["lambda"])) == 0.0


def test_88_units_are_proven_optimal():
    better, expected = stored("normal88")
    grading = grades.least_loss(better, expected[3]["lambda"])
    assert grades.optimality_gap(better, grading) == 0.0


def test_the_threshold_alone_would_grade_a_cycle():
    better, expected = stored("cycle5")
    half = expected[2]
    assert (better > half["threshold"]).any()
    assert grades.least_loss(better, half["lambda"]).grade.tolist() == [1] * 5


@pytest.mark.parametrize("seed", range(8))
def test_no_weak_order_of_five_units_loses_less(seed):
    better = any_probabilities(5, seed)
    for price in (0.2, 0.6, 0.95):
        grading = grades.least_loss(better, price)
        least = min(grades.graded(better, grade, price).loss for grade in weak_orders(5))
        # moves and cuts are no proof: where they miss the optimum the gap says so
        gap = grades.optimality_gap(better, grading)
        assert grading.loss - least <= gap + LOSS
        assert grading.loss >= least - 1e-12
        assert grading.loss - least <= 1e-12 or gap > 0
        pairs = 10
        assert grades._ordered_loss(better, grading) / pairs <= least + 1e-12


def test_a_grading_that_is_not_optimal_has_a_gap():
    better, expected = stored("skewed12")
    price = expected[1]["lambda"]
    worse = grades.graded(better, np.ones(12, dtype=np.int64), price)
    missing = worse.loss - expected[1]["loss"]
    assert missing > 0.01
    assert grades.optimality_gap(better, worse) == pytest.approx(missing, abs=1e-9)


# ---- the promise


@pytest.mark.parametrize("name", SMALL)
def test_most_pairs_are_ordered_within_the_promise(name):
    better, _ = stored(name)
    kept = [grades.least_loss(better, price) for price in np.linspace(0, 1, 201)]
    for promised in (0.01, 0.05, 0.1):
        grading = grades.grade_units(better, promised)
        assert grading.wrong <= promised
        assert grading.ordered >= max(one.ordered for one in kept if one.wrong <= promised)


def test_a_larger_share_promised_orders_more_pairs():
    better, _ = stored("skewed88")
    ordered = [grades.grade_units(better, promised).ordered for promised in (0.01, 0.03, 0.05, 0.1)]
    assert ordered == sorted(set(ordered))


def test_the_order_of_the_rows_does_not_matter():
    better, _ = stored("normal88")
    shuffled = np.random.default_rng(1).permutation(88)
    grading = grades.grade_units(better)
    again = grades.grade_units(better[np.ix_(shuffled, shuffled)])
    np.testing.assert_array_equal(again.grade, grading.grade[shuffled])


def test_units_turned_round_have_their_grades_turned_round():
    better, _ = stored("skewed88")
    grading = grades.grade_units(better)
    turned = grades.grade_units(better.T)
    assert turned.ordered == grading.ordered
    np.testing.assert_array_equal(turned.grade, grading.grade.max() + 1 - grading.grade)


def test_nothing_is_ordered_where_nothing_differs():
    assert grades.grade_units(np.full((6, 6), 0.5)).grade.tolist() == [1] * 6


def test_everything_is_ordered_where_all_is_known():
    better = np.triu(np.ones((6, 6)), 1) + 0.5 * np.eye(6)
    assert grades.grade_units(better).grade.tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("spread", [1.0, 4.0])
def test_the_promised_share_holds_when_the_model_does(spread):
    random = np.random.default_rng(int(spread))
    shares = []
    for _ in range(30):
        true = random.normal(70, spread, 88)
        se = 1.45 * np.exp(random.normal(0, 0.3, 88))
        model = fit(true + se * random.standard_normal(88), se)
        grade = grades.grade_units(model.better(), 0.05).grade
        above = grade[:, None] < grade
        wrong = np.count_nonzero(above & (true[:, None] < true))
        shares.append(wrong / max(np.count_nonzero(above), 1))
    # one point above what is promised, on average over provinces
    assert np.mean(shares) <= 0.06


# ---- of a ranking


def test_a_ranking_grades_its_units():
    ranking = rank(
        [90.0, 80.0, 79.9, 60.0, 50.0],
        se=[1.0] * 5,
        bottom=1,
        ranked=np.array([True] * 4 + [False]),
    )
    graded = ranking.grades()
    assert graded.table["grade"].tolist()[:4] == [1, 2, 2, 3]
    assert pd.isna(graded.table["grade"][4])
    assert (graded.number, graded.ordered, graded.pairs) == (3, 5, 6)
    assert graded.wrong <= graded.promised == 0.05
    assert graded.gap == 0.0
    assert "gap" not in repr(graded)


def test_of_two_models_the_less_sure_counts():
    normal = np.array([[0.5, 0.9, 0.6], [0.1, 0.5, 0.3], [0.4, 0.7, 0.5]])
    groups = np.array([[0.5, 0.8, 0.4], [0.2, 0.5, 0.1], [0.6, 0.9, 0.5]])
    careful = grades.less_sure(normal, groups)
    assert careful.tolist() == [[0.5, 0.8, 0.5], [0.2, 0.5, 0.3], [0.5, 0.7, 0.5]]


def test_drawn_scores_have_no_grades():
    """Their probabilities are shares of draws around the estimates, which no prior draws together."""
    ranking = rank(np.arange(60.0, 72), se=np.ones(12), bottom=3)
    assert ranking.grades().number > 1
    drawn = dataclasses.replace(ranking.pairs, drawn=object())
    assert dataclasses.replace(ranking, pairs=drawn).grades().table["grade"].isna().all()


def rates_in_groups(seed: int):
    """Three levels of equal rates, 30 areas, 600 answers each."""
    random = np.random.default_rng(seed)
    true = np.repeat([0.85, 0.93, 0.98], 10) + random.normal(0, 0.001, 30)
    rate = np.clip(random.binomial(600, true) / 600, 0.001, 0.999)
    return true, rate, np.sqrt(rate * (1 - rate) / 600)


def test_inside_groups_of_equal_rates_fewer_pairs_are_told_apart():
    """The default prior sees no groups and orders equals; beside one of any shape fewer of them are."""
    inside = np.repeat(np.arange(3), 10)
    equals = inside[:, None] == inside
    ordered = {True: 0, False: 0}
    apart = {True: 0, False: 0}
    for seed in range(6):
        _true, rate, se = rates_in_groups(seed)
        ranking = rank(rate, se=se, bottom=5, prior="logit")
        for careful in ordered:
            options = dataclasses.replace(ranking.options, other_priors=careful)
            grade = dataclasses.replace(ranking, options=options).grades().table["grade"]
            above = grade.to_numpy()[:, None] < grade.to_numpy()
            ordered[careful] += np.count_nonzero(above & equals)
            apart[careful] += np.count_nonzero(above & ~equals)
    assert ordered[True] < 0.85 * ordered[False]
    assert apart[True] > 0.97 * apart[False]


def test_smaller_may_be_better():
    scores = np.array([90.0, 80.0, 79.9, 60.0])
    larger = rank(scores, se=np.ones(4), bottom=1).grades().table["grade"]
    smaller = rank(scores, se=np.ones(4), bottom=1, higher_is_better=False).grades().table["grade"]
    assert smaller.tolist() == (larger.max() + 1 - larger).tolist()


def test_a_gap_is_printed_where_there_is_one():
    ranking = rank([90.0, 80.0, 79.9, 60.0], se=[1.0] * 4, bottom=1)
    graded = ranking.grades()
    worse = grades.graded(graded.better, np.array([1, 1, 1, 2]), 0.5)
    assert "gap=" in repr(dataclasses.replace(graded, grading=worse))


@pytest.mark.parametrize("selection", ["open_link", "quota"])
def test_without_a_probability_sample_nobody_has_a_grade(selection):
    graded = rank([90.0, 80.0, 60.0], se=[1.0] * 3, bottom=1, selection=selection).grades()
    assert graded.table["grade"].isna().all()
    assert graded.number == 0


@pytest.mark.parametrize("promised", [0, 0.5, -0.1, 1])
def test_a_share_that_cannot_be_promised_is_refused(promised):
    ranking = rank([90.0, 80.0, 60.0], se=[1.0] * 3, bottom=1)
    with pytest.raises(RankingError) as caught:
        ranking.grades(promised)
    assert caught.value.code == "K126"


def test_groups_of_equals_are_not_put_in_an_order():
    wrong = {}
    for name in ("two groups, 6 se apart", "a tenth far below"):
        counts = [score_grades.graded(score_grades.TRUTHS[name], seed) for seed in range(12)]
        for model in counts[0]:
            ordered, mistaken = np.sum([one[model] for one in counts], axis=0)
            wrong[name, model] = mistaken / ordered
    for (name, model), share in wrong.items():
        if model == "less sure":
            assert share < 0.07, (name, share)
        else:
            assert share > 0.08, (name, share)


def test_a_ranking_of_scores_is_graded_by_the_less_sure_of_two_priors():
    score = np.array([0.0, 0.3, 0.1, 6.2, 6.0, 6.4, 5.8, 6.1])
    ranking = rank(score, se=np.ones(8), bottom=3)
    normal = ranking.model.better()
    any_shape = rates.fit_scores(score, np.ones(8)).better()
    assert_allclose(ranking.grades().better, less_sure(normal, any_shape), rtol=1e-12)


def test_scores_without_an_error_keep_their_order():
    score = [90.0, 80.0, 79.9, 60.0]
    assert rank(score, se=[0.0] * 4, bottom=1).grades().table["grade"].tolist() == [1, 2, 3, 4]


def published(ranking) -> pd.DataFrame:
    """A ranking with the columns that sentences need, grades at the end."""
    table = ranking.table.rename(columns={"unit": "code"})
    listed = [("yes" if unit in ranking.summary["listed"] else "no") for unit in table["code"]]
    table = table.assign(
        name_zh="甲县", name_en="Alpha", n=200, listed=listed, side="last", mark=""
    )
    return table.assign(grade=ranking.grades().table["grade"])


def test_a_sentence_names_the_grade_and_its_promise():
    ranking = rank([90.0, 80.0, 79.9, 60.0], se=[1.0] * 4, bottom=1)
    ground = ground_of(
        published(ranking), ranking.summary, kind="index", measure=Text("得分", "the score")
    )
    said = ranked_unit(ground, ground.rows[3], level_with=0)
    assert "分档为第 3 档（共 3 档，第 1 档最好）" in said.zh
    assert "分出先后的成对比较中预计至多 5% 颠倒" in said.zh
    assert "grade 3 of 3 (1 is the best)" in said.en
    assert "at most 5% are expected to be in the wrong order" in said.en


def test_a_sentence_says_where_no_grades_can_be_told():
    ranking = rank([80.0, 80.1, 79.9], se=[5.0] * 3, bottom=1)
    ground = ground_of(
        published(ranking), ranking.summary, kind="index", measure=Text("得分", "the score")
    )
    assert "各单位同在一档" in ranked_unit(ground, ground.rows[0], level_with=0).zh
