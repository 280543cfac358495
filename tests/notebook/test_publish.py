"""Official or trial: the official set comes from the folder alone, tried in ten ways; all else is marked as a trial."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import re

import pandas as pd
import pytest

import satisfaction as sat
from satisfaction import pipeline
from satisfaction.comparison.compare import compare
from satisfaction.foundation.errors import InputFileError
from satisfaction.foundation.grids import read_grids
from satisfaction.foundation.tables import write_checksums
from satisfaction.publication import file_set
from satisfaction.publication.file_set import export, export_part

MARK = "试算，不是正式结果 trial, not an official result"


def rows_of(path):
    return pd.read_csv(path, encoding="utf-8-sig", dtype=str, keep_default_na=False)


def assert_trial(small, folder, what: str) -> None:
    """The set says of itself, in every row and page, that it is a trial, and of what; nothing official was written."""
    assert folder.name.endswith("-trial")
    tables = [path for path in folder.glob("*.csv") if not path.name.endswith("_zh.csv")]
    assert len(tables) > 4
    for path in tables:
        assert (rows_of(path)["mark"] == MARK).all(), path.name
    for path in folder.glob("*_zh.csv"):
        assert (rows_of(path).iloc[:, -1] == MARK).all(), path.name
    for path in [*folder.glob("*-en.html"), folder / "README-en.txt"]:
        assert "trial, not an official result" in path.read_text(encoding="utf-8"), path.name
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert any(what in departure for departure in manifest["trial"]), manifest["trial"]
    assert not (small.folder / "out" / "latest").exists()


@pytest.fixture
def results(small):
    return sat.run(small.read())


def test_the_official_set_has_the_bytes_of_the_command(small, results, call):
    published = sat.publish(results)
    assert not published.name.endswith("-trial")
    assert call("run", small.folder)[0] == 0
    by_command = (small.folder / "out" / "latest").resolve()
    assert by_command != published
    for path in published.iterdir():
        if path.name not in ("run.json", "SHA256SUMS"):
            assert path.read_bytes() == (by_command / path.name).read_bytes(), path.name


@pytest.mark.usefixtures("tables_alone")
def test_1_another_data_frame(small, results):
    accepted = results.responses.accepted.iloc[:-5]
    responses = dataclasses.replace(results.responses, accepted=accepted)
    assert_trial(small, sat.publish(dataclasses.replace(results, responses=responses)), "responses")


@pytest.mark.usefixtures("tables_alone")
def test_2_an_edited_recipe(small, results):
    wave = sat.open_wave(small.folder)
    trial = wave.try_weighting([{"step": "base"}], name="base alone")
    folder = sat.publish(trial.results)
    assert_trial(small, folder, "survey.yaml: weighting")
    assert sat.verify(folder).code == 0  # recomputed from the record of its manifest
    causes = compare(export(results, small.root / "official"), folder).causes
    assert "trial" in set(causes["kind"])


@pytest.mark.usefixtures("tables_alone")
def test_3_edited_results(small, results):
    county = results.estimates["county"]
    table = county.table.assign(estimate=county.table["estimate"] * 1.01)
    estimates = results.estimates | {"county": dataclasses.replace(county, table=table)}
    folder = sat.publish(dataclasses.replace(results, estimates=estimates))
    assert_trial(small, folder, "estimates")
    found = sat.verify(folder)
    assert found.code != 0
    assert found.unrecorded == ("estimates",)


@pytest.mark.usefixtures("tables_alone")
@pytest.mark.parametrize("part", ["design", "all_rankings", "responses", "estimates"])
def test_3_a_part_put_in_by_hand(small, results, part):
    """Any part that `run` did not compute itself, be it equal to the last digit."""
    foreign = getattr(results, part)
    foreign = tuple(one for one in foreign) if isinstance(foreign, tuple) else copy.copy(foreign)
    assert foreign is not getattr(results, part)
    folder = sat.publish(dataclasses.replace(results, **{part: foreign}))
    assert_trial(small, folder, part)


def test_3_a_notebooks_files_of_edited_results_are_marked(small, results):
    """What notebooks 03 to 05 write one part at a time."""
    county = results.estimates["county"]
    table = county.table.assign(estimate=county.table["estimate"] + 1)
    estimates = results.estimates | {"county": dataclasses.replace(county, table=table)}
    edited = dataclasses.replace(results, estimates=estimates)
    folder = small.root / "own"
    folder.mkdir()
    for part in ("responses", "tests", "indices", "ranking"):
        export_part(edited, folder, part)
    names = {path.name for path in folder.glob("*.csv")}
    assert {"indices.csv", "ranking.csv", "tests.csv", "reliability.csv", "log.csv"} <= names
    for path in folder.glob("*.csv"):
        assert (rows_of(path).iloc[:, -1] == MARK).all(), path.name
    workbooks = [path for path in folder.glob("*.xlsx") if not path.name.startswith("rejected")]
    assert len(workbooks) > 6  # nothing is rejected here
    for path in workbooks:
        held = [cell for grid in read_grids(path)[0] for column in grid.columns for cell in column]
        assert any(
            "trial, not an official result" in cell or "试算，不是正式结果" in cell for cell in held
        ), path.name


def test_no_table_is_written_past_the_results():
    """Whoever holds a table of indices alone finds no function that writes it as if it were official."""
    for name in ("write_indices", "write_ranking"):
        assert not hasattr(file_set, name)
    for name, function in vars(file_set).items():
        public = inspect.isfunction(function) and function.__module__ == file_set.__name__
        if public and not name.startswith("_") and name.startswith(("write", "export")):
            takes = list(inspect.signature(function).parameters)
            assert takes[0] in ("results", "survey"), name
            assert not {"table", "published"} & set(takes), name


@pytest.mark.usefixtures("tables_alone")
def test_4_other_rules(small, results):
    survey = small.read()
    ranking = survey.rules.ranking.model_copy(update={"list_size": 2})
    rules = survey.rules.model_copy(update={"ranking": ranking})
    folder = sat.publish(sat.run(dataclasses.replace(survey, rules=rules)))
    assert_trial(small, folder, "rules.yaml: ranking")
    assert sat.verify(folder).code == 0


def test_5_a_monkeypatched_step(small, monkeypatch):
    monkeypatch.setattr(pipeline, "weigh", lambda _survey, design: design)
    results = sat.run(small.read())
    assert_trial(small, sat.publish(results), "results: ")


@pytest.mark.usefixtures("tables_alone", "afresh_in_this_process")
def test_5_figures_changed_in_place(small, results):
    results.estimates["county"].table["estimate"] += 1.0
    assert_trial(small, sat.publish(results), "results: ")


@pytest.mark.parametrize("changed", ["estimates", "ranks"])
def test_5_a_notebooks_files_of_figures_changed_in_place_are_marked(small, results, changed):
    """What is not published goes without a fresh process: it must know by itself that it is no longer what `run` gave."""
    if changed == "estimates":
        results.estimates["county"].table["estimate"] += 1.0
    else:
        results.ranking.table["rank"] = results.ranking.table["rank"].to_numpy()[::-1]
    folder = small.root / "own"
    folder.mkdir()
    for part in ("indices", "ranking"):
        export_part(results, folder, part)
    for path in folder.glob("*.csv"):
        assert (rows_of(path).iloc[:, -1] == MARK).all(), path.name
    assert_trial(small, sat.publish(results), "results: ")


@pytest.mark.usefixtures("tables_alone")
def test_6_another_questionnaire(small):
    survey = small.read()
    topic = next(iter(survey.questionnaire.indices))
    fewer = {name: one for name, one in survey.questionnaire.indices.items() if name == topic}
    assert len(fewer) < len(survey.questionnaire.indices)
    questionnaire = survey.questionnaire.model_copy(update={"indices": fewer})
    results = sat.run(dataclasses.replace(survey, questionnaire=questionnaire))
    assert_trial(small, sat.publish(results), "small@1: indices")


@pytest.mark.usefixtures("afresh_in_this_process")
def test_7_reordered_rows_are_harmless(small, results):
    first = export(results, small.root / "first")
    rows = small.rows()
    small.write(rows.sample(frac=1, random_state=1))
    published = sat.publish(sat.run(small.read()))
    assert not published.name.endswith("-trial")
    for name in ("indices.csv", "ranking.csv", "covariance.csv", "report.html"):
        assert (published / name).read_bytes() == (first / name).read_bytes(), name


@pytest.mark.usefixtures("tables_alone", "afresh_in_this_process")
@pytest.mark.parametrize("file", ["survey.yaml", "responses/all.csv"])
def test_8_a_stale_kernel_publishes_nothing(small, results, file):
    path = small.folder / file
    if file == "survey.yaml":
        small.edit(file, "level: 0.95", "level: 0.9")
    else:
        small.write(small.rows().iloc[1:])
    with pytest.raises(InputFileError, match="F420"):
        sat.publish(results)
    assert path.is_file()
    assert not [folder for folder in (small.folder / "out").glob("*") if folder.is_dir()]


@pytest.mark.usefixtures("tables_alone")
def test_9_another_out_is_no_run_of_the_wave(small, results):
    folder = export(results, small.root / "elsewhere")
    assert sat.verify(folder).code == 0
    assert not (small.folder / "out").exists()


@pytest.fixture
def official(published):
    """The wave's official set, which the test may change."""
    return (published.folder / "out" / "latest").resolve()


def test_10_a_hand_edited_csv_is_found(official):
    path = official / "indices.csv"
    path.write_text(
        path.read_text(encoding="utf-8-sig").replace("0.", "0.9", 1), encoding="utf-8-sig"
    )
    found = sat.verify(official)
    assert found.code == 10
    assert found.files == {"indices.csv": "changed"}


@pytest.mark.parametrize("file", ["indices.csv", "tests.csv", "reliability.csv"])
def test_10_so_it_is_with_new_checksums(official, file):
    path = official / file
    content = path.read_text(encoding="utf-8-sig")
    figure = re.search(r"\b\d+\.\d{6,}", content).group()
    path.write_text(content.replace(figure, f"1{figure}", 1), encoding="utf-8-sig")
    (official / "SHA256SUMS").unlink()
    write_checksums(official)
    found = sat.verify(official)
    assert found.code == 13
    assert [one.file for one in found.differing] == [file]
