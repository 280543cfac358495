"""Fay-Herriot: published figures, a likelihood by brute force, identities, and mean squared errors met in simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import multivariate_normal

from conftest import ROOT
from satisfaction import estimate, fay_herriot
from satisfaction.estimation.small_areas import (
    fit_reml,
    predict,
    variance_between_areas,
)
from satisfaction.foundation.errors import EstimatesError
from satisfaction.ranking.probability import between_variance as of_scores

PUBLISHED = 1e-5  # sae stops at a relative change of 1e-4; see golden/README.md


@pytest.fixture(scope="module")
def milk():
    return pd.read_csv(
        ROOT / "tests" / "golden" / "smallareas" / "milk_published.csv", index_col="area"
    )


@pytest.fixture(scope="module")
def regions(milk):
    return pd.get_dummies(milk["major_area"], drop_first=True).astype(float)


def made(rng, areas=30, between=4.0):
    """Direct estimates, variances and covariates of areas with a known truth."""
    x = np.column_stack([np.ones(areas), rng.normal(size=(areas, 2))])
    variance = rng.uniform(1, 9, areas)
    truth = x @ [50, 2, -1] + rng.normal(scale=np.sqrt(between), size=areas)
    return truth + rng.normal(scale=np.sqrt(variance)), variance, x, truth


def test_published_figures(milk, regions):
    found = fay_herriot(milk, regions)
    assert found.summary["between"] == pytest.approx(0.01855022, rel=PUBLISHED)
    beta, se = found.coefficients["estimate"], found.coefficients["se"]
    assert beta.to_numpy() == pytest.approx(
        [0.9681890, 0.1327801, 0.2269462, -0.2413011], rel=PUBLISHED
    )
    assert se.to_numpy() == pytest.approx(
        [0.06936208, 0.10300072, 0.09232981, 0.08161707], rel=PUBLISHED
    )
    assert found.table["composite"].to_numpy() == pytest.approx(
        milk["eblup"].to_numpy(), rel=PUBLISHED
    )
    assert (found.table["rmse"] ** 2).to_numpy() == pytest.approx(
        milk["mse"].to_numpy(), rel=PUBLISHED
    )


@pytest.mark.parametrize("seed", range(5))
def test_variance_between_areas_by_brute_force(seed):
    direct, variance, x, _ = made(np.random.default_rng(seed))
    basis = np.linalg.svd(x)[0][
        :, x.shape[1] :
    ]  # contrasts free of the coefficients: their likelihood is the restricted one

    def minus(a):
        return -multivariate_normal.logpdf(
            basis.T @ direct, cov=basis.T @ np.diag(a + variance) @ basis
        )

    best = minimize_scalar(minus, bounds=(0, 60), method="bounded", options={"xatol": 1e-10}).x
    found = variance_between_areas(direct, variance, x)
    assert found == pytest.approx(best, rel=1e-6, abs=1e-6)  # the search by values alone ends there
    assert minus(found) <= minus(best) + 1e-12


def test_without_covariates_it_is_the_model_of_the_ranking():
    rng = np.random.default_rng(3)
    for between in (0.0, 1.0, 25.0):
        direct, variance, _, _ = made(rng, between=between)
        ones = np.ones((len(direct), 1))
        assert variance_between_areas(direct, variance, ones) == pytest.approx(
            of_scores(direct, np.sqrt(variance)), rel=1e-9
        )


def test_composites_by_matrices(milk, regions):
    found = fay_herriot(milk, regions)
    x = np.column_stack([np.ones(len(milk)), regions])
    a, d = found.summary["between"], milk["se"].to_numpy() ** 2
    v = np.diag(a + d)
    gls = np.linalg.solve(
        x.T @ np.linalg.solve(v, x), x.T @ np.linalg.solve(v, milk["estimate"].to_numpy())
    )
    eblup = x @ gls + a * np.linalg.solve(v, milk["estimate"].to_numpy() - x @ gls)
    assert found.table["composite"].to_numpy() == pytest.approx(eblup, rel=1e-12)


def test_mean_squared_errors_are_met():
    """Estimated over true mean squared error, averaged over areas; one area of 31 is never observed."""
    rng, runs, ratio, estimated, true = np.random.default_rng(11), 1500, {}, 0.0, 0.0
    for _ in range(runs):
        direct, variance, x, truth = made(rng, areas=31)
        direct[-1] = np.nan
        found = predict(fit_reml(direct[:-1], variance[:-1], x[:-1]), direct, variance, x=x)
        estimated, true = estimated + found.mse, true + (found.composite - truth) ** 2
    ratio = (estimated[:-1].sum() / true[:-1].sum(), estimated[-1] / true[-1])
    noise = np.sqrt(2 / (runs * 30)), np.sqrt(2 / runs)
    assert (
        abs(ratio[0] - 1) < 0.02 + 3 * noise[0]
    )  # the formula leaves out terms of order 1 / areas squared
    assert abs(ratio[1] - 1) < 0.05 + 3 * noise[1]


def test_composites_lie_between_and_beat_the_direct_estimates():
    direct, variance, x, truth = made(np.random.default_rng(5), areas=200)
    found = predict(fit_reml(direct, variance, x), direct, variance, x=x)
    low, high = np.minimum(direct, found.synthetic), np.maximum(direct, found.synthetic)
    assert np.all((low <= found.composite) & (found.composite <= high))
    assert np.mean((found.composite - truth) ** 2) < np.mean((direct - truth) ** 2)


def test_without_differences_beyond_sampling_the_composite_is_synthetic(regions, milk):
    alike = milk.assign(estimate=1 + 0.001 * np.arange(len(milk)) % 3)
    found = fay_herriot(alike, regions)
    assert found.summary["at_zero"]
    assert found.summary["between"] == 0
    assert found.table["composite"].to_numpy() == pytest.approx(found.table["synthetic"].to_numpy())
    assert (found.table["rmse"] > 0).all()


def test_areas_without_interviews_are_synthetic_and_said_so(milk, regions):
    fewer = milk.drop(index=[4, 9])
    found = fay_herriot(fewer, regions).table.set_index("area")
    assert found.loc[["4", "9"], "note"].tolist() == ["synthetic"] * 2
    assert found.loc["4", "composite"] == found.loc["4", "synthetic"]
    assert found.loc["4", "rmse"] ** 2 > fay_herriot(fewer, regions).summary["between"]
    assert found["direct"].isna().sum() == 2
    zero = milk.assign(se=milk["se"].where(milk.index != 4, 0.0))  # an se of 0 knows nothing
    assert fay_herriot(zero, regions).table.set_index("area").loc["4", "note"] == "synthetic"


def test_order_and_scale_do_not_matter(milk, regions):
    found = fay_herriot(milk, regions).table
    order = np.random.default_rng(1).permutation(len(milk))
    turned = fay_herriot(milk, regions.iloc[order]).table.set_index("area").loc[found["area"]]
    assert turned["composite"].to_numpy() == pytest.approx(found["composite"].to_numpy(), rel=1e-9)
    larger = fay_herriot(
        milk.assign(estimate=milk["estimate"] * 100, se=milk["se"] * 100), regions * 7
    ).table
    assert larger["rmse"].to_numpy() == pytest.approx(100 * found["rmse"].to_numpy(), rel=1e-8)


def test_from_estimates(province):
    direct = estimate(province.design, "index", by="county")
    table = direct.table.set_index("county")
    covariates = pd.DataFrame(
        {"made": np.random.default_rng(2).normal(size=len(table))}, index=table.index
    )
    found = fay_herriot(direct, covariates)
    assert len(found.table) == len(table)
    assert found.table["direct"].to_numpy() == pytest.approx(table["estimate"].to_numpy())
    assert "direct" in found.summary["said"]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (lambda d, x: (d.drop(columns="se"), x), "E181"), (lambda d, x: (pd.concat([d, d]), x), "E181"),
        (lambda d, x: (d, x.iloc[:9]), "E182"), (lambda d, x: (d, x.assign(a="text")), "E182"), (lambda d, x: (d, x.assign(a=np.nan)), "E182"),
        (lambda d, x: (d, x.assign(a=x[2] * 2)), "E182"), (lambda d, x: (d, pd.concat([x, x])), "E182"), (lambda d, x: (d.iloc[:6], x), "E183"),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_refused(milk, regions, fault, code):
    with pytest.raises(EstimatesError, match=code):
        fay_herriot(*fault(milk, regions))
