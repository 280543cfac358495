"""Stability of the combined score: the declared ranks and errors, alternatives as combined.yaml names them, by hand."""

from __future__ import annotations

import itertools
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests import item_trees
from tests.comparison.test_waves import second_wave
from tests.ranking.test_rankings import ONSITE, prepare

from conftest import COUNTIES, SmallSurvey, joined
from satisfaction import read_survey
from satisfaction.comparison.again import verify_any
from satisfaction.comparison.changes import compare_waves, roll_waves
from satisfaction.comparison.stability import combined_components
from satisfaction.comparison.stability_files import (
    export_stability,
    lines_of_stability,
    stability_lines,
    study_stability,
)
from satisfaction.declarations.rules import Threshold
from satisfaction.declarations.survey import RankedBy
from satisfaction.foundation.errors import RankingError
from satisfaction.pipeline import ranked_further, run
from satisfaction.publication.verify import BY_HAND, IDENTICAL

ALTERNATIVES = """
alternatives:
  weights:
    - {survey: 0.2, onsite: 0.6, desk: 0.2}
    - {survey: 0.8, onsite: 0.1, desk: 0.1}
  normalise: [minmax]
  aggregation: [geometric]
  source: decision 8 of the test
"""
# the declared weights first
WEIGHTS = np.array([[0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.8, 0.1, 0.1]])
OPTIONS = {"measure": None, "weight_noise": 0.25, "seed": 1}
CLOSE = {"score": [70.0, 69.0, 71.0, 66.0], "se": [2.0, 1.0, 3.0, 1.5]}


def declared(small, alternatives=ALTERNATIVES):
    """Declare a combined score of counties that lie close together, with alternatives."""
    prepare(small, desk={"score": [64.0, 66.0, 62.0, 69.0]})
    pd.DataFrame({"code": COUNTIES} | CLOSE).to_csv(small.folder / "onsite.csv", index=False)
    path = small.folder / "combined.yaml"
    path.write_text(path.read_text(encoding="utf-8") + alternatives, encoding="utf-8")
    return small


@pytest.fixture(scope="module")
def studied(small_template, tmp_path_factory):
    """The small wave with declared alternatives, studied, and its set. No test changes them."""
    root = shutil.copytree(small_template, tmp_path_factory.mktemp("stable") / "small")
    small = declared(SmallSurvey(root))
    results = run(small.read())
    both = study_stability(results)
    combined = study_stability(results, measure="combined")[""]
    folder = export_stability({"": combined}, OPTIONS | {"measure": "combined"})
    return SimpleNamespace(results=results, both=both, combined=combined, folder=folder)


def test_the_ranks_as_declared_are_those_that_run_publishes(studied):
    published = studied.results.further["combined"].ranking.table.set_index("unit")["rank"]
    table = studied.combined.found.table.set_index("area")
    assert table["rank"].to_dict() == published.reindex(table.index).astype(int).to_dict()
    assert studied.combined.found.summary["bottom"] == 2


def test_draws_of_errors_have_the_covariance_of_the_combined_score(studied):
    parts = combined_components(studied.results.further["combined"], draws=8000)
    drawn = parts.errors @ parts.weights
    cov = studied.results.further["combined"].ranked.cov
    assert np.cov(drawn.T) == pytest.approx(cov, abs=0.05 * np.diag(cov).max())
    assert parts.errors[:, :, 1].std(axis=0) == pytest.approx(CLOSE["se"], rel=0.05)
    assert not parts.errors[:, :, 2].any()  # no error of desk is declared


def by_hand(scores, *, weights, minmax, geometric):
    """Combined scores under one choice, (4,)."""
    if minmax:
        low = scores.min(axis=0)
        scores = (scores - low) / (scores.max(axis=0) - low) * 100
    if geometric:
        return np.exp(np.log(np.maximum(scores, 1e-9)) @ weights)
    return scores @ weights


def test_how_often_areas_are_listed_is_that_of_every_combination_by_plain_numpy(studied):
    index = studied.results.ranked.table["estimate"].to_numpy()
    desk = [64.0, 66.0, 62.0, 69.0]
    scores = np.column_stack([index, CLOSE["score"], desk])
    listed = []
    shifts = []
    nominal = stats.rankdata(-(scores @ WEIGHTS[0]), method="min")
    for weights, minmax, geometric in itertools.product(WEIGHTS, [False, True], [False, True]):
        score = by_hand(scores, weights=weights, minmax=minmax, geometric=geometric)
        ranks = stats.rankdata(-np.round(score, 9), method="min")
        listed.append(ranks > 2)
        shifts.append(np.abs(ranks - nominal).mean())
    table = studied.combined.found.table.set_index("area").loc[list(COUNTIES)]
    assert table["choices_list"].to_numpy() == pytest.approx(np.mean(listed, axis=0), abs=0.03)
    shift = studied.combined.found.summary["mean_shift"]["choices"]
    assert shift == pytest.approx(np.mean(shifts), abs=0.03)


def test_only_what_is_declared_is_tried(studied):
    sources = studied.combined.found.sources.set_index("factor")["values"].to_dict()
    assert sources["weights"] == 3
    assert sources["normalisation"] == sources["aggregation"] == 2
    assert sources["dropped"] == sources["variant"] == 1
    assert sources["sampling"] > 500
    text = joined(lines_of_stability(studied.combined))
    assert "alternatives as named by decision 8 of the test" in text.en
    assert "taken as exact" in text.en
    assert "不确认任何结论" in text.zh


def test_the_survey_and_the_combined_score_stand_side_by_side(studied):
    assert list(studied.both) == ["", "combined"]
    first = studied.both[""].found.table
    alone = study_stability(studied.results, measure="topic_index")[""].found.table
    pd.testing.assert_frame_equal(first, alone)
    assert "— Combined assessment —" in joined(stability_lines(studied.both)).en


def test_a_set_is_verified_and_a_planted_difference_found(studied, tmp_path):
    assert {path.name for path in studied.folder.iterdir()} == {
        "stability.csv", "sources.csv", "stability.xlsx", "stability-en.xlsx", "stability.json", "stability.html",
        "stability-en.html", "run.json",
    }  # fmt: skip
    assert verify_any(studied.folder).code == IDENTICAL
    root = studied.folder.parents[3]
    copy = shutil.copytree(root, tmp_path / "small") / studied.folder.relative_to(root)
    path = copy / "stability.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    table.loc[1, "both_list"] = "0.123"
    path.write_text(table.to_csv(index=False), encoding="utf-8-sig")
    found = verify_any(copy)
    assert found.code == BY_HAND
    assert [(one.file, one.column, one.old) for one in found.differing] == [
        ("stability.csv", "both_list", "0.123")
    ]


def test_without_declared_alternatives_the_usual_ones_are_tried_and_said(small, call):
    prepare(small)
    code, out, err = call("stability", small.folder)
    assert (code, err) == (0, "")
    assert "combined.yaml names no alternatives" in out
    (folder,) = small.folder.glob("out/*-stability")
    assert (folder / "combined_stability.csv").is_file()
    record = json.loads((folder / "stability.json").read_text(encoding="utf-8"))
    assert record["further"]["combined"]["parts"] == ["survey", "onsite", "desk"]


def test_areas_that_are_not_ranked_take_no_part(small):
    prepare(small)
    rows = pd.DataFrame({"code": COUNTIES} | ONSITE)
    rows[rows["code"] != "990102"].to_csv(small.folder / "onsite.csv", index=False)
    one = study_stability(run(small.read()), measure="combined")[""]
    assert one.found.summary["left_out"] == ["990102"]
    assert "left out, not ranked: County 990102" in joined(lines_of_stability(one)).en


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("desk: 0.2}", "desk: 0.3}", "K303"),
        (", desk: 0.2}", "}", "K318"),
        ("desk: 0.2}", "papers: 0.2}", "K318"),
    ],
)
def test_other_weights_name_every_component_and_add_up(small, old, new, code):
    declared(small, ALTERNATIVES.replace(old, new, 1))
    with pytest.raises(RankingError, match=code):
        small.read()


def test_scores_that_are_drawn_bring_their_draws_a_change_and_a_mean(small):
    item_trees.write_files(small.folder)
    later = run(read_survey(second_wave(small)))
    results = run(small.read())
    ranked = results.further["combined"]
    parts = combined_components(ranked, draws=4000)
    sums = parts.errors @ parts.weights
    drawn = ranked.ranked.drawn.scores - ranked.ranked.table["estimate"].to_numpy()
    known = ranked.ranking.units.ranked
    np.testing.assert_allclose(sums[:, known], drawn[:, known], atol=1e-9)
    changed = compare_waves(results, later).further["combined"]
    assert changed.ranks.summary.tests == "none: scores are drawn"
    assert changed.ranks.table["probability_rise"].isna().all()
    rolled = roll_waves([results, later])
    assert "combined" not in rolled.left_out
    assert rolled.further["combined"].ranking.summary.drawn


# ---- thresholds that act on the list


def acting_on(studied, measure, below):
    """Rank the wave by the combined score with a threshold that lists whoever lies below it."""
    combined = studied.results.further["combined"]
    line = Threshold(measure=measure, below=below, zh="线", en="line", source="x", on_list="listed")
    rules = combined.survey.rules.model_copy(
        update={"thresholds": [line], "targets": {}, "escalation": None}
    )
    survey = combined.survey.ranked_by(RankedBy("combined", "combined", rules))
    return ranked_further(studied.results, survey)


def test_a_study_without_the_thresholds_of_the_list_says_so_first_and_names_who_differs(studied):
    acted = acting_on(studied, "combined", 200.0)
    parts = combined_components(acted, draws=8)
    names = acted.survey.area_names()
    by_rank = set(acted.ranking.summary.listed)
    note = parts.notes[0].in_language("en")
    assert "by rank alone" in note
    for code in COUNTIES:
        assert (names[code].in_language("en") in note) == (code not in by_rank)
