"""A trial beside the official survey: the published difference, its error, the signs of coaching, the share of the modes."""

import json
import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from conftest import SmallSurvey, joined
from satisfaction import SurveyDesign, estimate
from satisfaction.cli import cli
from satisfaction.comparison.trial import (
    clustered_mean,
    compare_published,
    compare_trial,
    trial_differences,
)
from satisfaction.comparison.trial_page import trial_pages
from satisfaction.comparison.words import trial_lines
from satisfaction.declarations.survey import read_survey
from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.figures import signed
from satisfaction.foundation.language import Text, use
from satisfaction.pipeline import run
from satisfaction.publication.file_set import export
from satisfaction.publication.labels import labelled, measure_labels
from satisfaction.publication.plots import trial_plot
from satisfaction.publication.reading_sets import read_indices
from satisfaction.publication.tables import indices_table

TOPICS = ["streets", "parks", "safety", "overall"]
MODES = "fieldwork: {modes: {item: sex, compared: [1, 2]}}\n"


def trial_of(first, name, *, selection="probability", coached="", extra=""):
    """Copy the small survey as a trial; in the coached county four of five give every topic the best answer."""
    folder = first.folder.with_name(name)
    shutil.copytree(first.folder, folder)
    wave = SmallSurvey(first.root)
    path = wave.edit(folder / "survey.yaml", "survey: small-wave", f"survey: small-{name}")
    wave.edit(path, "selection: probability", f"selection: {selection}")
    path.write_text(path.read_text(encoding="utf-8") + extra, encoding="utf-8")
    csv = folder / "responses" / "all.csv"
    table = pd.read_csv(csv, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    table.loc[(table["county"] == coached) & (np.arange(len(table)) % 5 > 0), TOPICS] = "5"
    table.to_csv(csv, index=False, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def pair(small_template, tmp_path_factory):
    root = tmp_path_factory.mktemp("trial") / "small"
    shutil.copytree(small_template, root)
    first = SmallSurvey(root)
    folders = {
        "official": first.folder,
        "coached": trial_of(first, "coached", coached="990101"),
        "quota": trial_of(first, "quota", selection="quota"),
        "modes": trial_of(first, "modes", extra=MODES),
        "moved": trial_of(first, "moved", coached="990101", extra=MODES),
    }
    return SimpleNamespace(
        folders=folders, **{name: run(read_survey(folder)) for name, folder in folders.items()}
    )


def test_a_difference_is_that_of_the_published_figures_and_the_coached_county_stands_out(pair):
    found = compare_trial(pair.official, pair.coached)
    table = found.differences[found.differences["measure"] == "streets"].set_index("code")
    sides = [indices_table(one.survey, one.estimates) for one in (pair.coached, pair.official)]
    trial, official = (
        t[(t["level"] == "county") & (t["measure"] == "streets")].set_index("code")["estimate"]
        for t in sides
    )
    np.testing.assert_allclose(table["difference"], (trial - official)[table.index], atol=1e-10)
    assert table["beyond_error"].to_dict() == {
        code: "yes" if code == "990101" else "not tested" for code in table.index
    }
    assert (table["n_trial"] > 0).all()
    signs = found.signs.set_index(["code", "sign"])
    assert signs["side"].loc[("990101", "perfect")] == "trial"
    assert (signs.drop("990101")["side"] == "").all()
    assert any("990101" in line.en and "beyond" not in line.en for line in trial_lines(found))


def test_swapping_the_sides_turns_differences_and_blames_the_same_one(pair):
    there, back = (
        compare_trial(pair.official, pair.coached),
        compare_trial(pair.coached, pair.official),
    )
    np.testing.assert_allclose(
        there.differences["difference"], -back.differences["difference"], atol=1e-12
    )
    np.testing.assert_allclose(
        there.differences["p"].to_numpy(float), back.differences["p"].to_numpy(float), rtol=1e-9
    )
    turned = back.signs["side"].replace({"trial": "official", "official": "trial"})
    assert there.signs["side"].tolist() == turned.tolist()


def test_without_a_probability_sample_differences_are_described_and_not_tested(pair):
    found = compare_trial(pair.official, pair.quota)
    assert not found.tested
    assert found.differences["beyond_error"].eq("not tested").all()
    assert found.differences[["se", "ci_low", "ci_high", "p", "p_bh"]].isna().all(axis=None)
    assert "they prove nothing about either" in joined(trial_lines(found)).en


def test_mix_and_answers_within_modes_add_up_to_the_difference(pair):
    found = compare_trial(pair.modes, pair.moved)
    modes = found.modes
    assert set(modes["code"]) == set(found.differences["code"])
    total = modes.groupby("code")[["mix", "within"]].sum().sum(axis=1)
    means = [
        (modes[f"share_{side}"] * modes[f"mean_{side}"]).groupby(modes["code"]).sum()
        for side in ("trial", "official")
    ]
    np.testing.assert_allclose(total, means[0] - means[1], atol=1e-9)
    assert total["990101"] > 5
    assert compare_trial(pair.official, pair.moved).modes.empty


def test_the_error_of_a_mean_over_clusters_is_that_of_a_design_without_weights():
    rng = np.random.default_rng(8)
    rows = pd.DataFrame({"psu": rng.integers(0, 9, 200), "stratum": 1, "w": 1.0})
    rows["x"] = rng.integers(0, 5, 200) + rows["psu"] % 3
    table = estimate(
        SurveyDesign(rows, strata="stratum", psu="psu", base_weight="w"), ["x"]
    ).table.iloc[0]
    values = rows["x"].to_numpy(float)
    assert clustered_mean(values, rows["psu"].to_numpy()) == pytest.approx(
        (table["estimate"], table["se"]), rel=1e-12
    )
    some = np.where(np.arange(200) % 4, values, np.nan)
    mean, se = clustered_mean(some, rows["psu"].to_numpy())
    assert mean == pytest.approx(np.nanmean(some))
    assert se > table["se"] / 2


def test_what_may_not_stand_side_by_side_is_refused(pair):
    for code, call in {
        "K174": lambda: compare_trial(pair.official, pair.official),
        "K176": lambda: trial_differences(pair.official, pair.coached, []),
    }.items():
        with pytest.raises(RankingError) as caught:
            call()
        assert caught.value.code == code


def test_the_command_writes_the_set(pair):
    done = CliRunner().invoke(
        cli, ["trial", str(pair.folders["official"]), str(pair.folders["coached"])]
    )
    assert done.exit_code == 0, done.output
    (folder,) = (pair.folders["coached"] / "out").glob("*-trial")
    assert {path.name for path in folder.iterdir()} == {
        "differences.csv", "differences.xlsx", "differences-en.xlsx", "differences.json", "signs.csv", "modes.csv", "run.json",
        "trial.html", "trial-en.html",
    }  # fmt: skip
    assert pd.read_csv(folder / "signs.csv", encoding="utf-8-sig")["side"].eq("trial").sum() >= 1


def test_the_page_says_what_differs_by_area_in_each_language(pair):
    pages = trial_pages(compare_trial(pair.modes, pair.moved))
    assert set(pages) == {"trial.html", "trial-en.html"}
    words = {name: re.sub("<[^>]*>", "", page) for name, page in pages.items()}
    assert "超出抽样误差的指标" in words["trial.html"]
    assert "自测一侧有辅导迹象" in words["trial.html"]
    # of 8 measures, two are the same in both surveys of the area
    assert "Beyond sampling error: 5 of 6 measures tested" in words["trial-en.html"]
    assert not re.search("[\u4e00-\u9fff]", re.sub("中文", "", words["trial-en.html"]))
    for page in pages.values():
        assert page.count("<img") == 4


def test_the_page_of_an_untested_trial_has_no_error_and_no_verdict(pair):
    page = trial_pages(compare_trial(pair.official, pair.quota))["trial-en.html"]
    said = re.sub("<[^>]*>", "", page)
    assert "described, not tested" in said
    assert "trial: not a probability sample" in said
    for word in ("adjusted p", "interval</th>", "beyond sampling error", "looks coached"):
        assert word not in page.split("<main")[1]


def test_the_picture_writes_every_difference_of_its_area(pair):
    found = compare_trial(pair.official, pair.coached)
    labels = {
        name: label
        for name, (_kind, label) in measure_labels(pair.coached.survey.questionnaire).items()
    }
    rows = labelled(found.differences, labels, key="measure", into="measure")
    rows = rows[rows["code"] == "990101"]
    with use("en"):
        drawn = trial_plot(rows, mark=Text("模拟", "simulated"))
    texts = [text.get_text() for text in drawn.axes[0].texts]
    factor = np.where(rows["unit"] == "share 0-1", 100, 1)
    for value in rows["difference"] * factor:
        assert any(text.startswith(signed(value)) for text in texts)
    assert any("simulated" in text.get_text() for text in drawn.texts)


@pytest.fixture(scope="module")
def apart(pair, small_template, tmp_path_factory, pictures):
    """A trial in other communities than the official survey's, and the set that the latter published."""
    root = tmp_path_factory.mktemp("apart") / "small"
    shutil.copytree(small_template, root)
    folder = trial_of(SmallSurvey(root), "apart", coached="990101")
    for path in (folder / "sample.csv", folder / "responses" / "all.csv"):
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        table["community"] = "T" + table["community"]
        table.to_csv(path, index=False)
    with pictures.left_out():
        published = export(pair.official, tmp_path_factory.mktemp("set") / "published")
    return SimpleNamespace(folder=folder, results=run(read_survey(folder)), published=published)


def test_beside_published_figures_a_trial_has_the_errors_of_independent_samples(pair, apart):
    """As with the official answers at hand, where the samples share no community."""
    by_answers = compare_trial(pair.official, apart.results).differences
    by_figures = compare_published(read_indices(apart.published), apart.results).differences
    keys = ["code", "measure"]
    both = by_answers.merge(by_figures, on=keys, suffixes=("", "_set"))
    assert len(both) == len(by_answers) == len(by_figures) == 32
    for name in ("official", "trial", "difference", "se", "df", "ci_low", "ci_high", "p", "p_bh"):
        np.testing.assert_allclose(
            both[name].astype(float), both[f"{name}_set"].astype(float), rtol=1e-8, atol=1e-9
        )
    assert (both["beyond_error"] == both["beyond_error_set"]).all()


def test_the_command_takes_a_published_set_for_the_official_survey(apart, call):
    code, out, err = call("trial", apart.published, apart.folder)
    assert (code, err) == (0, "")
    assert "published file set: figures are compared, not answers" in out
    assert "990101 County 990101" in out
    (folder,) = (apart.folder / "out").glob("*-trial")
    record = json.loads((folder / "differences.json").read_text(encoding="utf-8"))
    assert (record["official"]["survey"], record["official"]["revision"]) == ("small-wave", 1)
    page = (folder / "trial-en.html").read_text(encoding="utf-8")
    assert "figures are compared, not answers" in page
    assert "<caption>Signs of coaching" not in page


def test_published_figures_of_another_questionnaire_are_not_compared(apart):
    published = replace(read_indices(apart.published), questionnaire="small@0")
    with pytest.raises(RankingError, match="K175"):
        compare_published(published, apart.results)
    with pytest.raises(RankingError, match="K174"):
        compare_published(replace(published, survey="small-apart"), apart.results)
