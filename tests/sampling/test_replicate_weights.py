"""Replicate weights out and in: real R's `svrepdesign` gives our several-step errors, and we give R's for weights that came."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from tests.estimation.test_subpopulations import AGE, SEX, people

import rscript
import satisfaction as sat
from satisfaction.foundation.errors import DesignError, EstimatesError, ExportError
from satisfaction.sampling.design import SampleDesign
from satisfaction.sampling.replicates import rank_df

SAME = 1e-9  # the same sums in another order
R_STOPS = 1e-6  # R's calibration of every replicate ends at its own tolerance
MEASURES = ["score", "aware", "patchy"]


# ---- out ----


@functools.cache
def sampled() -> pd.DataFrame:
    """People of twelve districts, of whom every sixth did not answer; district 9 is a stratum taken whole."""
    rows = people().copy()
    rng = np.random.default_rng(5)
    rows["district"] = 100 + rows["psu"] // 5 * 2 + rows["psu"] % 2
    rows["responded"] = (rng.uniform(size=len(rows)) < 0.84).astype(int)
    rows.loc[rows["responded"] == 0, [*MEASURES]] = np.nan
    rows["id"] = [f"{i:05d}" for i in rng.permutation(len(rows))]
    rows.loc[rows["stratum"] == 2, "M"] = 5.0  # taken whole: replicates of scale 0
    return rows


def several_steps(**options) -> SampleDesign:
    """Nonresponse classes, raking, trimming, raking."""
    declared = {"strata": "stratum", "psu": "psu", "base_weight": "w", "fpc": "M"} | options
    design = sat.SurveyDesign(sampled(), **declared)
    design = sat.adjust_nonresponse(design, "responded", by=["sex"])
    design = sat.calibrate(design, {"sex": SEX, "age": AGE})
    design = sat.trim(design, upper=1.6, relative_to="median")
    return sat.calibrate(design, {"sex": SEX, "age": AGE})


def in_pairs() -> SampleDesign:
    """Two PSUs a stratum, for half-samples."""
    rows = sampled().assign(half=sampled()["psu"] // 2, pair=sampled()["psu"] % 2)
    design = sat.SurveyDesign(rows, strata="half", psu="pair", base_weight="w")
    return sat.trim(sat.calibrate(design, {"sex": SEX, "age": AGE}), upper=1.8, relative_to="mean")


OUT = {
    "jkn": (several_steps, {"method": "jkn"}),
    "bootstrap": (several_steps, {"method": "rao-wu", "replicates": 60, "seed": 4}),
    "fay": (in_pairs, {"method": "fay"}),
    "brr": (in_pairs, {"method": "brr"}),
    "unweighted": (lambda: sat.SurveyDesign(sampled(), psu="psu", base_weight="w"), {}),
}
R_OUT = """
home <- getwd()
for (name in c("jkn", "bootstrap", "fay", "brr", "unweighted")) {
  respondents <- read.csv("people.csv", colClasses = c(id = "character"))
  respondents <- respondents[sample(nrow(respondents)), ]
  setwd(name); source("svrepdesign.R"); setwd(home)
  design <- replicated(respondents)
  for (measure in c("score", "aware", "patchy")) {
    means <- svyby(as.formula(paste0("~", measure)), ~district, design, svymean, na.rm = TRUE)
    keep(paste(name, measure), c(coef(means), SE(means)))
    whole <- svymean(as.formula(paste0("~", measure)), design, na.rm = TRUE)
    keep(paste(name, measure, "all"), c(coef(whole), SE(whole)))
  }
  present <- subset(design, !is.na(score))
  ratio <- svyratio(~score, ~weight_of, present); keep(paste(name, "ratio"), c(coef(ratio), SE(ratio)))
  total <- svytotal(~score, present); keep(paste(name, "total"), c(coef(total), SE(total)))
}
respondents <- read.csv("people.csv")
drawn <- svydesign(ids = ~psu, strata = ~stratum, weights = ~w, fpc = ~M, data = respondents)
jackknife <- as.svrepdesign(drawn, type = "JKn", compress = FALSE)
means <- svyby(~score, ~age, subset(jackknife, district > 103 & !is.na(score)), svyratio, denominator = ~weight_of)
keep("R's own jackknife", c(coef(means), SE(means)))
"""


@pytest.fixture(scope="module")
def from_ours(tmp_path_factory):
    """Let real R read what we wrote."""
    folder = tmp_path_factory.mktemp("out")
    for name, (design, options) in OUT.items():
        sat.replicate_weights(design(), identifier="id", **options).write(folder / name)
    return rscript.run_r(folder, R_OUT, {"people": sampled()})


def figures(estimates) -> np.ndarray:
    return estimates.table[["estimate", "se"]].to_numpy(float).T.ravel()


@pytest.mark.parametrize("name", OUT)
def test_real_r_gives_every_districts_several_step_error(name, from_ours):
    design, options = OUT[name]
    options = dict(options)
    options["variance"] = options.pop("method", "jkn")
    for measure in MEASURES:
        by = sat.estimate(design(), measure, by="district", **options)
        assert by.conventions["variance"] == options["variance"]
        assert (by.table["se"] > 0).sum() >= 10
        np.testing.assert_allclose(
            figures(by), from_ours[f"{name} {measure}"], rtol=SAME, atol=1e-12
        )
        whole = sat.estimate(design(), measure, **options)
        np.testing.assert_allclose(figures(whole), from_ours[f"{name} {measure} all"], rtol=SAME)
    ratio = sat.estimate(design(), "score", statistic=("ratio", "weight_of"), **options)
    np.testing.assert_allclose(figures(ratio), from_ours[f"{name} ratio"], rtol=SAME)
    total = sat.estimate(design(), "score", statistic="total", **options)
    np.testing.assert_allclose(figures(total), from_ours[f"{name} total"], rtol=SAME)


def test_replicates_of_a_stratum_taken_whole_are_not_part_of_the_mean(from_ours):
    """As in R's own JKn: their scale is 0, and where a ratio is far from linear they lie far from the others."""
    design = sat.SurveyDesign(sampled(), strata="stratum", psu="psu", base_weight="w", fpc="M")
    part = design.where(sampled()["district"] > 103)
    options = {"statistic": ("ratio", "weight_of"), "by": "age", "variance": "jkn"}
    found = sat.estimate(part, "score", **options)
    np.testing.assert_allclose(figures(found), from_ours["R's own jackknife"], rtol=SAME)


def test_replicates_of_a_sample_that_is_the_population_have_scale_0():
    out = sat.replicate_weights(
        sat.SurveyDesign(sampled().assign(M=5), strata="stratum", psu="psu", fpc="M")
    )
    assert out.scale == 1
    assert out.rscales.tolist() == [0.0] * 30


def test_the_table_has_the_final_weights_in_the_rows_order():
    design = several_steps()
    out = sat.replicate_weights(design)
    assert out.identifier == "row"
    assert out.table["row"].tolist() == list(range(1, 421))
    np.testing.assert_array_equal(out.table["final_weight"], design.weights)
    assert out.columns == [f"rep_{r:02d}" for r in range(1, 31)]
    named = sat.replicate_weights(design, identifier="id")
    assert named.table["id"].tolist() == sampled()["id"].tolist()
    np.testing.assert_array_equal(named.table[named.columns], out.table[out.columns])


def test_every_replicate_meets_the_margins():
    out = sat.replicate_weights(several_steps())
    weights = out.table[out.columns]
    for level, population in SEX.items():
        np.testing.assert_allclose(weights[sampled()["sex"] == level].sum(), population, rtol=1e-9)


def test_respondents_as_psus_keep_their_order_on_every_engine():
    from satisfaction.foundation.engines import hold

    for engine in ("duckdb", "polars", "pandas"):
        design = sat.SurveyDesign(hold(sampled(), engine), base_weight="w", strata="stratum")
        out = sat.replicate_weights(design, method="rao-wu", replicates=3, identifier="id")
        assert out.table["id"].tolist() == sampled()["id"].tolist()
        np.testing.assert_array_equal(out.table["final_weight"], sampled()["w"])


def test_our_own_replicates_come_back_in():
    """Written out and handed in again, they give the same errors."""
    for name, (design, options) in OUT.items():
        out = sat.replicate_weights(design(), **options)
        again = sat.SurveyDesign(
            sampled().assign(final=out.table["final_weight"]).query("final > 0"),
            base_weight="final",
            replicate_weights=out.table.loc[out.table["final_weight"] > 0, out.columns].to_numpy(),
            scale=out.scale,
            rscales=out.rscales,
            mse=out.mse,
        )
        options = dict(options)
        options["variance"] = options.pop("method", "jkn")
        wanted = sat.estimate(design(), MEASURES, by="district", **options)
        found = sat.estimate(again, MEASURES, by="district")
        np.testing.assert_allclose(
            figures(found), figures(wanted), rtol=1e-9, atol=1e-12, err_msg=name
        )


def test_what_cannot_be_written_out_is_refused(tmp_path, monkeypatch):
    design = several_steps()
    for options, code in (
        ({"method": "mirrored"}, "E100"),
        ({"identifier": "nowhere"}, "E101"),
        ({"identifier": "psu"}, "E526"),
        ({"method": "brr"}, "E150"),
    ):
        with pytest.raises(EstimatesError) as fault:
            sat.replicate_weights(design, **options)
        assert fault.value.code == code
    with pytest.raises(EstimatesError, match="E520"):
        sat.replicate_weights(design.where({"sex": 1}))
    monkeypatch.setattr("satisfaction.estimation.replicate_weights.MOST_NUMBERS", 1000)
    with pytest.raises(EstimatesError, match="E525"):
        sat.replicate_weights(design)
    out = sat.replicate_weights(design, method="rao-wu", replicates=2)
    out.write(tmp_path / "set")
    with pytest.raises(EstimatesError, match="E181"):
        out.write(tmp_path / "set")


def one_psu_holds_a_level() -> SampleDesign:
    rows = people().assign(rare=(people()["psu"] == 3).astype(int))
    design = sat.SurveyDesign(rows, strata="stratum", psu="psu", base_weight="w")
    held = float(rows.loc[rows["rare"] == 1, "w"].sum())
    margin = {0: float(rows["w"].sum()) - held, 1: held * 1.1}
    return sat.trim(sat.calibrate(design, {"rare": margin}), upper=3, relative_to="mean")


def test_replicates_that_no_weights_solve_are_never_written():
    with pytest.raises(EstimatesError, match="E524"):
        sat.replicate_weights(one_psu_holds_a_level())
    with pytest.raises(EstimatesError, match="E382"):
        sat.replicate_weights(one_psu_holds_a_level(), method="rao-wu")


# ---- in ----


@functools.cache
def came() -> tuple[pd.DataFrame, list[str]]:
    """Respondents with bootstrap weights that somebody else made."""
    rng = np.random.default_rng(77)
    rows = people().drop(columns=["stratum", "M"])
    columns = [f"b{r:02d}" for r in range(40)]
    psus = rows["psu"].nunique()
    for column in columns:
        times = rng.multinomial(psus - 1, np.full(psus, 1 / psus)) * psus / (psus - 1)
        rows[column] = rows["w"] * times[rows["psu"]]
    return rows, columns


RSCALES = np.linspace(0.5, 1.5, 40)
KINDS = {
    "mean": {"scale": 1 / 40, "mse": False},
    "mse": {"scale": 1 / 40, "mse": True},
    "rscales": {"scale": 0.03, "rscales": RSCALES, "mse": False},
    "some left out": {"scale": 0.03, "rscales": np.where(RSCALES < 0.8, 0.0, 1.0), "mse": False},
}
R_IN = """
rows <- read.csv("rows.csv"); rows$f_sex <- factor(rows$sex); rows$f_age <- factor(rows$age)
rows$answer <- factor(rows$answer)
columns <- grep("^b[0-9]", names(rows))
each <- read.csv("rscales.csv", check.names = FALSE)
declare <- function(name, scale, mse) svrepdesign(
  data = rows, weights = ~w, repweights = as.matrix(rows[columns]), type = "other",
  scale = scale, rscales = each[[name]], combined.weights = TRUE, mse = mse)
designs <- list("mean" = declare("mean", 1 / 40, FALSE), "mse" = declare("mse", 1 / 40, TRUE),
  "rscales" = declare("rscales", 0.03, FALSE), "some left out" = declare("some left out", 0.03, FALSE))
for (name in names(designs)) {
  d <- designs[[name]]
  put <- function(key, numbers) keep(paste(name, key), numbers)
  x <- svymean(~score, d); put("mean", c(coef(x), SE(x)))
  x <- svymean(~patchy, d, na.rm = TRUE); put("patchy", c(coef(x), SE(x)))
  x <- svytotal(~score, d); put("total", c(coef(x), SE(x)))
  x <- svyratio(~score, ~weight_of, d); put("ratio", c(coef(x), SE(x)))
  x <- svymean(~answer, d); put("shares", c(coef(x), SE(x), vcov(x)))
  x <- svytotal(~ interaction(answer, f_sex), d); put("cells", c(coef(x), SE(x), vcov(x)))
  by <- svyby(~score, ~district, d, svymean); put("by", c(coef(by), SE(by)))
  by <- svyby(~score, ~age, d, svymean, covmat = TRUE); put("by age", c(coef(by), SE(by), vcov(by)))
  x <- svycontrast(by, c(1, -1, 0)); put("contrast", c(unlist(coef(x)), SE(x)))
  both <- svymean(~score + weight_of, d)
  x <- svycontrast(both, c(1, -3)); put("two measures", c(unlist(coef(x)), SE(x)))
  put("degf", c(degf(d), sapply(1:3, function(k) degf(subset(d, district == k)))))
  one <- subset(d, sex == 2); x <- svymean(~score, one); put("subset", c(coef(x), SE(x), degf(one)))
  x <- svyttest(score ~ f_sex, d); put("t", c(x$estimate, x$statistic, x$parameter, x$p.value))
  x <- svyttest(score ~ f_sex, subset(d, age != 3)); put("t of a part", c(x$estimate, x$statistic, x$parameter, x$p.value))
  x <- svyglm(score ~ f_age + weight_of, d); put("linear regression", c(coef(x), vcov(x)))
  x <- svyglm(aware ~ f_age + weight_of, d, family = quasibinomial, epsilon = 1e-14)
  put("logistic regression", c(coef(x), vcov(x)))
  x <- svychisq(~ f_sex + answer, d, statistic = "F"); put("F", c(x$statistic, x$parameter, x$p.value))
  x <- svychisq(~ f_sex + answer, d, statistic = "adjWald"); put("adjWald", c(x$statistic, x$parameter, x$p.value))
  x <- svyby(~answer, ~f_sex, d, svymean); put("row shares", c(unlist(x[1, 2:4]), unlist(x[2, 2:4]), SE(x)[1, ], SE(x)[2, ]))
  totals <- c("(Intercept)" = 45000, f_sex2 = 24000, f_age2 = 18000, f_age3 = 15000)
  linear <- calibrate(d, ~ f_sex + f_age, totals, compress = FALSE)
  by <- svyby(~score, ~district, linear, svymean); put("linear", c(coef(by), SE(by)))
  x <- svytotal(~aware, linear); put("linear total", c(coef(x), SE(x)))
}
"""


def given(name: str, **options) -> SampleDesign:
    rows, columns = came()
    return sat.SurveyDesign(
        rows, **({"base_weight": "w", "replicate_weights": columns} | KINDS[name] | options)
    )


@pytest.fixture(scope="module")
def by_r(tmp_path_factory):
    ones = np.ones(40)
    each = pd.DataFrame({name: kind.get("rscales", ones) for name, kind in KINDS.items()})
    tables = {"rows": came()[0], "rscales": each}
    return rscript.run_r(tmp_path_factory.mktemp("in"), R_IN, tables)


@pytest.fixture(params=KINDS)
def name(request):
    return request.param


def test_means_totals_ratios_and_shares_are_those_of_svrepdesign(name, by_r):
    design = given(name)
    near = functools.partial(np.testing.assert_allclose, rtol=SAME)
    near(figures(sat.estimate(design, "score")), by_r[f"{name} mean"])
    near(figures(sat.estimate(design, "patchy")), by_r[f"{name} patchy"])
    near(figures(sat.estimate(design, "score", statistic="total")), by_r[f"{name} total"])
    ratio = sat.estimate(design, "score", statistic=("ratio", "weight_of"))
    near(figures(ratio), by_r[f"{name} ratio"])
    shares = sat.estimate(design, "answer", statistic="shares")
    near([*figures(shares), *shares.cov.ravel()], by_r[f"{name} shares"], atol=1e-15)


def test_domains_and_contrasts_are_those_of_svrepdesign(name, by_r):
    design = given(name)
    near = functools.partial(np.testing.assert_allclose, rtol=SAME, atol=1e-12)
    # district 3 has no member in three replicates: R's svymean leaves those out, its joint covariance for all districts
    by = sat.estimate(design, "score", by="district")
    near(figures(by), by_r[f"{name} by"])
    by = sat.estimate(design, "score", by="age")
    near([*figures(by), *by.cov.ravel()], by_r[f"{name} by age"])
    difference = by.contrast({"1 - 2": {(1, "score"): 1, (2, "score"): -1}})
    near(figures(difference), by_r[f"{name} contrast"])
    both = sat.estimate(design, ["score", "weight_of"])
    two = both.contrast({"d": {("score",): 1, ("weight_of",): -3}})
    near(figures(two), by_r[f"{name} two measures"])
    np.testing.assert_allclose(two.table["df"], both.table["df"].iloc[:1], rtol=1e-12)


def test_degrees_of_freedom_are_the_rank_minus_one(name, by_r):
    whole, *of_districts = by_r[f"{name} degf"]
    design = given(name)
    assert sat.estimate(design, "score").table["df"].tolist() == [whole]
    assert sat.estimate(design, "score", by="district").table["df"].tolist() == of_districts
    declared = sat.estimate(given(name, df=12), "score", by="district").table["df"]
    assert declared.tolist() == [min(df, 12) for df in of_districts]


def test_a_subpopulation_is_that_of_svrepdesign(name, by_r):
    women = given(name).where({"sex": 2})
    estimate, se, df = by_r[f"{name} subset"]
    found = sat.estimate(women, "score", df="design").table.iloc[0]
    np.testing.assert_allclose(found[["estimate", "se"]].to_numpy(float), [estimate, se], rtol=SAME)
    assert found["df"] == df


def test_replicates_are_calibrated_each_on_its_own(name, by_r):
    design = sat.calibrate(given(name), {"sex": SEX, "age": AGE}, method="linear")
    by = sat.estimate(design, "score", by="district")
    np.testing.assert_allclose(figures(by), by_r[f"{name} linear"], rtol=R_STOPS)
    total = sat.estimate(design, "aware", statistic="total")
    np.testing.assert_allclose(figures(total), by_r[f"{name} linear total"], rtol=R_STOPS)


def test_cross_tables_have_the_covariance_of_totals_of_svrepdesign(name, by_r):
    crossed = sat.cross_table(given(name), "sex", "answer")
    found = [*crossed.total.ravel(), *np.sqrt(np.diag(crossed.cov)), *crossed.cov.ravel()]
    np.testing.assert_allclose(found, by_r[f"{name} cells"], rtol=SAME, atol=1e-6)


def test_tests_and_regressions_are_fitted_anew_with_the_weights_of_every_replicate(name, by_r):
    design = given(name)
    part = design.where({"age": [1, 2]})
    for key, of in (("t", design), ("t of a part", part)):
        test = sat.t_test(of, "score", "sex")
        found = test.table[["difference", "t", "df", "p"]].iloc[0]
        np.testing.assert_allclose(found, by_r[f"{name} {key}"], rtol=SAME)
        assert test.conventions["variance"] == "replicates"
        by = sat.estimate(of, "score", by="sex")
        contrast = by.contrast({"d": {(2, "score"): 1, (1, "score"): -1}}).table
        np.testing.assert_allclose(test.table["se"], contrast["se"], rtol=SAME)
    terms = {"covariates": ["age", "weight_of"], "categorical": "age"}
    linear = sat.regression(design, "score", **terms)
    found = [*linear.table["estimate"], *linear.cov.ravel()]
    np.testing.assert_allclose(found, by_r[f"{name} linear regression"], rtol=SAME)
    logistic = sat.regression(design, "aware", family="logistic", **terms)
    found = [*logistic.table["estimate"], *logistic.cov.ravel()]
    np.testing.assert_allclose(found, by_r[f"{name} logistic regression"], rtol=R_STOPS)


def test_independence_and_row_shares_are_those_of_svrepdesign(name, by_r):
    design = given(name)
    for key, statistic in (("F", "F"), ("adjWald", "adjusted_wald")):
        found = sat.rao_scott(design, "sex", "answer", statistic=statistic).table
        found = found[["statistic", "df", "ddf", "p"]].iloc[0]
        np.testing.assert_allclose(found, by_r[f"{name} {key}"], rtol=SAME)
    table = sat.cross_table(design, "sex", "answer").table
    found = [*table["row_share"], *table["row_share_se"]]
    np.testing.assert_allclose(found, by_r[f"{name} row shares"], rtol=SAME)


def test_a_replicate_that_leaves_nothing_to_fit_has_linearized_coefficients():
    """Without group 2 in the last replicate, the difference there is that of the influence of the others."""
    rows = pd.DataFrame({"g": [1, 1, 1, 2, 2], "y": [1.0, 2, 4, 7, 9], "w": 1.0})
    weights = np.array([[2, 0, 1, 1, 1], [0, 2, 1, 2, 0], [1, 1, 3, 0, 0.0]]).T
    design = sat.SurveyDesign(rows, base_weight="w", replicate_weights=weights, scale=1.0, mse=True)
    first = rows["y"][:3].to_numpy()
    away = [(8 - 2 + 0.0) - (8 - first.mean()), (7 - 8 / 3) - (8 - first.mean())]
    away.append(-(weights[:3, 2] * (first - first.mean())).sum() / 3)
    assert away[0] == pytest.approx((8 - (2 + 4) / 3) - (8 - 7 / 3))
    se = sat.t_test(design, "y", "g").table["se"].iloc[0]
    assert se == pytest.approx(np.sqrt(np.square(away).sum()), rel=1e-12)


def test_rank_and_joint_tests_take_replicates(name):
    design = given(name)
    ranks = sat.rank_test(design, "score", "age")
    assert ranks.conventions["variance"] == "replicates, of the linearized statistic"
    for test in (
        ranks,
        sat.wald(sat.estimate(design, "score", by="district")),
        sat.regression(design, "score", ["age"], categorical="age").joint_test("age"),
    ):
        assert 0 < test.p < 1


def test_an_array_means_the_same_as_columns():
    rows, columns = came()
    wanted = sat.estimate(given("rscales"), "score", by="district").table
    for replicate_weights in (rows[columns].to_numpy(), rows[columns]):
        design = given("rscales", replicate_weights=replicate_weights)
        pd.testing.assert_frame_equal(sat.estimate(design, "score", by="district").table, wanted)


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_every_engine_takes_them(engine):
    from satisfaction.foundation.engines import hold

    rows, columns = came()
    design = sat.SurveyDesign(
        hold(rows, engine), base_weight="w", replicate_weights=columns, scale=1 / 40
    )
    found = sat.estimate(design, "score", by="district").table
    wanted = sat.estimate(given("mean"), "score", by="district").table
    pd.testing.assert_frame_equal(found, wanted)


def test_quantiles_and_limits_go_on_from_them(name):
    design = given(name)
    median = sat.estimate(design, "score", statistic="median").table.iloc[0]
    assert median["ci_low"] < median["estimate"] < median["ci_high"]
    share = sat.estimate(design, "aware", statistic="proportion", interval="wilson")
    assert share.conventions["variance"] == "replicates"
    assert share.conventions["centre"] == (
        "full-sample estimate (mse)" if name == "mse" else "mean of the replicates"
    )


def test_rank_of_proportional_columns():
    weights = np.outer(np.arange(1.0, 6), [1.0, 2.0, 3.0])
    assert rank_df(weights) == 0
    assert rank_df(np.eye(5)) == 4
    assert rank_df(np.zeros((0, 3))) == 0


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"psu": "psu"}, "D526"),
        ({"strata": "district"}, "D526"),
        ({"replicate_weights": None}, "D526"),
        ({"scale": None}, "D527"),
        ({"scale": -1}, "D527"),
        ({"rscales": [1.0, 2.0]}, "D527"),
        ({"rscales": np.full(40, -1.0)}, "D527"),
        ({"replicate_weights": ["b00", "nowhere"]}, "D527"),
        ({"replicate_weights": ["b00"]}, "D527"),
        ({"replicate_weights": np.ones((3, 4))}, "D527"),
        ({"replicate_weights": np.full((420, 4), np.nan)}, "D527"),
        ({"replicate_weights": ["b00", "answer"]}, "D527"),
        ({"replicate_weights": pd.DataFrame(np.ones((420, 4)), index=range(419, -1, -1))}, "D527"),
    ],
)
def test_odd_replicates_are_refused(options, code):
    with pytest.raises(DesignError) as fault:
        given("mean", **options)
    assert fault.value.code == code


def test_variance_methods_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(EstimatesError, match="E523"):
        sat.estimate(given("mean"), "score", variance="jkn")
    plain = sat.SurveyDesign(people(), psu="psu", base_weight="w")
    with pytest.raises(EstimatesError, match="E523"):
        sat.estimate(plain, "score", variance="replicates")
    with pytest.raises(EstimatesError, match="E523"):
        sat.replicate_weights(given("mean"))
    with pytest.raises(ExportError, match="X521"):
        sat.hand_over(given("mean"), tmp_path / "set", measures="score")
    estimates = sat.estimate(given("mean"), "score")
    with pytest.raises(EstimatesError, match="E172"):
        sat.change(estimates, estimates)
    with pytest.raises(EstimatesError, match="E183"):
        sat.write_estimates(estimates, tmp_path / "carried")


def test_inputs_are_not_changed():
    rows = came()[0]
    before = rows.copy()
    design = given("mean")
    sat.estimate(design.where(rows["sex"] == 1), "score")
    pd.testing.assert_frame_equal(rows, before)
