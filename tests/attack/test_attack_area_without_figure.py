"""An area without a figure: nobody answered, or the figures are withheld. Every command goes on for the others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from conftest import COUNTIES, side_by_side
from satisfaction import run
from satisfaction.comparison.combined import combine
from satisfaction.comparison.stability import Choices, make_world, stability
from satisfaction.composite.scores import INCOMPLETE
from satisfaction.estimation.estimates import read_estimates, write_estimates
from satisfaction.estimation.indicators import importance, strengths_and_weaknesses
from satisfaction.foundation.errors import RankingError
from satisfaction.publication.ranking_table import SILENT, why_not_ranked

EMPTY = "990102"
SUPPRESSION = (
    "\nsuppression: {minimum_n: 20, minimum_psus: 1, complementary: smallest, source: test}\n"
)
COMBINED = """
title: {zh: 综合, en: Combined}
source: test
aggregation: arithmetic
components:
  survey: {zh: 满意指数, en: Index, weight: 0.6, measure: topic_index, source: test}
  onsite: {zh: 暗访, en: Undercover, weight: 0.4, file: onsite.csv, source: test}
"""
COMMANDS = (
    ["run"],
    ["report"],
    ["fieldwork"],
    ["combined"],
    ["stability"],
    ["plan", "--interval", "3"],
)


def declare_combined(folder):
    (folder / "combined.yaml").write_text(COMBINED, encoding="utf-8")
    table = pd.DataFrame(
        {"code": COUNTIES, "score": [80.0, 70.0, 90.0, 60.0], "se": [2.0, 1.0, 3.0, 1.5]}
    )
    table.to_csv(folder / "onsite.csv", index=False)


@pytest.fixture
def nobody(small):
    """Nobody in one county answers what the ranked index consists of."""
    rows = small.rows()
    rows.loc[rows["county"] == EMPTY, ["streets", "parks", "safety"]] = "98"
    small.write(rows)
    declare_combined(small.folder)
    return small


@pytest.fixture
def withheld(small):
    """A small county is withheld, and its neighbour with it."""
    rows = small.rows()
    small.write(rows[(rows["county"] != "990101") | (rows.index % 5).isin([0, 2, 3])])
    rules = small.folder / "rules.yaml"
    rules.write_text(rules.read_text(encoding="utf-8") + SUPPRESSION, encoding="utf-8")
    declare_combined(small.folder)
    return small


def test_why_an_area_has_no_rank_is_said_as_it_is(nobody):
    results = run(nobody.read())
    assert why_not_ranked(results.ranking) == {EMPTY: SILENT}
    (combined,) = results.further.values()
    assert why_not_ranked(combined.ranking) == {EMPTY: INCOMPLETE}


@pytest.mark.parametrize("wave", ["nobody", "withheld"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_goes_on_for_the_other_areas(request, call, wave, command):
    survey = request.getfixturevalue(wave)
    code, _, err = call(command[0], survey.folder, *command[1:])
    assert (code, err) == (0, "")


@pytest.mark.parametrize("command", ["change", "rolling", "trial"])
def test_two_waves_with_such_an_area_are_set_side_by_side(nobody, tmp_path, call, command):
    import shutil

    before = tmp_path / "small" / "surveys" / "before"
    shutil.copytree(nobody.folder, before)
    nobody.edit(before / "survey.yaml", "survey: small-wave", "survey: small-before")
    nobody.edit(before / "survey.yaml", "wave: 2026T1", "wave: 2025T4")
    code, _, err = call(command, before, nobody.folder)
    assert (code, err) == (0, "")


def test_stability_leaves_the_area_out_and_says_which(nobody, call):
    _, out, _ = call("stability", nobody.folder)
    assert "left out, a component is missing: County 990102" in out
    (path,) = nobody.folder.glob("out/*-stability/stability.csv")
    table = pd.read_csv(path, dtype={"area": str}, encoding="utf-8-sig").set_index("area")
    assert table.loc[EMPTY, ["rank", "both_low", "both_mean", "both_list"]].isna().all()
    assert sorted(table.drop(index=EMPTY)["rank"]) == [1, 2, 3]


def test_the_other_areas_are_ranked_as_if_the_area_were_not_there():
    rng = np.random.default_rng(5)
    scores, errors = rng.uniform(40, 90, (2, 6, 3)), rng.normal(0, 4, (60, 6, 3))
    weights, names = np.array([0.5, 0.3, 0.2]), list("abcdef")
    alone = stability(
        make_world(scores, errors, weights, choices=Choices(), draws=16), names, bottom=2, base=16
    )
    gap = np.full((2, 1, 3), np.nan)
    wider = make_world(np.concatenate([scores, gap], axis=1), np.pad(errors, ((0, 0), (0, 1), (0, 0))), weights, choices=Choices(), draws=16)  # fmt: skip
    found = stability(wider, [*names, "g"], bottom=2, base=16)
    assert found.summary["left_out"] == ["g"]
    assert found.summary["list_changed"] == alone.summary["list_changed"]
    columns = ["area", "rank", "both_low", "both_high", "both_mean", "both_list"]
    assert (
        found.table[columns].head(6).to_numpy().tolist() == alone.table[columns].to_numpy().tolist()
    )


def test_too_few_areas_for_the_list_are_refused():
    scores = np.array([[[50.0, 60.0], [np.nan, 70.0], [np.nan, 40.0]]])
    world = make_world(
        scores, np.zeros((0, 3, 2)), np.array([0.5, 0.5]), choices=Choices(), draws=4
    )
    with pytest.raises(RankingError, match="K440"):
        stability(world, ["a", "b", "c"], bottom=1, base=4)


def test_the_combined_score_leaves_the_area_blank(nobody, call):
    call("combined", nobody.folder)
    (path,) = nobody.folder.glob("out/*-combined/combined_ranking.csv")
    published = pd.read_csv(path, dtype={"code": str}, encoding="utf-8-sig").set_index("code")
    assert published.loc[EMPTY, ["estimate", "se", "rank"]].isna().all()
    assert "missing" in published.loc[EMPTY, "note"]
    results = run(nobody.read())
    table = side_by_side(combine(results, nobody.folder / "combined.yaml")).set_index("code")
    assert table.loc[EMPTY, ["survey", "survey_se", "score", "se", "df", "rank"]].isna().all()
    assert "missing" in table.loc[EMPTY, "note"]
    assert table.drop(index=EMPTY)[["score", "se", "df"]].notna().all(axis=None)


def test_a_component_that_no_area_has_is_said(nobody):
    pd.DataFrame({"code": COUNTIES, "score": [""] * 4}).to_csv(
        nobody.folder / "onsite.csv", index=False
    )
    with pytest.raises(RankingError, match="K317"):
        combine(run(nobody.read()), nobody.folder / "combined.yaml")


def test_a_withheld_standard_error_comes_out_of_no_later_table(withheld, tmp_path):
    results = run(withheld.read())
    table = side_by_side(combine(results, withheld.folder / "combined.yaml")).set_index("code")
    assert (
        table.loc[["990101", "990102"], ["survey", "survey_se", "se", "df"]].isna().all(axis=None)
    )
    level = results.estimates["county"]
    gone = level.table["estimate"].isna().to_numpy()
    assert gone.any()
    columns = sp.csc_array(level.contributions.matrix)
    assert all(np.isnan(columns[:, [place]].data).all() for place in np.flatnonzero(gone))
    carried = read_estimates(write_estimates(level, tmp_path / "carried"))
    assert np.isnan(np.diag(carried.cov)[gone]).all()
    assert np.diag(carried.cov)[~gone] == pytest.approx(np.diag(level.cov)[~gone], rel=1e-12)


def test_the_plan_names_the_areas_it_has_no_figures_for(nobody, call):
    code, out, _ = call(
        "plan",
        nobody.folder,
        "--within",
        "topic_index@province=4",
        "--within",
        "awareness@county=0.2",
    )
    assert code == 0
    assert "no figures to plan with, left out; provide for them apart: County 990102" in out
    (path,) = nobody.folder.glob("out/*-plan/areas.csv")
    assert EMPTY not in path.read_text(encoding="utf-8-sig")


def test_no_error_of_a_difference_gives_a_withheld_topic_away(withheld):
    results = run(withheld.read())
    matters = importance(results.design, results.survey.questionnaire)
    whole = results.estimates[results.survey.whole()]
    table = strengths_and_weaknesses(results.estimates["county"], whole, matters).table
    assert table["score"].isna().any()
    assert table.loc[table["score"].isna(), ["se", "ci_low", "p"]].isna().all(axis=None)
