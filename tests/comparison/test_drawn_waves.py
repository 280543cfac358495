"""Combined scores that are drawn, areas that merge or change their code, and rankings that cannot be compared."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata
from tests import item_trees
from tests.comparison.test_combined_waves import edit, two_waves
from tests.comparison.test_waves import second_wave

from conftest import COUNTIES, SmallSurvey, recoded
from satisfaction import rank_change
from satisfaction.comparison.again import verify_any
from satisfaction.comparison.changes import run_change, run_rolling
from satisfaction.comparison.sides import psus_of_today, scored_waves, shared_ranking
from satisfaction.comparison.wave_files import export_change, export_rolling
from satisfaction.comparison.words import change_lines, rolling_lines
from satisfaction.composite.scores import drawn_waves
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.tables import read_table, write_csv
from satisfaction.ranking.change import guaranteed_rises
from satisfaction.ranking.drawn import JointDraws, compare_drawn
from satisfaction.ranking.waves import rolling

DRAWN_RANKINGS = """
rankings:
  - {score: combined, main: true}
  - {score: awareness}
"""


@pytest.fixture(scope="module")
def pair(small_template, tmp_path_factory):
    """Two waves ranked by a combined score that a mark and points of inspection decide about, compared."""
    root = tmp_path_factory.mktemp("drawn") / "small"
    shutil.copytree(small_template, root)
    first = SmallSurvey(root)
    item_trees.write_files(first.folder)
    rules = first.folder / "rules.yaml"
    rules.write_text(rules.read_text(encoding="utf-8") + DRAWN_RANKINGS, encoding="utf-8")
    later = second_wave(first)
    item_trees.sheet(5).to_csv(later / "lost.csv", index=False)
    item_trees.sites(6).to_csv(later / "sites.csv", index=False)
    return first.folder, later


@pytest.fixture(scope="module")
def found(pair):
    return run_change(*pair)


def test_drawn_scores_of_two_waves_are_compared_by_bounds_that_hold_however_they_are_related(found):
    """They stopped everything (K370): with points of inspection there was no change of any ranking."""
    table = found.table
    assert found.measure == "combined"
    assert np.allclose(table["change"], table["after"] - table["before"])
    ranks = found.ranks.table.set_index("unit")
    ranked = ranks[ranks["rise"].notna()]
    assert (ranked["rise_low"] <= ranked["rise"]).all()
    assert (ranked["rise"] <= ranked["rise_high"]).all()
    assert (ranked["all_low"] <= ranked["rise_low"]).all()
    assert (ranked["all_high"] >= ranked["rise_high"]).all()
    assert table[["p", "se", "probability_rise"]].isna().all(axis=None)
    assert set(table["significant"]) == {"not tested"}
    assert (table["ci_low"] < table["relative_change"]).sum() == len(ranked)
    assert (table["ci_high"] > table["relative_change"]).sum() == len(ranked)
    assert list(found.further) == ["topic_index", "awareness"]


def test_what_is_said_of_drawn_scores_is_the_bounds_and_no_probability(found):
    lines = [line.en for line in change_lines(found)]
    own = lines[: lines.index("— Index —")] if "— Index —" in lines else lines
    assert any("guaranteed:" in line and "expected" not in line for line in own)
    assert any("hold however the waves are related" in line for line in own)
    assert not any("P(true" in line for line in own[:8])
    assert not any("count as independent from wave to wave" in line for line in lines)


def test_limits_of_a_drawn_change_are_those_of_plain_numpy(found):
    """Half of the error a wave: the fewest points less the most, and both reaches beside them."""
    waves = found.ranks.waves
    rows = np.flatnonzero(waves.ranked)
    p = len(rows)
    fewest = np.zeros(p)
    most = np.zeros(p)
    reach = np.zeros(p)
    for units, sign in ((waves.after, 1), (waves.before, -1)):
        draws = units.drawn
        low = draws.low[rows] if sign > 0 else -draws.high[rows]
        high = draws.high[rows] if sign > 0 else -draws.low[rows]
        for unit in range(p):
            others = np.arange(p) != unit
            fewest[unit] += low[unit] * (1 - 1 / p) - high[others].sum() / p
            most[unit] += high[unit] * (1 - 1 / p) - low[others].sum() / p
        errors = draws.errors[:, rows]
        errors = np.abs(errors - errors.mean(axis=1)[:, None])
        reach += np.quantile(errors, 1 - 0.025 + draws.spent, axis=0)
    table = found.ranks.table.set_index("unit").loc[list(waves.after.ranked_names)]
    assert table["ci_low"].to_numpy() == pytest.approx(fewest - reach)
    assert table["ci_high"].to_numpy() == pytest.approx(most + reach)


def test_guaranteed_rises_of_drawn_scores_hold_at_their_level():
    """Two waves of eight units, errors shared between the waves: bounds that miss a rise in more than 5 % of samples fail."""
    rng = np.random.default_rng(11)
    true = np.arange(8.0)[::-1] * 1.5
    later = true.copy()
    later[[0, 5]] = later[[5, 0]]  # both changed places: the sixth rose by five
    missed = 0
    samples = 200
    for _sample in range(samples):
        shared = rng.normal(0, 0.7, 8)
        pairs = []
        for score in (true, later):
            estimate = score + shared + rng.normal(0, 0.7, 8)
            errors = rng.normal(0, np.sqrt(0.98), (1000, 8))
            draws = JointDraws.around(estimate, errors, spent=0.01, seed=1)
            pairs.append(compare_drawn(estimate, draws))
        bounds = guaranteed_rises(pairs[0], pairs[1], "simes", level=0.95)
        inside = (bounds["rise_low"] <= 5) & (bounds["rise_high"] >= 5)
        missed += not inside[5]
        assert (bounds["all_low"] <= bounds["rise_low"]).all()
    assert missed / samples <= 0.05
    assert bounds["rise_low"][5] > 0  # and they are not empty words


def test_the_sets_of_drawn_changes_are_identical_when_made_again(found):
    assert verify_any(export_change(found)).code == 0


@pytest.fixture(scope="module")
def mean(pair):
    return run_rolling(pair)


def test_a_mean_of_drawn_scores_is_ranked_by_draws_of_all_waves(mean):
    """It was refused (K370): a province that inspects points had no ranking over the year."""
    assert mean.measure == "combined"
    assert list(mean.further) == ["topic_index", "awareness"]
    table = mean.table.set_index("code")
    waves = [wave.estimates["county"].of("combined").table for wave in mean.waves]
    published = [one.set_index("county")["estimate"] for one in waves]
    assert table["estimate"].to_dict() == pytest.approx((sum(published) / 2).to_dict())
    drawn = mean.estimates.drawn
    assert drawn.spent == pytest.approx(0.01)  # a fifth of the error, for any number of waves
    spread = dict(
        zip(mean.estimates.table["county"], drawn.scores.std(axis=0, ddof=1), strict=True)
    )
    assert table["se"].to_dict() == pytest.approx(spread)
    assert (table["p_in"] >= drawn.spent).all()
    assert (table["simultaneous_low"] <= table["rank"]).all()
    assert (table["simultaneous_high"] >= table["rank"]).all()
    assert table["probability_bottom"].sum() == pytest.approx(1)
    lines = [line.en for line in rolling_lines(mean)]
    assert any("visited the same site" in line for line in lines)
    assert any("count as independent from wave to wave" in line for line in lines)
    assert not any("is not compared" in line for line in lines)


def test_the_set_of_a_mean_of_drawn_scores_is_identical_when_made_again(mean):
    assert verify_any(export_rolling(mean)).code == 0


def test_waves_drawn_one_by_one_have_no_mean(mean):
    """Their draws do not say how the waves are related."""
    each = {wave.survey.name: wave.estimates["county"].of("combined") for wave in mean.waves}
    with pytest.raises(RankingError, match="K370"):
        rolling(each)


def without_df(waves):
    """Draws of t are wider than their standard errors: here they are normal."""
    known = []
    for wave in waves:
        levels = {}
        for level, parts in wave.levels.items():
            no_df = np.full(len(parts[0].score), np.inf)
            levels[level] = tuple(replace(part, df=no_df) for part in parts)
        known.append(replace(wave, levels=levels))
    return known


def test_draws_of_waves_are_related_as_their_covariance_says(small_template, tmp_path):
    """Nothing decides about points here, so that PSUs in both waves and lasting errors have a covariance too."""
    waves = two_waves(small_template, tmp_path / "related")
    for folder in (waves.old, waves.new):
        lasting = "file: onsite.csv, lasting: {share: 0.8, source: test}, source: test}"
        edit(folder / "combined.yaml", "file: onsite.csv, source: test}", lasting)
    mean = run_rolling([waves.old, waves.new], measure="combined")
    shared = shared_ranking(mean.waves, "combined")
    drawn = [one.ranked.drawn for one in drawn_waves(without_df(scored_waves(shared)))]
    draws = JointDraws.mean(drawn)
    error = 4 / np.sqrt(2 * draws.number)
    se = mean.estimates.table["se"].to_numpy()
    assert np.sqrt(np.diag(draws.cov)) == pytest.approx(se, rel=error)
    apart = np.sqrt(np.diag(drawn[0].cov) + np.diag(drawn[1].cov)) / 2
    assert (se / apart > 1 + 2 * error).all()  # independent draws would be too narrow
    between = np.corrcoef(draws.scores, rowvar=False)
    cov = mean.estimates.cov
    assert between == pytest.approx(cov / np.outer(se, se), abs=2 * error)


def test_errors_of_sites_that_were_visited_again_go_together(mean):
    shared = shared_ranking(mean.waves, "combined")
    scored = scored_waves(shared)
    moved = dict(scored[0].inputs.sites)
    for name, sites in moved.items():
        moved[name] = sites.assign(site=sites["site"] + "旧")
    elsewhere = replace(scored[0], inputs=replace(scored[0].inputs, sites=moved))
    correlations = []
    for waves in (scored, [elsewhere, scored[1]]):
        errors = []
        for one in drawn_waves(waves):
            (part,) = (part for part in one.ranked.parts if part.assessed is not None)
            errors.append(part.drawn.errors[:, :3])
        pairs = zip(*(one.T for one in errors), strict=True)
        correlations.append([np.corrcoef(rankdata(a), rankdata(b))[0, 1] for a, b in pairs])
    assert min(correlations[0]) > 0.999
    assert np.abs(correlations[1]).max() < 0.06


def test_a_mean_with_a_wave_that_was_not_drawn_has_no_error(pair, tmp_path):
    root = tmp_path / "small"
    shutil.copytree(pair[0].parent.parent, root)
    folders = [root / "surveys" / one.name for one in pair]
    edit(folders[0] / "survey.yaml", "selection: probability", "selection: quota")
    found = run_rolling(folders, measure="combined")
    assert found.table["estimate"].notna().all()
    assert found.table[["se", "p_in", "probability_bottom"]].isna().all(axis=None)
    assert found.estimates.drawn is None


def test_a_drawn_wave_beside_one_with_a_standard_error(found):
    """Estimates of one wave drawn, of the other not: both bounds hold."""
    drawn: Estimates = found.later.estimates["county"].of("combined")
    plain = replace(drawn, drawn=None)
    moved = rank_change(drawn, plain, comparable=True, places=1)
    assert (moved.table["rise_low"] <= 0).all()
    assert (moved.table["ci_low"] < 0).all()


# ---- areas that are not the same


def merged(folder, gone, into):
    """Two counties of the wave before have become one: its table of areas says so."""
    areas = read_table(folder / "areas.csv").assign(valid_from="", valid_to="", successor="")
    is_gone = areas["code"].isin(gone)
    areas["valid_to"] = areas["valid_to"].mask(is_gone, "2026-03-31")
    areas["successor"] = areas["successor"].mask(is_gone, into)
    new = areas[is_gone].head(1).assign(code=into, name="合并县", valid_to="", successor="")
    write_csv(pd.concat([areas, new]), folder / "areas.csv")
    for path in [*folder.glob("*.csv"), *folder.glob("responses/*.csv"), *folder.glob("*.yaml")]:
        if path.name == "areas.csv":
            continue
        text = path.read_text(encoding="utf-8-sig").replace(gone[0], into)
        path.write_text(text, encoding="utf-8")
        if path.suffix != ".csv":
            continue
        table = read_table(path)
        for column in {"county", "code"} & set(table):
            table = table[table[column] != gone[1]]
        write_csv(table, path)


def test_merged_areas_are_named_and_the_others_are_compared(small_template, tmp_path):
    """They stopped the change of the whole province (K145)."""
    waves = two_waves(small_template, tmp_path / "merged")
    edit(waves.new / "rules.yaml", "{top: 3}", "{top: 2}")
    gone = [COUNTIES[2], COUNTIES[3]]
    merged(waves.new, gone, "990109")
    found = run_change(waves.old, waves.new)
    assert set(found.table["code"]) == set(COUNTIES[:2])
    said = [line.en for line in change_lines(found)]
    before = [line for line in said if "2026T1: not compared" in line]
    assert before
    assert all(f"{code} " in before[0] for code in gone)
    assert before[0].count("now 990109") == 2
    assert any("second: not compared" in line and "990109" in line for line in said)
    assert not any("asked in different areas" in line for line in said)
    assert set(found.further["combined"].table["code"]) == set(COUNTIES[:2])
    mean = run_rolling([waves.old, waves.new])
    assert set(mean.table["code"]) == set(COUNTIES[:2])
    export_change(found)
    export_rolling(mean)


def test_a_combined_score_follows_an_area_that_only_has_another_code(small_template, tmp_path):
    """The survey's scores did; the combined score stopped (K145)."""
    waves = two_waves(small_template, tmp_path / "recoded")
    for folder in (waves.old, waves.new):
        lasting = "file: onsite.csv, lasting: {share: 0.5, source: test}, source: test}"
        edit(folder / "combined.yaml", "file: onsite.csv, source: test}", lasting)
    expected = run_change(waves.old, waves.new).further["combined"].table.set_index("code")
    recoded(waves.new, COUNTIES[0], "990109")
    found = run_change(waves.old, waves.new).further["combined"].table.set_index("code")
    figures = ["before", "after", "change", "rank_before", "rank_after", "rise"]
    # the lasting error of the inspection and the communities are recognised under the new code
    figures += ["change_se", "correlation", "shared_psus"]
    for code, row in expected.iterrows():
        of_area = found.loc[code.replace(COUNTIES[0], "990109")]
        assert of_area[figures].tolist() == row[figures].tolist()


@pytest.mark.parametrize("of_communities", [True, False])
def test_communities_of_a_recoded_area_are_shared(small_template, tmp_path, of_communities):
    """They counted as others: the change of the area and of the whole had too large an error."""
    waves = two_waves(small_template, tmp_path / "shared")
    expected = run_change(waves.old, waves.new)
    recoded(waves.new, COUNTIES[0], "990109")
    if not of_communities:  # their codes stay, as those of villages that keep their names
        for path in (waves.new / "sample.csv", waves.new / "responses" / "all.csv"):
            table = read_table(path)
            former = table["community"].str.replace("990109", COUNTIES[0])
            write_csv(table.assign(community=former), path)
    found = run_change(waves.old, waves.new)
    for name in ("se", "df"):
        assert found.whole[name] == pytest.approx(expected.whole[name], rel=1e-12)
    assert found.ranks.summary.shared_psus == expected.ranks.summary.shared_psus
    columns = ["change_se", "se", "df", "correlation", "shared_psus"]
    codes = found.table["code"].replace("990109", COUNTIES[0])
    table = found.table.assign(code=codes).set_index("code")
    moved = expected.table.set_index("code").loc[table.index]
    assert moved.loc[COUNTIES[0], "shared_psus"] == 4
    for column in columns:
        assert table[column].to_numpy() == pytest.approx(moved[column].to_numpy(), rel=1e-11)
    mean = run_rolling([waves.old, waves.new]).table.set_index("code")
    assert mean.loc["990109", "se"] > 0


def test_communities_of_merged_areas_are_those_of_the_area_of_today():
    """Two become C: one community kept its code, one took C's, two would become the same one, one is gone."""
    columns = ["county", "residence", "community"]
    old = [
        ("A", 1, "A01"), ("A", 2, "kept"), ("A", 1, "twice"),
        ("B", 1, "B02"), ("B", 1, "twice"), ("B", 2, "gone"), ("D", 1, "D01"),
    ]  # fmt: skip
    new = [("C", 1, "C01"), ("C", 2, "kept"), ("C", 1, "twice"), ("C", 1, "C02"), ("D", 1, "D01")]
    earlier = pd.DataFrame(old, columns=columns)
    later = pd.DataFrame(new, columns=columns)
    found = psus_of_today(earlier, later, {"A": "C", "B": "C"})
    expected = [
        ("C", 1, "C01"), ("C", 2, "kept"), ("A", 1, "twice"),
        ("C", 1, "C02"), ("B", 1, "twice"), ("B", 2, "gone"), ("D", 1, "D01"),
    ]  # fmt: skip
    assert list(found.itertuples(index=False, name=None)) == expected
    assert (found.dtypes == earlier.dtypes).all()
    assert psus_of_today(earlier, later, {}) is earlier


# ---- rankings that cannot be compared, and names of sheets


def test_where_the_main_ranking_may_not_be_compared_the_others_are(small_template, tmp_path):
    waves = two_waves(small_template, tmp_path / "weights")
    for folder in (waves.old, waves.new):
        edit(
            folder / "rules.yaml", "  - score: combined\n", "  - score: combined\n    main: true\n"
        )
    edit(waves.new / "combined.yaml", "weight: 0.5", "weight: 0.4")
    edit(waves.new / "combined.yaml", "weight: 0.3", "weight: 0.4")
    found = run_change(waves.old, waves.new)
    assert found.measure == "topic_index"
    first = change_lines(found)[:6]
    assert any("own ranking, Combined assessment, is not compared" in line.en for line in first)
    with pytest.raises(RankingError, match="K142"):
        run_change(waves.old, waves.new, measure="combined")


def test_a_long_title_names_two_sheets_apart(small_template, tmp_path):
    """A title of 31 characters made two sheets of one name, and `change` ended in a fault of the program."""
    waves = two_waves(small_template, tmp_path / "title")
    for folder in (waves.old, waves.new):
        edit(
            folder / "rules.yaml", "  - score: combined\n", "  - score: combined\n    main: true\n"
        )
        text = (folder / "combined.yaml").read_text(encoding="utf-8")
        text = text.replace("en: Combined assessment}", "en: Combined assessment (simulated)}")
        (folder / "combined.yaml").write_text(text, encoding="utf-8")
        text = (folder / "survey.yaml").read_text(encoding="utf-8")
        text = text.replace("languages: [zh]", "languages: [zh, en]")
        (folder / "survey.yaml").write_text(text, encoding="utf-8")
    assert export_change(run_change(waves.old, waves.new)).is_dir()


def test_a_mean_of_waves_breaks_ties_and_lists_by_the_means_of_what_decides(
    small_template, tmp_path
):
    """A key that breaks ties, or a threshold that acts on the list, stopped the mean of waves (E111)."""
    waves = two_waves(small_template, tmp_path / "ties")
    for folder in (waves.old, waves.new):
        edit(folder / "rules.yaml", "  list_size: 1", "  tie_break: awareness\n  list_size: 1")
        threshold = "\nthresholds: [{measure: satisfaction, below: 0.99, on_list: listed, zh: 低, en: low, source: test}]\n"
        rules = folder / "rules.yaml"
        rules.write_text(rules.read_text(encoding="utf-8") + threshold, encoding="utf-8")
    found = run_rolling([waves.old, waves.new])
    low = []
    for wave in found.waves:
        table = wave.estimates["county"].of("satisfaction").table.set_index("county")
        low.append(table["estimate"])
    below = (sum(low) / 2 < 0.99).to_dict()
    listed = found.table.set_index("code")["listed_by"]
    said = [line.en for line in rolling_lines(found)]
    assert any("ordered by Awareness" in line for line in said)  # not by its identifier
    for code, is_below in below.items():
        assert ("satisfaction" in str(listed[str(code)])) == is_below
