"""A draw and a plan on the command line: files that the next wave reads, sheets that print, marks, refusals that leave nothing."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from conftest import COUNTIES
from satisfaction.foundation.tables import read_table


@pytest.fixture
def frame(tmp_path):
    rng = np.random.default_rng(9)
    rows = [
        {"county": c, "residence": r, "community": f"{c}{r}{k:02d}", "adults": int(rng.integers(400, 1400))}
        for c in COUNTIES for r in (1, 2) for k in range(20)
    ]  # fmt: skip
    path = tmp_path / "frame.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_a_faulty_row_of_the_frame_is_named_by_its_number_in_the_file(frame, call, tmp_path):
    header, *lines = frame.read_text(encoding="utf-8").splitlines(keepends=True)
    lines[4] = lines[4].rsplit(",", 1)[0] + ",0\n"
    frame.write_text("".join([header, "\n", *lines]), encoding="utf-8")
    code, out, err = call("draw", frame, "--take", 3, "--seed", 1, "--out", tmp_path / "draw")
    assert (code, out) == (2, "")
    assert "[D123]" in err
    assert "(rows 7)" in err


def test_a_drawn_sample_is_the_sample_of_a_survey(small, frame, call, tmp_path):
    asked = [
        "--take",
        3,
        "--persons",
        5,
        "--waves",
        2,
        "--overlap",
        0.34,
        "--reserve",
        1,
        "--seed",
        4,
        "--simulated",
    ]
    code, out, err = call("draw", frame, "--out", tmp_path / "draw", *asked)
    assert (code, err) == (0, "")
    assert "simulated" in out
    sample = read_table(tmp_path / "draw" / "sample.csv")
    assert len(sample) == 24
    assert {
        "community",
        "county",
        "residence",
        "psu_probability",
        "person_probability",
        "planned",
        "mark",
    } <= set(sample)
    sizes = read_table(frame).set_index("community")["adults"].astype(float)
    strata = (
        read_table(frame)
        .assign(adults=lambda t: t["adults"].astype(float))
        .groupby(["county", "residence"])["adults"]
        .sum()
    )
    expected = [3 * sizes[r.community] / strata[r.county, r.residence] for r in sample.itertuples()]
    assert sample["psu_probability"].astype(float).to_numpy() == pytest.approx(expected)
    assert sample["person_probability"].astype(float).to_numpy() == pytest.approx(
        5 / sizes[sample["community"]].to_numpy()
    )
    (small.folder / "sample.csv").write_bytes((tmp_path / "draw" / "sample.csv").read_bytes())
    drawn = small.read()  # the survey reads it: strata, PSUs and probabilities
    assert drawn.sample is not None
    assert set(drawn.sample["community"]) == set(sample["community"])


def test_the_next_wave_comes_from_the_panel(frame, call, tmp_path):
    call(
        "draw",
        frame,
        "--out",
        tmp_path / "draw",
        "--take",
        4,
        "--waves",
        2,
        "--overlap",
        0.5,
        "--seed",
        4,
    )
    code, _, err = call(
        "next-sample", tmp_path / "draw" / "panel.csv", "--wave", 2, "--out", tmp_path / "next.csv"
    )
    assert (code, err) == (0, "")
    first, second = (
        read_table(path) for path in (tmp_path / "draw" / "sample.csv", tmp_path / "next.csv")
    )
    assert len(set(first["community"]) & set(second["community"])) == 8 * 2
    assert set(first) - {"mark"} <= set(second) | {"mark"}
    for wave, code_wanted in ((3, "D126"), (2, "X420")):
        code, _, err = call(
            "next-sample",
            tmp_path / "draw" / "panel.csv",
            "--wave",
            wave,
            "--out",
            tmp_path / ("x.csv" if wave == 3 else "next.csv"),
        )
        assert code == 2
        assert code_wanted in err


def test_sheets_name_households_and_adults(frame, call, tmp_path):
    call("draw", frame, "--out", tmp_path / "draw", "--take", 2, "--persons", 5, "--seed", 1)
    html = (tmp_path / "draw" / "sheets.html").read_text(encoding="utf-8")
    assert html.count("<article>") == 16
    assert html.count("☐") == 16 * 5
    english = (tmp_path / "draw" / "sheets-en.html").read_text(encoding="utf-8")
    assert english.count("<li>household ") == 16 * 5
    record = json.loads((tmp_path / "draw" / "draw.json").read_text(encoding="utf-8"))
    assert (record["seed"], record["method"], len(record["frame_sha256"])) == (1, "systematic", 64)


def test_refusals_leave_nothing(frame, call, tmp_path):
    code, _, err = call("draw", frame, "--out", tmp_path / "draw", "--take", 99, "--seed", 1)
    assert code == 2
    assert "D124" in err
    assert not (tmp_path / "draw").exists()
    code, _, _ = call("draw", frame, "--out", tmp_path / "draw", "--seed", 1)
    assert code == 2


def test_a_plan_says_what_wishes_need_and_what_a_budget_brings(small, call):
    code, out, err = call(
        "plan", small.folder, "--per-psu", 5, "--interval", 6, "--reliability", 0.5, "--change", 8
    )
    assert (code, err) == (0, "")
    assert "± 6" in out
    (folder,) = small.folder.glob("out/*-plan")
    assert {path.name for path in folder.iterdir()} == {
        "needs.csv",
        "allocations.csv",
        "areas.csv",
        "plan.xlsx",
        "plan-en.xlsx",
        "plan.html",
        "plan-en.html",
        "plan.json",
    }
    allocations = read_table(folder / "allocations.csv")
    assert set(allocations["name_en"]) >= {"equal", "by population"}
    assert len(set(allocations["psus"])) == 1
    assert len(read_table(folder / "areas.csv")) == 4


def test_without_a_wish_a_plan_compares_divisions_and_shows_how_wishes_are_written(small, call):
    code, out, err = call("plan", small.folder, "--per-psu", 5)
    assert (code, err) == (0, "")
    assert "--interval 2" in out
    (folder,) = small.folder.glob("out/*-plan")
    assert read_table(folder / "needs.csv").empty
    assert len(read_table(folder / "allocations.csv")) >= 2
    assert "What each wish needs" not in (folder / "plan-en.html").read_text(encoding="utf-8")
    assert "想要什么" not in (folder / "plan.html").read_text(encoding="utf-8")


def test_a_plan_whose_wishes_no_sample_meets_is_written_without_their_picture(small, call):
    code, out, _ = call("plan", small.folder, "--per-psu", 5, "--interval", 0.000001)
    assert code == 0
    assert "no feasible sample does" in out


def test_a_budget_that_is_too_small_is_refused(small, call):
    code, _, err = call("plan", small.folder, "--budget", 3)
    assert code == 2
    assert "D132" in err
