"""The combined score over waves: recomputed by hand from the files, refused where weights differ, and every set verified."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.comparison.test_waves import second_wave
from tests.ranking.test_rankings import DESK, ONSITE, prepare

import satisfaction as sat
from conftest import COUNTIES, SmallSurvey, joined
from satisfaction.comparison.again import verify_any
from satisfaction.comparison.changes import run_change, run_rolling
from satisfaction.comparison.wave_files import export_change, export_rolling
from satisfaction.comparison.words import change_lines, rolling_lines
from satisfaction.foundation.errors import InputFileError, RankingError
from satisfaction.foundation.files import sha256
from satisfaction.publication.verify import BY_HAND, IDENTICAL, OTHER_INPUTS, UNEXPLAINED

LATER = {"score": [60.0, 75.0, 80.0, 70.0], "se": [2.0, 1.5, 2.5, 1.0]}
WEIGHTS = np.array([0.5, 0.3, 0.2])  # survey, onsite, desk
TOPICS = {"streets": 0.5, "parks": 0.3, "safety": 0.2}
CALIBRATION = "  - {step: calibration, method: raking, margins: [county_sex, county_age], tolerance: 1.0e-10}\n"


def two_waves(template, root):
    """Two waves with a combined score, weighted by their probabilities alone; the later one found other things onsite."""
    shutil.copytree(template, root)
    first = prepare(SmallSurvey(root))
    first.edit("survey.yaml", CALIBRATION, "")
    later = second_wave(first)
    pd.DataFrame({"code": COUNTIES} | LATER).to_csv(later / "onsite.csv", index=False)
    return SimpleNamespace(first=first, old=first.folder, new=later)


@pytest.fixture(scope="module")
def pair(small_template, tmp_path_factory):
    """Both waves, and the sets of their change and of their mean. No test changes them."""
    waves = two_waves(small_template, tmp_path_factory.mktemp("combined") / "small")
    waves.change = run_change(waves.old, waves.new)
    waves.rolling = run_rolling([waves.old, waves.new])
    waves.sets = {"change": export_change(waves.change), "rolling": export_rolling(waves.rolling)}
    return waves


@pytest.fixture
def waves(small_template, tmp_path):
    """Both waves, for a test to change."""
    return two_waves(small_template, tmp_path / "waves")


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def read(path):
    return pd.read_csv(path, dtype={"code": str}, encoding="utf-8-sig").set_index("code")


# ---- recomputed from the files by pandas and numpy


def by_hand(folder, onsite):
    """Combined scores of a wave, their errors and what every community contributes to the survey's part."""
    text = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"}
    rows = pd.read_csv(folder / "responses" / "all.csv", **text)
    sample = pd.read_csv(folder / "sample.csv", **text).set_index("community")
    chances = sample[["psu_probability", "person_probability"]].astype(float)
    weight = 1 / rows["community"].map(chances.prod(axis=1))
    answers = rows[list(TOPICS)].astype(int)
    valid = answers.isin([1, 2, 3, 4, 5])
    points = ((answers - 1) * 25).where(valid)
    share = valid * pd.Series(TOPICS)
    score = (points * share).sum(axis=1) / share.sum(axis=1)
    kept = valid.sum(axis=1) >= 2
    table = rows.assign(weight=weight, score=score)[kept]
    parts = {county: {} for county in COUNTIES}
    index = {}
    for county, people in table.groupby("county"):
        total = people["weight"].sum()
        index[county] = (people["weight"] * people["score"]).sum() / total
        people = people.assign(z=people["weight"] * (people["score"] - index[county]) / total)
        places = rows.loc[rows["county"] == county, ["residence", "community"]].drop_duplicates()
        totals = people.groupby(["residence", "community"])["z"].sum()
        totals = totals.reindex(pd.MultiIndex.from_frame(places), fill_value=0.0)
        for _stratum, of_stratum in totals.groupby("residence"):
            n = len(of_stratum)
            centred = (of_stratum - of_stratum.mean()) * np.sqrt(n / (n - 1))
            for (_residence, community), value in centred.items():
                parts[county][community] = 0.5 * value
    contributions = pd.DataFrame(parts).reindex(columns=COUNTIES).fillna(0.0)
    survey = contributions.T.to_numpy() @ contributions.to_numpy()
    cov = survey + np.diag((0.3 * np.array(onsite["se"])) ** 2)
    components = np.column_stack(
        [[index[code] for code in COUNTIES], onsite["score"], DESK["score"]]
    )
    psus = 6 - 2  # communities minus strata of a county
    df = np.diag(cov) ** 2 / (np.diag(survey) ** 2 / psus)
    return SimpleNamespace(score=components @ WEIGHTS, cov=cov, parts=contributions, df=df)


@pytest.fixture(scope="module")
def recomputed(pair):
    old = by_hand(pair.old, ONSITE)
    new = by_hand(pair.new, LATER)
    shared = old.parts.index.intersection(new.parts.index)
    cross = new.parts.loc[shared].T.to_numpy() @ old.parts.loc[shared].to_numpy()
    return SimpleNamespace(old=old, new=new, cross=cross)


def benjamini_hochberg(p):
    order = np.argsort(p)[::-1]
    steps = p[order] * len(p) / np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.minimum.accumulate(steps), 1)
    return adjusted


def test_the_change_of_the_combined_score_is_that_of_plain_numpy(pair, recomputed):
    old, new, cross = recomputed.old, recomputed.new, recomputed.cross
    table = read(pair.sets["change"] / "combined_change.csv").loc[list(COUNTIES)]
    moved = new.cov + old.cov - cross - cross.T
    centred = np.eye(4) - 1 / 4
    relative = centred @ (new.score - old.score)
    se = np.sqrt(np.diag(centred @ moved @ centred))
    # the communities of both waves, four of them shared: 6 + 6 - 4 in 2 strata
    block = np.maximum(8 - 2, np.maximum(new.df, old.df))
    variances = centred**2 * np.diag(moved)
    df = variances.sum(axis=1) ** 2 / (variances**2 / block).sum(axis=1)
    p = 2 * stats.t.sf(np.abs(relative / se), df)
    expected = {
        "before": old.score,
        "after": new.score,
        "change": new.score - old.score,
        "change_se": np.sqrt(np.diag(moved)),
        "relative_change": relative,
        "se": se,
        "df": df,
        "p": p,
        "p_bh": benjamini_hochberg(p),
        "correlation": np.diag(cross) / np.sqrt(np.diag(new.cov) * np.diag(old.cov)),
        "ci_low": relative - stats.t.ppf(0.975, df) * se,
        "ci_high": relative + stats.t.ppf(0.975, df) * se,
    }
    for name, values in expected.items():
        np.testing.assert_allclose(table[name], values, rtol=1e-9, atol=1e-9, err_msg=name)
    for name, scores in (("rank_before", old.score), ("rank_after", new.score)):
        assert table[name].tolist() == (stats.rankdata(-scores, method="min")).tolist()
    assert table["shared_psus"].tolist() == [4] * 4
    both = np.block([[new.cov, cross], [cross.T, old.cov]])
    alone = sat.rank_change(
        new.score, old.score, cov=both, df=np.array([new.df, old.df]), comparable=True, places=3
    )
    for name in ("rise", "rise_low", "rise_high", "all_low", "all_high"):
        assert table[name].tolist() == alone.table[name].tolist(), name
    for name in ("expected_rise", "probability_rise", "shrunk_change"):
        np.testing.assert_allclose(table[name], alone.table[name], atol=1e-4, err_msg=name)


def test_the_mean_of_the_combined_scores_is_that_of_plain_numpy(pair, recomputed):
    old, new, cross = recomputed.old, recomputed.new, recomputed.cross
    table = read(pair.sets["rolling"] / "combined_rolling.csv").loc[list(COUNTIES)]
    mean = (old.score + new.score) / 2
    se = np.sqrt(np.diag(new.cov + old.cov + cross + cross.T)) / 2
    np.testing.assert_allclose(table["estimate"], mean, rtol=1e-9)
    np.testing.assert_allclose(table["se"], se, rtol=1e-9)
    assert table["rank"].tolist() == stats.rankdata(-mean, method="min").tolist()
    assert set(table["status"]) == {"possible"}  # desk is taken as exact


# ---- which rankings, and what is said of them


def test_every_ranking_that_both_waves_declare_is_compared(pair):
    names = ["awareness", "streets", "onsite", "desk", "combined"]
    assert list(pair.change.further) == list(pair.rolling.further) == names
    for kind, folder in pair.sets.items():
        tables = {path.stem for path in folder.glob(f"*{kind}.csv")}
        assert tables == {kind, *(f"{name}_{kind}" for name in names)}
        page = (folder / f"{kind}-en.html").read_text(encoding="utf-8")
        assert page.count("<h2>") == 6
        assert page.count("<img") == 5  # no picture of desk: nothing is known of its errors


def test_nothing_is_established_by_a_component_that_is_taken_as_exact(pair):
    combined = pair.change.further["combined"]
    assert combined.taken_as_exact == ("desk",)
    assert set(combined.table["significant"]) == {"no", "possible"}
    text = joined(change_lines(pair.change))
    possible = int((combined.table["significant"] == "possible").sum())
    assert f"beyond the errors that are declared: {possible} of 4" in text.en
    assert "none is established" in text.en
    assert "均不能据此认定" in text.zh


def test_every_area_has_a_sentence_with_its_ranks_and_their_sets(pair):
    for name in ("onsite", "combined", "desk"):
        sentences = read(pair.sets["change"] / f"{name}_change_sentences.csv")
        table = read(pair.sets["change"] / f"{name}_change.csv").loc[sentences.index]
        for (code, row), sentence in zip(table.iterrows(), sentences["en"], strict=True):
            assert f"rank {row['rank_after']:g}" in sentence, code
            if name == "desk":
                assert "rank set" not in sentence
                assert "how certain that is is unknown" in sentence
            else:
                assert (
                    f"(rank set {row['rank_after_low']:g}–{row['rank_after_high']:g})" in sentence
                )
            proven = name == "onsite" and (row["rise_low"] > 0 or row["rise_high"] < 0)
            assert ("at least" in sentence) == proven
        assert sentences["zh"].str.endswith("。").all()


def test_a_component_without_an_error_has_no_tests_and_says_why(pair):
    desk = pair.change.further["desk"]
    assert desk.table[["p", "rise_low", "probability_rise"]].isna().all(axis=None)
    notes = joined(desk.ranks.summary["notes"]).en
    assert "No standard error of this score is declared" in notes
    assert "probability sample" not in notes
    rolled = pair.rolling.further["desk"]
    assert rolled.table["se"].isna().all()
    assert rolled.table["rank"].notna().all()


def test_errors_onsite_are_independent_between_the_waves(pair):
    table = pair.change.further["onsite"].table.set_index("code").loc[list(COUNTIES)]
    both = np.hypot(ONSITE["se"], LATER["se"])
    np.testing.assert_allclose(table["change_se"], both, rtol=1e-9)
    assert table["shared_psus"].tolist() == table["correlation"].tolist() == [0] * 4


def test_one_score_alone_is_compared_as_among_the_others(pair):
    alone = run_change(pair.old, pair.new, measure="combined")
    assert not alone.further
    pd.testing.assert_frame_equal(alone.table, pair.change.further["combined"].table)


# ---- what differs


OTHER_WEIGHTS = ("weight: 0.3", "weight: 0.4", "weight: 0.2", "weight: 0.1")
DECLARED = "\ncomparable_with: [{wave: 2026T1, source: decision 7 of the test}]\n"


def with_other_weights(waves, declared=""):
    path = waves.new / "combined.yaml"
    text = path.read_text(encoding="utf-8")
    for old, new in (OTHER_WEIGHTS[:2], OTHER_WEIGHTS[2:]):
        text = text.replace(old, new)
    path.write_text(text + declared, encoding="utf-8")


def test_scores_of_other_weights_are_not_compared_and_the_others_are(waves, call):
    with_other_weights(waves)
    code, out, _err = call("change", waves.old, waves.new)
    assert code == 0
    assert "not compared: Combined assessment (The waves are not comparable: combined.yaml" in out
    (folder,) = (waves.new / "out").iterdir()
    assert not (folder / "combined_change.csv").exists()
    assert (folder / "onsite_change.csv").exists()
    record = json.loads((folder / "change.json").read_text(encoding="utf-8"))
    assert "onsite.weight" in record["left_out"]["combined"]
    with pytest.raises(RankingError, match="K142") as fault:
        run_change(waves.old, waves.new, measure="combined")
    assert "comparable_with: [{wave: 2026T1" in fault.value.hint.en
    with pytest.raises(RankingError, match="K142"):
        run_rolling([waves.old, waves.new], measure="combined")


def test_what_is_declared_comparable_is_compared_and_what_differs_is_told(waves):
    with_other_weights(waves, DECLARED)
    edit(waves.new / "combined.yaml", "file: desk.csv,", "file: desk.csv, normalise: minmax,")
    found = run_change(waves.old, waves.new, measure="combined")
    assert "decision 7 of the test" in found.ranks.summary["comparable"]
    told = joined(change_lines(found))
    assert (
        "Undercover: weight 0.3 → 0.4; Desk: weight 0.2 → 0.1; Desk: normalising none → minmax"
        in told.en
    )
    assert "暗访：权重 0.3 → 0.4；材料：权重 0.2 → 0.1；材料：归一化方法 none → minmax" in told.zh
    assert "Desk: the areas of each wave set the scale" in told.en


def test_wordings_and_sources_do_not_make_scores_incomparable(waves):
    path = waves.new / "combined.yaml"
    path.write_text(
        path.read_text(encoding="utf-8")
        .replace("en: Desk", "en: Papers")
        .replace("source: test", "source: other"),
        encoding="utf-8",
    )
    assert "combined" in run_change(waves.old, waves.new).further


def test_areas_that_a_wave_does_not_rank_are_named(waves):
    rows = pd.read_csv(waves.old / "onsite.csv", dtype=str)
    rows[rows["code"] != "990102"].to_csv(waves.old / "onsite.csv", index=False)
    found = run_change(waves.old, waves.new, measure="combined")
    assert found.ranks.summary["not_ranked"] == ("990102",)
    told = joined(change_lines(found)).en
    assert "2026T1: County 990102: a component is missing; not ranked" in told
    rolled = run_rolling([waves.old, waves.new], measure="combined")
    row = rolled.table.set_index("code").loc["990102"]
    assert row[["rank", "estimate"]].isna().all()
    assert "990102" in joined(rolling_lines(rolled)).en


def test_a_wave_that_waits_for_a_component_is_told(waves):
    (waves.old / "onsite.csv").unlink()
    found = run_change(waves.old, waves.new)
    assert list(found.further) == ["awareness", "streets", "desk"]
    assert found.left_out["combined"].en == "2026T1: awaited: Undercover (onsite.csv)"
    with pytest.raises(RankingError, match="K317"):
        run_change(waves.old, waves.new, measure="combined")


def test_a_ranking_of_one_wave_only_is_told(waves):
    edit(waves.new / "rules.yaml", "  - {score: streets, side: first}\n", "")
    found = run_change(waves.old, waves.new)
    assert found.left_out["streets"].en == "not ranked in second"


# ---- verified


@pytest.mark.parametrize("kind", ["change", "rolling"])
def test_an_untouched_set_is_identical(pair, kind):
    found = verify_any(pair.sets[kind])
    assert (found.code, found.differing, found.files, found.inputs) == (IDENTICAL, (), {}, {})
    assert found.compared == len(list(pair.sets[kind].iterdir())) - 1


@pytest.fixture
def moved(pair, tmp_path):
    """A copy of both waves and their sets; no test but its own changes it."""
    root = shutil.copytree(pair.first.root, tmp_path / "small")
    return {name: root / folder.relative_to(pair.first.root) for name, folder in pair.sets.items()}


def plant(path):
    """Change a figure of a table's first row, and the list of hashes with it; return column and text."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    column = "estimate" if "estimate" in table else "change"
    table.loc[0, column] = str(float(table.loc[0, column]) + 0.01)
    path.write_text(table.to_csv(index=False), encoding="utf-8-sig")
    return column


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("change", ["change.csv", "combined_change.csv"]),
        ("rolling", ["combined_rolling.csv"]),
    ],
)
def test_a_planted_difference_is_found(moved, kind, files):
    folder = moved[kind]
    columns = [plant(folder / file) for file in files]
    found = verify_any(folder)
    assert (found.code, found.files) == (BY_HAND, dict.fromkeys(files, "changed"))
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    for file in files:
        record["outputs"][file] = sha256(folder / file)  # whoever changed it renewed the hash too
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    found = verify_any(folder)
    assert found.code == UNEXPLAINED
    named = sorted((one.file, one.column) for one in found.differing)
    assert named == list(zip(sorted(files), columns, strict=True))


def test_a_changed_input_of_either_wave_is_named(moved, call):
    folder = moved["change"]
    surveys = folder.parents[2]
    edit(surveys / "wave" / "onsite.csv", "80.0", "81.0")
    code, out, _err = call("verify", folder)
    assert code == OTHER_INPUTS
    assert "input is not what it was: small-wave: onsite.csv" in out


def test_a_set_elsewhere_is_verified_with_its_survey_named(moved, tmp_path):
    elsewhere = shutil.copytree(moved["change"], tmp_path / "elsewhere" / "set")
    with pytest.raises(InputFileError, match="F123"):
        verify_any(elsewhere)
    assert verify_any(elsewhere, survey=moved["change"].parents[1]).code == IDENTICAL


# ---- errors that stay from wave to wave


LASTING = "file: onsite.csv, lasting: {share: 0.36, source: study of the test},"


def test_a_declared_share_of_an_error_stays_from_wave_to_wave(waves, pair, recomputed):
    for folder in (waves.old, waves.new):
        edit(folder / "combined.yaml", "file: onsite.csv,", LASTING)
    found = run_change(waves.old, waves.new)
    onsite = found.further["onsite"].table.set_index("code").loc[list(COUNTIES)]
    before = np.array(ONSITE["se"])
    after = np.array(LATER["se"])
    expected = np.sqrt(before**2 + after**2 - 2 * 0.36 * before * after)
    np.testing.assert_allclose(onsite["change_se"], expected, rtol=1e-9)
    np.testing.assert_allclose(onsite["correlation"], 0.36, rtol=1e-9)
    combined = found.further["combined"].table.set_index("code").loc[list(COUNTIES)]
    cross = np.diag(recomputed.cross) + 0.36 * 0.3**2 * before * after
    moved = np.diag(recomputed.old.cov) + np.diag(recomputed.new.cov) - 2 * cross
    np.testing.assert_allclose(combined["change_se"], np.sqrt(moved), rtol=1e-9)
    told = joined(change_lines(found)).en
    assert "Undercover: 36% of the variance of the error stay from wave to wave" in told
    for name in ("combined", "onsite"):
        shared = pair.change.further[name].ranks.summary["shared_psus"]
        assert found.further[name].ranks.summary["shared_psus"] == shared
    rolled = run_rolling([waves.old, waves.new], measure="onsite").table.set_index("code")
    mean = np.sqrt(before**2 + after**2 + 2 * 0.36 * before * after) / 2
    np.testing.assert_allclose(rolled.loc[list(COUNTIES), "se"], mean, rtol=1e-9)


def test_an_error_that_one_wave_declares_lasting_is_independent_of_the_other(waves, pair):
    edit(waves.new / "combined.yaml", "file: onsite.csv,", LASTING)
    found = run_change(waves.old, waves.new, measure="combined")
    pd.testing.assert_frame_equal(found.table, pair.change.further["combined"].table)


def test_only_a_file_has_a_lasting_error_of_its_own(waves):
    edit(
        waves.new / "combined.yaml",
        "measure: topic_index,",
        "measure: topic_index, lasting: {share: 0.5, source: test},",
    )
    with pytest.raises(RankingError, match="K319"):
        run_change(waves.old, waves.new)
