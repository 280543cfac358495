"""Change of ranks between two waves: reference, identities, guarantees, probabilities, targets, rolling indices."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from conftest import ROOT
from satisfaction import SurveyDesign, estimate, read_questionnaire
from satisfaction.estimation.change import change as score_change
from satisfaction.estimation.change import combine_waves
from satisfaction.foundation.errors import RankingError
from satisfaction.ranking import probability as bayes
from satisfaction.ranking import rise_bounds
from satisfaction.ranking.change import rank_change
from satisfaction.ranking.pairs import compare_units, competition_rank
from satisfaction.ranking.rank import rank
from satisfaction.ranking.waves import comparability, rolling

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden" / "ranks" / "two_wave_pisa_math.json").read_text(
        encoding="utf-8"
    )
)
CITY = ROOT / "questionnaires" / "civilised-city" / "2026-1.yaml"
PHONE = ROOT / "questionnaires" / "phone-satisfaction" / "2026-1.yaml"
ROUNDING = 1e-12
OPTIMUM = 1e-4  # BFGS stops at a gradient of 1e-5 of a likelihood whose curvature is about the number of units
MONTE_CARLO = 0.02  # four standard errors of a probability of 1/2 at 10,000 draws
FEW = {"comparable": True, "draws": 2_000, "places": 2}


def pisa(**options):
    return rank_change(
        GOLDEN["x2"], GOLDEN["x1"], se=(GOLDEN["s2"], GOLDEN["s1"]), comparable=True, **options
    )


def wave(seed, *, first_psu=0, move=0.0, areas=5, psus=8):
    """Areas of one stratum each with `psus` PSUs from first_psu on; a PSU's effect depends on its number alone."""
    random = np.random.default_rng(seed)
    number = np.repeat(np.arange(first_psu, first_psu + psus), 6)
    parts = []
    for area in range(areas):
        y = (
            3.0 * area
            + move * area**2
            + 2 * np.sin(7.0 * number + area)
            + random.normal(size=len(number))
        )
        parts.append(
            pd.DataFrame(
                {"area": f"c{area}", "psu": number, "w": 1.0 + number % 3, "y": y, "z": -y}
            )
        )
    return pd.concat(parts, ignore_index=True)


def estimated(rows, measures="y", **options):
    return estimate(
        SurveyDesign(rows, strata="area", psu="psu", base_weight="w", **options),
        measures,
        by="area",
    )


@pytest.fixture(scope="module")
def waves():
    """Four waves that share a quarter of their PSUs with the next."""
    return {f"q{i}": estimated(wave(i, first_psu=6 * i, move=0.2 * i)) for i in range(4)}


# ---- reference


def test_projection_bounds_equal_the_reference():
    table, stored = pisa(bounds="dunnett").table, GOLDEN["dunnett"]
    assert table["rise_low"].tolist() == stored["rise_lo"]
    assert table["rise_high"].tolist() == stored["rise_hi"]
    assert table["rank_before"].tolist() == GOLDEN["rank1"]
    assert table["rank_after"].tolist() == GOLDEN["rank2"]


@pytest.mark.parametrize("wave", ["1", "2"])
def test_ranks_of_one_wave_equal_the_reference(wave):
    se = np.array(GOLDEN[f"s{wave}"])
    pairs = compare_units(
        np.array(GOLDEN[f"x{wave}"]), cov=np.diag(se**2), df=np.full(len(se), np.inf)
    )
    low, high = rise_bounds.dunnett_ranks(pairs, GOLDEN["alpha"] / 2)
    assert (low.tolist(), high.tolist()) == (
        GOLDEN["dunnett"][f"L{wave}"],
        GOLDEN["dunnett"][f"U{wave}"],
    )


def test_only_icelands_fall_is_guaranteed():
    table = pisa(names=GOLDEN["names"]).table
    assert table.loc[table["rise_high"] < 0, "unit"].tolist() == ["Iceland"]
    assert not (table["rise_low"] > 0).any()


# ---- score change


def test_score_change_and_its_se_are_those_of_the_full_covariance(waves):
    later, earlier = waves["q1"], waves["q0"]
    found, plain = rank_change(later, earlier, **FEW), score_change(later, earlier).table
    both = combine_waves({"later": later, "earlier": earlier})
    p = len(plain)
    centred = np.eye(p) - 1 / p
    matrix = np.hstack([centred, -centred])
    np.testing.assert_allclose(found.table["change"], plain["difference"], rtol=ROUNDING)
    np.testing.assert_allclose(
        found.table["relative_change"], matrix @ both.table["estimate"], rtol=1e-9
    )
    np.testing.assert_allclose(
        found.table["se"], np.sqrt(np.diag(matrix @ both.cov @ matrix.T)), rtol=1e-9
    )
    assert found.summary["shared_psus"] == both.conventions["shared_psus"] == 2 * p
    assert np.abs(np.diag(found.waves.cross)).min() > 0
    p_value = 2 * stats.t.sf(np.abs(found.table["t"]), found.table["df"])
    np.testing.assert_allclose(found.table["p"], p_value, rtol=1e-9)
    assert (found.table["p"] <= found.table["p_bh"] + ROUNDING).all()
    assert (found.table["p_bh"] <= found.table["p_holm"] + ROUNDING).all()


def test_the_df_of_a_relative_change_count_shared_psus_once(waves):
    later, earlier = waves["q1"], waves["q0"]
    found, both = (
        rank_change(later, earlier, **FEW).table,
        combine_waves({"later": later, "earlier": earlier}),
    )
    units = found["unit"].tolist()
    share = 1 / len(units)
    one = {}
    for unit in units:
        coefficient = (1 if unit == units[0] else 0) - share
        one |= {("later", unit, "y"): coefficient, ("earlier", unit, "y"): -coefficient}
    assert found["df"][0] == pytest.approx(both.contrast({"first": one}).table["df"][0], rel=1e-12)


def test_relative_changes_add_to_nothing():
    assert pisa().table["relative_change"].sum() == pytest.approx(0, abs=1e-9)


def test_df_of_a_change_lie_between_the_smallest_and_the_total():
    random = np.random.default_rng(3)
    table = rank_change(
        random.normal(size=9), random.normal(size=9), se=np.full((2, 9), 0.5), df=23, **FEW
    ).table
    assert table["df"].between(23, 23 * 18).all()


# ---- guarantees


def test_a_target_is_met_exactly_where_the_bound_says_so():
    random = np.random.default_rng(5)
    p, alpha = 12, 0.05
    for _ in range(20):
        pairs = [
            compare_units(
                random.normal(0, 4, p).round(1),
                cov=np.diag(random.uniform(0.2, 1, p) ** 2),
                df=np.full(p, 20.0),
            )
            for _ in range(2)
        ]
        claims = [rise_bounds.rank_claims(one) for one in pairs]
        low, high = rise_bounds.project(*(rise_bounds.simes_ranks(one, alpha / 2) for one in pairs))
        for places in range(1, p):
            met, not_met = rise_bounds.change_tests(*claims, places)
            np.testing.assert_array_equal(met <= alpha, low >= places)
            np.testing.assert_array_equal(not_met <= alpha, high < places)


def test_counts_are_those_of_closed_testing():
    from satisfaction.ranking.sets import count_false

    p_values = np.random.default_rng(7).uniform(size=(40, 11)) ** 4
    for alpha in (0.01, 0.05, 0.3):
        found = rise_bounds.counts(p_values, independent=True)
        np.testing.assert_array_equal(
            (found[:, 1:] <= alpha).sum(axis=1), count_false(p_values, alpha)
        )


def test_dependent_units_are_tested_without_independence():
    random, p = np.random.default_rng(11), 6
    root = random.normal(size=(2 * p, 2 * p))
    found = rank_change(
        np.arange(p) * 3.0,
        np.arange(p)[::-1] * 3.0,
        cov=root @ root.T / 20,
        bounds="dunnett",
        **FEW,
    )
    assert not found.summary["independent"]
    assert found.summary["bounds"] == "simes"
    assert "Bonferroni" in found.summary["guaranteed"]
    assert "Holm" in found.summary["guaranteed"]
    assert "ignore" in found.summary["probabilities"]


def test_bounds_hold_the_published_change_and_the_table_is_wider_than_the_unit():
    table = pisa().table
    assert (table["all_low"] <= table["rise_low"]).all()
    assert (table["rise_low"] <= table["rise"]).all()
    assert (table["rise"] <= table["rise_high"]).all()
    assert (table["rise_high"] <= table["all_high"]).all()


def psu_means(random, truth, *, psus=24, shared=6, spread=7.0):
    """Scores, variances of two waves of (2, p) true scores: means of PSUs, some of them in both waves."""
    p = truth.shape[1]
    lasting = random.normal(size=(p, 2 * psus - shared))
    for row, start in zip(truth, (0, psus - shared), strict=True):
        y = row[:, None] + spread * (
            0.9 * lasting[:, start : start + psus] + 0.44 * random.normal(size=(p, psus))
        )
        yield compare_units(
            y.mean(axis=1), cov=np.diag(y.var(axis=1, ddof=1) / psus), df=np.full(p, psus - 1.0)
        )


FAR = 100.0
HARDEST = {  # unit 0 rises 4 places, and one error in any of 15 (of 2) comparisons makes it 5
    "many ties": ([0.0] + [FAR] * 12 + [0.0] * 7, [0.0] + [1e-6] * 8 + [-FAR] * 11),
    "one tie a wave": (
        [0.0] + [FAR] * 12 + [0.0] + [-FAR] * 6,
        [0.0, 1e-6] + [FAR] * 7 + [-FAR] * 11,
    ),
}


@pytest.mark.parametrize("case", HARDEST)
@pytest.mark.parametrize("swapped", [False, True])
def test_false_verdicts_stay_under_five_percent_with_estimated_se_overlap_and_ties(case, swapped):
    random, runs, alpha = np.random.default_rng(2026), 400, 0.05
    truth = np.array(HARDEST[case])
    truth = -truth[::-1] if swapped else truth
    places, ranks = 5, [1 + np.sum(row > row[:, None], axis=1) for row in truth]
    rose = ranks[0] - ranks[1] >= places
    wrong = np.zeros((4, truth.shape[1]))
    for _ in range(runs):
        before, after = psu_means(random, truth)
        claims = rise_bounds.rank_claims(before), rise_bounds.rank_claims(after)
        met, not_met = rise_bounds.change_tests(*claims, places)
        goal = competition_rank(before) - places
        published_met, published_not = rise_bounds.new_rank_tests(claims[1], goal)
        wrong += [
            (met <= alpha) & ~rose,
            (not_met <= alpha) & rose,
            (published_met <= alpha) & (ranks[1] > goal),
            (published_not <= alpha) & (ranks[1] <= goal),
        ]
    # 5 % is promised to each unit; three standard errors of 400 runs are 3.3 %, and the largest of 20 units is looked at
    assert wrong.max() / runs <= 0.05 + 0.033
    assert wrong.mean(axis=1).max() / runs <= 0.05


# ---- probabilities


def sampled_waves(random, change_sd, p=88):
    """The province of the reference simulation: true scores with sd 4, 120 to 400 respondents with item sd 20."""
    first = random.normal(75, 4, p)
    truth = np.array([first, first + change_sd * random.normal(size=p)])
    se = 20 / np.sqrt(random.uniform(120, 400, (2, p)))
    return truth, truth + se * random.normal(size=(2, p)), se


def test_without_true_change_a_third_of_the_counties_rise_five_places():
    random, seen, promised = np.random.default_rng(88), [], []
    for _ in range(15):
        _, x, se = sampled_waves(random, 0.0)
        found = rank_change(x[1], x[0], se=se[::-1], comparable=True, draws=1_000)
        seen.append(found.summary["rising"])
        promised.append(found.summary["expected_rising"])
        assert found.summary["guaranteed_rising"] == 0
    assert np.mean(seen) / 88 == pytest.approx(0.31, abs=0.03)  # two_wave_results.json: 27.42 of 88
    assert np.mean(promised) < 8


@pytest.mark.parametrize("change_sd", [1.5, 3.0])
def test_probabilities_of_a_rise_are_calibrated(change_sd):
    """Over provinces of which two in three change as a whole, the others in one county of five; and each kind lies in the range."""
    random = np.random.default_rng(5)
    promised, happened, low, high, few = [], [], [], [], []
    for province in range(21):
        truth, x, se = sampled_waves(random, change_sd)
        in_few = province % 3 == 0
        if in_few:
            still = random.random(88) < 0.8
            x[1, still] -= (truth[1] - truth[0])[still]
            truth[1, still] = truth[0, still]
        found = rank_change(x[1], x[0], se=se[::-1], comparable=True, draws=1_000)
        ranks = stats.rankdata(-truth, axis=1)
        promised.append(found.table["probability_rise"].to_numpy(float))
        low.append(found.table["probability_rise_low"].to_numpy(float))
        high.append(found.table["probability_rise_high"].to_numpy(float))
        happened.append(ranks[0] - ranks[1] >= 5)
        few.append(np.full(88, in_few))
    columns = [np.concatenate(parts) for parts in (promised, happened, low, high, few)]
    promised, happened, low, high, few = columns
    for least, most in ((0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 1.01)):
        there = (promised >= least) & (promised < most)
        stated = pytest.approx(promised[there].mean(), abs=0.07)
        assert happened[there].mean() == stated, (least, most)
        for kind in (there & few, there & ~few):
            if kind.sum() < 100:
                continue
            share = happened[kind].mean()
            assert low[kind].mean() - 0.07 <= share <= high[kind].mean() + 0.07, (least, most)


def test_the_rises_of_those_who_rose_most_are_shrunk():
    random = np.random.default_rng(8)
    _, x, se = sampled_waves(random, 0.0)
    found = rank_change(x[1], x[0], se=se[::-1], comparable=True)
    best = found.table.nlargest(10, "rise")
    assert best["rise"].mean() > 10
    assert abs(best["expected_rise"].mean()) < 5
    assert (best["shrunk_change"].abs() < best["relative_change"].abs()).all()


def noisy(seed=1, p=30):
    random = np.random.default_rng(seed)
    truth = random.normal(0, 3, (p, 2)) @ np.array([[1, 0.8], [0, 0.6]])
    root = random.normal(0, 0.7, (p, 2, 2))
    noise = root @ root.transpose(0, 2, 1)
    return truth + np.einsum("jab,jb->ja", root, random.normal(size=(p, 2))), noise


def test_reml_is_the_optimum_of_the_restricted_likelihood():
    x, noise = noisy()
    p = len(x)
    effects = np.tile(np.eye(2), (p, 1))

    def minus_log_likelihood(cholesky):
        factor = np.array([[cholesky[0], 0], [cholesky[1], cholesky[2]]])
        cov = np.zeros((2 * p, 2 * p))
        for j in range(p):
            cov[2 * j : 2 * j + 2, 2 * j : 2 * j + 2] = factor @ factor.T + noise[j]
        weight = np.linalg.inv(cov)
        known = effects.T @ weight @ effects
        left = x.ravel() - effects @ np.linalg.solve(known, effects.T @ weight @ x.ravel())
        return (np.linalg.slogdet(cov)[1] + np.linalg.slogdet(known)[1] + left @ weight @ left) / 2

    best = optimize.minimize(
        minus_log_likelihood,
        [3, 2, 2],
        method="Nelder-Mead",
        options={"xatol": 1e-8, "fatol": 1e-12},
    )
    factor = np.array([[best.x[0], 0], [best.x[1], best.x[2]]])
    np.testing.assert_allclose(
        bayes.fit_two_waves(x, noise).between, factor @ factor.T, rtol=OPTIMUM
    )


def test_gradient_is_that_of_the_deviance():
    x, noise = noisy(2)
    half = np.array([1.2, 0.4, 0.8])
    numeric = optimize.approx_fprime(half, lambda at: bayes.deviance(at, x, noise)[0], 1e-7)
    np.testing.assert_allclose(bayes.deviance(half, x, noise)[1], numeric, rtol=1e-4)


def test_posterior_is_the_conditional_normal_distribution():
    x, noise = noisy(3)
    between = np.array([[4.0, 1.5], [1.5, 2.0]])
    centre, mean, cov = bayes.two_wave_posterior(x, noise, between=between)
    joint = between @ np.linalg.inv(between + noise[0])
    np.testing.assert_allclose(mean[0], centre + joint @ (x[0] - centre), rtol=1e-9)
    np.testing.assert_allclose(cov[0], between - joint @ between, atol=1e-9)


def test_expected_rise_and_new_rank_agree_with_the_draws():
    x, noise = noisy(4)
    known = bayes.fit_two_waves(x, noise)
    drawn = bayes.rank_draws(known.mean, known.cov, draws=10_000, seed=1)
    sd = np.sqrt(np.stack([known.cov[:, 0, 0], known.cov[:, 1, 1]]))
    each = np.ones(len(x))
    mean_ranks = [bayes.mean_rank(known.mean[:, wave], sd[wave], each) for wave in (0, 1)]
    expected = mean_ranks[0] - mean_ranks[1]
    np.testing.assert_allclose(expected, (drawn[:, :, 0] - drawn[:, :, 1]).mean(axis=0), atol=0.25)
    exact = bayes.few_ahead(known.mean[:, 1], np.sqrt(known.cov[:, 1, 1]), 6)
    np.testing.assert_allclose((drawn[:, :, 1] <= 6).mean(axis=0), exact, atol=MONTE_CARLO)


def test_probabilities_are_read_off_one_distribution():
    found = pisa(places=3)
    np.testing.assert_allclose(found.rise_frequency.sum(axis=1), 1)
    np.testing.assert_allclose(
        found.probability_rise(3), found.table["probability_rise"], rtol=ROUNDING
    )
    assert found.probability_rise(-36).min() == pytest.approx(1)
    assert found.probability_rise(37).max() == 0
    assert list(pisa(names=GOLDEN["names"]).probability_rise(5).index) == GOLDEN["names"]


# ---- identities


def test_no_change_and_no_error_give_the_exact_rank_change():
    for score in (np.array([5.0, 3.0, 4.0, 9.0, 1.0]), np.array([5.0, 3.0, 3.0, 9.0, 1.0])):
        table = rank_change(score, score, se=np.zeros((2, 5)), **FEW).table
        # a tie stays open to either side, in bounds as in rank sets
        bounds = ("rise_low", "rise_high", "all_low", "all_high") if len(set(score)) == 5 else ()
        for name in ("change", "relative_change", "rise", "expected_rise", *bounds):
            np.testing.assert_allclose(table[name].to_numpy(float), 0, atol=1e-9)
        np.testing.assert_array_equal(table["p"], 1)
        np.testing.assert_array_equal(table["probability_rise"], 0)


def test_no_error_gives_the_exact_rank_change():
    before, after = np.array([5.0, 3.0, 2.0, 9.0, 1.0]), np.array([1.0, 9.0, 4.0, 8.0, 2.0])
    found = rank_change(
        after, before, se=np.zeros((2, 5)), comparable=True, places=1, bounds="dunnett"
    )
    wanted = competition(before) - competition(after)
    for name in ("rise", "rise_low", "rise_high", "all_low", "all_high", "expected_rise"):
        np.testing.assert_allclose(found.table[name].to_numpy(float), wanted, atol=1e-6)
    np.testing.assert_allclose(found.table["probability_rise"], wanted >= 1, atol=1e-6)


def competition(score):
    return 1 + np.sum(score > score[:, None], axis=1)


def test_swapping_the_waves_mirrors_everything(waves):
    forth, back = (
        rank_change(waves["q1"], waves["q0"], **FEW),
        rank_change(waves["q0"], waves["q1"], **FEW),
    )
    for name in ("change", "relative_change", "t", "shrunk_change", "expected_rise"):
        np.testing.assert_allclose(forth.table[name], -back.table[name], rtol=1e-5, atol=1e-6)
    for name in ("se", "df", "p", "shrunk_sd"):
        np.testing.assert_allclose(forth.table[name], back.table[name], rtol=1e-6, atol=1e-9)
    for low, high in (("rise_low", "rise_high"), ("all_low", "all_high")):
        np.testing.assert_array_equal(forth.table[low], -back.table[high])
    np.testing.assert_array_equal(forth.table["rise"], -back.table["rise"])
    rose, fell = forth.probability_rise(1), 1 - back.probability_rise(0)
    np.testing.assert_allclose(rose, fell, atol=0.05)  # 2000 draws each


def test_turning_the_scores_round_changes_signs_only():
    up, down = pisa(), rank_change(*([-np.array(GOLDEN[x]) for x in ("x2", "x1")]), se=(GOLDEN["s2"], GOLDEN["s1"]),
                                   comparable=True, higher_is_better=False)  # fmt: skip
    for name in ("change", "relative_change", "shrunk_change"):
        np.testing.assert_allclose(up.table[name], -down.table[name], rtol=1e-9)
    for name in ("rise", "rise_low", "rise_high", "all_low", "all_high", "probability_rise"):
        np.testing.assert_array_equal(up.table[name], down.table[name])


@given(st.permutations(range(7)), st.booleans())
@settings(max_examples=15, deadline=None)
def test_the_order_of_the_rows_does_not_matter(order, dependent):
    order = np.array(order)
    random = np.random.default_rng(17)
    later, earlier, root = (
        random.normal(0, 3, 7),
        random.normal(0, 3, 7),
        random.normal(size=(14, 14)),
    )
    cov = root @ root.T / 14 if dependent else np.diag(random.uniform(0.1, 1, 14))
    both = np.concatenate([order, 7 + order])
    plain = rank_change(later, earlier, cov=cov, **FEW).table
    moved = rank_change(later[order], earlier[order], cov=cov[np.ix_(both, both)], **FEW).table
    # the optimum is found to rounding of sums in another order, which a draw near a tie may feel
    for name in plain.columns.drop(["unit"]):
        np.testing.assert_allclose(
            moved[name].to_numpy(float), plain[name].to_numpy(float)[order], rtol=1e-5, atol=2e-3
        )


def test_areas_are_matched_by_name():
    later, earlier = wave(1, first_psu=6, move=0.2), wave(0)
    mixed = later.iloc[np.random.default_rng(0).permutation(len(later))]
    shuffled = estimated(mixed.assign(area=mixed["area"].map(lambda name: f"k{9 - int(name[1])}")))
    plain = estimated(earlier.assign(area=earlier["area"].map(lambda name: f"k{9 - int(name[1])}")))
    again = rank_change(estimated(later), estimated(earlier), **FEW).table.iloc[::-1]
    found = rank_change(shuffled, plain, **FEW).table
    np.testing.assert_allclose(found["t"], again["t"], rtol=1e-9)


def test_the_same_seed_gives_the_same_probabilities_and_another_one_others():
    first, second, other = (
        pisa(draws=2_000, seed=seed).table["probability_rise"] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


# ---- what takes part, what is declared


def test_units_not_ranked_keep_their_row_and_do_not_count():
    taking_part = np.arange(6) != 2
    random = np.random.default_rng(2)
    later, earlier, se = random.normal(size=6), random.normal(size=6), np.full((2, 6), 0.3)
    gap = rank_change(
        np.where(taking_part, later, np.nan), earlier, se=se, ranked=taking_part, **FEW
    )
    alone = rank_change(later[taking_part], earlier[taking_part], se=se[:, taking_part], **FEW)
    kept = gap.table[taking_part].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept.drop(columns="unit"), alone.table.drop(columns="unit"))
    assert gap.table.drop(columns=["unit", "before"]).iloc[2].isna().all()
    assert gap.summary["not_ranked"] == ("3",)
    assert np.isnan(gap.probability_rise(2)["3"])


@pytest.mark.parametrize("selection", ["quota", "open_link"])
def test_without_a_probability_sample_there_are_scores_and_ranks_only(selection):
    found, proper = pisa(selection=selection), pisa()
    for name in (
        "se",
        "t",
        "p",
        "p_bh",
        "p_holm",
        "rise_low",
        "all_high",
        "shrunk_change",
        "expected_rise",
        "probability_rise",
    ):
        assert found.table[name].isna().all()
    np.testing.assert_array_equal(found.table["rise"], proper.table["rise"])
    assert any("变化有多确定未知" in note for note in map(str, found.summary["notes"]))


def test_the_weaker_selection_of_both_waves_holds(waves):
    weak = estimated(wave(1, first_psu=6), selection="quota")
    for pair in ((weak, waves["q0"]), (waves["q0"], weak)):
        assert rank_change(*pair, **FEW).summary["selection"] == "quota"


def test_every_convention_is_declared():
    summary = pisa(level=0.9, places=4, seed=7, draws=3_000).summary
    wanted = {
        "level": 0.9,
        "places": 4,
        "seed": 7,
        "draws": 3_000,
        "bounds": "simes",
        "p": 37,
        "shared_psus": None,
    }
    assert {name: summary[name] for name in wanted} == wanted
    assert summary["comparable"] == "declared by the caller"
    assert "half of the error a wave" in summary["guaranteed"]
    assert "restricted likelihood" in summary["probabilities"]
    assert "Benjamini-Hochberg" in summary["tests"]


# ---- targets


@pytest.fixture(scope="module")
def rankings():
    names = list("abcdef")
    before = rank([9.0, 8.0, 7.0, 6.0, 5.0, 1.0], [0.1] * 6, df=23, bottom=1, names=names)
    after = rank([9.0, 3.0, 2.0, 2.1, 1.0, 12.0], [0.1] * 6, df=23, bottom=1, names=names)
    return after, before


@pytest.mark.parametrize("base", ["published", "estimated"])
def test_rise_verdicts(rankings, base):
    after, before = rankings
    found = after.target("rise", 5, since=before, base=base, comparable=True)
    assert found.table["verdict"].tolist() == ["not met"] * 5 + ["met"]
    np.testing.assert_allclose(found.table["probability"], [0] * 5 + [1], atol=1e-3)
    assert (found.kind, found.places, found.summary["base"]) == ("rise", 5, base)
    assert "independent" in found.summary["relation"]


def test_a_close_call_is_not_decidable(rankings):
    after, _ = rankings
    held = dict(zip("abcdef", (1, 2, 4, 5, 3, 6), strict=True))
    found = after.target("rise", 1, since=held, comparable=True)
    assert found.table["verdict"].tolist() == [
        "not met",
        "not met",
        "not met",
        "not decidable",
        "not met",
        "met",
    ]
    again = after.target(
        "rise", 1, since={**held, "zz": 7}, base="published", comparable=True
    ).table
    pd.testing.assert_frame_equal(again, found.table)


def test_a_mapping_of_ranks_is_the_published_base(rankings):
    after, before = rankings
    ranks = dict(zip(before.table["unit"], before.table["rank"].astype(int), strict=True))
    by_hand, by_ranking = (
        after.target("rise", 2, since=since, comparable=True).table for since in (ranks, before)
    )
    np.testing.assert_array_equal(by_hand["p_met"], by_ranking["p_met"])
    assert by_hand["verdict"].tolist() == by_ranking["verdict"].tolist()


def test_published_is_never_less_decided_than_estimated():
    se = GOLDEN["s2"], GOLDEN["s1"]
    after, before = (
        rank(GOLDEN[x], s, names=GOLDEN["names"]) for x, s in zip(("x2", "x1"), se, strict=True)
    )
    published, both = (
        after.target("rise", 2, since=before, base=base, comparable=True).table
        for base in ("published", "estimated")
    )
    decided = [(table["verdict"] != "not decidable").sum() for table in (published, both)]
    assert decided[0] > decided[1] > 0
    change = rank_change(GOLDEN["x2"], GOLDEN["x1"], se=se, comparable=True)
    np.testing.assert_array_equal(both["verdict"] == "met", change.table["rise_low"] >= 2)
    np.testing.assert_array_equal(both["verdict"] == "not met", change.table["rise_high"] < 2)
    np.testing.assert_allclose(both["probability"], change.probability_rise(2), rtol=ROUNDING)


def test_targets_from_estimates_use_the_shared_psus(waves):
    after, before = rank(waves["q1"], bottom=1), rank(waves["q0"], bottom=1)
    found = after.target("rise", 1, since=before, base="estimated", comparable=True)
    change = rank_change(waves["q1"], waves["q0"], comparable=True, places=1).table
    np.testing.assert_allclose(
        found.table["probability"], change["probability_rise"], rtol=ROUNDING
    )
    assert "PSUs" in found.summary["relation"]


def test_units_not_ranked_have_no_verdict():
    taking_part = np.array([True, True, False, True])
    after, before = (
        rank(
            [1.0, 2.0, np.nan, 4.0][::step],
            [0.1] * 4,
            ranked=taking_part[::step],
            bottom=1,
            names="abcd"[::step],
        )
        for step in (1, -1)
    )
    found = after.target("rise", 1, since=before, comparable=True).table
    assert found["verdict"].tolist() == ["not met", "not met", "not ranked", "not met"]


@pytest.mark.parametrize("base", ["published", "estimated"])
def test_without_a_probability_sample_no_target_is_decided(rankings, base):
    _, before = rankings
    after = rank(
        [9.0, 3.0, 2.0, 2.1, 1.0, 12.0],
        [0.1] * 6,
        bottom=1,
        names=list("abcdef"),
        selection="quota",
    )
    found = after.target("rise", 2, since=before, base=base, comparable=True).table
    assert set(found["verdict"]) == {"not decidable"}
    assert found[["p_met", "p_not_met", "probability"]].isna().all(axis=None)


def test_a_goal_above_the_first_rank_cannot_be_met(rankings):
    after, before = rankings
    assert after.target("rise", 5, since=before, comparable=True).table["p_not_met"][0] == 0


# ---- rolling indices


def test_rolling_is_the_contrast_of_the_waves(waves):
    names = list(waves)[1:]
    found = rolling({name: waves[name] for name in names})
    both = combine_waves({name: waves[name] for name in names})
    by_hand = both.contrast({"c2": {(name, "c2", "y"): 1 / 3 for name in names}}).table
    row = found.table[found.table["area"] == "c2"].iloc[0]
    for name in ("estimate", "se", "df"):
        assert row[name] == pytest.approx(by_hand[name][0], rel=ROUNDING)
    assert row["n"] == sum(waves[name].table["n"][2] for name in names)
    assert found.conventions["rolling"] == names
    assert found.conventions["shared_psus"] == 0


def test_the_change_of_a_rolling_index_is_the_change_of_the_waves_that_enter_and_leave(waves):
    now = rolling({name: waves[name] for name in ("q1", "q2")})
    then = rolling({name: waves[name] for name in ("q0", "q1")})
    windows, ends = score_change(now, then).table, score_change(waves["q2"], waves["q0"]).table
    np.testing.assert_allclose(windows["difference"], ends["difference"] / 2, rtol=1e-9)
    np.testing.assert_allclose(windows["se"], ends["se"] / 2, rtol=1e-9)


def test_a_rolling_index_can_be_ranked(waves):
    found = rank(rolling(waves), bottom=1)
    assert found.table["rank"].tolist() == [5, 4, 3, 2, 1]
    assert (found.table["se"] < rank(waves["q3"], bottom=1).table["se"]).all()


def test_a_rolling_index_has_the_selection_of_its_weakest_wave(waves):
    weak = rolling({"q0": estimated(wave(0), selection="quota"), "q1": waves["q1"]})
    assert weak.conventions["selection"] == "quota"
    assert rank(weak, bottom=1).summary["selection"] == "quota"


# ---- comparability


def test_the_same_questionnaire_is_comparable():
    city = read_questionnaire(CITY)
    found = comparability(city, city.model_copy(update={"version": "2026-2"}), "satisfaction_index")
    assert found.same
    assert "civilised-city@2026-2" in pisa_declared(found)


def pisa_declared(comparable):
    return rank_change(
        GOLDEN["x2"], GOLDEN["x1"], se=(GOLDEN["s2"], GOLDEN["s1"]), comparable=comparable
    ).summary["comparable"]


def test_what_changed_is_named_and_refused():
    city = read_questionnaire(CITY)
    scale = city.items["overall"].scale
    answers = dict(city.scales[scale].answers)
    answers[max(answers)] = answers[max(answers)].model_copy(update={"counts": False})
    scales = city.scales | {scale: city.scales[scale].model_copy(update={"answers": answers})}
    changed = city.model_copy(update={"version": "2026-2", "scales": scales})
    found = comparability(changed, city, "satisfaction")
    assert found.differences == (f"satisfaction.overall.answers.{max(answers)}.counts",)
    assert comparability(changed, city, "participation").same
    with pytest.raises(RankingError, match=r"satisfaction\.overall\.answers") as caught:
        pisa_declared(found)
    assert caught.value.code == "K142"


def test_weights_universe_and_instrument_are_compared():
    city, phone = read_questionnaire(CITY), read_questionnaire(PHONE)
    index = city.indices["composite"]
    heavier = index.model_copy(
        update={"weights": {**index.weights, "awareness": 0.25, "participation": 0.05}}
    )
    weighted = city.model_copy(update={"indices": city.indices | {"composite": heavier}})
    assert {
        path.split(".")[1] for path in comparability(weighted, city, "composite").differences
    } == {"weights"}
    moved = city.model_copy(update={"universe": phone.universe})
    assert any(
        path.startswith("universe") for path in comparability(moved, city, "awareness").differences
    )
    assert (
        "questionnaire"
        in comparability(
            phone, city, phone.ranked if phone.ranked in city.indices else "satisfaction"
        ).differences
    )


# ---- refusals


SE = np.full((2, 6), 0.5)
SCORES = np.arange(6.0)


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("K141", {"comparable": None}),
        ("K141", {"comparable": "yes"}),
        ("K142", {"comparable": False}),
        ("K143", {"se": None}),
        ("K143", {"cov": np.eye(12)}),
        ("K144", {"se": None, "cov": np.eye(12) + np.eye(12, k=1) / 2}),
        ("K144", {"se": None, "cov": np.eye(12) - 2 * np.eye(12, k=6) - 2 * np.eye(12, k=-6)}),
        ("K144", {"se": None, "cov": np.where(np.eye(12) == 1, np.nan, 0.0)}),
        ("K101", {"se": None, "cov": np.eye(6)}),
        ("K101", {"se": SE[:, :5]}),
        ("K101", {"earlier": SCORES[:5]}),
        ("K101", {"later": SCORES[None]}),
        ("K104", {"se": -SE}),
        ("K106", {"selection": "random"}),
        ("K109", {"earlier": np.append(SCORES[:5], np.nan)}),
        ("K148", {"bounds": "tukey"}),
        ("K149", {"places": 6}),
        ("K149", {"places": 0}),
        ("K149", {"places": 1.0}),
        ("K149", {"level": 95}),
        ("K149", {"draws": 10}),
    ],
)
def test_refusals_have_stable_codes(code, arguments):
    with pytest.raises(RankingError) as caught:
        rank_change(
            **({"later": SCORES, "earlier": SCORES, "se": SE, "comparable": True} | arguments)
        )
    assert caught.value.code == code
    assert any("\u4e00" <= letter <= "\u9fff" for letter in caught.value.zh)


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("K145", lambda q: rank_change(q["q0"], estimated(wave(1, areas=4)), **FEW)),
        ("K146", lambda q: rank_change(q["q0"], SCORES[:5], **FEW)),
        ("K146", lambda q: rank_change(q["q0"], q["q1"], se=SE[:, :5], **FEW)),
        ("K147", lambda q: rank_change(q["q0"], estimated(wave(1), ["y", "z"]), **FEW)),
        (
            "K147",
            lambda q: rolling({"a": q["q0"], "b": estimated(wave(1), ["y", "z"])}),
        ),
        (
            "K145",
            lambda q: rolling({"a": q["q0"], "b": estimated(wave(1, areas=4))}),
        ),
        ("K155", lambda q: rolling({"q0": q["q0"]})),
        (
            "K140",
            lambda q: comparability(read_questionnaire(CITY), read_questionnaire(CITY), "nothing"),
        ),
    ],
)
def test_waves_refused(waves, code, call):
    with pytest.raises(RankingError) as caught:
        call(waves)
    assert caught.value.code == code
    assert any("\u4e00" <= letter <= "\u9fff" for letter in caught.value.zh)


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("K121", {"places": 6}),
        ("K141", {"comparable": None}),
        ("K142", {"comparable": False}),
        ("K150", {"base": "guessed"}),
        ("K151", {"since": None}),
        ("K151", {"since": {"a": 1}, "base": "estimated"}),
        (
            "K151",
            {"since": rank(SCORES, SE[0], names=list("abcdef"), bottom=1, higher_is_better=False)},
        ),
        ("K145", {"since": rank(SCORES, SE[0], bottom=1)}),
        (
            "K145",
            {"since": rank(SCORES, SE[0], names=list("abcdef"), bottom=1, ranked=np.arange(6) > 0)},
        ),
        ("K152", {"since": {"a": 1}}),
        ("K152", {"since": dict.fromkeys("abcdef", 7)}),
        ("K152", {"since": dict.fromkeys("abcdef", 1.5)}),
    ],
)
def test_targets_refused(rankings, code, arguments):
    after, before = rankings
    with pytest.raises(RankingError) as caught:
        after.target("rise", **({"places": 2, "since": before, "comparable": True} | arguments))
    assert caught.value.code == code


def test_inputs_are_unchanged():
    before = json.dumps(GOLDEN)
    later, earlier, se = (
        np.array(GOLDEN["x2"]),
        np.array(GOLDEN["x1"]),
        np.array([GOLDEN["s2"], GOLDEN["s1"]]),
    )
    copies = later.copy(), earlier.copy(), se.copy()
    found = rank_change(later, earlier, se=se, **FEW)
    for given_array, copy in zip((later, earlier, se), copies, strict=True):
        np.testing.assert_array_equal(given_array, copy)
    with pytest.raises(TypeError):
        found.summary["level"] = 0.5
    assert json.dumps(GOLDEN) == before
