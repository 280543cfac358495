"""Replicates: factors, their balance, the recipe replayed in each against the recipe called from scratch on changed data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from satisfaction import Estimates, SurveyDesign, calibrate, estimate
from satisfaction.foundation.errors import EstimatesError
from satisfaction.sampling.design import SampleDesign
from satisfaction.sampling.replicates import balanced, jackknife, rao_wu
from satisfaction.sampling.variance import Clusters
from satisfaction.weighting.nonresponse import adjust_nonresponse
from satisfaction.weighting.trimming import trim

EXACT = 1e-12  # equal in exact arithmetic; additions in another order
FACTORS = 1e-14  # sums of a few factors
REPLAYED = (
    1e-10  # the recipe's own tolerance: replays start at the full sample's solution, not at 1
)
SOLVED = 1e-8  # of the largest deviation: two solutions to 1e-10 of each replicate, differenced
BOOTSTRAPS = 4000
MONTE_CARLO = 5 * np.sqrt(
    2 / BOOTSTRAPS
)  # five standard errors of a variance from that many normal replicates


def clusters(sizes, fractions=None):
    """PSUs of strata of given sizes, one row each."""
    stratum = np.repeat(np.arange(len(sizes)), sizes)
    fraction = np.zeros(len(sizes)) if fractions is None else np.asarray(fractions, dtype=float)
    return Clusters(np.arange(len(stratum)), stratum, fraction, np.ones(len(sizes)))


def people(sizes, *, persons=12, seed=1):
    """Persons in PSUs of strata of given sizes; N is the stratum's population of PSUs."""
    rng = np.random.default_rng(seed)
    psus = [(h, j) for h, size in enumerate(sizes) for j in range(size)]
    rows = (
        pd.DataFrame(psus, columns=["stratum", "psu"])
        .loc[np.repeat(np.arange(len(psus)), persons)]
        .reset_index(drop=True)
    )
    n = len(rows)
    rows["w"] = rng.choice([80.0, 100.0, 140.0, 230.0], n)
    rows["sex"], rows["age"] = np.arange(n) % 2, np.array(["o", "m", "y"])[np.arange(n) // 2 % 3]
    rows["income"] = rng.gamma(4, 5, n).round(1)
    rows["answered"] = (rng.random(n) < 0.6 + 0.15 * rows["sex"]).astype(int)
    rows["y"] = (40 + 10 * rows["sex"] + 3 * rows["stratum"] + rng.normal(0, 15, n)).round(0)
    rows["N"] = np.array(sizes)[rows["stratum"]] * (rows["stratum"] + 2)
    return rows


def design(rows, **changes):
    return SurveyDesign(rows, **({"strata": "stratum", "psu": "psu", "base_weight": "w"} | changes))


def deviations(found: Estimates) -> np.ndarray:
    """Return the contributions as a dense array: (P, Q)."""
    matrix = found.contributions.matrix
    return matrix.toarray() if sp.issparse(matrix) else np.asarray(matrix)


UNEQUAL, PAIRS = [2, 5, 3], [2, 2, 2, 2, 2]


# ---- no recipe ----


@pytest.mark.parametrize("fpc", [None, "N"])
@pytest.mark.parametrize("by", [None, "age"])
def test_the_jackknife_of_totals_is_linearization(fpc, by):
    of = design(people(UNEQUAL), fpc=fpc)
    jkn, linear = (
        estimate(of, ["y", "income"], statistic="total", by=by, variance=v)
        for v in ("jkn", "linearized")
    )
    np.testing.assert_allclose(
        jkn.cov, linear.cov, rtol=EXACT, atol=EXACT * np.abs(linear.cov).max()
    )
    own, other = deviations(jkn), deviations(linear)
    np.testing.assert_allclose(
        own, other, atol=EXACT * np.abs(other).max()
    )  # PSU by PSU, the sign included
    pd.testing.assert_frame_equal(jkn.contributions.units, linear.contributions.units)


def test_the_jackknife_of_means_by_hand():
    rows = people(UNEQUAL)
    found = estimate(design(rows, fpc="N"), "y", variance="jkn")
    theta, scale = [], []
    for h, j in rows[["stratum", "psu"]].drop_duplicates().itertuples(index=False):
        n = UNEQUAL[h]
        same = rows["stratum"] == h
        w = rows["w"] * np.where(same & (rows["psu"] == j), 0, np.where(same, n / (n - 1), 1))
        theta.append(np.average(rows["y"], weights=w))
        scale.append((1 - 1 / (h + 2)) * (n - 1) / n)
    away = np.sqrt(scale) * (np.mean(theta) - theta)
    np.testing.assert_allclose(deviations(found)[:, 0], away, rtol=1e-9)
    assert found.table["se"][0] == pytest.approx(np.sqrt((away**2).sum()), rel=EXACT)


def test_the_jackknife_of_means_is_near_linearization_and_has_its_signs():
    rows = people([30, 40])
    jkn, linear = (estimate(design(rows), "y", by="sex", variance=v) for v in ("jkn", "linearized"))
    np.testing.assert_allclose(jkn.table["se"], linear.table["se"], rtol=0.02)
    own, other = (deviations(e) for e in (jkn, linear))
    cosine = (own * other).sum(axis=0) / np.sqrt((own**2).sum(axis=0) * (other**2).sum(axis=0))
    assert (cosine > 0.999).all()


def test_a_lonely_psu_has_no_replicate():
    rows = people([1, 3, 4])
    for policy in ("remove", "certainty"):
        jkn, linear = (
            estimate(design(rows, lonely_psu=policy), "y", statistic="total", variance=v)
            for v in ("jkn", "linearized")
        )
        assert jkn.table["se"][0] == pytest.approx(linear.table["se"][0], rel=EXACT)


def test_a_domain_of_one_psu_has_an_estimate_in_the_replicates_that_hold_it():
    rows = people(UNEQUAL)
    rows["domain"] = np.where((rows["stratum"] == 1) & (rows["psu"] == 0), "one", "rest")
    found = estimate(design(rows), "y", by="domain", variance="jkn").table.set_index("domain")
    assert found.loc["one", "se"] == 0  # its mean is the same wherever it is there
    assert found.loc["rest", "se"] > 0


# ---- factors ----


@pytest.mark.parametrize("sizes", [UNEQUAL, [2], [1, 3], [7, 2]])
def test_jackknife_factors_are_one_on_average_and_keep_the_size_of_the_stratum(sizes):
    of = clusters(sizes)
    made = jackknife(of)
    factors = made.factors(np.arange(len(made.scale)))
    assert len(made.scale) == sum(size for size in sizes if size > 1)
    np.testing.assert_allclose(factors.mean(axis=1), 1, atol=FACTORS)
    for h, size in enumerate(sizes):
        np.testing.assert_allclose(factors[of.stratum == h].sum(axis=0), size, rtol=FACTORS)
    assert (np.diag(factors[made.unit]) == 0).all()


@pytest.mark.parametrize("strata", range(1, 18))
@pytest.mark.parametrize("fay", [0.0, 0.3, 0.5])
def test_half_samples_are_balanced(strata, fay):
    of = clusters([2] * strata)
    made = balanced(of, fay=fay)
    factors = made.factors(np.arange(len(made.scale)))
    assert set(np.round(np.unique(factors), 12)) == {round(fay, 12), round(2 - fay, 12)}
    np.testing.assert_allclose(factors.mean(axis=1), 1, atol=FACTORS)
    np.testing.assert_allclose(factors[0::2] + factors[1::2], 2, atol=FACTORS)
    signs = (factors[1::2] - factors[0::2]) / (2 * (1 - fay))
    np.testing.assert_allclose(signs @ signs.T / len(made.scale), np.eye(strata), atol=1e-13)
    assert made.scale.sum() == pytest.approx(1 / (1 - fay) ** 2, rel=FACTORS)


@pytest.mark.parametrize("method", ["brr", "fay"])
@pytest.mark.parametrize("strata", [1, 3, 4, 7, 8])
def test_balanced_replicates_of_totals_are_linearization(method, strata):
    of = design(people([2] * strata))
    found, linear = (
        estimate(of, ["y", "income"], statistic="total", by="age", variance=v)
        for v in (method, "linearized")
    )
    np.testing.assert_allclose(
        found.cov, linear.cov, rtol=EXACT, atol=EXACT * np.abs(linear.cov).max()
    )


def test_balanced_replicates_do_not_credit_sampling_fractions():
    rows = people(PAIRS)
    found = estimate(design(rows, fpc="N"), "y", statistic="total", variance="brr").table["se"][0]
    assert found == pytest.approx(
        estimate(design(rows), "y", statistic="total").table["se"][0], rel=EXACT
    )


@pytest.mark.parametrize("fractions", [None, [0.5, 0.9, 0.0]])
def test_bootstrap_factors_keep_the_size_of_the_stratum_and_are_one_on_average(fractions):
    of = clusters(UNEQUAL, fractions)
    factors = rao_wu(of, replicates=BOOTSTRAPS, seed=3).factors(np.arange(BOOTSTRAPS))
    for h, size in enumerate(UNEQUAL):
        own = factors[of.stratum == h]
        np.testing.assert_allclose(own.sum(axis=0), size, rtol=1e-13)
        left = 1 - (0.0 if fractions is None else fractions[h])
        # a factor's variance is 1 - f: (1 - f) (n / (n - 1))^2 of the n - 1 draws' (n - 1) (1 / n) (1 - 1 / n)
        np.testing.assert_allclose(own.var(axis=1), left, rtol=2 * MONTE_CARLO)
        np.testing.assert_allclose(own.mean(axis=1), 1, atol=5 * np.sqrt(left / BOOTSTRAPS))
    assert factors.min() >= 0


@pytest.mark.parametrize("fpc", [None, "N"])
def test_the_bootstrap_of_a_total_converges_to_linearization(fpc):
    of = design(people(UNEQUAL), fpc=fpc)
    found = estimate(
        of, ["y", "income"], statistic="total", variance="rao-wu", replicates=BOOTSTRAPS
    )
    linear = estimate(of, ["y", "income"], statistic="total")
    np.testing.assert_allclose(found.table["se"] ** 2, linear.table["se"] ** 2, rtol=MONTE_CARLO)
    correlation, expected = (e.cov[0, 1] / np.prod(e.table["se"]) for e in (found, linear))
    assert correlation == pytest.approx(expected, abs=5 / np.sqrt(BOOTSTRAPS))


def test_a_seed_repeats_the_bootstrap_and_another_does_not():
    of = calibrate(design(people(UNEQUAL)), {"sex": {0: 9000.0, 1: 11000.0}})
    one, same, other = (
        estimate(of, "y", by="age", variance="rao-wu", replicates=50, seed=seed)
        for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(one.cov, same.cov)
    assert (one.table["se"] != other.table["se"]).all()


# ---- the recipe replayed ----

SEX, AGE = {0: 9000.0, 1: 10500.0}, {"o": 6000.0, "m": 7500.0, "y": 6000.0}
INCOME = 19500.0 * 21
BOUNDS = (
    0.9,
    1.4,
)  # in six of the ten replicates some raking factors lie on them, in the full sample none
Recipe = Callable[[SampleDesign], SampleDesign]


def full_recipe(of: SampleDesign) -> SampleDesign:
    of = calibrate(adjust_nonresponse(of, "answered", by=["sex"]), {"sex": SEX, "age": AGE})
    return calibrate(trim(of, upper=260.0, within=["sex"]), {"sex": SEX, "age": AGE})


def equal_recipe(of: SampleDesign) -> SampleDesign:
    raked = calibrate(of, {"sex": SEX, "age": AGE})
    return calibrate(
        trim(raked, lower=110.0, upper=300.0, spread="equal"),
        {"sex": SEX, "income": INCOME},
        method="linear",
    )


BY_WEIGHT: dict[str, Recipe] = {
    "classes": lambda of: adjust_nonresponse(of, "answered", by=["sex", "age"]),
    "one class": lambda of: adjust_nonresponse(of, "answered", by=[]),
    "propensity": lambda of: adjust_nonresponse(
        of, "answered", by=["sex", "age", "income"], method="propensity"
    ),
    "raking": lambda of: calibrate(of, {"sex": SEX, "age": AGE}),
    "raking within bounds": lambda of: calibrate(of, {"sex": SEX, "age": AGE}, bounds=BOUNDS),
    "linear with a numeric total": lambda of: calibrate(
        of, {"sex": SEX, "age": AGE, "income": INCOME}, method="linear"
    ),
    "linear within bounds": lambda of: calibrate(
        of, {"sex": SEX, "age": AGE}, method="linear", bounds=BOUNDS
    ),
    "logit": lambda of: calibrate(of, {"sex": SEX, "age": AGE}, method="logit", bounds=(0.5, 2.5)),
    "post-stratification": lambda of: calibrate(
        of,
        {("sex", "age"): {(s, a): SEX[s] * AGE[a] / 19500 for s in SEX for a in AGE}},
        method="poststratify",
    ),
    "classes, logit": lambda of: calibrate(
        adjust_nonresponse(of, "answered", by=["age"]),
        {"sex": SEX, "age": AGE},
        method="logit",
        bounds=(0.4, 3),
    ),
    "propensity, raking": lambda of: calibrate(
        adjust_nonresponse(of, "answered", by=["sex", "income"], method="propensity"),
        {"sex": SEX, "age": AGE},
    ),
}
BY_COUNT: dict[str, Recipe] = {
    "trimming": lambda of: trim(of, lower=90.0, upper=200.0, within=["age"]),
    "trimming equally": lambda of: trim(of, lower=90.0, upper=200.0, spread="equal"),
    "classes, raking, trimming, raking": full_recipe,
    "raking, trimming equally, linear": equal_recipe,
}


@pytest.mark.parametrize("recipe", BY_WEIGHT | BY_COUNT)
@pytest.mark.parametrize("sizes", [UNEQUAL, PAIRS], ids=["unequal", "pairs"])
def test_a_recipe_replayed_on_the_full_sample_gives_its_weights(recipe, sizes):
    weighting = (BY_WEIGHT | BY_COUNT)[recipe](design(people(sizes, seed=4))).weighting
    weight = np.repeat(weighting.start[:, None], 3, axis=1)
    for step in weighting.steps:
        weight = step.reweight(np.repeat(weighting.count[:, None], 3, axis=1), weight)
    np.testing.assert_allclose(
        weight / weighting.start[:, None],
        np.repeat(weighting.factor[:, None], 3, axis=1),
        rtol=REPLAYED,
    )


def without(rows: pd.DataFrame, h: int, j: int, n: int, *, duplicate: bool) -> pd.DataFrame:
    """Leave a PSU out; the others of its stratum count n / (n - 1) times, as a weight or, where it is 2, as twice the rows."""
    left = rows[(rows["stratum"] != h) | (rows["psu"] != j)]
    same = left["stratum"] == h
    if duplicate:
        assert n == 2
        return pd.concat([left, left[same]], ignore_index=True)
    return left.assign(w=left["w"] * np.where(same, n / (n - 1), 1.0))


def by_hand(rows: pd.DataFrame, weights: np.ndarray) -> list[float]:
    """Return means of y and income by sex, totals of y by age and the ratio of y to income, in the order of `estimated`."""
    parts = [
        np.average(group[m], weights=weights[group.index])
        for _, group in rows.groupby("sex")
        for m in ("y", "income")
    ]
    parts += [weights[group.index] @ group["y"] for _, group in rows.groupby("age")]
    return [*parts, weights @ rows["y"] / (weights @ rows["income"])]


def estimated(of: SampleDesign, **options) -> np.ndarray:
    """Return contributions to the same statistics: (P, 8)."""
    found = [
        estimate(of, ["y", "income"], by="sex", **options),
        estimate(of, "y", statistic="total", by="age", **options),
        estimate(of, "y", statistic=("ratio", "income"), **options),
    ]
    return np.concatenate([deviations(one) for one in found], axis=1)


def from_scratch(rows, sizes, recipe: Recipe, *, duplicate):
    """Return the jackknife's deviations (P, 8), each replicate's recipe called from scratch on changed data."""
    theta, scale = [], []
    for h, size in enumerate(sizes):
        for j in range(size):
            changed = without(rows, h, j, size, duplicate=duplicate).reset_index(drop=True)
            theta.append(by_hand(changed, recipe(SurveyDesign(changed, base_weight="w")).weights))
            scale.append((size - 1) / size)
    theta = np.array(theta)
    return np.sqrt(scale)[:, None] * (theta.mean(axis=0) - theta)


def assert_deviations(found, wanted):
    np.testing.assert_allclose(
        found / np.abs(wanted).max(axis=0), wanted / np.abs(wanted).max(axis=0), atol=SOLVED
    )


@pytest.mark.parametrize("recipe", BY_WEIGHT)
def test_every_jackknife_replicate_is_the_recipe_from_scratch(recipe):
    rows, how = people(UNEQUAL, seed=4), BY_WEIGHT[recipe]
    wanted = from_scratch(rows, UNEQUAL, how, duplicate=False)
    assert_deviations(estimated(how(design(rows)), variance="jkn"), wanted)


@pytest.mark.parametrize("recipe", BY_WEIGHT | BY_COUNT)
def test_every_jackknife_replicate_is_the_recipe_from_scratch_on_repeated_rows(recipe):
    rows, how = people(PAIRS, seed=4), (BY_WEIGHT | BY_COUNT)[recipe]
    wanted = from_scratch(rows, PAIRS, how, duplicate=True)
    assert_deviations(estimated(how(design(rows)), variance="jkn"), wanted)


@pytest.mark.parametrize("variance", ["brr", "fay", "rao-wu"])
def test_every_other_replicate_is_the_recipe_from_scratch(variance):
    rows, how = people(PAIRS, seed=4), BY_WEIGHT["classes, logit"]
    found = estimated(how(design(rows)), variance=variance, replicates=20, seed=7)
    of = clusters(PAIRS)
    made = (
        rao_wu(of, replicates=20, seed=7)
        if variance == "rao-wu"
        else balanced(of, fay=0.5 * (variance == "fay"))
    )
    theta = []
    for factor in made.factors(np.arange(len(made.scale))).T:
        changed = (
            rows.assign(w=rows["w"] * factor[2 * rows["stratum"] + rows["psu"]])
            .query("w > 0")
            .reset_index(drop=True)
        )
        theta.append(by_hand(changed, how(SurveyDesign(changed, base_weight="w")).weights))
    assert_deviations(
        found, np.sqrt(made.scale)[:, None] * (np.array(theta) - np.mean(theta, axis=0))
    )


def test_several_steps_default_to_the_jackknife():
    rows = people(UNEQUAL)
    for recipe, wanted in (("raking", "linearized"), ("classes", "jkn"), ("classes, logit", "jkn")):
        assert estimate(BY_WEIGHT[recipe](design(rows)), "y").conventions["variance"] == wanted


# ---- contributions and refusals ----


@pytest.mark.parametrize("variance", ["linearized", "rake", "jkn", "brr", "fay", "rao-wu"])
@pytest.mark.parametrize("recipe", ["none", "raking", "propensity, raking"])
@pytest.mark.parametrize("statistic", ["mean", "total", ("ratio", "income"), ("quantile", 0.5)])
def test_contributions_square_to_the_covariance(variance, recipe, statistic):
    of = design(people(PAIRS, persons=30, seed=4))
    found = estimate(
        BY_WEIGHT.get(recipe, lambda d: d)(of),
        "y",
        by="age",
        statistic=statistic,
        variance=variance,
        replicates=50,
    )
    matrix = deviations(found)
    np.testing.assert_allclose(
        matrix.T @ matrix, found.cov, rtol=EXACT, atol=EXACT * np.abs(found.cov).max()
    )
    np.testing.assert_allclose(np.sqrt(np.diag(found.cov)), found.table["se"], rtol=EXACT)
    assert (found.table["se"] > 0).all()
    assert len(found.contributions.units) == len(matrix)


@pytest.mark.parametrize("statistic", ["mean", ("ratio", "income"), ("quantile", 0.5)])
def test_the_jackknifes_contributions_have_the_signs_of_linearization(statistic):
    of = calibrate(design(people([12, 12], persons=20)), {"sex": SEX})
    own, other = (
        deviations(estimate(of, "y", statistic=statistic, variance=v))[:, 0]
        for v in ("jkn", "linearized")
    )
    assert np.corrcoef(own, other)[0, 1] > 0.99


@pytest.mark.parametrize("variance", ["brr", "fay"])
def test_half_samples_need_two_psus_a_stratum(variance):
    with pytest.raises(EstimatesError, match=r"E150[\s\S]*there are 2, 3") as refused:
        estimate(design(people([2, 3])), "y", variance=variance)
    assert refused.value.available == ("jkn", "rao-wu", "linearized")


@pytest.mark.parametrize("policy", ["adjust", "average"])
@pytest.mark.parametrize("variance", ["jkn", "rao-wu", "brr", "fay"])
def test_replicates_cannot_follow_every_lonely_policy(policy, variance):
    with pytest.raises(EstimatesError, match="E151"):
        estimate(design(people([1, 2]), lonely_psu=policy), "y", variance=variance)


def test_a_policy_without_a_lonely_psu_does_not_matter():
    one, other = (
        estimate(design(people(PAIRS), lonely_psu=policy), "y", variance="jkn")
        for policy in ("fail", "adjust")
    )
    np.testing.assert_array_equal(one.cov, other.cov)


# ---- what replicates cannot do is said, never hidden ----


def test_replicates_of_first_stage_units_credit_no_fraction_where_later_stages_vary():
    rows = pd.DataFrame(
        {
            "psu": np.repeat(range(6), 5),
            "y": np.random.default_rng(0).normal(50, 10, 30).round(0),
            "w": 4.0,
            "N": 6,
            "M": 20,
        }
    )
    staged = SurveyDesign(rows, psu="psu", base_weight="w", fpc=["N", "M"])
    plain = SurveyDesign(rows, psu="psu", base_weight="w")
    for variance in ("jkn", "rao-wu"):
        found = estimate(staged, "y", variance=variance)
        assert found.table["se"][0] == estimate(plain, "y", variance=variance).table["se"][0] > 0
        assert "not credited" in found.conventions["fpc"]


def tight_design(psus: int = 8):
    """Only the last PSU makes the margin of sex feasible within the bounds: a replicate without it has no solution."""
    rows = pd.DataFrame(
        {"psu": np.repeat(range(psus), 4), "sex": [0, 1, 1, 1] * (psus - 1) + [0] * 4, "w": 1.0}
    )
    rows["y"] = np.arange(len(rows)) % 5 + rows["psu"]
    return SurveyDesign(rows, psu="psu", base_weight="w"), {0: 2.0 * psus, 1: 2.0 * psus}


def test_a_jackknife_that_cannot_be_solved_gives_way_to_linearization_and_says_so():
    plain, sex = tight_design()
    tight = calibrate(plain, {"sex": sex}, method="logit", bounds=(0.5, 1.6))
    found = estimate(tight, "y", statistic="total", variance="jkn")
    linear = estimate(tight, "y", statistic="total", variance="linearized")
    assert found.table["se"].tolist() == linear.table["se"].tolist()
    assert found.conventions["variance"] == "linearized"
    assert found.conventions["replicates_unsolved"] == 1
    note = found.table["note"][0]
    assert (
        "1 of 8 jkn replicates (12.5%) unsolved, at sex = 0 (bounds 0.5, 1.6): linearized se instead"
        in note
    )
    assert "改用线性化标准误" in note
    assert found.conventions["replicates_note"] == note
    assert found.contrast({"same": {0: 1.0}}).table["note"].tolist() == [note]


def test_nothing_is_said_where_every_replicate_is_solved():
    plain, sex = tight_design()
    found = estimate(calibrate(plain, {"sex": sex}), "y", statistic="total", variance="jkn")
    assert found.conventions["replicates_unsolved"] == 0
    assert found.conventions["variance"] == "jkn"
    assert "replicates_note" not in found.conventions
    assert found.table["note"].tolist() == [""]


def rare_level(psus: int, holders: int):
    """A level of the margin that only the first PSUs hold; the bootstrap draws none of them now and then."""
    rows = pd.DataFrame({"psu": np.repeat(range(psus), 6), "w": 1.0, "y": np.arange(6 * psus) % 7})
    rows["group"] = np.where(
        (np.arange(len(rows)) % 6 == 0) & (rows["psu"] < holders), "rare", "usual"
    )
    return calibrate(
        SurveyDesign(rows, psu="psu", base_weight="w"),
        {"group": {"rare": 9.0, "usual": 6.0 * psus}},
    )


def test_a_bootstrap_leaves_out_its_few_unsolved_replicates_and_divides_by_the_others():
    design = rare_level(12, 4)
    found = estimate(design, "y", statistic="total", variance="rao-wu", replicates=400, seed=3)
    unsolved = found.conventions["replicates_unsolved"]
    assert 0 < unsolved <= 20
    assert found.conventions["replicates"] == 400 - unsolved == found.contributions.matrix.shape[0]
    assert (
        f"{unsolved} of 400 replicates ({unsolved / 400:.1%}) unsolved and left out, at group = rare"
        in found.table["note"][0]
    )
    linear = estimate(design, "y", statistic="total", variance="linearized").table["se"][0]
    assert found.table["se"][0] == pytest.approx(linear, rel=0.35)


def test_a_bootstrap_with_many_unsolved_replicates_is_refused():
    with pytest.raises(EstimatesError, match=r"E382.*\n.*group = rare.*\n.*of 200 replicates"):
        estimate(rare_level(12, 1), "y", statistic="total", variance="rao-wu")


def test_a_class_left_empty_in_a_replicate_is_no_solution_either():
    rows = pd.DataFrame(
        {
            "psu": np.repeat(range(6), 4),
            "g": [0, 0, 0, 1] * 6,
            "a": [1, 1, 0, 0] * 5 + [1, 1, 1, 1],
            "w": 1.0,
        }
    )
    adjusted = adjust_nonresponse(SurveyDesign(rows, psu="psu", base_weight="w"), "a", by=["g"])
    found = estimate(adjusted, "g", statistic="total")
    assert found.conventions["replicates_unsolved"] == 1
    assert "at g = 1" in found.table["note"][0]
    assert (
        found.table["se"].tolist()
        == estimate(adjusted, "g", statistic="total", variance="linearized").table["se"].tolist()
    )


def test_replicates_of_a_later_stage_say_that_they_drop_the_fpc():
    rows = pd.DataFrame(
        {
            "psu": np.repeat(range(6), 4),
            "hh": range(24),
            "N": 30,
            "M": 10,
            "y": np.arange(24.0) ** 2 % 7,
        }
    )
    staged = SurveyDesign(rows, psu=["psu", "hh"], fpc=["N", "M"])
    assert "fpc not credited" in estimate(staged, "y", variance="jkn").table["note"][0]
    assert (
        "fpc not credited"
        in estimate(staged, "y", statistic="median", variance="rao-wu").table["note"][0]
    )
    assert estimate(staged, "y").table["note"].tolist() == [""]
