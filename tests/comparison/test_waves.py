"""Several waves: changes are those of the published figures, shared PSUs count, and what may not be compared is refused."""

from __future__ import annotations

import html
import json
import re
import shutil
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

from conftest import COUNTIES, ROOT, SmallSurvey, joined, recoded
from satisfaction import cli, read_questionnaire, read_survey
from satisfaction.comparison.changes import (
    compare_waves,
    most_improved,
    roll_waves,
    run_change,
    run_rolling,
    shared_psus,
)
from satisfaction.comparison.sides import estimates_of, read_in_order
from satisfaction.comparison.wave_files import export_change
from satisfaction.comparison.wave_pages import change_pages
from satisfaction.comparison.words import change_lines, rank_as_printed, rolling_lines
from satisfaction.declarations.items import ComparableVersion
from satisfaction.estimation.change import combine_waves
from satisfaction.foundation.conventions import in_words
from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.figures import probability
from satisfaction.foundation.files import sha256
from satisfaction.foundation.language import Text
from satisfaction.pipeline import run
from satisfaction.publication.ranking_table import ranking_table
from satisfaction.publication.tables import indices_table
from satisfaction.ranking.change import RISE_RANGE
from satisfaction.ranking.waves import comparability, require_comparable

PUBLISHED = 1e-10  # two figures of 12 digits and their difference
SEARCHED = 1e-5  # the variance of the true scores is searched for until its slope is that small
WORSE = {"5": "3", "4": "3"}


@pytest.fixture
def second(small):
    """A second wave beside the small survey."""
    return second_wave(small)


@pytest.fixture(scope="module")
def pair(small_template, tmp_path_factory):
    """Both waves of a small survey, run, and the second one again with communities of its own."""
    root = tmp_path_factory.mktemp("waves") / "small"
    shutil.copytree(small_template, root)
    first = SmallSurvey(root)
    folders = [first.folder, second_wave(first), second_wave(first, name="apart", shared=0)]
    return SimpleNamespace(
        **dict(
            zip(("old", "new", "apart"), (run(read_survey(one)) for one in folders), strict=True)
        )
    )


@pytest.fixture(scope="module")
def small_change(pair):
    return compare_waves(pair.old, pair.new)


@pytest.fixture(scope="module")
def quarters(shipped):
    """The shipped second and third quarter."""
    return [shipped("guizhou-2026q2"), shipped("guizhou-2026q3")]


@pytest.fixture(scope="module")
def quarters_change(quarters):
    return compare_waves(*quarters)


def second_wave(first, *, name="second", shared=2):
    """Copy the small survey as a later wave: fewer satisfied in the first county, communities from `shared` on replaced."""
    folder = first.folder.with_name(name)
    shutil.copytree(first.folder, folder)
    wave = SmallSurvey(first.root)
    wave.edit(folder / "survey.yaml", "survey: small-wave", f"survey: small-{name}")
    wave.edit(folder / "survey.yaml", "wave: 2026T1", f"wave: {name}")
    wave.edit(
        folder / "survey.yaml",
        "{start: 2026-04-06, end: 2026-04-26}",
        "{start: 2026-04-06, end: 2026-05-26}",
    )
    for path in (folder / "sample.csv", folder / "responses" / "all.csv"):
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        later = table["community"].str[-1].astype(int) >= shared
        table["community"] = table["community"].where(
            ~later, table["community"].str[:-1] + "N" + table["community"].str[-1]
        )
        if "streets" in table:
            moved = (table["county"] == "990101") & (np.arange(len(table)) % 2 == 0)
            table["streets"] = table["streets"].where(~moved, table["streets"].replace(WORSE))
        table.to_csv(path, index=False, encoding="utf-8")
    return folder


def of_counties(results, measure):
    """The published rows of one measure by county code."""
    table = indices_table(results.survey, results.estimates)
    return table[(table["level"] == "county") & (table["measure"] == measure)].set_index("code")


def read(path):
    return pd.read_csv(path, dtype={"code": str}, encoding="utf-8-sig")


# ---- change


@pytest.mark.parametrize("measure", [None, "satisfaction"])
def test_a_change_is_the_difference_of_the_published_estimates(pair, measure):
    found = compare_waves(pair.old, pair.new, measure=measure)
    published = [of_counties(one, found.measure) for one in (pair.old, pair.new)]
    table = found.table.set_index("code")
    expected = (published[1]["estimate"] - published[0]["estimate"]).reindex(table.index)
    np.testing.assert_allclose(table["change"], expected, atol=PUBLISHED)
    np.testing.assert_allclose(
        table["after"], published[1]["estimate"].reindex(table.index), rtol=PUBLISHED
    )
    assert table["unit"].unique().tolist() == published[0]["unit"].unique().tolist()
    assert table["relative_change"].sum() == pytest.approx(0, abs=PUBLISHED)


@pytest.mark.parametrize("measure", ["satisfaction", "composite"])
def test_a_probability_of_a_rise_has_its_range(pair, measure):
    found = compare_waves(pair.old, pair.new, measure=measure, places=1)
    table = found.table
    behind = list(table).index("probability_rise") + 1
    assert tuple(table.columns[behind : behind + 3]) == RISE_RANGE
    wide = table["probability_rise_high"] - table["probability_rise_low"] > 0.1
    assert (table["model_dependent"] == "yes").tolist() == wide.tolist()
    assert wide.any()
    assert set(RISE_RANGE) <= set(most_improved(table))
    row = table[wide].iloc[0].to_dict()
    page = html.unescape(change_pages(found)["change.html"])
    ends = [probability(row[name]) for name in RISE_RANGE[:2]]
    assert f">{probability(row['probability_rise'])} ({' – '.join(ends)})</td>" in page


def test_ranks_and_sets_are_those_each_wave_publishes(pair, small_change):
    table = small_change.table.set_index("code")
    for when, one in (("before", pair.old), ("after", pair.new)):
        published = (
            ranking_table(one.survey, one.estimates, one.ranking).set_index("code").loc[table.index]
        )
        for mine, theirs in (("", "rank"), ("_low", "marginal_low"), ("_high", "marginal_high")):
            assert table[f"rank_{when}{mine}"].tolist() == published[theirs].tolist()
    assert (table["rise"] == table["rank_before"] - table["rank_after"]).all()
    assert table["rank_after"].is_monotonic_increasing


def test_swapping_the_waves_turns_every_sign(pair, small_change):
    there, back = (
        small_change.table.set_index("code"),
        compare_waves(pair.new, pair.old).table.set_index("code"),
    )
    back = back.loc[there.index]
    for name in ("change", "relative_change", "rise"):
        np.testing.assert_allclose(back[name], -there[name], atol=PUBLISHED, err_msg=name)
    for name in ("shrunk_change", "expected_rise"):
        np.testing.assert_allclose(back[name], -there[name], atol=SEARCHED, err_msg=name)
    for name in ("se", "change_se", "p", "p_bh", "correlation", "shared_psus"):
        np.testing.assert_allclose(back[name], there[name], rtol=PUBLISHED, err_msg=name)
    for low, high in (("ci_low", "ci_high"), ("rise_low", "rise_high"), ("all_low", "all_high")):
        np.testing.assert_allclose(
            back[low].astype(float), -there[high].astype(float), atol=PUBLISHED
        )


def test_shared_communities_enter_the_standard_error(pair, small_change):
    apart = compare_waves(pair.old, pair.apart).table.set_index("code")
    shared = small_change.table.set_index("code").loc[apart.index]
    np.testing.assert_allclose(shared["change"], apart["change"], rtol=1e-9)
    assert shared["shared_psus"].tolist() == [4] * 4
    assert small_change.ranks.summary["shared_psus"] == shared["shared_psus"].sum()
    assert apart["shared_psus"].tolist() == [0] * 4
    assert apart["correlation"].tolist() == [0] * 4
    assert (shared["correlation"] > 0).any()
    np.testing.assert_array_equal(
        np.sign(apart["change_se"] - shared["change_se"]), np.sign(shared["correlation"])
    )


def test_standard_errors_are_those_of_the_joint_covariance(pair, small_change):
    sides = {
        name: getattr(pair, name).estimates["county"].of("topic_index") for name in ("old", "new")
    }
    both, p = combine_waves(sides), len(small_change.table)
    matrix = np.hstack([-np.eye(p), np.eye(p)])
    centred = (np.eye(p) - 1 / p) @ matrix
    table = small_change.table.set_index("code").loc[sides["new"].table["county"]]
    np.testing.assert_allclose(
        table["change_se"], np.sqrt(np.diag(matrix @ both.cov @ matrix.T)), rtol=1e-9
    )
    np.testing.assert_allclose(
        table["se"], np.sqrt(np.diag(centred @ both.cov @ centred.T)), rtol=1e-9
    )
    np.testing.assert_allclose(
        table["ci_high"] + table["ci_low"], 2 * table["relative_change"], atol=1e-9
    )


def with_roles(results, **roles):
    """Results whose questionnaire declares other roles."""
    questionnaire = results.survey.questionnaire
    changed = questionnaire.model_copy(
        update={"roles": questionnaire.roles.model_copy(update=roles)}
    )
    return replace(results, survey=replace(results.survey, questionnaire=changed))


def test_without_psus_equal_respondent_numbers_are_not_the_same_person(pair):
    old, new = (with_roles(one, psu=None) for one in (pair.old, pair.new))
    both = combine_waves(
        {
            "old": estimates_of(old, "topic_index", level="county"),
            "new": estimates_of(new, "topic_index", level="county"),
        }
    )
    assert both.conventions["shared_psus"] == 0
    assert not both.cov[:4, 4:].any()
    assert compare_waves(old, new).table["shared_psus"].tolist() == [0] * 4


def test_psus_of_other_strata_are_not_the_same(pair):
    assert sum(shared_psus(pair.old, pair.new).values()) == 16
    assert shared_psus(with_roles(pair.old, strata=["county"]), pair.new) == {}


def test_a_measure_of_neither_wave_is_refused(pair):
    with pytest.raises(RankingError, match="K140"):
        compare_waves(pair.old, pair.new, measure="nothing")


def test_an_area_ranked_in_one_wave_only_takes_no_part(small, second):
    rows = small.rows()
    small.write(rows[(rows["county"] != "990101") | (rows.index % 5).isin([0, 2, 3])])
    small.edit("rules.yaml", "minimum_n: ", "minimum_n: 20 # ")
    found = run_change(small.folder, second)
    left_out = found.table.set_index("code").loc["990101"]
    assert found.ranks.summary["not_ranked"] == ("990101",)
    assert left_out[["rise", "rise_low", "p", "rank_before"]].isna().all()
    assert left_out["rank_after"] >= 1
    assert np.isfinite(left_out["change"])
    assert (left_out["significant"], found.ranks.summary["places"]) == ("not tested", 2)
    others = found.table[found.table["code"] != "990101"]
    moved = others["rise"] != others["rank_before"] - others["rank_after"]
    said = [line for line in change_lines(found) if "公布名次之差" in line.zh]
    assert len(said) == int(moved.any())


def test_without_a_probability_sample_nothing_is_tested(small, second):
    small.edit(second / "survey.yaml", "selection: probability", "selection: quota")
    found = run_change(small.folder, second)
    assert (
        found.table[
            ["p", "p_bh", "ci_low", "ci_high", "rise_low", "rise_high", "all_low", "all_high"]
        ]
        .isna()
        .all(axis=None)
    )
    assert set(found.table["significant"]) == {"not tested"}
    assert found.table["mark"].str.contains("not a probability sample").all()
    assert found.table[["probability_rise", "expected_rise", "shrunk_change"]].isna().all(axis=None)
    text = joined(change_lines(found))
    assert "Benjamini" not in text.en
    assert "Not both waves are probability samples" in text.en
    assert "Benjamini" not in text.zh


def test_most_improved_holds_both_orders(quarters_change):
    table = most_improved(quarters_change.table)
    assert table["rise"].is_monotonic_decreasing
    assert table.loc[table["raw_order"].idxmin(), "rise"] == quarters_change.table["rise"].max()
    assert (
        table.loc[table["shrunk_order"].idxmin(), "shrunk_change"]
        == quarters_change.table["shrunk_change"].max()
    )
    assert (table[["raw_order", "shrunk_order"]].min(axis=1) <= 10).all()
    assert set(range(1, 11)) <= set(table["shrunk_order"])
    everyone = most_improved(quarters_change.table, count=88)
    assert len(everyone) == 88
    assert table["code"].tolist() == [
        code for code in everyone["code"] if code in set(table["code"])
    ]


def test_the_shipped_waves(quarters, quarters_change):
    table = quarters_change.table
    assert len(table) == 88
    assert table["shared_psus"].sum() == quarters_change.ranks.summary["shared_psus"]
    assert table["mark"].str.contains("simulated").all()
    bounds = (
        table[["all_low", "rise_low", "rise", "rise_high", "all_high"]].astype(float).to_numpy()
    )
    assert (np.diff(bounds, axis=1) >= 0).all()
    assert set(table["significant"]) == {"yes", "no"}
    assert (table.loc[table["significant"] == "yes", "p"] < 0.05).all()
    assert table["shrunk_change"].std() < table["relative_change"].std()


def test_the_shipped_waves_cover_the_simulated_truth(quarters_change):
    truths = [
        pd.read_csv(ROOT / f"surveys/guizhou-2026{quarter}/truth.csv", dtype={"county": str}, encoding="utf-8-sig")
        .query("measure == 'satisfaction_index'").set_index("county")["value"]
        for quarter in ("q2", "q3")
    ]  # fmt: skip
    table = quarters_change.table.set_index("code")
    moved = (truths[1] - truths[0]).reindex(table.index)
    relative = moved - moved.mean()
    assert relative.between(table["ci_low"], table["ci_high"]).mean() >= 0.9
    ranks = [one.reindex(table.index).rank(ascending=False) for one in truths]
    true_rise = ranks[0] - ranks[1]
    assert true_rise.between(table["all_low"], table["all_high"]).all()


def test_what_is_printed_keeps_ranks_with_their_sets(quarters_change, small_change):
    for found in (quarters_change, small_change):
        text = joined(change_lines(found))
        assert "名次上升不等于工作改善" in text.zh
        assert "A better rank is not better work" in text.en
        assert "nan" not in (text.zh + text.en).lower()
        assert len(re.findall(r"名次集合 \d+–\d+", text.zh)) == 2
        assert len(re.findall(r"rank set \d+–\d+", text.en)) == 2
    lines = joined(change_lines(quarters_change))
    assert "simulated" in lines.en
    assert "comparable: Satisfaction index: the same in civilised-city@2026-1" in lines.en
    assert "可比：满意指数：" in lines.zh


def test_the_notes_of_a_set_are_words_in_its_json_too(small_change):
    record = json.loads((export_change(small_change) / "change.json").read_text(encoding="utf-8"))
    for notes in (record["notes"], record["change"]["notes"]):
        assert notes
        assert all(isinstance(note, str) for note in notes)


# ---- files


def sheet_of(workbook, name: str) -> pd.DataFrame:
    """Return the table of a sheet for readers: below the lines that say what it is."""
    rows = workbook.get_sheet_by_name(name).to_python()
    top = 0
    while len([cell for cell in rows[top] if cell != ""]) == 1 and len(rows[top]) > 1:
        top += 1
    return pd.DataFrame(rows[top + 1 :], columns=rows[top])


def headings_of(workbook, name: str) -> list[str]:
    return list(sheet_of(workbook, name))


def test_the_change_of_two_waves_is_written_in_one_step(call, small, second):
    code, out, _ = call("change", small.folder, second)
    assert code == 0
    [folder] = (second / "out").iterdir()
    assert folder.name.endswith("-change-2026T1")
    assert folder.name in out
    assert {path.name for path in folder.iterdir()} == {
        "change.csv",
        "change.xlsx",
        "change-en.xlsx",
        "change.json",
        "change.html",
        "change-en.html",
        "change_sentences.csv",
        "most_improved.csv",
        "run.json",
    }
    table, record = (
        read(folder / "change.csv"),
        json.loads((folder / "change.json").read_text(encoding="utf-8")),
    )
    assert len(table) == 4
    workbook = CalamineWorkbook.from_path(folder / "change.xlsx")
    score, most_improved, *others = workbook.sheet_names
    assert most_improved == f"{score}，上升最多"
    assert others == ["文字", "说明", "data"]
    assert workbook.get_sheet_by_name("data").to_python()[0] == list(table)
    for name in workbook.sheet_names[:-1]:
        for heading in headings_of(workbook, name):
            assert re.search("[\u4e00-\u9fff]", str(heading)), heading
    english = CalamineWorkbook.from_path(folder / "change-en.xlsx")
    assert english.sheet_names[-2] == "notes"
    for name in english.sheet_names[:-1]:
        for heading in headings_of(english, name):
            assert str(heading).isascii(), heading
    by_code = table.set_index(table["code"].astype(str))
    shown = sheet_of(english, english.sheet_names[0])
    assert len(shown.columns) <= 16  # one page wide and still to be read
    assert shown["code"].tolist() == by_code.index.tolist()
    for row, (_code, published) in zip(shown.to_dict("records"), by_code.iterrows(), strict=True):
        assert row["change"] == pytest.approx(published["change"])
        low, high = published["rank_after_low"], published["rank_after_high"]
        assert row["later rank"] == f"{published['rank_after']:g} [{low:g}–{high:g}]"
    assert [one["survey"] for one in record["waves"]] == ["small-wave", "small-second"]
    assert record["waves"][0]["inputs"]["responses/all.csv"] == sha256(small.csv)
    assert record["waves"][1]["inputs"]["responses/all.csv"] == sha256(
        second / "responses" / "all.csv"
    )
    assert record["change"]["comparable"] == "topic_index: the same in small@1"
    outputs = json.loads((folder / "run.json").read_text(encoding="utf-8"))["outputs"]
    assert outputs == {
        path.name: sha256(path) for path in folder.iterdir() if path.name != "run.json"
    }
    page = (folder / "change-en.html").read_text(encoding="utf-8")
    [jump] = re.findall(r"<li>largest jump: .*?</ul></li>", page, flags=re.DOTALL)
    assert "<li>  guaranteed rise" in jump
    assert "<li>  relative change" in jump  # not a line of its own beside the jump


def test_two_runs_write_the_same_bytes_into_two_folders(small, second):
    folders = [export_change(run_change(small.folder, second)) for _ in range(2)]
    assert folders[0] != folders[1]
    hashes = [
        {p.name: sha256(p) for p in folder.iterdir() if p.name != "run.json"} for folder in folders
    ]
    assert hashes[0] == hashes[1]


def test_the_mark_stands_in_every_file(small, second):
    small.edit(
        second / "survey.yaml",
        "selection:",
        "simulated: {seed: 1, note: {zh: 模拟, en: simulated}}\nselection:",
    )
    folder = export_change(run_change(small.folder, second))
    for name in ("change.csv", "most_improved.csv"):
        assert read(folder / name)["mark"].str.contains("simulated").all()
    for name in ("change.json", "run.json"):
        assert "模拟数据" in json.loads((folder / name).read_text(encoding="utf-8"))["mark"]


def test_a_failure_in_the_middle_leaves_nothing(small, second, monkeypatch):
    found = run_change(small.folder, second)
    monkeypatch.setattr("satisfaction.comparison.wave_files.manifest", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export_change(found)
    assert list((second / "out").glob("*")) == []


@pytest.mark.parametrize(
    ("expected", "old", "new"),
    [
        ("K171", "wave", "wave"),
        ("K172", "second", "wave"),
        ("F101", "wave", "nowhere"),
        ("K142", "wave", "second"),
    ],
)
def test_what_cannot_be_compared_is_refused_and_nothing_written(
    call, small, second, expected, old, new
):
    small.edit(second / "survey.yaml", "{start: 2026-04-06,", "{start: 2026-05-06,")
    if expected == "K142":
        other_version(small, second)
    code, out, message = call("change", small.folder.with_name(old), small.folder.with_name(new))
    assert (code, out) == (cli.USER_FAULT, "")
    assert message.startswith(f"[{expected}]")
    assert "Next: " in message
    assert "Traceback" not in message
    assert not list(small.root.glob("surveys/*/out"))


def other_version(small, second, declaration=""):
    """Give the second wave a questionnaire of its own, with another score for "neutral"."""
    path = small.questionnaire.with_name("2.yaml")
    shutil.copy(small.questionnaire, path)
    small.edit(path, 'version: "1"', f'version: "2"{declaration}')
    small.edit(path, "score: 50,", "score: 40,")
    small.edit(second / "survey.yaml", "questionnaire: small@1", "questionnaire: small@2")
    return path


def test_a_declared_version_is_compared_and_the_declaration_is_told(call, small, second):
    other_version(
        small,
        second,
        "\ncomparable_with: [{version: small@1, note: {zh: 衔接研究, en: bridging study}}]",
    )
    code, out, _ = call("change", small.folder, second)
    assert code == 0
    assert "衔接研究 bridging study" in out
    assert "topic_index.streets.answers" in out


def test_bridge_items_allow_only_the_measures_that_rest_on_them(call, small, second):
    other_version(
        small, second, "\ncomparable_with: [{version: small@1, bridge_items: [streets, overall]}]"
    )
    code, _, message = call("change", small.folder, second)
    assert code == cli.USER_FAULT
    assert "bridge_items leave out parks, safety" in message
    assert "comparable_with: [small@1]" in message
    code, out, _ = call("change", small.folder, second, "--measure", "streets")
    assert code == 0
    assert "streets: comparable_with of small@2" in out


# ---- declarations


@pytest.fixture(scope="module")
def versions():
    """The shipped questionnaire and a later version with another index weight."""
    city = read_questionnaire(ROOT / "questionnaires/civilised-city/2026-1.yaml")
    index = city.indices["composite"]
    weights = {**index.weights, "awareness": 0.25, "participation": 0.05}
    changed = city.indices | {"composite": index.model_copy(update={"weights": weights})}
    return city, city.model_copy(update={"version": "2026-2", "indices": changed})


def declaring(questionnaire, **declared):
    return questionnaire.model_copy(update={"comparable_with": [ComparableVersion(**declared)]})


def test_a_declaration_of_either_version_counts(versions):
    old, new = versions
    assert not comparability(new, old, "composite").allowed
    later = comparability(declaring(new, version=old.reference, source="study 7"), old, "composite")
    earlier = comparability(new, declaring(old, version=new.reference), "composite")
    other = comparability(declaring(new, version="civilised-city@2020-1"), old, "composite")
    assert "study 7" in require_comparable(later)
    assert earlier.allowed.startswith("comparable_with of civilised-city@2026-1")
    assert later.differences == earlier.differences == other.differences
    with pytest.raises(RankingError) as caught:
        require_comparable(other)
    assert caught.value.code == "K142"
    assert "comparable_with: [civilised-city@2026-1]" in caught.value.hint[1]


def test_bridge_items_must_hold_every_item_of_the_measure(versions):
    old, new = versions
    items = sorted(new.rests_on("composite"))
    whole = comparability(
        declaring(new, version=old.reference, bridge_items=items), old, "composite"
    )
    lacking = comparability(
        declaring(new, version=old.reference, bridge_items=items[1:]), old, "composite"
    )
    assert (whole.allowed != "", whole.beyond_bridge) == (True, ())
    assert (lacking.allowed, lacking.beyond_bridge) == ("", (items[0],))
    assert set(items) == {"heard", "core_values", "took_part", "support", "overall", *new.topics}


def test_waves_come_in_order_and_once(small, second):
    assert [one.name for one in read_in_order([small.folder, second])] == [
        "small-wave",
        "small-second",
    ]
    with pytest.raises(RankingError, match="K171"):
        read_in_order([small.folder, second, small.folder])


@pytest.mark.parametrize(
    ("first", "then", "ok"),
    [
        ("2026Q2", "2026Q3", True),
        ("2026Q3", "2026Q2", False),
        ("2026-10", "2026-09", False),
        ("B", "A", True),
    ],
)
def test_without_dates_the_names_of_waves_say_which_is_older(small, second, first, then, ok):
    for folder, wave in ((small.folder, first), (second, then)):
        text = (folder / "survey.yaml").read_text(encoding="utf-8")
        text = re.sub(r"(?m)^fielded: .*\n", "", text)
        (folder / "survey.yaml").write_text(
            re.sub(r"(?m)^wave: .*$", f"wave: {wave}", text), encoding="utf-8"
        )
    with nullcontext() if ok else pytest.raises(RankingError, match="K172"):
        read_in_order([small.folder, second])


def test_the_last_waves_are_taken_from_waves_that_are_all_in_order(small, second, call):
    """Newest first, the last two would be the oldest two."""
    third = shutil.copytree(second, second.with_name("third"))
    small.edit(third / "survey.yaml", "survey: small-second", "survey: small-third")
    small.edit(third / "survey.yaml", "start: 2026-04-06", "start: 2026-04-08")
    code, _, err = call("rolling", third, small.folder, second, "--last", 2)
    assert code == 2
    assert "[K172]" in err


def test_rolling_says_in_which_order_it_read_the_waves(small, second, call):
    code, out, _ = call("rolling", small.folder, second)
    assert code == 0
    assert "from the oldest to the newest" in out


# ---- rolling


def test_a_rolling_index_is_the_mean_of_the_published_indices(quarters):
    found = roll_waves(quarters)
    published = [of_counties(one, "satisfaction_index") for one in quarters]
    table = found.table.set_index("code")
    mean = sum(one["estimate"] for one in published).reindex(table.index) / 2
    np.testing.assert_allclose(table["estimate"], mean, rtol=PUBLISHED)
    assert (table["n"] == sum(one["n"] for one in published).reindex(table.index)).all()
    both = combine_waves(
        {str(i): one.estimates["county"].of("satisfaction_index") for i, one in enumerate(quarters)}
    )
    halves = np.hstack([np.eye(88), np.eye(88)]) / 2
    expected = pd.Series(
        np.sqrt(np.diag(halves @ both.cov @ halves.T)),
        index=quarters[0].estimates["county"].of("awareness").table["county"],
    )
    np.testing.assert_allclose(table["se"], expected.reindex(table.index), rtol=1e-9)
    assert table["estimate"].is_monotonic_decreasing
    assert (table["rank"].between(table["simultaneous_low"], table["simultaneous_high"])).all()
    assert table["waves"].unique().tolist() == ["2026Q2+2026Q3"]
    text = joined(rolling_lines(found))
    assert "整个时期" in text.zh
    assert "describes the whole period" in text.en


def test_a_rolling_index_is_written_beside_the_last_wave(call, small, second):
    code, out, _ = call("rolling", small.folder, second)
    assert code == 0
    [folder] = (second / "out").iterdir()
    assert folder.name.endswith("-rolling-2")
    assert {path.name for path in folder.iterdir()} == {
        "rolling.csv",
        "rolling.xlsx",
        "rolling-en.xlsx",
        "rolling.json",
        "rolling.html",
        "rolling-en.html",
        "run.json",
    }
    assert folder.name in out
    table = read(folder / "rolling.csv")
    assert len(table) == 4
    english = CalamineWorkbook.from_path(folder / "rolling-en.xlsx")
    shown = sheet_of(english, english.sheet_names[0])
    assert len(shown.columns) <= 13
    assert shown["estimate"].tolist() == pytest.approx(table["estimate"].tolist())
    assert not [column for column in table if column.startswith("target")]
    record = json.loads((folder / "rolling.json").read_text(encoding="utf-8"))
    assert record["estimates"]["rolling"] == ["small-wave", "small-second"]
    assert record["estimates"]["comparable"] == ["topic_index: the same in small@1"]


def test_only_the_last_waves_are_run(small, second):
    third = second_wave(small, name="third")
    found = run_rolling([small.folder, second, third], last=2)
    assert [one.survey.name for one in found.waves] == ["small-second", "small-third"]


@pytest.mark.parametrize("last", [0, 1, 3, -1])
def test_a_window_needs_two_waves(call, small, second, last):
    code, _, message = call("rolling", "--last", last, small.folder, second)
    assert code == cli.USER_FAULT
    assert message.startswith("[K173]")


def test_incomparable_waves_do_not_roll(call, small, second):
    other_version(small, second)
    code, _, message = call("rolling", small.folder, second)
    assert code == cli.USER_FAULT
    assert message.startswith("[K142]")
    assert not (second / "out").exists()


def test_a_rank_is_printed_with_the_set_of_one_named_area_as_run_prints_it(small, second):
    found = run_change(small.folder, second)
    row = found.later.ranking.table.set_index("unit").loc["990101"]
    said = rank_as_printed(found.later, "990101")
    assert said.en.endswith(f"(rank set {row.marginal_low}–{row.marginal_high})")
    assert f"名次集合 {row.marginal_low}–{row.marginal_high}" in said.zh


def test_why_waves_may_be_compared_is_said_in_the_language_of_the_reader():
    words = in_words("topic_index: the same in small@1")
    assert words == Text("topic_index：在 small@1 中相同", "topic_index: the same in small@1")


def test_waves_follow_an_area_that_only_has_another_code(small, second):
    """They stopped (K145): where one county had a new code, nothing could be said of the province."""
    former, today = COUNTIES[0], "990109"
    expected = run_change(small.folder, second)
    mean = run_rolling([small.folder, second])
    recoded(second, former, today)
    found = run_change(small.folder, second)
    figures = ["before", "after", "change", "rank_before", "rank_after", "rise"]
    for code, row in expected.table.set_index("code").iterrows():
        of_area = found.table.set_index("code").loc[code.replace(former, today)]
        assert of_area[figures].tolist() == row[figures].tolist()
    rolled = run_rolling([small.folder, second])
    for code, row in mean.table.set_index("code").iterrows():
        of_area = rolled.table.set_index("code").loc[code.replace(former, today)]
        assert of_area[["estimate", "rank"]].tolist() == row[["estimate", "rank"]].tolist()
    said = [note.en for note in found.notes]
    assert any(f"{former} → {today}" in note for note in said)
    export_change(found)
