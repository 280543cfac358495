"""Samples without a design: estimates under a model and sensitivity, against R's nonprobsvy, West's functions and identities."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import satisfaction as sat
from golden_values import GOLDEN, golden
from satisfaction.estimation.selection_model import (
    Moments,
    Reference,
    ReferenceSample,
    model_estimates,
    propensities,
    sensitivity_of_mean,
    sensitivity_of_share,
)
from satisfaction.sampling.variance import Clusters

SEEDS = ("seed101", "seed202")
ODDS = ("or1", "or1.5", "or2", "or3")
CLOSED = 1e-12
"""Relative, for closed forms."""
ITERATED = 1e-9
"""Relative, for what the reference iterates to 1e-13 itself."""
FITTED = 2e-8
"""Relative, for what R fits (glm, optimize)."""


def covariates(rows: pd.DataFrame) -> np.ndarray:
    columns = [
        np.ones(len(rows)), rows["x1"] == "b", rows["x1"] == "c", rows["x2"] == "m", rows["x3"],
    ]  # fmt: skip
    return np.column_stack(columns).astype(float)


class Case:
    """One open sample with its references."""

    def __init__(self, seed: str, odds: str):
        folder = GOLDEN / "nonprob" / seed
        rows = pd.read_csv(folder / f"open_{odds}.csv")
        drawn = pd.read_csv(folder / "prob.csv")
        self.population = golden(f"nonprob/{seed}/population")
        self.rows = rows
        self.x = covariates(rows)
        psu = drawn["cluster"].rank(method="dense").astype(int).to_numpy() - 1
        stratum = drawn.groupby(psu)["stratum"].first().to_numpy() - 1
        clusters = Clusters(psu, stratum, np.zeros(4), np.ones(1).repeat(4))
        self.sample = ReferenceSample(covariates(drawn), drawn["weight"].to_numpy(float), clusters)
        self.totals = Reference(np.array(list(self.population["totals"].values()), float))
        self.package = golden(f"nonprob/{seed}")[odds]
        self.own = golden(f"nonprob/{seed}_linearised")[odds]
        self.sensitivity = golden(f"sensitivity/{seed}")[odds]

    def estimate(self, outcome: str, reference: Reference, method: str, fitted=None):
        value = self.rows[[outcome]].to_numpy(float)
        valid = np.ones_like(value, dtype=bool)
        return model_estimates(
            value, valid, self.x, reference=reference, method=method, fitted=fitted
        )


@pytest.fixture(
    scope="module", params=[(seed, odds) for seed in SEEDS for odds in ODDS], ids="-".join
)
def case(request):
    return Case(*request.param)


@pytest.mark.parametrize("outcome", ["y1", "y2"])
@pytest.mark.parametrize(
    ("name", "reference", "fit"),
    [
        ("ipw_totals", "totals", "calibrated"),
        ("ipw_gee1", "sample", "calibrated"),
        ("ipw_mle", "sample", "likelihood"),
    ],
)
def test_inverse_propensities(case, outcome, name, reference, fit):
    known = case.totals if reference == "totals" else Reference.of(case.sample)
    fitted = propensities(case.x, known, method=fit)
    found = case.estimate(outcome, known, "inverse_propensity", fitted)
    expected = case.own[outcome][name]
    assert fitted.theta == pytest.approx(expected["theta"], rel=ITERATED, abs=ITERATED)
    assert found.mean == pytest.approx([expected["hajek"]], rel=ITERATED)
    assert found.se == pytest.approx([expected["se_linearised_hajek"]], rel=ITERATED)


def test_calibration_to_totals_and_to_a_sample(case):
    for name, reference in (("mi_totals", case.totals), ("mi", Reference.of(case.sample))):
        found = case.estimate("y2", reference, "calibration")
        expected = case.package["y2"][name]
        assert found.mean == pytest.approx([expected["mean"]], rel=CLOSED)
        assert found.se == pytest.approx([expected["se_package"]], rel=FITTED)


def test_calibration_of_a_share_is_a_regression_with_a_robust_error(case):
    found = case.estimate("y1", case.totals, "calibration")
    fit = sm.OLS(case.rows["y1"], case.x).fit(cov_type="HC0")
    centre = case.totals.totals / case.totals.totals[0]
    assert found.mean == pytest.approx([centre @ fit.params.to_numpy()], rel=CLOSED)
    assert found.se**2 == pytest.approx(
        [centre @ fit.cov_params().to_numpy() @ centre], rel=ITERATED
    )


@pytest.mark.parametrize(("name", "fit"), [("dr_mle", "likelihood"), ("dr_gee1", "calibrated")])
def test_doubly_robust_with_a_reference_sample(case, name, fit):
    reference = Reference.of(case.sample)
    fitted = propensities(case.x, reference, method=fit)
    found = case.estimate("y2", reference, "doubly_robust", fitted)
    expected = case.own["y2"][name]
    assert found.mean == pytest.approx([expected["mean"]], rel=ITERATED)
    assert found.se == pytest.approx([expected["se_linearised"]], rel=ITERATED)


def test_doubly_robust_to_totals_is_inverse_propensity_to_them(case):
    fitted = propensities(case.x, case.totals)
    robust = case.estimate("y2", case.totals, "doubly_robust", fitted)
    expected = case.own["y2"]["dr_totals"]
    assert robust.mean == pytest.approx([expected["mean"]], rel=ITERATED)
    assert robust.se == pytest.approx([expected["se_linearised"]], rel=ITERATED)
    plain = case.estimate("y1", case.totals, "inverse_propensity", fitted)
    assert case.estimate("y1", case.totals, "doubly_robust", fitted).mean == pytest.approx(
        plain.mean
    )


def test_sensitivity_of_a_mean(case):
    expected = case.sensitivity["y2"]
    means = case.totals.totals[1:] / case.totals.totals[0]
    found = sensitivity_of_mean(case.rows["y2"].to_numpy(float), case.x[:, 1:], means)
    assert found.correlation == pytest.approx(expected["proxy_correlation"], rel=ITERATED)
    assert found.adjusted == pytest.approx(expected["adjusted_mean"], rel=ITERATED)
    assert found.bounded


def test_sensitivity_of_a_share(case):
    expected = case.sensitivity["y1"]
    others = Moments(
        case.population["N"],
        np.array(case.sensitivity["nonselected_mean"]),
        np.array(case.sensitivity["nonselected_cov"]),
    )
    found = sensitivity_of_share(case.rows["y1"].to_numpy(float), case.x[:, 1:], others)
    assert found.correlation == pytest.approx(expected["biserial"], abs=1e-7)
    assert found.adjusted == pytest.approx(expected["adjusted_share"], abs=1e-7)


@pytest.fixture(scope="module")
def categories():
    """The open sample and the drawn one with x3 in groups, and the drawn one as a design."""
    folder = GOLDEN / "nonprob" / "seed101"
    tables = []
    for name in ("open_or1", "prob"):
        rows = pd.read_csv(folder / f"{name}.csv")
        tables.append(rows.assign(group=pd.cut(rows["x3"], [-200, 35, 45, 55, 200], labels=False)))
    people, drawn = tables
    design = sat.SurveyDesign(drawn, strata="stratum", psu="cluster", base_weight="weight")
    return people, drawn, design


def test_a_probability_sample_as_reference_by_the_call_for_tables(categories):
    """The same figures by the kernels, with covariates written out by hand."""
    people, drawn, design = categories
    by = ["x1", "x2", "group"]
    found = sat.selection_estimates(people, ["y1", "y2"], reference=design, by=by)

    def written_out(rows):
        columns = [np.ones(len(rows))]
        columns += [rows["x1"] == level for level in ("b", "c")]
        columns += [rows["x2"] == "m", *(rows["group"] == k for k in (1, 2, 3))]
        return np.column_stack(columns).astype(float)

    psu = drawn["cluster"].rank(method="dense").astype(int).to_numpy() - 1
    stratum = drawn.groupby(psu)["stratum"].first().to_numpy() - 1
    clusters = Clusters(psu, stratum, np.zeros(4), np.ones(4))
    sample = ReferenceSample(written_out(drawn), drawn["weight"].to_numpy(float), clusters)
    x = written_out(people)
    known = Reference.of(sample)
    fitted = propensities(x, known, method="likelihood")
    value = people[["y1", "y2"]].to_numpy(float)
    for method, rows in found.groupby("model"):
        expected = model_estimates(
            value, np.ones_like(value, bool), x, reference=known, method=method, fitted=fitted
        )
        assert rows["estimate_model"].to_numpy() == pytest.approx(expected.mean, rel=1e-10)
        assert rows["se_model"].to_numpy() == pytest.approx(expected.se, rel=1e-10)
    errors = found.set_index(["measure", "model"])["estimate_model"]
    assert errors["y2", "doubly_robust"] != pytest.approx(errors["y2", "inverse_propensity"])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"margins": {"x2": {"f": 1, "m": 1}}}, "E532"),
        ({"by": ()}, "E532"),
        ({"selection": "quota"}, "E531"),
    ],
)
def test_a_reference_that_cannot_be_is_refused(categories, change, code):
    people, drawn, _design = categories
    selection = change.pop("selection", "probability")
    design = sat.SurveyDesign(
        drawn, strata="stratum", psu="cluster", base_weight="weight", selection=selection
    )
    call = {"reference": design, "by": ["x2"]} | change
    with pytest.raises(sat.SatisfactionError) as fault:
        sat.selection_estimates(people, "y1", **call)
    assert fault.value.code == code
