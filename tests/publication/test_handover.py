"""The hand-over: the files alone give our estimates again, the R call means our design, nothing tells who a person is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from tests.weighting.test_survey_weighting import (
    ABSENT,
    BASE,
    CLASSES,
    RAKING,
    TRIM,
    absent_persons,
)

import rscript
from golden_values import api_rows
from satisfaction import (
    SurveyDesign,
    adjust_nonresponse,
    calibrate,
    estimate,
    export,
    hand_over,
    hand_over_results,
    trim,
)
from satisfaction.foundation.errors import ExportError
from satisfaction.foundation.files import sha256
from satisfaction.pipeline import run
from satisfaction.sampling.design import SampleDesign
from system_packages import NEEDS_R

SAME = 1e-12  # relative: the file holds the same doubles, only sums are ordered otherwise
R_STOPS = 1e-8  # R's calibrate stops at 1e-10 of every total
FILES = {"respondents.csv", "expected.csv", "survey.R", "README.txt", "README-en.txt"}
IN_CHINESE = {"survey.R", "README.txt"}
"""In the first language that the survey declares; csv files hold both."""
TYPES = {"E": 4421.0, "H": 755.0, "M": 1018.0}
AREAS = ('贵阳,"云岩"', "a.b", "x“y”\n z", "c\\d")


def people(n: int = 400) -> pd.DataFrame:
    """Respondents with everything that makes a csv file or an R script stumble."""
    rng = np.random.default_rng(20260701)
    table = pd.DataFrame(
        {
            "满意 度": rng.choice(AREAS, n), "h 1": rng.choice(["1", "1.2"], n), "psu": rng.choice(["2.1", "1", "2", "3", "2.2"], n),
            "village": rng.integers(1, 4, n), "sex": rng.choice([1, 2], n), "age": rng.integers(1, 4, n), "if": rng.uniform(0, 100, n),
            "w": rng.uniform(1, 3, n), "one": 1, "income": rng.uniform(0, 1e5, n), "M": 50.0, "N": 290.0, "M2": 80.0,
        }
    )  # fmt: skip
    table.loc[::7, "if"] = np.nan
    return table


def design(**options) -> SampleDesign:
    return SurveyDesign(people(), base_weight="w", **options)


def population(*columns: str, scale: float = 1.0) -> dict:
    return {
        key: 2.0 * scale * n for key, n in people().value_counts(list(columns), sort=False).items()
    }


CLUSTERED = {"strata": "h 1", "psu": "psu", "fpc": "M"}
SEX, AGE, AREA = {1: 410.0, 2: 390.0}, {1: 260.0, 2: 270.0, 3: 270.0}, dict.fromkeys(AREAS, 200.0)
CROSSED = {
    ("满意 度", "sex"): population("满意 度", "sex"),
    ("age", "满意 度"): population("age", "满意 度"),
}
DESIGNS = {
    "plain": lambda: design(),
    "no weight": lambda: SurveyDesign(people()),
    "clusters": lambda: design(psu="psu"),
    "strata of rows": lambda: design(strata="sex"),
    "clustered in strata": lambda: design(**CLUSTERED),
    "two stages": lambda: design(strata="sex", psu=["psu", "village"], fpc=["M", "M2"]),
    "two stages without fpc": lambda: design(psu=["psu", "village"]),
    "two stages, fpc of one": lambda: design(psu=["psu", "village"], fpc="M"),
    "respondents are the last stage": lambda: design(psu="psu", fpc=["M", "N"]),
    "several strata": lambda: design(strata=["h 1", "满意 度"], psu="psu"),
    "post-stratified": lambda: calibrate(design(**CLUSTERED), {("sex", "age"): population("sex", "age")}, method="poststratify"),
    "raked": lambda: calibrate(design(**CLUSTERED), {"sex": SEX, "age": AGE, "满意 度": AREA}),
    "raked over crossed margins": lambda: calibrate(design(**CLUSTERED), CROSSED),
    "linear": lambda: calibrate(design(**CLUSTERED), {"sex": SEX, "income": 4.1e7}, method="linear"),
    "linear in a number alone": lambda: calibrate(design(psu="psu"), {"income": 4.1e7}, method="linear"),
    "linear, repeating itself": lambda: calibrate(design(psu="psu"), {"sex": SEX, "one": 800.0}, method="linear"),
    "linear within bounds": lambda: calibrate(design(psu="psu"), {"sex": SEX, "age": AGE}, method="linear", bounds=(0.5, 2)),
    "logit within bounds": lambda: calibrate(design(psu="psu"), {"sex": SEX, "income": 4.1e7}, method="logit", bounds=(0.4, 2.5)),
    "a level alone": lambda: calibrate(design(psu="psu"), {("one", "sex"): {(1, 1): 410.0, (1, 2): 390.0}, "age": AGE}),
}  # fmt: skip


def handed(folder, design, **options):
    options = {"measures": ["if"], "by": ["满意 度", "sex"]} | options
    return hand_over(design, folder, **options)


@pytest.fixture(scope="module", params=DESIGNS)
def case(request, tmp_path_factory):
    """A hand-over of every kind of design, and its folder."""
    folder = tmp_path_factory.mktemp("handover") / "set"
    return DESIGNS[request.param](), handed(folder, DESIGNS[request.param]()), folder


def expectation(folder) -> pd.DataFrame:
    return rscript.table(folder / "expected.csv", ["level", "code", "measure", "mark"])


def compare(
    folder, again: SampleDesign, *, column: str = "se", tolerance: float = SAME, **options
) -> None:
    """Estimate from what was read back, and compare with expected.csv."""
    expected = expectation(folder)
    assert len(expected)
    for (level, measure), rows in expected.groupby(["level", "measure"]):
        found = estimate(again, measure, by=None if level == "(all)" else level, **options).table
        found = (
            found.assign(code="(all)" if level == "(all)" else found.get(level))
            .set_index("code")
            .loc[rows["code"]]
        )
        np.testing.assert_allclose(
            found["estimate"], rows["estimate"], rtol=tolerance, err_msg=f"{level} {measure}"
        )
        np.testing.assert_allclose(
            found["se"], rows[column], rtol=tolerance, atol=1e-15, err_msg=f"{level} {measure}"
        )
        assert found["n"].tolist() == rows["n"].tolist()


# ---- (a) the files alone ----


def test_the_files_alone_give_estimates_and_standard_errors_again(case):
    _, _, folder = case
    compare(folder, rscript.declared(folder))


def test_the_files_hold_the_final_weights(case):
    own, made, folder = case
    back = rscript.respondents(folder)
    assert sorted(back["final_weight"]) == sorted(own.weights)
    np.testing.assert_allclose(rscript.declared(folder).weights, back["final_weight"], rtol=SAME)
    assert {path.name for path in folder.iterdir()} == FILES
    pd.testing.assert_frame_equal(back, made.respondents, check_dtype=False, check_exact=True)


def test_numbers_are_read_back_as_the_same_doubles(case):
    _, made, folder = case
    back = expectation(folder)
    pd.testing.assert_frame_equal(back, made.expected, check_dtype=False, check_exact=True)


# ---- (b) the script's text ----


def test_the_script_is_r(case):
    _, made, _ = case
    rscript.check_syntax(made.script)
    assert made.call in made.script
    assert re.search("[\u4e00-\u9fff]", made.script)


def test_a_script_that_is_no_r_is_noticed():
    for wrong in ("c(1, 2", 'x <- "a', "f(1])", "a <- “b”", "x <- 1 § 2"):
        with pytest.raises(AssertionError):
            rscript.check_syntax(wrong)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("plain", {"ids": "~1", "weights": "~w"}),
        ("no weight", {"ids": "~1", "weights": "~base_weight"}),
        ("clusters", {"ids": "~psu", "weights": "~w"}),
        ("strata of rows", {"ids": "~1", "strata": "~sex", "nest": "TRUE", "weights": "~w"}),
        ("two stages", {"ids": "~psu+village", "strata": "~sex", "nest": "TRUE", "fpc": "~M+M2", "weights": "~w"}),
        ("two stages without fpc", {"ids": "~psu+village", "weights": "~w"}),
        ("two stages, fpc of one", {"ids": "~psu", "fpc": "~M", "weights": "~w"}),
        ("respondents are the last stage", {"ids": "~psu+running_number", "fpc": "~M+N", "weights": "~w"}),
        ("several strata", {"strata": '~interaction(h.1,满意.度,drop=TRUE,sep="|")', "ids": "~psu", "nest": "TRUE", "weights": "~w"}),
    ],
)  # fmt: skip
def test_the_call_says_what_the_design_says(tmp_path, name, wanted):
    made = handed(tmp_path / "set", DESIGNS[name]())
    assert rscript.call(made.call, "svydesign") == {**wanted, "data": "respondents"}
    assert 'options(survey.lonely.psu = "fail")' in made.script


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("raked", {"calfun": '"raking"'}),
        ("linear", {"calfun": '"linear"'}),
        ("linear, repeating itself", {"calfun": '"linear"', "bounds": "c(-1000000000,1000000000)"}),
        ("linear within bounds", {"calfun": '"linear"', "bounds": "c(0.5,2)"}),
        ("logit within bounds", {"calfun": '"logit"', "bounds": "c(0.40000000000000002,2.5)"}),
    ],
)  # fmt: skip
def test_the_calibration_has_method_and_bounds(tmp_path, name, wanted):
    found = rscript.call(handed(tmp_path / "set", DESIGNS[name]()).script, "calibrate")
    assert {key: found[key] for key in found if key in ("calfun", "bounds")} == wanted
    assert (found["0"], found["1"], found["population"]) == ("design", "formula", "population")


def test_margins_keep_one_order_of_columns_and_every_level(tmp_path):
    script = handed(tmp_path / "set", DESIGNS["raked over crossed margins"]()).script
    assert "formula <- ~ 满意.度 * sex + 满意.度 * age\n" in script
    assert rscript.margins(script)["满意.度", "sex"] == {
        (a, str(s)): n for (a, s), n in CROSSED["满意 度", "sex"].items()
    }
    assert sum(rscript.margins(script)["满意.度", "age"].values()) == 800


def test_many_levels_go_through_sparse_matrices(tmp_path, province):
    own = calibrate(
        province.design, {name: province.margins[name] for name in ("county", "sex", "age")}
    )
    made = hand_over(own, tmp_path / "set", measures="index", by="county")
    assert rscript.call(made.script, "calibrate")["sparse"] == "TRUE"
    compare(tmp_path / "set", rscript.declared(tmp_path / "set"))


def test_post_stratification_is_called_so(tmp_path):
    script = handed(tmp_path / "set", DESIGNS["post-stratified"]()).script
    assert rscript.call(script, "postStratify") == {
        "0": "design",
        "1": "~sex+age",
        "population": "margin_sex_age",
    }
    assert rscript.call(script, "calibrate") is None
    assert list(rscript.frames(script)["margin_sex_age"]) == ["sex", "age", "Freq"]


@pytest.mark.parametrize("policy", ["fail", "adjust", "average", "certainty", "remove"])
def test_the_policy_for_lonely_psus_is_set_as_an_option(tmp_path, policy):
    script = handed(tmp_path / "set", design(lonely_psu=policy)).script
    assert rscript.call(script, "options") == {"survey.lonely.psu": f'"{policy}"'}
    assert ("单一初级单元" in script) == (policy in ("adjust", "average"))


def test_collapsed_strata_are_columns_of_their_own(tmp_path):
    own = design(
        strata=["h 1", "满意 度"], psu="psu", fpc="M", collapse={("1", "a.b"): ("1.2", "a.b")}
    )
    made = handed(tmp_path / "set", own)
    arguments = rscript.call(made.call, "svydesign")
    assert (arguments["strata"], arguments["fpc"], arguments["ids"]) == (
        "~variance_stratum",
        "~variance_fpc",
        "~variance_unit_1",
    )
    merged = made.respondents[made.respondents["variance_stratum"] == "1.2|a.b"]
    assert set(merged["h.1"]) == {"1", "1.2"}
    assert set(merged["variance_fpc"]) == {100.0}
    compare(tmp_path / "set", rscript.declared(tmp_path / "set"))


def test_units_are_numbered_only_where_dots_would_join_them_wrongly(tmp_path):
    table = people().assign(**{"h 1": people()["h 1"].str.replace(".", "_")})
    plain = hand_over(
        SurveyDesign(table, strata="h 1", psu="psu"), tmp_path / "plain", measures="if"
    )
    assert "ids = ~psu" in plain.call
    wrong = pd.DataFrame(
        {"h": ["1", "1", "1.2", "1.2"], "psu": ["2.1", "3", "1", "3"], "y": [1.0, 2.0, 4.0, 8.0]}
    )
    made = hand_over(SurveyDesign(wrong, strata="h", psu="psu"), tmp_path / "wrong", measures="y")
    assert "ids = ~variance_unit_1" in made.call
    assert made.respondents["variance_unit_1"].nunique() == 4


# ---- several steps ----


@pytest.fixture
def recipe(small):
    """The small survey with nonrespondents and four steps."""
    absent_persons().to_csv(small.folder / "nonrespondents.csv", index=False)
    path = small.folder / "survey.yaml"
    text = path.read_text(encoding="utf-8").replace(
        BASE + RAKING, BASE + CLASSES + RAKING + TRIM + RAKING
    )
    path.write_text(text.replace("margins:\n", ABSENT + "margins:\n", 1), encoding="utf-8")
    return small.read()


def test_a_recipe_of_several_steps_is_handed_over_with_its_final_weights(recipe, tmp_path):
    results = run(recipe)
    made = hand_over_results(results, tmp_path / "set")
    rows = rscript.respondents(tmp_path / "set")
    assert rscript.call(made.call, "svydesign")["weights"] == "~final_weight"
    assert rscript.call(made.script, "calibrate") is None
    assert "JKn" in made.script
    assert "compared$se_fixed" in made.script
    assert len(rows) == len(results.responses.accepted) + len(recipe.nonrespondents)
    assert (rows.loc[rows["responded"] == 0, "final_weight"] == 0).all()
    assert rows.loc[rows["responded"] == 0, list(results.design.measures)].isna().all(axis=None)


def test_the_file_of_a_recipe_holds_all_that_replays_it(recipe, tmp_path):
    hand_over_results(run(recipe), tmp_path / "set")
    rows = rscript.respondents(tmp_path / "set")
    again = SurveyDesign(
        rows, strata=["county", "residence"], psu="community", base_weight="base_weight"
    )
    again = adjust_nonresponse(again, "responded", by=["county", "age_group"])
    margins = {
        tuple(one.by): dict(zip(recipe.margins[name][one.by].itertuples(index=False, name=None), recipe.margins[name]["population"], strict=True))
        for name, one in recipe.declared.margins.items()
    }  # fmt: skip
    again = calibrate(trim(calibrate(again, margins), upper=1.5, relative_to="median"), margins)
    np.testing.assert_allclose(again.weights, rows["final_weight"], rtol=SAME)
    compare(tmp_path / "set", again, tolerance=1e-12)


def test_standard_errors_of_fixed_weights_follow_from_the_file(recipe, tmp_path):
    """By the textbook formula, from nothing but the file."""
    hand_over_results(run(recipe), tmp_path / "set")
    rows = rscript.respondents(tmp_path / "set")
    expected = expectation(tmp_path / "set").set_index(["level", "code", "measure"])
    for code, measure in (("990101", "topic_index"), ("990202", "satisfaction")):
        weight = rows["final_weight"] * (rows["county"] == code) * rows[measure].notna()
        mean = (weight * rows[measure].fillna(0)).sum() / weight.sum()
        totals = (
            (weight * (rows[measure].fillna(0) - mean) / weight.sum())
            .groupby([rows["county"], rows["residence"], rows["community"]])
            .sum()
        )
        strata = totals.groupby(level=[0, 1])
        variance = sum(
            len(one) / (len(one) - 1) * ((one - one.mean()) ** 2).sum() for _, one in strata
        )
        row = expected.loc[("county", code, measure)]
        np.testing.assert_allclose(
            [row["estimate"], row["se_fixed"]], [mean, np.sqrt(variance)], rtol=1e-10
        )
        assert row["se"] != row["se_fixed"]


# ---- (c) the reference designs ----

API_CALLS = {  # golden/api/api.R
    "apistrat": {"ids": "~1", "strata": "~stype", "nest": "TRUE", "fpc": "~fpc", "weights": "~pw"},
    "apiclus1": {"ids": "~dnum", "fpc": "~fpc", "weights": "~pw"},
    "apiclus2": {"ids": "~dnum+snum", "fpc": "~fpc1+fpc2", "weights": "~pw"},
}
API = {
    "apistrat": {"strata": "stype", "fpc": "fpc"}, "apiclus1": {"psu": "dnum", "fpc": "fpc"},
    "apiclus2": {"psu": ["dnum", "snum"], "fpc": ["fpc1", "fpc2"]},
}  # fmt: skip


@pytest.mark.parametrize("name", API)
def test_the_api_samples_are_declared_as_in_r(tmp_path, name):
    own = SurveyDesign(api_rows(name), base_weight="pw", **API[name])
    made = hand_over(own, tmp_path / "set", measures=["api00", "enroll"], by=["stype", "sch.wide"])
    assert rscript.call(made.call, "svydesign") == API_CALLS[name] | {"data": "respondents"}
    assert "sch.wide" in made.respondents
    compare(tmp_path / "set", rscript.declared(tmp_path / "set"))


def test_the_api_calibration_has_the_population_of_the_reference(tmp_path):
    own = SurveyDesign(api_rows("apiclus1"), base_weight="pw", **API["apiclus1"])
    own = calibrate(own, {"stype": TYPES, "api99": 3914069.0}, method="linear")
    made = hand_over(own, tmp_path / "set", measures="api00")
    assert "formula <- ~ stype + api99\n" in made.script
    assert rscript.margins(made.script) == {
        ("stype",): {(k,): v for k, v in TYPES.items()},
        "api99": 3914069.0,
    }


# ---- (d) persons ----


def test_nothing_that_tells_who_a_person_is_is_written(small, tmp_path):
    planted = {"id": "张三13812345678", "interviewer": "访问员李四", "day": "2026-04-17"}
    small.change(**planted)
    rows = small.rows()
    small.write(rows.assign(phone="13900001111", remark=['投诉邻居王五, "急"'] * len(rows)))
    hand_over_results(run(small.read()), tmp_path / "set")
    written = b"".join(path.read_bytes() for path in (tmp_path / "set").iterdir()).decode("utf-8")
    for word in (
        *planted.values(),
        "13900001111",
        "王五",
        "P001",
        "2026-04-1",
        "访问员李四",
        str(tmp_path),
    ):
        assert word not in written
    header = rscript.respondents(tmp_path / "set").columns
    assert not {"id", "interviewer", "day", "phone", "remark", "values", "age"} & set(header)


def test_the_order_of_the_rows_tells_nothing(small, tmp_path):
    first = hand_over_results(run(small.read()), tmp_path / "first")
    small.write(small.rows().sample(frac=1, random_state=3))
    second = hand_over_results(run(small.read()), tmp_path / "second")
    pd.testing.assert_frame_equal(first.respondents, second.respondents)
    assert first.respondents["running_number"].tolist() == list(range(1, 121))


def test_a_respondent_who_is_the_sampling_unit_has_a_running_number(tmp_path):
    table = people().assign(id=[f"ID{i}" for i in range(400)])
    made = handed(tmp_path / "one", SurveyDesign(table, strata="sex", psu="id"), identifiers=["id"])
    assert rscript.call(made.call, "svydesign")["ids"] == "~1"
    made = handed(
        tmp_path / "two", SurveyDesign(table, psu=["psu", "id"], fpc=["M", "N"]), identifiers=["id"]
    )
    assert rscript.call(made.call, "svydesign")["ids"] == "~psu+running_number"
    for name in ("one", "two"):
        assert b"ID1" not in b"".join(path.read_bytes() for path in (tmp_path / name).iterdir())
        compare(tmp_path / name, rscript.declared(tmp_path / name))


@pytest.mark.parametrize(
    ("options", "extra"),
    [({"psu": ["id", "psu"]}, {}), ({"strata": "id"}, {}), ({}, {"by": "id"}), ({}, {"measures": "id"}), ({"psu": "twice"}, {})],
    ids=["unit above", "stratum", "domain", "measure", "not unique"],
)  # fmt: skip
def test_an_identifier_that_no_number_can_replace_is_refused(tmp_path, options, extra):
    table = people().assign(id=range(400), twice=[i // 2 for i in range(400)])
    own = SurveyDesign(table, lonely_psu="certainty", **options)
    with pytest.raises(ExportError, match="X120") as refused:
        handed(tmp_path / "set", own, **{"identifiers": ["id", "twice"]} | extra)
    assert refused.value.en.isascii()
    assert not (tmp_path / "set").exists()


# ---- (e), (f), (g) ----


def test_every_file_of_a_simulated_wave_says_so(small, tmp_path):
    small.edit(
        "survey.yaml",
        "selection:",
        "simulated: {seed: 1, note: {zh: 模拟, en: made up}}\nselection:",
    )
    made = hand_over_results(run(small.read()), tmp_path / "set")
    for name in FILES:
        text = (tmp_path / "set" / name).read_text(encoding="utf-8")
        assert ("simulated data" in text) == (name not in IN_CHINESE)
        assert ("模拟数据" in text) == (name != "README-en.txt")
    assert made.respondents["mark"].str.contains("simulated").all()
    assert made.expected["mark"].str.contains("simulated").all()


def test_a_sample_without_a_design_says_so(small, tmp_path):
    small.edit("survey.yaml", "selection: probability", "selection: quota")
    made = hand_over_results(run(small.read()), tmp_path / "set")
    for name in FILES:
        words = "非概率样本" if name in IN_CHINESE else "not a probability sample"
        assert words in (tmp_path / "set" / name).read_text(encoding="utf-8")
    rscript.check_syntax(made.script)


def test_a_real_wave_has_no_mark(unchanged, tmp_path):
    made = hand_over_results(run(unchanged), tmp_path / "set")
    assert "mark" not in made.respondents
    compare(tmp_path / "set", rscript.declared(tmp_path / "set"))


@pytest.mark.parametrize("engine", ["duckdb", "pandas", "polars"])
def test_the_same_inputs_give_the_same_bytes(unchanged, tmp_path, engine):
    hand_over_results(run(unchanged), tmp_path / "first")
    hand_over_results(run(unchanged, engine=engine), tmp_path / "again")
    assert {n: sha256(tmp_path / "first" / n) for n in FILES} == {
        n: sha256(tmp_path / "again" / n) for n in FILES
    }


def test_wide_text_survives_the_file_and_the_script(tmp_path):
    made = handed(tmp_path / "set", DESIGNS["raked"]())
    assert set(rscript.respondents(tmp_path / "set")["满意.度"]) == set(AREAS)
    assert {key for (key,) in rscript.margins(made.script)["满意.度",]} == set(AREAS)
    assert '贵阳,""云岩""' in (tmp_path / "set" / "respondents.csv").read_text(encoding="utf-8")
    assert (tmp_path / "set" / "respondents.csv").read_bytes().split(b"\n", 1)[0].endswith(b"\r")
    assert not (tmp_path / "set" / "survey.R").read_bytes().startswith(b"\xef\xbb\xbf")


def test_a_title_cannot_become_code(tmp_path):
    from satisfaction.publication.handover import About

    about = About(title="调查“一”\nquit()\r\u2028stop('x')" + " 很长" * 300)
    made = handed(tmp_path / "set", design(), about=about)
    rscript.check_syntax(made.script)
    assert "quit" not in [text for _, text in rscript.tokens(made.script)]


def test_names_are_r_names_and_each_column_is_there_once(tmp_path):
    table = people().assign(final_weight=1.0, running_number=2, **{"2nd": 3.0})
    own = SurveyDesign(table, strata="sex", base_weight="final_weight")
    made = hand_over(
        own, tmp_path / "set", measures=["if", "2nd", "sex", "running_number"], by="sex"
    )
    assert list(made.respondents) == [
        "running_number", "sex", "final_weight_2", "if.", "X2nd", "sex_value", "running_number_value", "final_weight",
    ]  # fmt: skip
    compare(tmp_path / "set", rscript.declared(tmp_path / "set"))


def test_the_readme_explains_every_column(unchanged, tmp_path):
    made = hand_over_results(run(unchanged), tmp_path / "set")
    for name in made.respondents:
        assert f"\n{name} " in made.readme or f"\n{name} [" in made.readme
    assert "性别（1 男；2 女）" in made.readme
    assert "份额 0-1" in made.readme
    assert "composite 综合得分：0.25 x awareness" in made.readme
    english = made.readmes["README-en.txt"]
    assert "Sex (1 Male; 2 Female)" in english
    assert "share 0-1" in english
    assert "composite Composite score: 0.25 x awareness" in english
    assert made.call in made.readme


# ---- refusals, command line ----


def test_what_cannot_be_handed_over_is_refused(tmp_path):
    with pytest.raises(ExportError, match="X121"):
        hand_over(design(), tmp_path / "set")
    handed(tmp_path / "set", design())
    with pytest.raises(ExportError, match="X101"):
        handed(tmp_path / "set", design())
    with pytest.raises(ExportError, match="X123"):
        handed(
            tmp_path / "other",
            SurveyDesign(people().assign(h=[""] + ["a"] * 399), strata="h", lonely_psu="remove"),
        )


def test_a_run_hands_over_only_when_asked(small, call):
    for arguments in ([], ["--handover"]):
        code, shown, _ = call("run", *arguments, small.folder)
        assert code == 0
        latest = small.folder / "out" / "latest"
        assert (latest / "handover").is_dir() == bool(arguments)
    assert {path.name for path in (latest / "handover").iterdir()} == FILES
    for name in ("survey.R", "README.txt"):
        text = (latest / "handover" / name).read_text(encoding="utf-8")
        assert text.count("design <- svydesign(") == 1, name
    assert "not for publication" in shown
    assert "handover" not in (latest / "run.json").read_text(encoding="utf-8")


def test_the_published_files_are_the_same_with_a_hand_over(unchanged, tmp_path):
    results = run(unchanged)
    plain, more = (
        export(results, tmp_path / "plain"),
        export(results, tmp_path / "more", handover=True),
    )
    clocked = {"run.json", "SHA256SUMS"}  # the second holds the hash of the first
    names = {path.name for path in plain.iterdir()} - clocked
    assert {path.name for path in more.iterdir()} == names | clocked | {"handover"}
    assert all((plain / name).read_bytes() == (more / name).read_bytes() for name in names)


# ---- R itself, where it is ----

RSCRIPT = os.environ.get("SATISFACTION_RSCRIPT") or shutil.which("Rscript")


def run_in_r(folder) -> dict[str, float]:
    """Run survey.R and return the largest differences it prints."""
    done = subprocess.run(
        [RSCRIPT, "survey.R"],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1000:]
    return largest_differences(done.stdout)


def largest_differences(printed: str) -> dict[str, float]:
    """Return what survey.R says of its own agreement."""
    said = re.findall(r"largest relative difference of ([\w ]+): (\S+)", printed)
    return {name: float(text) for name, text in said}


@pytest.mark.skipif(
    not RSCRIPT,
    reason=f"{NEEDS_R} (SATISFACTION_RSCRIPT may name another Rscript)",
)
def test_r_agrees_on_waves(recipe, unchanged, tmp_path):
    for name, survey in (("recipe", recipe), ("single", unchanged)):
        hand_over_results(run(survey), tmp_path / name)
        assert max(run_in_r(tmp_path / name).values()) < R_STOPS
