"""Without a probability sample no file, page, picture, sentence or console line states an error, a set or a probability."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

import satisfaction as sat

RULES = """thresholds:
  - {measure: topic_index, below: 70, zh: 约谈, en: talk, source: 测试 test}
"""
ERRORS = {
    "se", "df", "ci_low", "ci_high", "cv", "deff", "marginal_low", "marginal_high", "simultaneous_low", "simultaneous_high", "p_in",
    "p_out", "probability_bottom", "expected_rank", "reliability", "probability_first", "probability_last", "p_met", "p_not_met",
    "probability", "p_below", "p_not_below", "change_se", "p", "p_bh", "p_holm", "shrunk_change", "shrunk_sd", "rise_low", "rise_high",
    "all_low", "all_high", "expected_rise", "probability_rise", "correlation",
}  # fmt: skip
OF_INTERVIEWERS = ("log.csv", "findings.csv")  # findings test interviewers against each other, not the population
WORDS = re.compile(r"P\(名单|名次范围 rank set|% 置信|% confidence|已确认属于|under the model|按模型")


@pytest.fixture(params=["open_link", "quota"])
def selection(request):
    return request.param


@pytest.fixture
def wave(small, selection):
    """The small survey declared as another selection; its probability twin was run first."""
    twin = sat.run(small.read())
    small.edit("survey.yaml", "selection: probability", f"selection: {selection}")
    return small, twin


def stated(twin) -> set[str]:
    """The errors of the probability twin as they would be printed, with three significant digits or more."""
    numbers = set()
    for one in twin.estimates.values():
        for column in ("se", "ci_low", "ci_high", "deff", "cv"):
            numbers |= {f"{value:.6g}" for value in one.table[column] if np.isfinite(value) and value not in (0, 1)}
    for column in ("p_in", "p_out", "probability_bottom", "expected_rank", "reliability"):
        numbers |= {f"{value:.6g}" for value in twin.ranking.table[column] if value not in (0, 1)}
    return {number for number in numbers if len(number.replace("0.", "").replace(".", "")) >= 5}


def texts(folder: Path):
    """Every file's content as text; workbooks cell by cell."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".csv", ".html", ".json", ".txt", ".svg", ".ipynb"):
            yield path, path.read_text(encoding="utf-8-sig")
        elif path.suffix == ".xlsx":
            book = openpyxl.load_workbook(path, read_only=True)
            cells = (cell for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row)
            yield path, "\n".join(f"{cell:.12g}" if isinstance(cell, float) else str(cell) for cell in cells if cell is not None)


def nothing_claimed(folder: Path, twin) -> None:
    seen = 0
    for path, text in texts(folder):
        seen += 1
        found = {number for number in stated(twin) if number in text}
        assert not found, (path.name, found)
        if path.suffix == ".csv" and path.name not in OF_INTERVIEWERS:
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            for column in ERRORS & set(table):
                assert set(table[column]) <= {""}, (path.name, column)
        if path.suffix in (".html", ".csv"):
            assert not (word := WORDS.search(re.sub(r"src=\"data:[^\"]*\"", "", text))), (path.name, word)
    assert seen


def test_estimates_of_a_sample_without_probability_carry_no_error(wave):
    small, _ = wave
    found = sat.run(small.read())
    for one in found.estimates.values():
        assert one.table[["se", "df", "ci_low", "ci_high", "cv", "deff", "n_effective"]].isna().all(axis=None)
        assert np.isnan(one.cov).all()
        assert one.table["estimate"].notna().any()


def test_a_ranking_of_it_has_point_ranks_and_the_point_list_and_nothing_of_their_certainty(wave):
    small, twin = wave
    found = sat.run(small.read()).ranking
    assert list(found.table["rank"]) == list(twin.ranking.table["rank"])
    assert found.summary["listed"] == twin.ranking.summary["listed"]
    assert found.table[sorted(ERRORS & set(found.table))].isna().all(axis=None)
    assert set(found.table["status"]) == {"possible"}
    assert "未知" in found.summary["notes"][0]
    assert not found.order().decided.to_numpy().any()


def test_arrays_given_with_errors_are_ranked_without_them_too(selection):
    found = sat.rank([3.0, 1.0, 2.0], se=[0.1, 0.1, 0.1], bottom=1, selection=selection)
    assert list(found.table["rank"]) == [1, 3, 2]
    assert found.table[["se", "marginal_low", "p_in", "probability_bottom", "reliability"]].isna().all(axis=None)
    assert set(found.target("top", 1).table["verdict"]) == {"not decidable"}


def test_run_and_report_state_nothing(wave, call):
    small, twin = wave
    with (small.folder / "rules.yaml").open("a", encoding="utf-8") as rules:
        rules.write(RULES)
    code, out, err = call("run", small.folder)
    assert code == 0, err
    assert not WORDS.search(out)
    assert not {number for number in stated(twin) if number in out}
    assert "未知" in out
    assert call("report", small.folder)[0] == 0
    nothing_claimed(small.folder / "out", twin)
    assert not list((small.folder / "out").rglob("covariance.csv"))
    assert not list((small.folder / "out").rglob("reading.html"))


def test_the_file_set_of_it_verifies(wave, call):
    small, _ = wave
    assert call("run", small.folder)[0] == 0
    (folder,) = [path for path in (small.folder / "out").iterdir() if path.is_dir() and not path.is_symlink()]
    assert call("verify", folder)[0] == 0
    assert "covariance.csv" not in json.dumps(json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))["resources"])


def later(small) -> Path:
    """A second wave beside the first, of the same answers a quarter later."""
    folder = small.folder.with_name("later")
    shutil.copytree(small.folder, folder, ignore=shutil.ignore_patterns("out"))
    text = (folder / "survey.yaml").read_text(encoding="utf-8")
    for old, new in (("survey: small-wave", "survey: later-wave"), ("wave: 2026T1", "wave: 2026T2")):
        assert old in text
        text = text.replace(old, new)
    (folder / "survey.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("command", ["change", "rolling", "trial"])
def test_two_waves_of_it_state_nothing(wave, call, command):
    small, twin = wave
    code, out, err = call(command, small.folder, later(small))
    assert code == 0, err
    assert not WORDS.search(out), out
    assert "nan" not in out.lower(), out
    nothing_claimed(small.folder.parent / "later" / "out", twin)


@pytest.mark.parametrize("command", ["stability", "fieldwork", "plan"])
def test_the_other_commands_state_nothing(wave, call, command):
    small, twin = wave
    code, out, err = call(command, small.folder)
    assert code in (0, 2), err
    assert not {number for number in stated(twin) if number in out + err}
    assert "Z101" not in err
    if (small.folder / "out").exists():
        nothing_claimed(small.folder / "out", twin)


def test_the_hand_over_states_nothing(wave, call):
    small, twin = wave
    code, _, err = call("run", small.folder, "--handover")
    assert code == 0, err
    for path in (small.folder / "out").rglob("*"):
        if path.suffix in (".R", ".md", ".txt"):
            text = path.read_text(encoding="utf-8")
            assert not {number for number in stated(twin) if number in text}, path
