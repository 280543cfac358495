"""From files to ranking: the small survey, the shipped waves, and real data nobody here made up."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT, method_section
from satisfaction import SurveyDesign, estimate, read_survey
from satisfaction.cli import running
from satisfaction.cli.options import speak
from satisfaction.estimation.domains import LINEARIZED
from satisfaction.foundation.errors import EstimatesError
from satisfaction.foundation.language import _
from satisfaction.pipeline import base_design, run, weighting_log
from satisfaction.publication.manifest import manifest
from satisfaction.ranking.rank import Ranking


@pytest.fixture(scope="module")
def results(unchanged):
    return run(unchanged)


def figures(results) -> pd.DataFrame:
    return pd.concat([one.table.assign(level=level) for level, one in results.estimates.items()])


# ---- the small survey ----


def test_every_level_is_estimated_and_the_counties_ranked(results):
    assert {level: len(one.table) for level, one in results.estimates.items()} == {
        "county": 32,
        "prefecture": 16,
        "province": 8,
    }
    assert results.area == "county"
    assert isinstance(results.ranking, Ranking)
    assert sorted(results.ranking.table["rank"]) == [1, 2, 3, 4]
    assert results.absent == ()


def test_weights_meet_the_margins_and_start_from_the_probabilities(unchanged, results):
    rows = results.responses.accepted.assign(w=results.design.weights)
    for name, column in (("county_sex", "sex"), ("county_age", "age_group")):
        expected = (
            unchanged.margins[name]
            .assign(**{column: unchanged.margins[name][column].astype(int)})
            .set_index(["county", column])["population"]
        )
        np.testing.assert_allclose(
            rows.groupby(["county", column])["w"].sum(), expected, rtol=1.01e-10
        )
    base = base_design(unchanged, results.responses).weights
    assert base[0] == pytest.approx(1 / (0.05 * 0.01), rel=1e-12)


def test_conventions_stand_in_estimates_and_ranking(results):
    expected = {
        "statistic": "mean", "variance": "linearized", "interval": "t; logit for rates", "level": 0.95, "df": "domain: PSUs - strata",
        "deff": "against simple random sampling without replacement", "lonely_psu": "fail", "selection": "probability", "calibration": "raking",
        "fpc": "none", "engine_exact": True,
    }  # fmt: skip
    for one in results.estimates.values():
        assert one.conventions == expected
    summary = results.ranking.summary
    assert {key: summary[key] for key in ("level", "bottom", "marginal", "simultaneous", "selection", "higher_is_better", "seed")} == {
        "level": 0.95, "bottom": 1, "marginal": "simes", "simultaneous": "tukey", "selection": "probability", "higher_is_better": True, "seed": None,
    }  # fmt: skip
    assert all(summary[key] for key in ("ties", "df", "probabilities", "membership"))


def test_the_order_of_files_and_rows_does_not_matter(small, results):
    rows = small.rows()
    small.csv.unlink()
    for name, part in (("b.csv", rows[:50]), ("a.csv", rows[50:][::-1])):
        small.csv.with_name(name).write_text(part.to_csv(index=False), encoding="utf-8")
    again = run(small.read())
    pd.testing.assert_frame_equal(figures(again), figures(results), check_exact=True)
    pd.testing.assert_frame_equal(again.ranking.table, results.ranking.table, check_exact=True)


def test_every_engine_gives_the_same_figures(unchanged, results):
    for engine in ("duckdb", "pandas", "polars"):
        pd.testing.assert_frame_equal(
            figures(run(unchanged, engine=engine)), figures(results), check_exact=True
        )


def test_steps_that_are_not_declared_are_left_out_and_named(small):
    path = small.folder / "survey.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text[: text.index("sample: {")] + text[text.index("lonely_psu:") :], encoding="utf-8"
    )
    found = run(small.read())
    assert found.absent == ("base weights", "margins", "calibration")
    np.testing.assert_array_equal(found.design.weights, np.ones(120))
    assert found.estimates["county"].conventions["calibration"] == "none"


def test_a_county_under_the_minimum_keeps_its_row_without_rank(small, results):
    n = results.estimates["county"].of("topic_index").table["n"]
    least = sorted(n)[1]  # one county is below it, one has just enough
    assert sorted(n)[0] < least
    small.edit("rules.yaml", "minimum_n: 10", f"minimum_n: {least}")
    table = run(small.read()).ranking.table
    assert (table["rank"].isna() == (n < least)).all()
    assert (table.loc[n < least, "status"] == "not ranked").all()


def test_a_county_without_respondents_keeps_its_row_without_rank(small):
    small.edit(
        "survey.yaml",
        "  - {step: calibration, method: raking, margins: [county_sex, county_age], tolerance: 1.0e-10}\n",
        "",
    )
    rows = small.rows()
    small.write(rows[rows["county"] != "990201"])
    table = run(small.read()).ranking.table.set_index("unit")
    assert table.loc["990201", "status"] == "not ranked"


@pytest.mark.parametrize(("answer", "score"), [("5", 100), ("4", 75), ("2", 25)])
def test_a_county_where_all_give_the_same_score_is_ranked_with_an_error(small, answer, score):
    rows = small.rows()
    for topic in ("streets", "parks", "safety"):
        rows.loc[rows["county"] == "990102", topic] = answer
    small.write(rows)
    found = run(small.read())
    at = found.estimates["county"].of("topic_index").table.set_index("county").loc["990102"]
    assert (at["estimate"], at["note"]) == (pytest.approx(score), "Korn-Graubard")
    assert at["ci_high"] - at["ci_low"] > 10
    assert found.ranking.summary["se_from_limits"] == ("990102",)
    assert found.ranking.table.set_index("unit").loc["990102", "se"] > 0.1


def test_open_links_establish_no_rank(small):
    small.edit("survey.yaml", "selection: probability", "selection: open_link")
    table = run(small.read()).ranking.table
    assert "established" not in set(table["status"])


# ---- shipped waves ----


@pytest.mark.parametrize("wave", ["guizhou-2026q2", "guizhou-2026q3"])
def test_every_row_of_a_shipped_wave_is_accounted_for(shipped, wave):
    found = shipped(wave).responses
    assert (found.summary["rows"] == found.summary["accepted"] + found.summary["rejected"]).all()
    assert len(found.accepted) + len(found.rejected) == found.summary["rows"].sum() > 20_000
    assert 0 < len(found.rejected) < 0.01 * len(found.accepted)
    assert found.accepted["county"].nunique() == 88
    assert found.accepted["respondent_id"].is_unique


# ---- San Diego: answers 4 and 5 count, don't know out of the denominator ----

PUBLISHED = {  # percent; the City's figures, to one digit from its data
    "place_to_live": 86.6, "raise_family": 75.7, "work": 64.2, "fire_rescue": 77.9, "libraries": 76.0, "trash": 69.9, "better_services": 42.7,
    "fire_rescue_with_dont_know": 61.7,
}  # fmt: skip


@pytest.fixture(scope="module")
def san_diego():
    return run(read_survey(ROOT / "surveys" / "san-diego-2015"))


@pytest.mark.parametrize("measure", PUBLISHED)
def test_san_diego_equals_the_published_figure(san_diego, measure):
    table = san_diego.estimates["all"].of(measure).table
    assert 100 * table["estimate"][0] == pytest.approx(PUBLISHED[measure], abs=0.05)


def test_san_diego_rows_and_blanked_answers(san_diego):
    assert san_diego.responses.summary[
        ["rows", "accepted", "rejected", "blanked"]
    ].to_numpy().tolist() == [[2477, 2477, 0, 241]]
    log = san_diego.responses.log
    assert log["action"].unique().tolist() == ["note", "blank_item"]
    declared = log.loc[log["rule"] == "R302", "value"].str.rpartition("× ")[2].astype(int)
    assert (
        declared.sum() == 906 - 241
    )  # codes the dictionary does not explain: empty, as wordings.csv of the wave says


def test_san_diego_runs_without_weights_psus_and_margins(san_diego):
    assert san_diego.absent == (
        "areas",
        "strata",
        "psu",
        "base weights",
        "margins",
        "calibration",
        "overall rate",
    )
    assert len(san_diego.estimates["Q28"].of("services_index").table) == 9
    assert "established" not in set(san_diego.ranking.table["status"])


# ---- the telephone wave: unequal base weights, several steps ----

PHONE = ROOT / "surveys" / "guiyang-phone-2026q3"


@pytest.fixture(scope="module")
def phone(shipped):
    return shipped(PHONE.name)


def test_phone_steps_are_carried_out_in_their_order(phone):
    log = weighting_log(phone)
    assert [record["step"] for record in log] == [
        "base",
        "nonresponse",
        "calibration",
        "trimming",
        "calibration",
    ]
    assert (log[0]["sampled"], log[0]["respondents"], log[0]["strata"]) == (
        3000,
        len(phone.responses.accepted),
        10,
    )
    assert min(log[0]["missing"].values()) > 0
    assert 0.4 < log[1]["response_rate"] < 0.55
    assert log[3]["trimmed"] > 0
    assert log[4]["factor_low"] < 1 < log[4]["factor_high"]
    assert phone.absent == ("psu",)


def test_phone_base_weights_differ_from_person_to_person_and_final_weights_meet_the_margins(phone):
    n = len(phone.responses.accepted)
    base = base_design(phone.survey, phone.responses).weights
    assert len(base) == 3000
    assert len(np.unique(base.round(6))) > 50
    rows = phone.responses.accepted.assign(w=phone.design.weights[:n])
    for name, column in (("county_sex", "sex"), ("county_age", "age_group")):
        margin = (
            phone.survey.margins[name]
            .astype({column: int})
            .set_index(["county", column])["population"]
        )
        np.testing.assert_allclose(
            rows.groupby(["county", column])["w"].sum(), margin, rtol=1.01e-10
        )
    assert (phone.design.weights[:n] > 0).all()
    assert (phone.design.weights[n:] == 0).all()


def test_phone_counts_respondents_only(phone):
    table = phone.estimates["prefecture"].table.set_index("measure")
    assert table["n"].max() <= len(phone.responses.accepted)
    counties = phone.estimates["county"].of("awareness").table
    assert counties["n"].sum() == table.loc["awareness", "n"]
    assert (counties["df"] < counties["n"]).all()


def test_phone_intervals_hold_the_truth_about_as_often_as_they_say(phone):
    """One draw: the measures of a county go together, so this is no sharp figure; 60 draws gave 95.7%."""
    truth = pd.read_csv(PHONE / "truth.csv", dtype={"county": str}).set_index(
        ["county", "measure"]
    )["value"]
    table = phone.estimates["county"].table.set_index(["county", "measure"])
    held = table["ci_low"].le(truth) & table["ci_high"].ge(truth)
    assert len(held) == 10 * 12
    assert held.mean() > 0.85


def test_phone_lists_three_of_ten_and_says_that_it_is_simulated(phone):
    assert (phone.ranking.summary["p"], phone.ranking.summary["bottom"]) == (10, 3)
    assert len(phone.ranking.summary["listed"]) == 3
    assert "simulated" in phone.survey.marks.en
    assert phone.survey.area_levels() == ["county"]
    assert phone.survey.whole() == "prefecture"


def test_phone_every_engine_gives_the_same_figures(phone):
    for engine in ("duckdb", "pandas", "polars"):
        pd.testing.assert_frame_equal(
            figures(run(phone.survey, engine=engine)), figures(phone), check_exact=True
        )


# ---- strata of a single PSU ----


@pytest.fixture
def lonely(small):
    """Two strata of 990101 with one community each; neither base weights nor margins."""
    rows = small.rows()
    small.write(rows[~rows["community"].isin(["99010111", "99010112", "99010121", "99010122"])])
    text = (small.folder / "survey.yaml").read_text(encoding="utf-8")
    text = re.sub(r"(?s)\nframe:.*?\nlonely_psu", "\nlonely_psu", text)
    (small.folder / "survey.yaml").write_text(text, encoding="utf-8")
    return small


@pytest.mark.parametrize("selection", ["quota", "open_link"])
def test_a_lonely_psu_stops_no_sample_without_a_design_error_and_is_said(lonely, call, selection):
    lonely.edit("survey.yaml", "selection: probability", f"selection: {selection}")
    for command in ("check", "run"):
        code, out, _ = call(command, lonely.folder)
        assert code == 0
        assert "lonely_psu is taken as adjust" in out
    latest = lonely.folder / "out" / "latest"
    page = (latest / "report-en.html").read_text(encoding="utf-8")
    assert "lonely_psu is taken as adjust" in page
    assert "按 lonely_psu: adjust 处理" in (latest / "report.html").read_text(encoding="utf-8")


def test_check_says_of_a_lonely_psu_what_run_says_in_the_words_of_survey_yaml(lonely, call):
    said = []
    for command in ("check", "run"):
        code, _, err = call("--lang", "zh", command, lonely.folder)
        assert code == 2
        said.append(err[err.index("[D104]") :])
    mended = [re.findall(r"collapse: \[\{.*?\}\]", one) for one in said]
    assert mended[0]
    assert mended[0] == mended[1]
    for one in said:
        assert "初级单元是 community" in one
        assert "collapse={" not in one


def test_the_line_that_a_lonely_psu_proposes_for_survey_yaml_works(lonely, call):
    _, _, err = call("run", lonely.folder)
    (line,) = set(re.findall(r"collapse: \[\{.*\}\]", err))
    lonely.edit("survey.yaml", "rules: rules.yaml", f"{line}\nrules: rules.yaml")
    assert call("run", lonely.folder)[0] == 0


# ---- replicates that no weights solve ----


def test_unsolved_replicates_stand_in_the_steps_the_console_and_the_report(results, capsys):
    worked = {"count": 1, "total": 8, "share": "12.5%", "worst": "sex = 0", "variance": "jkn"}
    words = _(LINEARIZED, **worked)
    remark = words.both
    assert words.en.startswith("1 of 8 jkn replicates (12.5%) unsolved, at sex = 0")
    assert "改用线性化标准误" in words.zh
    one = results.estimates["county"]
    said = one.conventions | {"replicates_unsolved": 1, "replicates_note": remark}
    told = replace(
        results, estimates=results.estimates | {"county": replace(one, conventions=said)}
    )
    assert weighting_log(results) == weighting_log(told)[:-1]
    assert weighting_log(told)[-1] == {
        "step": "replicates",
        "method": "linearized",
        "unsolved": 1,
        "note": remark,
    }
    assert manifest(told)["steps"]["weighting"][-1]["note"] == remark
    for language, mine, other in (("zh", words.zh, words.en), ("en", words.en, words.zh)):
        speak(language)
        running._summary(told)
        out = capsys.readouterr().out
        assert mine in out
        assert other not in out
    assert words.zh in method_section(told, "zh")
    assert words.en in method_section(told, "en")


# ---- columns of codes ----


def test_the_mean_of_a_select_all_item_is_refused(results):
    own = SurveyDesign(results.responses.accepted.assign(one=1.0))
    for design in (results.design, own):
        with pytest.raises(
            EstimatesError, match=r"(?s)E389.*'took_part_in' is a select-all item"
        ) as refused:
            estimate(design, "took_part_in")
        assert "took_part_in_1" in refused.value.available


def test_the_mean_of_an_item_with_special_codes_is_refused_only_where_they_occur(results):
    accepted = results.responses.accepted
    special = accepted["heard"].isin([98, 99])
    assert special.any()
    with pytest.raises(EstimatesError, match=r"(?s)E389.*'heard' is an item with special codes"):
        estimate(SurveyDesign(accepted), "heard")
    blank = accepted.assign(heard=accepted["heard"].mask(special))
    assert 1 <= estimate(SurveyDesign(blank), "heard").table["estimate"][0] <= 2
