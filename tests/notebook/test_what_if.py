"""What-if: what a slider shows is what its code gives, every look is kept, and without a front end a table stands alone."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

import satisfaction as sat
from conftest import ROOT
from satisfaction.foundation.engines import fetch, scan
from satisfaction.foundation.errors import QuestionnaireError
from satisfaction.foundation.language import use
from satisfaction.notebook import what_if
from satisfaction.notebook.what_if import AS_DECLARED
from satisfaction.publication.tables import indices_table, tables_of
from satisfaction.sampling.counted_answers import (
    compile_measures,
    point_columns,
    score_from_points,
)
from satisfaction.sampling.measures import add_columns

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def bench(small):
    return sat.open_wave(small.folder)


@pytest.fixture
def somebody(monkeypatch):
    """A front end with a person before it."""
    monkeypatch.setattr(what_if, "somebody_is_there", lambda: True)


def answer_of(shown: what_if.WhatIf, **settings) -> what_if.Outcome:
    """Return what the controls give after some are moved, as a person moves them."""
    for name, value in settings.items():
        shown.controls[name].value = value
    return shown.now


def run_code(answer: what_if.Outcome, bench) -> object:
    """Run the cell that a what-if gives; returns what stands in its last line."""
    names = {"bench": bench, "tables_of": tables_of}
    exec(answer.code, names)
    return names["trial"]


def assert_same_figures(answer: what_if.Outcome, table: pd.DataFrame) -> None:
    """Every area that the answer shows has the figures of the published ranking."""
    areas = answer.tables[1]
    beside = table.set_index("name_en").loc[areas["name_en"]].reset_index()
    figures = ["rank", "estimate", "se", "marginal_low", "marginal_high", "probability_bottom"]
    pd.testing.assert_frame_equal(
        areas[figures], beside[figures], check_dtype=False, rtol=1e-12, atol=0
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"upper": 1.5},
        {"upper": 1.75, "county_age": False},
        {"county_sex": False},
        {"county_sex": False, "county_age": False},
    ],
)
def test_the_code_of_a_weighting_gives_the_figures_that_are_shown(bench, somebody, settings):
    declared = bench.results.whole.of("topic_index").table["estimate"].iloc[0]
    answer = answer_of(what_if.weighting(bench), **settings)
    trial = run_code(answer, bench)
    assert_same_figures(answer, tables_of(trial.results).ranking)
    whole = answer.tables[0].iloc[-1]
    row = bench.trials.iloc[-1]
    words = ["recipe", "variance"]
    assert whole[words].tolist() == row[words].tolist()
    figures = ["estimate", "se", "effective_n"]
    assert whole[figures].tolist() == pytest.approx(row[figures].tolist(), rel=1e-11)
    assert abs(whole["estimate"] - declared) > 1e-3
    assert whole["margins_missed"] == pytest.approx(row["margins_missed"], rel=1e-11, abs=1e-9)
    left_out = {name for name, kept in settings.items() if kept is False}
    assert (whole["margins_missed"] > 1e-3) == bool(left_out)


def test_a_setting_that_comes_back_is_not_computed_again(bench, somebody, monkeypatch):
    shown = what_if.weighting(bench)
    first = answer_of(shown, upper=1.5)
    answer_of(shown, upper=AS_DECLARED)
    monkeypatch.setattr(what_if, "rank_design", None)
    assert answer_of(shown, upper=1.5) is first


def test_an_index_from_points_is_what_its_measure_computes(small):
    """Weights that drop an item, and answers too few: to the last unit, for every respondent."""
    questionnaire = small.read().questionnaire
    declared = questionnaire.indices["topic_index"]
    weights = {"streets": "3/7", "parks": "4/7", "safety": 0}
    index = declared.model_copy(update={"weights": weights, "min_valid_items": 2})
    (measure,) = [
        one
        for one in compile_measures(
            questionnaire.model_copy(update={"indices": {"topic_index": index}})
        )
        if one.kind == "index"
    ]
    accepted = sat.run(small.read()).responses.accepted
    rows = fetch(add_columns(scan(accepted), [measure]))
    of_items = compile_measures(questionnaire)
    rows = fetch(add_columns(scan(rows), [one for one in of_items if one.name == "safety"]))
    valid, points = point_columns(index)
    scores = score_from_points(
        "topic_index", index, valid=rows[valid].to_numpy(), points=rows[points].to_numpy()
    )
    assert 0 < scores.valid.sum() < len(accepted)
    np.testing.assert_array_equal(scores.valid, rows[measure.valid_column])
    np.testing.assert_array_equal(scores.score, rows[measure.score_column])


def test_every_setting_that_was_shown_is_kept_once(bench, small, somebody):
    before = {path: path.read_bytes() for path in small.root.rglob("*") if path.is_file()}
    shown = what_if.weighting(bench)
    answer_of(shown, upper=1.75)
    answer_of(shown, upper=1.5)
    answer_of(shown, upper=1.75)
    answer = answer_of(shown, county_age=False)
    answer_of(shown, upper=AS_DECLARED)
    answer_of(shown, county_age=True)
    run_code(answer, bench)
    names = [trial.name for trial in sat.open_wave(small.folder).record.trials]
    assert names == [
        "trim 1.75 x mean",
        "trim 1.5 x mean",
        "trim 1.75 x mean, without county_age",
        "without county_age",
    ]
    after = {path: path.read_bytes() for path in small.root.rglob("*") if path.is_file()}
    assert {path.name for path in after.keys() - before.keys()} == {"weighting_trials.yaml"}
    assert all(after[path] == content for path, content in before.items())


def test_the_usual_trials_are_the_same_looks(bench, somebody):
    for name, recipe in bench.usual_trials().items():
        if name.startswith("trim"):
            bench.try_weighting(recipe, name=name, variance="linearized")
    kept = bench.record.trials
    answer_of(what_if.weighting(bench), upper=2)
    assert bench.record.trials == kept


def test_declared_trimming_can_be_taken_off(small, somebody):
    trimming = "  - {step: trimming, upper: 1.5, relative_to: mean, within: [county]}\n"
    path = small.folder / "survey.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("lonely_psu:", f"{trimming}lonely_psu:", 1), encoding="utf-8")
    bench = sat.open_wave(small.folder)
    answer = answer_of(what_if.weighting(bench), upper="no trimming")
    assert answer.name == "no trimming"
    trial = run_code(answer, bench)
    assert [step.step for step in trial.steps] == ["base", "calibration"]
    assert_same_figures(answer, tables_of(trial.results).ranking)
    assert list(bench.usual_trials()["no trimming"]) == trial.steps


@pytest.mark.parametrize(
    ("language", "mark", "words"),
    [
        ("zh", "试算", ("线性化", "权数截到均值的 1.5 倍", "总体边际的最大偏离")),
        (
            "en",
            "trial",
            ("linearized", "weights cut at 1.5 times the mean", "largest miss of a margin"),
        ),
    ],
)
def test_what_is_shown_is_marked_as_a_trial_in_one_language(bench, somebody, language, mark, words):
    mark = {"zh": "【", "en": "["}[language] + mark
    with use(language):
        shown = what_if.weighting(bench)
    assert mark not in shown.shown.value
    shown.controls["upper"].value = 1.5
    assert mark in shown.shown.value
    assert [text for text in words if text not in shown.shown.value] == []
    assert "trim 1.5 x mean" not in shown.shown.value
    shown.button.click()
    assert "bench.try_weighting(steps" in shown.code.value
    shown.controls["upper"].value = 1.75
    assert shown.code.value == ""


def test_a_setting_that_cannot_be_is_its_message(bench, somebody, monkeypatch):
    monkeypatch.setattr(what_if, "BOUNDS", (2, 0.5))
    shown = what_if.weighting(bench)
    shown.controls["upper"].value = 0.5
    assert "[W13" in shown.shown.value
    assert shown.button.disabled
    assert bench.record.trials == []
    shown.controls["upper"].value = 2
    assert "[W13" not in shown.shown.value
    assert not shown.button.disabled


def test_without_a_front_end_the_table_stands_alone(bench):
    shown = what_if.weighting(bench)
    assert shown.controls == {}
    bundle = shown._repr_mimebundle_()
    assert WIDGET not in bundle
    assert "<table" in bundle["text/html"]
    assert bundle["text/plain"].startswith("declared")
    assert "[1 rows x" in bundle["text/plain"]
    assert bench.record.trials == []


def test_with_one_the_saved_notebook_has_the_table_too(bench, somebody):
    bundle = what_if.weighting(bench)._repr_mimebundle_()
    assert WIDGET in bundle
    assert "<table" in bundle["text/html"]
    assert "VBox" not in bundle["text/plain"]


def test_no_weighting_nothing_to_move(small):
    path = small.folder / "survey.yaml"
    text = path.read_text(encoding="utf-8")
    start = text.index("weighting:")
    path.write_text(text[:start] + text[text.index("lonely_psu") :], encoding="utf-8")
    assert what_if.weighting(sat.open_wave(small.folder)) is None


@pytest.mark.parametrize("settings", [{"list_size": 2}, {"list_size": 3, "level": 0.8}])
def test_the_code_of_rules_gives_the_figures_that_are_shown(bench, somebody, settings):
    declared = what_if.rules(bench).now
    answer = answer_of(what_if.rules(bench), **settings)
    assert len(answer.tables[1]) == settings["list_size"] > len(declared.tables[1])
    trial = run_code(answer, bench)
    assert_same_figures(answer, tables_of(trial).ranking)
    row = answer.tables[0].iloc[-1]
    figures = ["established_listed", "expected_true_bottom", "decidable_share"]
    summary = [trial.ranking.summary[name] for name in figures]
    assert row[figures].tolist() == pytest.approx(summary, rel=1e-12)
    assert trial.survey.marks.en.startswith("trial")
    assert "【" not in declared.html()
    assert "【" in answer.html()
    assert bench.record.trials == []


def test_a_lower_level_gives_narrower_sets(bench, somebody, monkeypatch):
    monkeypatch.setattr(what_if, "LEVELS", (0.55,))  # four areas of thirty answers
    shown = what_if.rules(bench)
    wide = answer_of(shown, list_size=3).tables[1]
    narrow = answer_of(shown, level=0.55).tables[1]
    width = (wide["marginal_high"] - wide["marginal_low"]).sum()
    assert (narrow["marginal_high"] - narrow["marginal_low"]).sum() < width


def estimates_beside(answer: what_if.Outcome, results) -> tuple[list, list]:
    """Return the estimates of all areas together on trial, and what results give."""
    trial = answer.tables[0]
    trial = trial[trial["recipe"].map(str) == str(answer.name)]
    whole = results.whole.table.set_index("measure").loc[trial["measure"]]
    ours = trial[["estimate", "se", "n"]].to_numpy(float).ravel().tolist()
    return ours, whole[["estimate", "se", "n"]].to_numpy(float).ravel().tolist()


@pytest.mark.parametrize(
    "settings",
    [
        {"dont_know": "in"},
        {"dont_know": "out"},
        {"component": "parks", "factor": 2},
        {"dont_know": "in", "component": "safety", "factor": 0},
    ],
)
def test_the_code_of_measures_gives_the_figures_that_are_shown(bench, somebody, settings):
    answer = answer_of(what_if.measures(bench), **settings)
    names = {"bench": bench, "indices_table": indices_table}
    exec(answer.code, names)
    trial = names["trial"]
    ours, expected = estimates_beside(answer, trial)
    assert ours == pytest.approx(expected, rel=1e-12)
    _same, declared = estimates_beside(answer, bench.results)
    assert ours != pytest.approx(declared, rel=1e-3)
    assert_same_figures(answer, tables_of(trial).ranking)
    assert trial.survey.marks.en.startswith("trial")
    assert bench.record.trials == []


def test_a_dont_know_rule_is_that_of_a_count_by_hand(bench, somebody, small):
    """The share of those satisfied, don't-know in the denominator: with the weights of the run."""
    answer = answer_of(what_if.measures(bench), dont_know="in")
    table = answer.tables[0].assign(recipe=answer.tables[0]["recipe"].map(str))
    table = table.set_index(["recipe", "measure"])
    accepted = bench.results.responses.accepted
    weight = bench.results.design.weights
    overall = accepted["overall"].astype(float)
    inside = (overall.between(1, 5) | (overall == 98)).to_numpy()
    satisfied = overall.isin([4, 5]).to_numpy()
    share = weight[satisfied].sum() / weight[inside].sum()
    assert table.loc[(str(answer.name), "satisfaction"), "estimate"] == pytest.approx(
        share, rel=1e-12
    )


def test_measures_that_are_none_are_refused(bench):
    with pytest.raises(QuestionnaireError, match="Q153"):
        bench.try_measures(dont_know="maybe")
    with pytest.raises(QuestionnaireError, match="Q153"):
        bench.try_measures(weights={"overall": 0.5})
    with pytest.raises(QuestionnaireError, match="Q121"):
        bench.try_measures(weights={"parks": 0.9})


def assert_tells_how_it_was_chosen(folder: Path, declared: list) -> None:
    """The manifest names the recipe, its reason, and the one before it."""
    record = json.loads((folder / "manifest.json").read_text())["weighting_record"]
    assert record["in_force"]["name"] == "trim 1.5 x mean"
    assert record["in_force"]["reason"] == "few hold much"
    assert record["in_force"]["after_results_were_seen"] is True
    before = record["declared_before"]["steps"]
    assert before == [step.model_dump(exclude_unset=True) for step in declared]
    assert "trim 1.5 x mean" in [trial["name"] for trial in record["trials_looked_at"]]
    weighting = json.loads((folder / "manifest.json").read_text())["steps"]["weighting"]
    assert [step["step"] for step in weighting] == ["calibration", "trimming", "calibration"]


@pytest.mark.slow
def test_papermill_alone_adopts_and_publishes(small, monkeypatch, call):
    """The statistician's story without a browser: the code of a what-if in a cell of notebook 02, adopted, then 04 and 05."""
    declared = small.read().declared.weighting
    with monkeypatch.context() as patched:
        patched.setattr(what_if, "somebody_is_there", lambda: True)
        code = answer_of(what_if.weighting(sat.open_wave(small.folder)), upper=1.5).code
    shelf = ROOT / "notebooks" / "en"
    notebook = nbformat.read(shelf / "02_weighting.ipynb", as_version=4)
    adopting = next(cell for cell in notebook.cells if cell.id == "02-adopt")
    words = '"trim 1.5 x mean", "few hold much", "note 3", "A. Lin"'
    adopting.source = adopting.source.replace('"", "", "", ""', words)
    notebook.cells.insert(notebook.cells.index(adopting), nbformat.v4.new_code_cell(code))
    nbformat.write(notebook, small.root / "02_weighting.ipynb")
    parameters = {"survey": str(small.folder.resolve()), "language": "en"}
    story = nbformat.v4.new_notebook(metadata=notebook.metadata)
    for path, out in {
        small.root / "02_weighting.ipynb": "",
        shelf / "04_indices.ipynb": "",
        shelf / "05_ranking.ipynb": "publish",
    }.items():
        told = parameterize_notebook(load_notebook_node(str(path)), parameters | {"out": out})
        story.cells += [*told.cells, nbformat.v4.new_code_cell("%reset -f")]
    nbformat.write(story, small.root / "story.ipynb")
    executed = small.root / "executed.ipynb"
    papermill.execute_notebook(
        small.root / "story.ipynb", executed, progress_bar=False, kernel_name="python3"
    )
    assert "widget-view" not in executed.read_text(encoding="utf-8")
    assert "widgets" not in nbformat.read(executed, as_version=4).metadata
    folder = small.folder / "out" / "latest"
    assert_tells_how_it_was_chosen(folder, declared)
    code, output, _errors = call("verify", folder)
    assert code == 0
    assert "identical" in output
