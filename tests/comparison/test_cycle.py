"""The quarter as a cycle: each wave reads what the waves before published, and the ladder follows from it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import SmallSurvey, small_rows
from satisfaction import read_survey, run
from satisfaction.declarations.earlier import earlier_notes
from satisfaction.declarations.facts import period_of
from satisfaction.foundation.errors import InputFileError, SurveyError
from satisfaction.foundation.file_sets import handed_over, mark_handed_over
from satisfaction.foundation.tables import write_checksums
from satisfaction.pipeline import Results
from satisfaction.publication.file_set import export_dated
from satisfaction.publication.ranking_table import escalation_table, ladder_table
from satisfaction.publication.tables import tables_of
from satisfaction.publication.verify import verify
from satisfaction.ranking.escalation import partial_conjunction

TOPICS = ["streets", "parks", "safety", "overall"]
FIRST, LAST = "990101", "990202"
LADDER = """
escalation:
  source: 文件
  steps:
    - {low: {measure: satisfaction, below: 0.5}, zh: 谈心提示, en: reminder}
    - {listed_in_a_row: 1, zh: 挂牌督办, en: listed}
    - {listed_in_a_row: 2, zh: 约谈, en: talk}
  release: {off_list: 1, rank_at_most: 2, zh: 摘牌, en: released}
"""


def quarter(root: Path, wave: str, *, worst: str, best: str, earlier=(), rules=LADDER) -> Path:
    """Write a quarter in which one county is clearly the worst and one clearly the best."""
    template = SmallSurvey(root)
    folder = root / "surveys" / f"w{wave.lower()}"
    shutil.copytree(template.folder, folder)
    template.edit(folder / "survey.yaml", "survey: small-wave", f"survey: {folder.name}")
    template.edit(folder / "survey.yaml", "wave: 2026T1", f"wave: {wave}")
    with (folder / "survey.yaml").open("a", encoding="utf-8") as file:
        file.write(f"earlier: [{', '.join(earlier)}]\n")
    with (folder / "rules.yaml").open("a", encoding="utf-8") as file:
        file.write(rules)
    rows = small_rows()
    rng = np.random.default_rng(int(wave[-1]))
    for county, answers in ((worst, ["1", "2"]), (best, ["5", "4"])):
        chosen = rows["county"] == county
        rows.loc[chosen, TOPICS] = rng.choice(answers, size=(int(chosen.sum()), len(TOPICS)))
    rows.to_csv(folder / "responses" / "all.csv", index=False)
    return folder


def publish(folder: Path) -> Path:
    return export_dated(run(read_survey(folder)))


@dataclass(frozen=True)
class Year:
    """Three quarters, each handed over before the next."""

    root: Path
    folders: dict[str, Path]
    sets: dict[str, Path]

    def copy(self, target: Path) -> Year:
        shutil.copytree(self.root, target, symlinks=True)
        folders = {wave: target / "surveys" / path.name for wave, path in self.folders.items()}
        sets = {wave: folders[wave] / "out" / path.name for wave, path in self.sets.items()}
        return Year(target, folders, sets)


@pytest.fixture(scope="module", autouse=True)
def tables_alone(pictures):
    """Sets of a year are read for their tables and words."""
    with pictures.left_out():
        yield


@pytest.fixture(scope="module")
def year(small_template, tmp_path_factory) -> Year:
    """One county is listed in two quarters and does best in the third."""
    root = tmp_path_factory.mktemp("year") / "small"
    shutil.copytree(small_template, root)
    folders = {}
    sets = {}
    for wave, worst, best in (
        ("2026Q1", FIRST, LAST),
        ("2026Q2", FIRST, LAST),
        ("2026Q3", LAST, FIRST),
    ):
        earlier = [f"../{path.name}" for path in folders.values()]
        rules = LADDER
        if not earlier:  # nothing to count yet
            rules = LADDER.replace("    - {listed_in_a_row: 2, zh: 约谈, en: talk}\n", "")
            rules = rules[: rules.index("  release")]
        folders[wave] = quarter(root, wave, worst=worst, best=best, earlier=earlier, rules=rules)
        sets[wave] = publish(folders[wave])
        mark_handed_over(sets[wave])
    return Year(root, folders, sets)


@pytest.fixture
def changed(year, tmp_path) -> Year:
    """A copy of the year that the test may change."""
    return year.copy(tmp_path / "small")


def published(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(
        folder / name, dtype={"code": str}, encoding="utf-8-sig", keep_default_na=False
    )


# ---- a year


def test_listed_then_listed_again_then_released(year):
    steps = {}
    for wave, folder in year.sets.items():
        table = published(folder, "ranking_ladder.csv")
        of_first = table[(table["code"] == FIRST) & (table["in_force"] == "yes")]
        steps[wave] = list(
            of_first[["step_en", "reached", "status"]].itertuples(index=False, name=None)
        )
    assert steps == {
        "2026Q1": [("listed", "yes", "established")],
        "2026Q2": [("talk", "yes", "established")],
        "2026Q3": [("released", "yes", "established")],
    }


def test_two_waves_on_the_list_are_proven_by_the_weaker_of_the_two(year):
    waves = [
        published(year.sets[wave], "ranking.csv").set_index("code") for wave in ("2026Q1", "2026Q2")
    ]
    table = published(year.sets["2026Q2"], "ranking_ladder.csv").set_index(["code", "step_en"])
    weaker = max(float(wave.loc[FIRST, "p_in"]) for wave in waves)
    assert float(table.loc[(FIRST, "talk"), "p_established"]) == pytest.approx(weaker, rel=1e-11)
    first = min(1, 2 * min(float(wave.loc[FIRST, "p_out"]) for wave in waves))
    assert float(table.loc[(FIRST, "talk"), "p_excluded"]) == pytest.approx(first, rel=1e-11)


def test_pages_say_what_the_step_rests_on_and_what_is_established(year, call, tmp_path):
    report = (year.sets["2026Q2"] / "report.html").read_text(encoding="utf-8")
    assert "连续 2 期列入名单（2026Q1、2026Q2）" in report
    assert "依规则：达到；依数据：已确认" in report
    assert "以往一期 2026Q1：w2026q1，结果文件" in report
    call("report", year.folders["2026Q3"], "--out", tmp_path / "pages")
    page = (tmp_path / "pages" / "zh" / f"{FIRST}.html").read_text(encoding="utf-8")
    assert "摘牌需连续 1 期不在名单，且名次不低于第 2 名" in page
    assert "自 2026Q1 起列入名单，现已连续 1 期不在名单，本期第 1 名" in page


def test_ranks_over_the_waves_are_those_published(year):
    paths = published(year.sets["2026Q3"], "ranking_waves.csv")
    for wave in ("2026Q1", "2026Q2"):
        ranks = published(year.sets[wave], "ranking.csv").set_index("code")["rank"]
        read = paths[paths["wave"] == wave].set_index("code")["rank"]
        assert read.sort_index().tolist() == ranks.sort_index().tolist()


def test_a_set_with_earlier_waves_is_verified_and_a_planted_difference_is_named(changed):
    assert verify(changed.sets["2026Q2"]).code == 0
    table = changed.sets["2026Q2"] / "ranking_ladder.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("talk", "walk"), encoding="utf-8")
    found = verify(changed.sets["2026Q2"])
    assert (found.code, set(found.files)) == (10, {"ranking_ladder.csv"})
    assert found.differing[0].file == "ranking_ladder.csv"


def test_the_set_describes_the_ladder(year, tmp_path):
    import frictionless

    copy = shutil.copytree(year.sets["2026Q3"], tmp_path / "copy")
    report = frictionless.validate(str(copy / "datapackage.json"))
    assert report.valid, report.flatten(["message"])
    assert "ranking-ladder" in {task.name for task in report.tasks}
    made = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    assert [one["wave"] for one in made["earlier"]] == ["2026Q1", "2026Q2"]


# ---- which set is read


def test_the_set_handed_over_is_read_and_not_the_latest(changed):
    csv = changed.folders["2026Q1"] / "responses" / "all.csv"
    rows = pd.read_csv(csv, dtype=str, keep_default_na=False)
    rows.loc[rows["county"] == FIRST, TOPICS] = "5"
    rows.to_csv(csv, index=False)
    corrected = publish(changed.folders["2026Q1"])
    survey = read_survey(changed.folders["2026Q2"])
    assert survey.earlier[0].folder.name == changed.sets["2026Q1"].name != corrected.name
    assert survey.published_rank(FIRST, "2026Q1") == 4
    mark_handed_over(corrected)
    survey = read_survey(changed.folders["2026Q2"])
    assert (survey.earlier[0].folder.name, survey.earlier[0].revision) == (corrected.name, 2)
    assert survey.published_rank(FIRST, "2026Q1") != 4
    SmallSurvey(changed.root).edit(
        changed.folders["2026Q2"] / "survey.yaml",
        "earlier: [../w2026q1]",
        "earlier: [{survey: ../w2026q1, revision: 1}]",
    )
    assert read_survey(changed.folders["2026Q2"]).published_rank(FIRST, "2026Q1") == 4


def test_a_set_is_marked_by_verify_once_and_only_where_it_is_identical(changed, call):
    shelf = changed.folders["2026Q3"] / "out"
    (shelf / "handed-over.json").unlink()
    code, out, _ = call("verify", shelf / "latest", "--handed-over")
    assert code == 0
    assert f"{changed.sets['2026Q3'].name}, revision 1" in out
    assert handed_over(shelf).folder.name == changed.sets["2026Q3"].name
    mark_handed_over(shelf / "latest")
    notes = json.loads((shelf / "handed-over.json").read_text(encoding="utf-8"))["handed_over"]
    assert len(notes) == 1
    (shelf / "handed-over.json").unlink()
    with (shelf / "latest" / "ranking.csv").open("a", encoding="utf-8") as file:
        file.write("\n")
    code, out, _ = call("verify", shelf / "latest", "--handed-over")
    assert code == 10
    assert "not marked" in out
    assert handed_over(shelf) is None


def test_a_set_of_format_1_is_read_and_one_named_by_its_own_folder(changed):
    elsewhere = changed.root / "received"
    shutil.copytree(changed.sets["2026Q1"], elsewhere)
    made = json.loads((elsewhere / "manifest.json").read_text(encoding="utf-8"))
    made["format"]["version"] = "1.3"
    (elsewhere / "manifest.json").write_text(json.dumps(made), encoding="utf-8")
    write_checksums(elsewhere)
    SmallSurvey(changed.root).edit(
        changed.folders["2026Q2"] / "survey.yaml", "../w2026q1", "../../received"
    )
    survey = read_survey(changed.folders["2026Q2"])
    assert survey.earlier_waves() == ["2026Q1"]
    assert survey.history["p_in"].notna().all()


def test_a_set_that_was_changed_is_refused(changed):
    path = changed.sets["2026Q1"] / "indices.csv"
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    with pytest.raises(InputFileError, match="F124"):
        read_survey(changed.folders["2026Q2"])


def test_a_wave_that_is_not_handed_over_stops_the_ranking_and_not_the_check(changed, call):
    (changed.folders["2026Q2"] / "out" / "handed-over.json").unlink()
    folder = changed.folders["2026Q3"]
    with pytest.raises(SurveyError, match="S370") as refused:
        read_survey(folder)
    name = changed.sets["2026Q2"].name
    assert f"{name}: revision 1" in [one.en for one in refused.value.available]
    assert f"{name}：版次 1" in [one.zh for one in refused.value.available]
    SmallSurvey(changed.root).edit(changed.folders["2026Q2"] / "survey.yaml", "w2026q1", "w2026q0")
    with pytest.raises(SurveyError, match="S370") as refused:
        read_survey(changed.folders["2026Q2"])
    assert "no folder ../w2026q0" in refused.value.en
    code, out, err = call("check", folder)
    assert (code, "[S370]" in out + err, "cannot be run" in out) == (2, True, True)
    assert "120" in out
    mark_handed_over(changed.sets["2026Q2"])
    code, out, _ = call("check", folder)
    assert code == 0
    assert f"file set {changed.sets['2026Q2'].name}, revision 1, handed over" in out


def test_a_trial_and_simulated_data_are_no_history(changed):
    for name, value in (("trial", ["weighting"]), ("simulated_seed", 3)):
        elsewhere = changed.root / name
        shutil.copytree(changed.sets["2026Q1"], elsewhere)
        made = json.loads((elsewhere / "manifest.json").read_text(encoding="utf-8"))
        made[name] = value
        (elsewhere / "manifest.json").write_text(json.dumps(made), encoding="utf-8")
        write_checksums(elsewhere)
        text = (year_file := changed.folders["2026Q2"] / "survey.yaml").read_text(encoding="utf-8")
        year_file.write_text(text.replace("../w2026q1", f"../../{name}"), encoding="utf-8")
        with pytest.raises(SurveyError, match="S371"):
            read_survey(changed.folders["2026Q2"])
        year_file.write_text(text, encoding="utf-8")


# ---- what a sanction may not rest on


@pytest.fixture
def fourth(changed) -> SmallSurvey:
    """The year's fourth quarter, not run yet, as the survey to be edited."""
    earlier = [f"../{changed.folders[wave].name}" for wave in changed.folders]
    quarter(changed.root, "2026Q4", worst=LAST, best=FIRST, earlier=earlier)
    return changed


def survey_text(year: Year, old: str, new: str, name: str = "survey.yaml") -> Path:
    folder = year.root / "surveys" / "w2026q4"
    SmallSurvey(year.root).edit(folder / name, old, new)
    return folder


def test_a_quarter_that_is_left_out_is_refused_until_the_gap_is_declared(fourth):
    folder = survey_text(fourth, ", ../w2026q3]", "]")
    with pytest.raises(SurveyError, match="S341") as refused:
        read_survey(folder)
    assert "lack 2026Q3" in refused.value.en
    with (folder / "rules.yaml").open("a", encoding="utf-8") as file:
        file.write("history: {gaps: [{wave: 2026Q3, source: 未开展}]}\n")
    assert read_survey(folder).earlier_waves() == ["2026Q1", "2026Q2"]


def test_a_rise_since_the_last_wave_is_not_counted_from_an_older_one(fourth):
    folder = survey_text(fourth, ", ../w2026q3]", "]")
    rules = (folder / "rules.yaml").read_text(encoding="utf-8")
    rules = rules[: rules.index("\nescalation:")]
    (folder / "rules.yaml").write_text(rules, encoding="utf-8")
    assert read_survey(folder).earlier_waves() == ["2026Q1", "2026Q2"]  # no sanction: said only
    (folder / "rules.yaml").write_text(rules.replace("{top: 2}", "{rise: 1}"), encoding="utf-8")
    with pytest.raises(SurveyError, match="S341"):
        read_survey(folder)
    since = rules.replace("{top: 2}", "{rise: 1, since: 2026Q2}")
    (folder / "rules.yaml").write_text(since, encoding="utf-8")
    assert read_survey(folder).earlier_waves() == ["2026Q1", "2026Q2"]


@pytest.mark.parametrize(
    "earlier", ["../w2026q2, ../w2026q1, ../w2026q3", "../w2026q1, ../w2026q1, ../w2026q2"]
)
def test_waves_out_of_order_or_twice_are_refused(fourth, earlier):
    folder = survey_text(fourth, "../w2026q1, ../w2026q2, ../w2026q3", earlier)
    with pytest.raises(SurveyError, match="S177"):
        read_survey(folder)


def test_another_questionnaire_is_said_and_stops_a_sanction_unless_accepted_or_comparable(fourth):
    first = fourth.root / "questionnaires" / "small" / "1.yaml"
    second = first.with_name("2.yaml")
    text = first.read_text(encoding="utf-8").replace('version: "1"', 'version: "2"')
    second.write_text(text, encoding="utf-8")
    folder = survey_text(fourth, "questionnaire: small@1", "questionnaire: small@2")
    with pytest.raises(SurveyError, match="S373") as refused:
        read_survey(folder)
    assert "small@1, now small@2" in refused.value.en
    second.write_text(
        text.replace("topics: [", "comparable_with: [small@1]\n\ntopics: ["), encoding="utf-8"
    )
    assert len(earlier_notes(read_survey(folder))) == 3
    second.write_text(text, encoding="utf-8")
    accepted = [f"{{survey: ../w2026q{k}, accepted: 文件}}" for k in (1, 2, 3)]
    survey_text(fourth, "../w2026q1, ../w2026q2, ../w2026q3", ", ".join(accepted))
    notes = [note.zh for note in earlier_notes(read_survey(folder))]
    assert (
        sum("与本期不同：当期问卷 small@1" in note and "认可依据：文件" in note for note in notes)
        == 3
    )


def test_another_set_of_areas_stops_a_sanction(fourth):
    areas = fourth.root / "surveys" / "w2026q4" / "areas.csv"
    table = pd.read_csv(areas, dtype=str, keep_default_na=False)
    new = table[table["code"] == LAST].assign(code="990203", name="县990203", name_en="New")
    pd.concat([table, new]).to_csv(areas, index=False)
    with pytest.raises(SurveyError, match="S373") as refused:
        read_survey(areas.parent)
    assert "0 areas gone, 1 new" in refused.value.en


# ---- triggers, one by one


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{zh: 甲, en: a}", "S374"),
        ("{fall: 1, rank_from: 2, zh: 甲, en: a}", "S374"),
        ("{rank_from: 6, zh: 甲, en: a}", "S375"),
        ("{fall: 4, zh: 甲, en: a}", "S375"),
        ("{low: {measure: nothing, below: 0.5}, zh: 甲, en: a}", "S173"),
        ("{low: {measure: satisfaction, below: 50}, zh: 甲, en: a}", "S174"),
        ("{listed_in_a_year: 2, zh: 甲, en: a}", "S376"),
    ],
)
def test_a_step_that_cannot_be_decided_is_refused(small, text, code):
    with (small.folder / "rules.yaml").open("a", encoding="utf-8") as file:
        file.write(
            f"escalation: {{steps: [{text}], source: x}}\nhistory: {{file: h.csv, source: x, gaps: []}}\n"
        )
    (small.folder / "h.csv").write_text(
        "wave,code,rank,listed\n2025T1,990101,1,no\n", encoding="utf-8"
    )
    with pytest.raises(SurveyError, match=code):
        small.read()


def with_history(results: Results, history: pd.DataFrame, steps: str, wave: str = "2026Q4"):
    """Return the survey of some results with other earlier rankings, ladder and wave."""
    from dataclasses import replace

    from satisfaction.declarations.rules import Escalation
    from satisfaction.foundation.yaml import YAML

    survey = results.survey
    ladder = Escalation.model_validate(YAML(typ="safe").load(steps))
    rules = survey.rules.model_copy(update={"escalation": ladder})
    declared = survey.declared.model_copy(update={"wave": wave})
    return replace(survey, rules=rules, declared=declared, history=history)


@pytest.fixture(scope="module")
def results(unchanged) -> Results:
    return run(unchanged)


WAVES = ["2025Q3", "2025Q4", "2026Q1", "2026Q2", "2026Q3"]
COUNTING = """
steps:
  - {listed_in_a_row: 1, zh: 一, en: one}
  - {listed_in_a_year: 2, zh: 二, en: two}
  - {listed_in_a_row: 3, zh: 三, en: three}
  - {listed_in_a_year: 4, zh: 四, en: four}
release: {off_list: 2, rank_at_most: 3, zh: 摘牌, en: released}
source: x
"""


def random_history(rng: np.random.Generator, codes: list[str]) -> pd.DataFrame:
    rows = []
    for wave in WAVES:
        ranks = rng.permutation(len(codes)) + 1
        for code, rank in zip(codes, ranks, strict=True):
            listed = "yes" if rank == len(codes) else "no"
            if rng.random() < 0.3:
                listed = "yes"
            rows.append((wave, code, float(rank), listed, rng.random() / 10, rng.random()))
    columns = ["wave", "code", "rank", "listed", "p_in", "p_out"]
    return pd.DataFrame(rows, columns=columns).assign(
        marginal_low=np.nan, marginal_high=np.nan, n=np.nan
    )


@pytest.mark.parametrize("seed", range(8))
def test_steps_and_releases_are_those_of_a_plain_recount(results, seed):
    """Recomputed with pandas from the lists alone."""
    codes = sorted(results.ranking.table["unit"])
    history = random_history(np.random.default_rng(seed), codes)
    survey = with_history(results, history, COUNTING)
    table = ladder_table(survey, results.estimates, results.ranking)
    now = results.ranking.table.set_index("unit")
    listed_now = set(results.ranking.summary["listed"])
    wide = history.pivot_table("listed", "code", "wave", aggfunc="first").eq("yes")
    wide["2026Q4"] = [code in listed_now for code in wide.index]
    ranks = history.pivot_table("rank", "code", "wave").assign(**{"2026Q4": now["rank"]})
    expected = set()
    for code in codes:
        seen = wide.loc[code, [*WAVES, "2026Q4"]].tolist()
        row = next((k for k, is_listed in enumerate(reversed(seen)) if not is_listed), len(seen))
        within = sum(seen[-4:])
        if seen[-1]:
            expected |= {(code, "one")}
            expected |= {(code, "two")} if within >= 2 else set()
            expected |= {(code, "three")} if row >= 3 else set()
            expected |= {(code, "four")} if within >= 4 else set()
            continue
        under = False
        off = 0
        ended = False
        for is_listed, rank in zip(seen, ranks.loc[code, [*WAVES, "2026Q4"]], strict=True):
            if ended:
                under = ended = False
            if is_listed:
                under, off = True, 0
            elif under:
                off += 1
                ended = off >= 2 and rank <= 3
        if under and ended:
            expected |= {(code, "released")}
    reached = table[table["reached"] == "yes"]
    assert set(zip(reached["code"], reached["step_en"], strict=True)) == expected
    highest = {
        code: max(
            (step for c, step in expected if c == code and step != "released"),
            key=["one", "two", "three", "four"].index,
        )
        for code in listed_now
    }
    published_steps = escalation_table(survey, results.ranking, results.estimates).set_index(
        "code"
    )["step_en"]
    assert published_steps.to_dict() == highest


def test_the_window_of_a_year_ends_with_this_wave():
    assert [wave for wave in WAVES if period_of(wave).number > period_of("2026Q4").number - 4] == [
        "2026Q1",
        "2026Q2",
        "2026Q3",
    ]


def test_a_partial_conjunction_is_the_formula_of_benjamini_and_heller():
    p = [0.03, 0.001, 0.2, 0.04]
    assert [partial_conjunction(p, u) for u in (1, 2, 3, 4)] == pytest.approx(
        [4 * 0.001, 3 * 0.03, 2 * 0.04, 0.2], rel=1e-15
    )
    assert partial_conjunction([0.01, np.nan], 2) == 1.0
    assert np.isnan(partial_conjunction([np.nan, np.nan], 1))


def test_two_waves_on_the_list_by_chance_are_established_at_most_as_often_as_allowed():
    """Truly outside in one wave and surely inside in the other: the worst case of the intersection-union test."""
    rng = np.random.default_rng(5)
    p_outside = rng.random(40_000)  # valid p-value of a true null
    wrongly = np.mean([partial_conjunction([0.0, p], 2) <= 0.05 for p in p_outside])
    assert wrongly == pytest.approx(0.05, abs=0.004)


def test_a_fall_and_a_low_rank_are_tested_as_targets_are(results):
    """A fall of m since rank r is established where the target "top r + m - 1" is proven missed."""
    codes = sorted(results.ranking.table["unit"])
    now = results.ranking.table.set_index("unit")["rank"]
    history = random_history(np.random.default_rng(1), codes).query("wave == '2026Q3'")
    history = history.assign(rank=1.0)
    steps = "{steps: [{fall: 2, zh: 甲, en: fall}, {rank_from: 3, zh: 乙, en: low}], source: x}"
    survey = with_history(results, history, steps)
    table = ladder_table(survey, results.estimates, results.ranking).set_index(["step_en", "code"])
    top = results.ranking.target("top", 2).table.set_index("unit")
    worse = sorted(now.index[now >= 3])
    for step in ("fall", "low"):
        assert sorted(table.loc[step].index) == worse
    np.testing.assert_allclose(
        table.loc["low"]["p_established"].astype(float), top.loc[worse, "p_not_met"], rtol=1e-11
    )
    rise = results.ranking.target(
        "rise", 1, since=dict.fromkeys(codes, 3), base="published", comparable=True
    ).table.set_index("unit")
    np.testing.assert_allclose(
        table.loc["fall"]["p_established"].astype(float), rise.loc[worse, "p_not_met"], rtol=1e-11
    )
    assert table.loc["fall"]["basis"].str.startswith("published rank 1 in 2026Q3, now").all()


def test_a_low_measure_is_reached_where_it_is_established_and_named_where_it_is_possible(results):
    satisfaction = results.estimates["county"].of("satisfaction").table.set_index("county")
    line = float(satisfaction["estimate"].median()) + 0.01
    steps = f"{{steps: [{{low: {{measure: satisfaction, below: {line}}}, zh: 甲, en: low}}], source: x}}"
    survey = with_history(results, None, steps)
    table = ladder_table(survey, results.estimates, results.ranking).set_index("code")
    below = satisfaction.index[satisfaction["estimate"] < line]
    assert set(table.index) == set(below)
    assert ((table["status"] == "established") == (table["reached"] == "yes")).all()
    assert set(table["status"]) <= {"established", "possible"}


def test_without_a_probability_sample_no_step_is_established(small):
    small.edit("survey.yaml", "selection: probability", "selection: quota")
    with (small.folder / "rules.yaml").open("a", encoding="utf-8") as file:
        file.write(
            "escalation: {steps: [{listed_in_a_row: 1, zh: 甲, en: a}, {rank_from: 2, zh: 乙, en: b}], source: x}\n"
        )
    ladder = tables_of(run(small.read())).ladder
    assert set(ladder["reached"]) == {"yes"}
    assert set(ladder["status"]) == {"possible"}
    assert ladder[["p_established", "p_excluded"]].isna().all(axis=None)


# ---- a new quarter


def test_a_new_quarter_takes_over_the_ladder_and_the_waves_before(changed, call):
    """What it declares is equal but for the wave itself, and the wave before stands among the earlier ones."""
    folder = changed.root / "surveys" / "w2026q4"
    code, out, _ = call("new", folder, "--like", changed.folders["2026Q3"])
    assert code == 0
    assert "earlier: ../w2026q3, file set handed over" in out
    for name in ("survey.yaml", "rules.yaml"):
        path = folder / name
        text = path.read_text(encoding="utf-8").replace("date: YYYY-MM-DD", "date: 2026-01-01")
        text = text.replace("state the source", "test")
        path.write_text(text, encoding="utf-8")
    shutil.copy(changed.folders["2026Q3"] / "sample.csv", folder / "sample.csv")
    SmallSurvey(changed.root).edit(folder / "survey.yaml", "sample.xlsx", "sample.csv")
    before = read_survey(changed.folders["2026Q3"])
    after = read_survey(folder)
    assert after.rules == before.rules
    assert after.earlier_waves() == ["2026Q1", "2026Q2", "2026Q3"]
    assert after.published_rank(FIRST, "2026Q3") == 1
    assert after.declared.weighting == before.declared.weighting


def test_a_new_quarter_says_what_to_do_where_the_wave_before_was_not_handed_over(changed, call):
    (changed.folders["2026Q3"] / "out" / "handed-over.json").unlink()
    folder = changed.root / "elsewhere" / "w2026q4"
    folder.parent.mkdir()
    shutil.copytree(changed.root / "questionnaires", folder.parent / "questionnaires")
    code, out, _ = call("new", folder, "--like", changed.folders["2026Q3"])
    assert code == 0
    assert f"verify {changed.folders['2026Q3']}/out/latest --handed-over" in out
    text = (folder / "survey.yaml").read_text(encoding="utf-8")
    assert "earlier: [../../surveys/w2026q1, ../../surveys/w2026q2]" in text


def test_earlier_waves_of_the_whole_field_are_not_those_of_some_areas(changed, call):
    folder = changed.root / "surveys" / "fewer"
    code, out, _ = call("new", folder, "--like", changed.folders["2026Q3"], "--counties", FIRST)
    assert code == 0
    assert "survey.yaml earlier" in out.split("Not taken over")[1]
    assert "\nearlier:" not in (folder / "survey.yaml").read_text(encoding="utf-8")
