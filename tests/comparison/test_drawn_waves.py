"""Combined scores that are drawn, areas that merge or change their code, and rankings that cannot be compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests import item_trees
from tests.comparison.test_combined_waves import edit, two_waves
from tests.comparison.test_waves import second_wave

from conftest import COUNTIES, SmallSurvey, recoded
from satisfaction import rank_change
from satisfaction.comparison.again import verify_any
from satisfaction.comparison.changes import run_change, run_rolling
from satisfaction.comparison.wave_files import export_change, export_rolling
from satisfaction.comparison.words import change_lines, rolling_lines
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.tables import read_table, write_csv
from satisfaction.ranking.change import guaranteed_rises
from satisfaction.ranking.drawn import JointDraws, compare_drawn

DRAWN_RANKINGS = """
rankings:
  - {score: combined, main: true}
  - {score: awareness}
"""


@pytest.fixture(scope="module")
def pair(small_template, tmp_path_factory):
    """Two waves ranked by a combined score that a mark and points of inspection decide about, compared."""
    import shutil

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


def test_a_mean_of_drawn_scores_gives_way_to_the_other_rankings(pair):
    found = run_rolling(pair)
    assert found.measure == "topic_index"
    assert list(found.further) == ["awareness"]
    lines = [line.en for line in rolling_lines(found)]
    assert any("own ranking" in line and "is not compared" in line for line in lines[:6])
    export_rolling(found)
    with pytest.raises(RankingError, match="K370"):
        run_rolling(pair, measure="combined")


def test_a_drawn_wave_beside_one_with_a_standard_error(found):
    """Estimates of one wave drawn, of the other not: both bounds hold."""
    drawn: Estimates = found.later.estimates["county"].of("combined")
    from dataclasses import replace

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
    for code, row in expected.iterrows():
        of_area = found.loc[code.replace(COUNTIES[0], "990109")]
        assert of_area[figures].tolist() == row[figures].tolist()
    # the lasting error of the inspection is recognised under the new code; communities are others
    assert found.loc["990109", "correlation"] > 0.1


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
