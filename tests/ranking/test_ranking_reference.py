"""Every case of golden/ranks against R: csranks, an independent script, RankingProject (see golden/README.md)."""

import numpy as np
import pytest
from scipy import stats

from golden_values import golden
from satisfaction.estimation.multiplicity import normal_scores
from satisfaction.ranking import critical_values as dunnett
from satisfaction.ranking import critical_values as maxt
from satisfaction.ranking import membership
from satisfaction.ranking import probability as bayes
from satisfaction.ranking.pairs import SHARES, compare_units, integer_rank
from satisfaction.ranking.rank import rank
from satisfaction.ranking.sets import marginal_maxt_sets, marginal_sets, maxt_sets

DET = ("det_pisa2018_math", "det_synthetic88_a")
CSRANKS = (
    "csranks_pisa2018_math_95",
    "csranks_pisa2018_math_90",
    "csranks_fullcov12",
    "csranks_ties10",
)
SIMULATED = (
    0.02  # two critical values, each of 100,000 draws (40,000 in one file): the README's tolerance
)


def reference(name):
    return golden(f"ranks/{name}")


def listed(value):
    """A JSON list; R writes a list of one as a number and an empty one as {}."""
    return value if isinstance(value, list) else [] if value == {} else [value]


def pairs_of(inputs):
    x = np.array(inputs["x"], float)
    cov = (
        np.array(inputs["Sigma"])
        if inputs.get("Sigma")
        else np.diag(np.array(inputs["se"], float) ** 2)
    )
    return compare_units(x, cov=cov, df=np.full(len(x), np.inf))


def runs(name, *, simul, stepdown):
    found = [
        r
        for r in reference(name)["results_R100000"]
        if (r["simul"], r["stepdown"]) == (simul, stepdown)
    ]
    assert {r["cstype"] for r in found} == {"two-sided", "lower", "upper"}
    return found


def inside(bound, band):
    return np.all(np.min(band, axis=0) <= bound) and np.all(bound <= np.max(band, axis=0))


def near(bound, stored):
    """At most two entries differ, by one or two places."""
    apart = np.abs(bound - np.array(stored))
    return np.count_nonzero(apart) <= 2 and apart.max() <= 2


# ---- csranks


@pytest.mark.parametrize("name", CSRANKS)
@pytest.mark.parametrize("stepdown", [False, True])
def test_simultaneous_sets_of_csranks(name, stepdown):
    pairs = pairs_of(reference(name)["inputs"])
    for run in runs(name, simul=True, stepdown=stepdown):
        sets = maxt_sets(pairs, 1 - run["coverage"], step_down=stepdown)
        steps = listed(run["crit_by_step"])
        assert sets.simulation.steps[0] == pytest.approx(steps[0], abs=SIMULATED)
        assert sets.critical == pytest.approx((steps[-1],) * 2, abs=SIMULATED)
        assert sets.simulation.error < SIMULATED / 2
        checks = {"lower": (("L", sets.low),), "upper": (("U", sets.high),)}
        for bound, values in checks.get(run["cstype"], (("L", sets.low), ("U", sets.high))):
            if stepdown:
                assert near(values, run[bound])
            else:
                assert inside(values, run[f"{bound}_band"])


@pytest.mark.parametrize("name", CSRANKS)
def test_marginal_sets_of_csranks(name):
    pairs = pairs_of(reference(name)["inputs"])
    for run in runs(name, simul=False, stepdown=False):
        alpha, sides = 1 - run["coverage"], 2 if run["cstype"] == "two-sided" else 1
        if pairs.independent:
            critical = dunnett.critical_values(pairs, alpha, sides)
        else:
            how = maxt.compared(pairs, alpha)
            critical = maxt.each_unit(
                pairs, how, alpha, draws=maxt.DRAWS, seed=maxt.SEED, sides=sides
            ).critical
        np.testing.assert_allclose(critical, run["crit_step1"], atol=SIMULATED)
        sets = marginal_sets(pairs.t, critical)
        if sides == 2:
            both = marginal_maxt_sets(pairs, alpha)
            np.testing.assert_array_equal([both.low, both.high], [sets.low, sets.high])
        assert run["cstype"] == "upper" or inside(sets.low, run["L_band"])
        assert run["cstype"] == "lower" or inside(sets.high, run["U_band"])


@pytest.mark.parametrize("name", CSRANKS)
def test_tau_best_and_tau_worst_of_csranks(name):
    stored = reference(name)
    pairs = pairs_of(stored["inputs"])
    for case in stored["tau_R100000"]:
        sets = maxt_sets(pairs, 1 - case["coverage"])
        best, worst = (
            membership.list_sets(sets.low, sets.high, side=side, places=case["tau"])
            for side in ("top", "bottom")
        )
        found = {
            "best": best.outer,
            "worst": worst.outer,
            "inner_best": best.inner,
            "inner_worst": worst.inner,
        }
        for key, flag in found.items():
            assert (1 + np.flatnonzero(flag)).tolist() == listed(case[key]), (case["tau"], key)


# ---- the independent R script


@pytest.mark.parametrize("name", DET)
@pytest.mark.parametrize(("sides", "key"), [(2, "marg_two_sided"), (1, "marg_one_sided")])
def test_exact_critical_values(name, sides, key):
    stored = reference(name)
    pairs = pairs_of(stored)
    critical = dunnett.critical_values(pairs, stored["alpha"], sides)
    np.testing.assert_allclose(critical, stored[key]["crit"], atol=1e-6)
    sets = marginal_sets(normal_scores(pairs.t, pairs.pair_df), critical)
    assert sets.low.tolist() == stored[key]["L"]
    assert sets.high.tolist() == stored[key]["U"]


@pytest.mark.parametrize("name", DET)
def test_infinite_and_huge_df_give_the_exact_critical_values(name):
    stored = reference(name)
    for df in (np.inf, 1e13):
        rk = rank(stored["x"], stored["se"], df=df, marginal="maxt")
        assert rk.table["marginal_low"].tolist() == stored["marg_two_sided"]["L"]
        assert rk.table["marginal_high"].tolist() == stored["marg_two_sided"]["U"]
        crit = stored["marg_two_sided"]["crit"]
        assert rk.summary["critical_values"]["marginal"] == pytest.approx(
            (min(crit), max(crit)), abs=1e-6
        )


@pytest.mark.parametrize("name", DET)
def test_between_variance_by_maximum_likelihood(name):
    stored = reference(name)
    assert bayes.between_variance(
        np.array(stored["x"]), np.array(stored["se"]), "ml"
    ) == pytest.approx(stored["eb"]["tau2_ml"], rel=1e-4)
    rk = rank(stored["x"], stored["se"], between="ml")
    assert rk.summary["tau2"] == pytest.approx(stored["eb"]["tau2_ml"], rel=1e-4)
    assert "ML tau2" in rk.summary["probabilities"]
    assert "REML" not in rk.summary["probabilities"]
    assert rk.table["probability_bottom"].sum() == pytest.approx(10, abs=1e-8)


@pytest.mark.parametrize("name", DET)
def test_probabilities_on_one_grid(name):
    stored = reference(name)
    model = bayes.posterior(
        np.array(stored["x"]), np.array(stored["se"]), tau2=stored["eb"]["tau2_reml"]
    )
    for case in stored["eb"]["p_best"]:
        sd = np.maximum(model.sd, 1e-9)
        grid = np.arange(
            model.mean.min() - 8 * sd.max(), model.mean.max() + 8 * sd.max(), 0.05 * sd.min()
        )
        found = bayes.few_ahead_on_one_grid(model.mean, sd, case["tau"], grid=grid)
        np.testing.assert_allclose(found, case["p"], atol=1e-5)
        np.testing.assert_allclose(
            found, bayes.few_ahead(model.mean, model.sd, case["tau"]), atol=1e-10
        )


@pytest.mark.parametrize("name", DET)
def test_bonferroni_form_on_request(name):
    stored = reference(name)
    for case in stored["membership"]:
        tests = membership.bottom_membership(pairs_of(stored), case["tau"], "bonferroni")
        np.testing.assert_allclose(tests.p_in, case["p_in_worst_bonf"], rtol=1e-10, atol=1e-300)


# ---- irank, and the joint region


@pytest.mark.parametrize("which", range(32))
def test_irank_with_every_share(which):
    case = reference("irank")["irank"][which]
    score = np.array(case["x"], float) * (-1 if case["increasing"] else 1)
    ahead = score - score[:, None]
    found = integer_rank((ahead > 0).sum(axis=1), (ahead == 0).sum(axis=1), case["omega"])
    assert found.tolist() == case["irank"]
    for ties, share in SHARES.items():
        if share == case["omega"]:
            rk = rank(score, np.ones(len(score)), bottom=1, ties=ties)
            assert rk.table["rank"].tolist() == case["irank"]


def test_irank_against():
    for case in reference("irank")["irank_against"]:
        sign = -1 if case["increasing"] else 1
        score = sign * np.array(case["x"], float)
        ahead = sign * np.array(case["v"], float) - score[:, None]
        better = (ahead > 0).sum(axis=1)
        found = integer_rank(better, (ahead == 0).sum(axis=1), case["omega"])
        assert found.tolist() == case["irank_against"]


def test_the_joint_region_of_klein_wright_wieczorek_lies_around_max_t():
    stored = reference("kww_traveltime2011")
    se = np.array(stored["moe90"]) / stats.norm.ppf(0.95)
    how = {"higher_is_better": False, "level": stored["conf"]}
    joint = rank(stored["est"], se, simultaneous="joint-ci", **how).table
    assert joint["simultaneous_low"].tolist() == stored["unrounded"]["rank_lo"]
    assert joint["simultaneous_high"].tolist() == stored["unrounded"]["rank_hi"]
    sharper = rank(stored["est"], se, simultaneous="maxt", **how).table
    assert (sharper["simultaneous_low"] >= joint["simultaneous_low"]).all()
    assert (sharper["simultaneous_high"] <= joint["simultaneous_high"]).all()
