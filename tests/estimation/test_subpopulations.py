"""A design of a subpopulation beside R's `subset`: estimates, tests, regressions; the design itself is never filtered."""

from __future__ import annotations

import functools

import narwhals as nw
import numpy as np
import pandas as pd
import pytest

import rscript
import satisfaction as sat
from conftest import province_design
from golden_values import golden, province_rows
from reference import province_margins
from satisfaction.estimation.reliability import assess_items
from satisfaction.foundation.errors import (
    DesignError,
    EstimatesError,
    ExportError,
    WeightsError,
)
from satisfaction.sampling.design import SampleDesign

CLOSED = 1e-9  # the same closed forms, other order of additions
P_VALUE = 1e-6
R_ITERATES = 1e-6  # the logistic fit, and raking, where R stops at its own tolerance
SEX = {1: 21_000.0, 2: 24_000.0}
AGE = {1: 12_000.0, 2: 18_000.0, 3: 15_000.0}


@functools.cache
def people() -> pd.DataFrame:
    """6 strata of 5 PSUs; district 3 lies in a few PSUs of two strata, and some answers are missing."""
    rng = np.random.default_rng(20260911)
    psu = np.repeat(np.arange(30), 14)
    n = len(psu)
    rows = pd.DataFrame({"stratum": psu // 5, "psu": psu, "M": 40.0, "w": rng.uniform(50, 150, n)})
    rows["district"] = np.where(psu < 12, 1, 2)
    rows.loc[(psu % 5 == 0) & (psu < 10) | (psu == 13), "district"] = 3
    rows["sex"] = rng.integers(1, 3, n)
    rows["age"] = rng.integers(1, 4, n)
    effect = rng.normal(0, 4, 30)[psu]
    rows["score"] = 60 + effect + 3 * rows["sex"] + rng.normal(0, 9, n)
    rows["weight_of"] = rng.uniform(1, 5, n)
    rows["aware"] = (rng.uniform(size=n) < 0.35 + 0.1 * rows["sex"]).astype(int)
    rows["answer"] = rng.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2])
    rows["patchy"] = rows["score"].where(rng.uniform(size=n) > 0.2)
    for item in ("i1", "i2", "i3"):
        rows[item] = rng.integers(1, 6, n) + rows["aware"]
    return rows


def plain() -> SampleDesign:
    return sat.SurveyDesign(people(), strata="stratum", psu="psu", base_weight="w", fpc="M")


@functools.cache
def designs() -> dict[str, SampleDesign]:
    margins = {"sex": SEX, "age": AGE}
    return {
        "plain": plain(),
        "linear": sat.calibrate(plain(), margins, method="linear"),
        "raked": sat.calibrate(plain(), margins, method="raking"),
    }


WHERE = {"district": [1, 3]}
R_SCRIPT = """
rows <- read.csv("people.csv")
rows$f_sex <- factor(rows$sex); rows$f_age <- factor(rows$age); rows$answer <- factor(rows$answer)
plain <- svydesign(ids = ~psu, strata = ~stratum, weights = ~w, fpc = ~M, data = rows)
totals <- c("(Intercept)" = 45000, f_sex2 = 24000, f_age2 = 18000, f_age3 = 15000)
designs <- list(plain = plain,
  linear = calibrate(plain, ~ f_sex + f_age, totals),
  raked = calibrate(plain, ~ f_sex + f_age, totals, calfun = "raking", epsilon = 1e-12, maxit = 200))
for (name in names(designs)) {
  put <- function(key, numbers) keep(paste(name, key), numbers)
  both <- subset(designs[[name]], district %in% c(1, 3))
  small <- subset(designs[[name]], district == 3)
  for (of in c("both", "small")) {
    d <- get(of)
    say <- function(key, numbers) put(paste(of, key), numbers)
    mean <- svymean(~score, d); say("mean", c(coef(mean), SE(mean)))
    total <- svytotal(~score, d); say("total", c(coef(total), SE(total)))
    ratio <- svyratio(~score, ~weight_of, d); say("ratio", c(coef(ratio), SE(ratio)))
    say("degf", degf(d))
    say("weights", sum(weights(d)))
  }
  by <- svyby(~score, ~sex, both, svymean); put("by", c(coef(by), SE(by)))
  q <- svyquantile(~score, both, 0.5, qrule = "math", df = degf(both)); put("median", c(coef(q), SE(q)))
  means <- svymean(~score + weight_of, both)
  put("contrast", c(unlist(svycontrast(means, c(1, -2))), SE(svycontrast(means, c(1, -2)))))
  t <- svyttest(score ~ sex, both); put("t", c(t$statistic, t$parameter, t$p.value))
  one <- svyttest(I(score - 60) ~ 0, both); put("t1", one$statistic)
  rank2 <- svyranktest(score ~ sex, both); put("rank", c(rank2$statistic, rank2$parameter, rank2$p.value))
  rank3 <- svyranktest(score ~ f_age, both); put("kruskal", c(rank3$statistic, rank3$parameter, rank3$p.value))
  line <- svyglm(score ~ weight_of + f_age, both); put("glm", c(coef(line), SE(line), line$df.residual))
  logit <- svyglm(aware ~ score + f_sex, both, family = quasibinomial, epsilon = 1e-14, maxit = 50)
  put("logistic", c(coef(logit), SE(logit), logit$df.residual))
  wald <- regTermTest(line, ~ f_age); put("joint", c(wald$Ftest, wald$df, wald$ddf))
  shares <- svymean(~answer, both); put("shares", c(coef(shares), SE(shares), vcov(shares)))
  counts <- svytotal(~answer, both); put("counts", c(coef(counts), SE(counts)))
  cells <- svymean(~ interaction(answer, f_sex), both); put("cells", c(coef(cells), SE(cells), vcov(cells)))
  in_rows <- svyby(~f_sex, ~answer, both, svymean); put("in_rows", c(coef(in_rows), unlist(SE(in_rows))))
  alpha <- svycralpha(~ i1 + i2 + i3, both); put("alpha", alpha)
  if (name == "plain") {
    for (statistic in c("F", "Chisq", "Wald", "adjWald")) {
      x <- svychisq(~ aware + answer, both, statistic = statistic)
      put(paste("chisq", statistic), c(x$statistic, x$p.value))
    }
    pairs <- svyby(~score, ~sex, both, svymean, covmat = TRUE)
    put("pair", c(coef(svycontrast(pairs, c(1, -1))), SE(svycontrast(pairs, c(1, -1)))))
    patchy <- svymean(~patchy, both, na.rm = TRUE); put("patchy", c(coef(patchy), SE(patchy)))
    t <- svyttest(patchy ~ sex, both); put("t patchy", c(t$statistic, t$parameter))
    share <- svyciprop(~aware, both, method = "beta"); put("beta", c(coef(share), confint(share)))
    deff <- svymean(~score, both, deff = TRUE); put("deff", attr(deff, "deff"))
    rest <- svyby(~score, ~ I(district == 3), both, svymean, covmat = TRUE)
    put("rest", c(coef(svycontrast(rest, c(-1, 1))), SE(svycontrast(rest, c(-1, 1)))))
  }
}
"""


@pytest.fixture(scope="module")
def by_r(tmp_path_factory):
    return rscript.run_r(tmp_path_factory.mktemp("subset"), R_SCRIPT, {"people": people()})


@pytest.fixture(params=["plain", "linear", "raked"])
def name(request):
    return request.param


def tolerance(name: str) -> float:
    return R_ITERATES if name == "raked" else CLOSED


def member(name: str, of: str = "both") -> SampleDesign:
    return designs()[name].where(WHERE if of == "both" else {"district": 3})


def row(estimates, *columns: str) -> np.ndarray:
    return estimates.table[list(columns or ("estimate", "se"))].to_numpy(float).T.ravel()


@pytest.mark.parametrize("of", ["both", "small"])
def test_means_totals_and_ratios_are_those_of_subset(name, of, by_r):
    design = member(name, of)
    near = functools.partial(np.testing.assert_allclose, rtol=tolerance(name))
    near(row(sat.estimate(design, "score")), by_r[f"{name} {of} mean"])
    near(row(sat.estimate(design, "score", statistic="total")), by_r[f"{name} {of} total"])
    ratio = sat.estimate(design, "score", statistic=("ratio", "weight_of"))
    near(row(ratio), by_r[f"{name} {of} ratio"])
    assert (
        sat.estimate(design, "score", df="design").table["df"].tolist() == by_r[f"{name} {of} degf"]
    )
    near(design.weights.sum(), by_r[f"{name} {of} weights"])


def test_domains_contrasts_and_quantiles_are_those_of_subset(name, by_r):
    design = member(name)
    near = functools.partial(np.testing.assert_allclose, rtol=tolerance(name))
    near(row(sat.estimate(design, "score", by="sex")), by_r[f"{name} by"])
    near(row(sat.estimate(design, "score", statistic="median")), by_r[f"{name} median"])
    means = sat.estimate(design, ["score", "weight_of"])
    difference = means.contrast({"d": {("score",): 1, ("weight_of",): -2}})
    near(row(difference), by_r[f"{name} contrast"])


def test_t_and_rank_tests_are_those_of_subset(name, by_r):
    design = member(name)
    t = sat.t_test(design, "score", "sex").table[["t", "df", "p"]].to_numpy()[0]
    np.testing.assert_allclose(t, by_r[f"{name} t"], rtol=max(P_VALUE, tolerance(name)))
    np.testing.assert_allclose(t[:2], by_r[f"{name} t"][:2], rtol=tolerance(name))
    one = sat.t_test(design, "score", value=60).table["t"]
    np.testing.assert_allclose(one, by_r[f"{name} t1"], rtol=tolerance(name))
    two = sat.rank_test(design, "score", "sex", ties="row_order").table[["t", "df", "p"]]
    np.testing.assert_allclose(two.to_numpy()[0], by_r[f"{name} rank"], rtol=P_VALUE)
    more = sat.rank_test(design, "score", "age", ties="row_order").table.iloc[0]
    statistic, parameter, p = by_r[f"{name} kruskal"]
    np.testing.assert_allclose(
        [more["df"], more["wald"], more["p"]], [statistic, parameter, p], rtol=P_VALUE
    )


def test_regressions_are_those_of_subset(name, by_r):
    design = member(name)
    fit = sat.regression(design, "score", ["weight_of", "age"], categorical="age")
    figures = [*fit.table["estimate"], *fit.table["se"], fit.table["df"].iloc[0]]
    np.testing.assert_allclose(figures, by_r[f"{name} glm"], rtol=tolerance(name))
    joint = fit.joint_test("age").table.iloc[0]
    np.testing.assert_allclose(
        [joint["statistic"], joint["df"], joint["ddf"]], by_r[f"{name} joint"], rtol=R_ITERATES
    )
    fit = sat.regression(design, "aware", ["score", "sex"], categorical="sex", family="logistic")
    figures = [*fit.table["estimate"], *fit.table["se"], fit.table["df"].iloc[0]]
    np.testing.assert_allclose(figures, by_r[f"{name} logistic"], rtol=R_ITERATES)


def test_alpha_is_that_of_subset(name, by_r):
    found = assess_items(member(name), ["i1", "i2", "i3"])
    np.testing.assert_allclose(found.weighted_alpha, by_r[f"{name} alpha"], rtol=tolerance(name))
    inside = people()[people()["district"].isin([1, 3])]
    by_hand = sat.cronbach_alpha(inside[["i1", "i2", "i3"]].to_numpy())
    np.testing.assert_allclose(found.alpha, by_hand, rtol=CLOSED)
    assert found.complete == found.respondents == len(inside)


@pytest.mark.parametrize(
    ("statistic", "own"),
    [
        ("F", "F"),
        ("Chisq", "chisq"),
        ("Wald", "wald"),
        ("adjWald", "adjusted_wald"),
    ],
)
def test_rao_scott_is_that_of_subset(statistic, own, by_r):
    found = sat.rao_scott(member("plain"), "aware", "answer", statistic=own).table.iloc[0]
    of = "pearson" if own == "chisq" else "statistic"
    wanted = by_r[f"plain chisq {statistic}"]
    np.testing.assert_allclose(found[of], wanted[0], rtol=CLOSED)
    np.testing.assert_allclose(found["p"], wanted[1], rtol=P_VALUE)


def test_missing_values_limits_and_design_effects_are_those_of_subset(by_r):
    design = member("plain")
    near = functools.partial(np.testing.assert_allclose, rtol=CLOSED)
    near(row(sat.estimate(design, "patchy")), by_r["plain patchy"])
    t = sat.t_test(design, "patchy", "sex").table[["t", "df"]].to_numpy()[0]
    near(t, by_r["plain t patchy"])
    limits = sat.estimate(design, "aware", statistic="proportion", interval="beta")
    near(row(limits, "estimate", "ci_low", "ci_high"), by_r["plain beta"])
    near(row(sat.estimate(design, "score"), "deff"), by_r["plain deff"])


def test_pairs_and_the_rest_are_those_of_subset(by_r):
    design = member("plain")
    pair = sat.all_pairs(sat.estimate(design, "score", by="sex")).table.iloc[0]
    np.testing.assert_allclose(
        pair[["difference", "se"]].to_numpy(float), by_r["plain pair"], rtol=CLOSED
    )
    rest = sat.against_rest(design, "score", by="district").table
    assert rest["area"].tolist() == [1, 3]
    np.testing.assert_allclose(
        rest.loc[1, ["difference", "se"]].to_numpy(float), by_r["plain rest"], rtol=CLOSED
    )


def test_rao_scott_of_a_raked_subpopulation_counts_the_psus_of_its_members():
    """As survey 4.5; 4.1-1 counted the whole sample's. R swept the margins, which moves F by a thousandth."""
    wanted = golden("survey45/province")["chisq"]["raked_prefecture1"]["F"]
    raked = sat.calibrate(province_design(province_rows()), province_margins()["four"].value)
    found = sat.rao_scott(raked.where({"prefecture": 1}), "aware", "part").table.iloc[0]
    assert [found["df"], found["ddf"]] == wanted["parameter"]
    np.testing.assert_allclose(found["statistic"], wanted["statistic"], rtol=2e-3)
    np.testing.assert_allclose(found["p"], wanted["p_value"], rtol=2e-3)


# ---- categorical variables ----


def test_shares_of_every_level_are_those_of_a_factor(name, by_r):
    found = sat.estimate(member(name), "answer", statistic="shares")
    assert found.table["level"].tolist() == ["a", "b", "c"]
    assert found.table["measure"].tolist() == ["answer"] * 3
    figures = [*row(found), *found.cov.T.ravel()]
    np.testing.assert_allclose(figures, by_r[f"{name} shares"], rtol=tolerance(name), atol=1e-15)


def test_counts_of_every_level_are_those_of_a_factor(name, by_r):
    found = sat.estimate(member(name), "answer", statistic="counts")
    np.testing.assert_allclose(row(found), by_r[f"{name} counts"], rtol=tolerance(name))


def test_a_cross_table_has_shares_of_all_and_of_rows(name, by_r):
    crossed = sat.cross_table(member(name), "sex", "answer")
    by_sex = crossed.table  # R's interaction(answer, sex): answers run fastest
    figures = [*by_sex["share"], *by_sex["share_se"], *crossed.covariance().ravel()]
    np.testing.assert_allclose(figures, by_r[f"{name} cells"], rtol=tolerance(name), atol=1e-15)
    turned = sat.cross_table(member(name), "answer", "sex").table
    turned = turned.sort_values(["sex", "answer"])
    figures = [*turned["row_share"], *turned["row_share_se"]]
    np.testing.assert_allclose(figures, by_r[f"{name} in_rows"], rtol=tolerance(name))
    same = by_sex.sort_values(["sex", "answer"])
    np.testing.assert_allclose(same["column_share"], turned["row_share"], rtol=1e-12)
    np.testing.assert_allclose(same["column_share_se"], turned["row_share_se"], rtol=1e-12)
    np.testing.assert_allclose(same["total_se"], turned["total_se"], rtol=1e-12)
    assert by_sex["n"].sum() == people()["district"].isin([1, 3]).sum()


def test_row_shares_are_the_shares_of_levels_by_domain(name):
    crossed = sat.cross_table(member(name), "sex", "answer")
    by_sex = sat.estimate(member(name), "answer", statistic="shares", by="sex")
    np.testing.assert_allclose(by_sex.table["estimate"], crossed.table["row_share"], rtol=1e-12)
    np.testing.assert_allclose(by_sex.table["se"], crossed.table["row_share_se"], rtol=1e-9)
    np.testing.assert_allclose(by_sex.cov, crossed.covariance("row"), rtol=1e-9, atol=1e-15)


def test_shares_of_answers_are_those_of_r_with_their_limits():
    """Whole province and counties: share, se, df, and the limits of three methods."""
    tables = golden("answers/s1")["table"]
    design = province_design(province_rows())
    for method in ("xlogit", "beta", "wilson"):
        for key, by in (("province", None), ("sex", "sex"), ("county", "county")):
            found = sat.estimate(design, "s1", statistic="shares", by=by, interval=method).table
            for code, wanted in tables[key].items():
                rows = found if by is None else found[found[by] == int(code)]
                assert rows["df"].iloc[0] == wanted["df"]
                assert rows["n"].iloc[0] == wanted["n"]
                assert rows["level"].tolist() == [1, 2, 3, 4, 5]
                np.testing.assert_allclose(rows["estimate"], wanted["share"], rtol=CLOSED)
                np.testing.assert_allclose(rows["se"], wanted["se"], rtol=CLOSED, atol=1e-15)
                theirs = np.array([limits or [np.nan, np.nan] for limits in wanted[method]], float)
                known = np.isfinite(theirs).all(axis=1)
                ours = rows[["ci_low", "ci_high"]].to_numpy(float)
                np.testing.assert_allclose(ours[known], theirs[known], rtol=CLOSED)


def test_shares_under_several_weighting_steps_come_from_replicates():
    design = sat.trim(designs()["raked"], upper=1.2, relative_to="mean")
    shares = sat.estimate(design, "answer", statistic="shares", by="sex")
    dummies = people().assign(b=(people()["answer"] == "b").astype(int))
    by_hand = sat.estimate(design.over(dummies), "b", statistic="proportion", by="sex").table
    at_b = shares.table[shares.table["level"] == "b"]
    assert shares.conventions["variance"] == "jkn"
    assert shares.conventions["statistic"] == "shares"
    columns = ["estimate", "se", "df", "ci_low", "ci_high", "deff", "n"]
    np.testing.assert_allclose(at_b[columns], by_hand[columns], rtol=1e-12)


def test_codes_truth_values_and_measures_have_levels():
    rows = people().assign(yes=people()["aware"] == 1, part=people()["aware"].astype(float))
    rows.loc[:40, "part"] = np.nan
    design = sat.SurveyDesign(rows, strata="stratum", psu="psu", base_weight="w")
    mean = sat.estimate(design, "aware").table.iloc[0]
    for column in ("aware", "yes"):
        found = sat.estimate(design, column, statistic="shares").table
        assert found["level"].tolist() == [0, 1]
        np.testing.assert_allclose(found["estimate"].iloc[1], mean["estimate"], rtol=1e-12)
        np.testing.assert_allclose(found["se"], mean["se"], rtol=1e-9)
    both = sat.estimate(design, ["part", "answer"], statistic="shares")
    assert both.table["level"].tolist() == [0, 1, "a", "b", "c"]
    assert both.table["n"].tolist() == [379, 379, 420, 420, 420]
    np.testing.assert_allclose(both.of("part").table["estimate"].sum(), 1)


def test_levels_are_compared_with_the_df_of_their_domain():
    shares = sat.estimate(plain(), "answer", statistic="shares")
    pairs = sat.all_pairs(shares).table
    assert pairs[["area", "other"]].to_numpy().tolist() == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert pairs["df"].tolist() == [24, 24, 24]
    difference = shares.contrast({"a - b": {("a", "answer"): 1, ("b", "answer"): -1}})
    np.testing.assert_allclose(difference.table["se"], pairs["se"].iloc[0], rtol=1e-12)


def test_special_codes_are_out_of_the_base_and_select_all_items_are_refused():
    rows = people().assign(coded=people()["age"].replace(3, 98), many="1;2", many_1=1)
    codes = {
        "coded": {"special": [98, 99], "select_all": False},
        "many": {"special": [], "select_all": True},
    }
    design = sat.SurveyDesign(rows, strata="stratum", psu="psu", base_weight="w", codes=codes)
    found = sat.estimate(design, "coded", statistic="shares").table
    assert found["level"].tolist() == [1, 2]
    assert found["n"].tolist() == [(rows["coded"] != 98).sum()] * 2
    with pytest.raises(EstimatesError, match="E521"):
        sat.estimate(design, "many", statistic="shares")
    with pytest.raises(EstimatesError, match="E522"):
        sat.estimate(plain(), "score", statistic="shares")
    with pytest.raises(EstimatesError, match="E141"):
        sat.estimate(plain(), "nowhere", statistic="shares")


def test_without_a_probability_sample_cross_tables_have_no_error():
    design = sat.SurveyDesign(people(), psu="psu", selection="quota")
    table = sat.cross_table(design, "sex", "answer").table
    assert table[["total_se", "share_se", "row_share_se", "column_share_se"]].isna().all(axis=None)
    assert table["share"].notna().all()


# ---- identities ----


def test_nothing_is_filtered(name):
    """The mean of a member design is that of a domain of the whole, with its covariance and design df."""
    whole = sat.estimate(designs()[name], "score", by="district")
    for district in (1, 2, 3):
        one = sat.estimate(designs()[name].where({"district": district}), "score")
        of_domain = whole.table[whole.table["district"] == district]
        columns = ["estimate", "se", "df", "ci_low", "ci_high", "deff", "n"]
        np.testing.assert_allclose(
            one.table[columns].to_numpy(float), of_domain[columns].to_numpy(float), rtol=1e-12
        )


@pytest.mark.parametrize("variance", ["jkn", "rao-wu", "rake"])
def test_replicates_of_a_subpopulation_are_those_of_its_domain(variance):
    options = {"variance": variance, "replicates": 50}
    whole = sat.estimate(designs()["raked"], "score", by="district", **options)
    one = sat.estimate(designs()["raked"].where({"district": 3}), "score", **options)
    np.testing.assert_allclose(one.table["se"], whole.table["se"].iloc[2:], rtol=1e-12)


def test_every_way_to_write_a_condition_means_the_same():
    rows = people()
    truth = rows["district"].isin([1, 3])
    ways = [
        WHERE,
        truth,
        truth.to_numpy(),
        truth.tolist(),
        nw.col("district").is_in([1, 3]),
    ]
    tables = [sat.estimate(plain().where(way), "score").table for way in ways]
    marked = sat.SurveyDesign(
        rows.assign(inside=truth, coded=truth.astype(int)),
        strata="stratum",
        psu="psu",
        base_weight="w",
        fpc="M",
    )
    tables += [sat.estimate(marked.where(column), "score").table for column in ("inside", "coded")]
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0])


@pytest.mark.parametrize("engine", ["duckdb", "polars", "parquet"])
def test_every_engine_restricts(engine, tmp_path):
    from satisfaction.foundation.engines import hold, write_parquet

    if engine == "parquet":
        write_parquet(people(), tmp_path / "people.parquet")
        held = tmp_path / "people.parquet"
    else:
        held = hold(people(), engine)
    design = sat.SurveyDesign(held, strata="stratum", psu="psu", base_weight="w", fpc="M")
    found = sat.estimate(design.where(WHERE), "aware", by="sex").table
    wanted = sat.estimate(plain().where(WHERE), "aware", by="sex").table
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False)
    if engine != "polars":
        with pytest.raises(DesignError) as fault:
            design.where(people()["district"] == 1)
        assert fault.value.code == "D523"


def test_conditions_add_up():
    together = plain().where({"district": [1, 3], "sex": 2})
    after = plain().where({"district": [1, 3]}).where(people()["sex"] == 2)
    other = plain().where(people()["sex"] == 2).where({"district": [1, 3]})
    wanted = sat.estimate(together, "score").table
    for design in (after, other):
        pd.testing.assert_frame_equal(sat.estimate(design, "score").table, wanted)
        np.testing.assert_array_equal(design.weights, together.weights)
    assert (together.weights > 0).sum() == (
        (people()["sex"] == 2) & people()["district"].isin([1, 3])
    ).sum()
    assert sat.estimate(after, "score").conventions["subpopulation"] == after.subpopulation


def test_a_missing_value_is_not_inside():
    rows = people().assign(maybe=pd.array([True, None, False] * 140, dtype="boolean"))
    design = sat.SurveyDesign(rows, strata="stratum", psu="psu", base_weight="w")
    assert sat.estimate(design.where("maybe"), "score").table["n"].tolist() == [140]
    assert sat.estimate(design.where(rows["maybe"]), "score").table["n"].tolist() == [140]


def test_change_of_a_subpopulation_between_waves_with_the_same_psus(name):
    later = member(name)
    zero = sat.change(sat.estimate(later, "score"), sat.estimate(later, "score")).table.iloc[0]
    assert zero["difference"] == 0
    np.testing.assert_allclose(zero["correlation"], 1)


def test_inputs_are_not_changed():
    before = people().copy()
    design = plain()
    design.where(WHERE)
    pd.testing.assert_frame_equal(people(), before)
    assert design.subpopulation == ""


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ({"distrct": 1}, "D520"),
        ("distrct", "D520"),
        ("answer", "D521"),
        ("district", "D521"),
        ({"district": 9}, "D522"),
        ({"district": "1"}, "D522"),
        ({"district": []}, "D522"),
        ([True, False], "D523"),
        (pd.Series([True] * 420, index=range(1, 421)), "D523"),
        (["x"] * 420, "D523"),
        (7, "D523"),
        ([False] * 420, "D524"),
        ({"district": 3, "psu": 29}, "D524"),
    ],
)
def test_odd_conditions_are_refused(condition, code):
    with pytest.raises(DesignError) as fault:
        plain().where(condition)
    assert fault.value.code == code
    assert fault.value.hint


def test_weighting_and_hand_over_are_of_all_respondents(tmp_path):
    design = plain().where(WHERE)
    with pytest.raises(WeightsError, match="W520"):
        sat.calibrate(design, {"sex": SEX})
    with pytest.raises(WeightsError, match="W520"):
        sat.trim(design, upper=3)
    with pytest.raises(WeightsError, match="W520"):
        sat.write_weights(design, tmp_path / "weights")
    with pytest.raises(ExportError, match="X520"):
        sat.hand_over(design, tmp_path / "set", measures="score")
    with pytest.raises(EstimatesError):
        sat.t_test(design.where({"sex": 1}), "score", "sex")


# ---- persons of weight 0 ----


def some_answered() -> SampleDesign:
    """Persons sampled, also in PSUs where nobody answered; what is known of them all stands in the table."""
    rng = np.random.default_rng(8)
    rows = people().assign(responded=(rng.uniform(size=420) < 0.8).astype(int))
    rows.loc[rows["psu"] % 5 == 0, "responded"] = 0
    rows.loc[rows["responded"] == 0, "answer"] = "nobody's"
    design = sat.SurveyDesign(rows, strata="stratum", psu="psu", base_weight="w", fpc="M")
    return sat.adjust_nonresponse(design, "responded", by=["sex"])


@pytest.mark.parametrize(
    "table",
    [
        lambda design: sat.t_test(design, "score", "sex").table,
        lambda design: sat.t_test(design, "score", "sex").details,
        lambda design: sat.rank_test(design, "score", "sex").table,
        lambda design: sat.rank_test(design, "score", "age").table,
        lambda design: sat.rao_scott(design, "sex", "answer").table,
        lambda design: sat.rao_scott(design, "sex", "age", statistic="wald").table,
        lambda design: sat.cross_table(design, "sex", "age").table,
        lambda design: sat.regression(design, "score", ["sex", "answer"]).table,
        lambda design: sat.regression(design, "aware", "age", family="logistic").table,
        lambda design: sat.estimate(design, "score", df="design", variance="linearized").table,
        lambda design: sat.wald(sat.estimate(design, "score", by="sex")).table,
        lambda design: assess_items(design, ["i1", "i2", "i3"]).table,
    ],
)
def test_whoever_has_weight_0_counts_in_no_test(table):
    """Neither in its groups, nor in n, nor in its df: as in a subpopulation of those who answered (and in R)."""
    design = some_answered()
    pd.testing.assert_frame_equal(table(design), table(design.where("responded")))


def test_degrees_of_freedom_leave_out_psus_where_nobody_answered():
    design = some_answered()
    assert sat.t_test(design, "score").table["df"].tolist() == [18]
    assert sat.rao_scott(design, "sex", "age").table["ddf"].iloc[0] <= 2 * 18
    assert assess_items(design, ["i1", "i2"]).df == 18
