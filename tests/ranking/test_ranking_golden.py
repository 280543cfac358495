"""The ranking kernels against R (see golden/README.md)."""

import numpy as np
import pytest
from scipy import stats

import golden_values
from satisfaction.ranking import membership
from satisfaction.ranking import probability as bayes
from satisfaction.ranking.pairs import compare_units, competition_rank, others
from satisfaction.ranking.rank import rank
from satisfaction.ranking.sets import MARGINAL, SIMULTANEOUS

CASES = ("det_pisa2018_math", "det_synthetic88_a")


def golden(name):
    return golden_values.golden(f"ranks/{name}")


def known(score, se):
    """Pairs of independent units with known se."""
    score, se = np.asarray(score, float), np.asarray(se, float)
    return compare_units(score, cov=np.diag(se**2), df=np.full(len(score), np.inf))


@pytest.fixture(params=CASES)
def case(request):
    return golden(request.param)


@pytest.mark.parametrize(
    ("kernels", "method", "stored"),
    [
        (MARGINAL, "simes", "marg_simes_closed"),
        (MARGINAL, "holm", "marg_holm"),
        (SIMULTANEOUS, "tukey", "simul_tukey_kramer"),
        (SIMULTANEOUS, "holm", "simul_holm"),
    ],
)
def test_rank_sets(case, kernels, method, stored):
    sets = kernels[method](known(case["x"], case["se"]), case["alpha"])
    assert sets.low.tolist() == case[stored]["L"]
    assert sets.high.tolist() == case[stored]["U"]
    if "crit" in case[stored]:
        # qtukey iterates to about 1e-7; scipy's studentized_range agrees with ours to 1e-10 (test_ranking_properties)
        assert sets.critical == pytest.approx((case[stored]["crit"],) * 2, rel=1e-7)


def test_competition_ranks(case):
    assert competition_rank(known(case["x"], case["se"])).tolist() == case["rank"]


@pytest.mark.parametrize("which", range(4))
def test_membership_p_values(case, which):
    stored, pairs = case["membership"][which], known(case["x"], case["se"])
    last, first = (
        membership.bottom_membership(pairs, stored["tau"]),
        membership.top_membership(pairs, stored["tau"]),
    )
    close = {"rtol": 1e-10, "atol": 1e-300}
    np.testing.assert_allclose(last.p_in, stored["p_in_worst_simes"], **close)
    np.testing.assert_allclose(last.p_out, stored["p_notin_worst_simes"], **close)
    np.testing.assert_allclose(first.p_in, stored["p_in_best_simes"], **close)
    np.testing.assert_allclose(first.p_out, stored["p_notin_best_simes"], **close)
    q = others(pairs.p_better.T)
    bonferroni = membership.at_least(len(q) - stored["tau"], q, independent=False)
    np.testing.assert_allclose(bonferroni, stored["p_in_worst_bonf"], **close)


@pytest.mark.parametrize("which", range(4))
def test_list_verification(case, which):
    stored = case["setverify"][which]
    x, se = np.array(case["x"]), case["se"]
    assert membership.verify_list(known(x, se), stored["tau"]) == pytest.approx(
        stored["p_bottom_set"], rel=1e-10
    )
    assert membership.verify_list(known(-x, se), stored["tau"]) == pytest.approx(
        stored["p_top_set"], rel=1e-10
    )


def test_empirical_bayes(case):
    x, se, stored = np.array(case["x"]), np.array(case["se"]), case["eb"]
    assert bayes.between_variance(x, se) == pytest.approx(stored["tau2_reml"], rel=1e-4)
    model = bayes.posterior(x, se, tau2=stored["tau2_reml"])
    assert model.mu == pytest.approx(stored["mu"], rel=1e-10)
    assert model.rankability == pytest.approx(stored["rankability_median"], rel=1e-10)
    np.testing.assert_allclose(model.mean, stored["post_mean"], rtol=1e-10)
    np.testing.assert_allclose(model.sd, stored["post_sd"], rtol=1e-10)
    np.testing.assert_allclose(model.expected_rank(), stored["expected_rank"], atol=1e-6)
    for best, worst in zip(stored["p_best"], stored["p_worst"], strict=True):
        np.testing.assert_allclose(model.probability_top(best["tau"]), best["p"], atol=1e-5)
        np.testing.assert_allclose(model.probability_bottom(worst["tau"]), worst["p"], atol=1e-5)


def test_the_table_carries_the_kernels_results(case):
    rk = rank(case["x"], case["se"], bottom=10)
    tests, verified, stored = case["membership"][3], case["setverify"][3], case["eb"]
    assert tests["tau"] == verified["tau"] == 10
    assert rk.table["rank"].tolist() == case["rank"]
    assert rk.table["marginal_low"].tolist() == case["marg_simes_closed"]["L"]
    assert rk.table["marginal_high"].tolist() == case["marg_simes_closed"]["U"]
    assert rk.table["simultaneous_low"].tolist() == case["simul_tukey_kramer"]["L"]
    assert rk.table["simultaneous_high"].tolist() == case["simul_tukey_kramer"]["U"]
    p_in, p_out = np.array(tests["p_in_worst_simes"]), np.array(tests["p_notin_worst_simes"])
    expected = np.where(
        p_in <= 0.05, "established", np.where(p_out <= 0.05, "excluded", "possible")
    )
    assert rk.table["status"].tolist() == expected.tolist()
    assert len(set(expected)) == 3
    np.testing.assert_allclose(rk.table["probability_bottom"], stored["p_worst"][3]["p"], atol=1e-5)
    np.testing.assert_allclose(rk.table["expected_rank"], stored["expected_rank"], atol=1e-4)
    assert rk.summary["list_p"] == pytest.approx(verified["p_bottom_set"], rel=1e-10)
    assert rk.summary["tau2"] == pytest.approx(stored["tau2_reml"], rel=1e-4)


def test_joint_intervals_of_klein_wright_wieczorek():
    stored = golden("kww_traveltime2011")
    se = np.array(stored["moe90"]) / stats.norm.ppf(0.95)
    rk = rank(
        stored["est"], se, higher_is_better=False, level=stored["conf"], simultaneous="joint-ci"
    )
    assert rk.table["simultaneous_low"].tolist() == stored["unrounded"]["rank_lo"]
    assert rk.table["simultaneous_high"].tolist() == stored["unrounded"]["rank_hi"]
    assert rk.summary["critical_values"]["simultaneous"] == pytest.approx(
        (stored["z"],) * 2, rel=1e-9
    )


def test_joint_intervals_of_dependent_units_use_bonferroni():
    stored = golden("kww_traveltime2011")
    cov = np.diag((np.array(stored["moe90"]) / stats.norm.ppf(0.95)) ** 2)
    cov[0, 50] = cov[50, 0] = 1e-6
    rk = rank(
        stored["est"],
        cov=cov,
        higher_is_better=False,
        level=stored["conf"],
        simultaneous="joint-ci",
    )
    assert rk.table["simultaneous_low"].tolist() == stored["bonferroni"]["rank_lo"]
    assert rk.table["simultaneous_high"].tolist() == stored["bonferroni"]["rank_hi"]
    assert rk.summary["critical_values"]["simultaneous"] == pytest.approx(
        (stored["bonferroni"]["z"],) * 2, rel=1e-9
    )


@pytest.mark.parametrize(
    "which", [i for i, r in enumerate(golden("irank")["irank"]) if r["omega"] == 0]
)
def test_irank(which):
    stored = golden("irank")["irank"][which]
    score = np.array(stored["x"], float) * (-1 if stored["increasing"] else 1)
    assert competition_rank(known(score, np.ones(len(score)))).tolist() == stored["irank"]


def test_csranks_with_ties():
    stored = golden("csranks_ties10")
    single_step = next(
        r
        for r in stored["results_R100000"]
        if r["simul"] and not r["stepdown"] and r["cstype"] == "two-sided"
    )
    pairs = known(stored["inputs"]["x"], stored["inputs"]["se"])
    sets = SIMULTANEOUS["tukey"](pairs, 0.05)
    assert sets.low.tolist() == single_step["L"]
    assert sets.high.tolist() == single_step["U"]
    assert sets.critical[0] == pytest.approx(single_step["crit_by_step"][0], abs=0.02)
    assert competition_rank(pairs).tolist() == stored["results_exact_seed"][0]["rank"]


@pytest.mark.parametrize("name", ["eq10", "eq30"])
def test_icranks_tukey_with_equal_se(name):
    stored = next(
        r for r in golden("icranks")["results"] if r["case"] == name and r["method"] == "Tukey"
    )
    sets = SIMULTANEOUS["tukey"](known(-np.array(stored["y"]), stored["sigma"]), stored["alpha"])
    assert sets.low.tolist() == stored["lower"]
    assert sets.high.tolist() == stored["upper"]
