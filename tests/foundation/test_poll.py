"""A poll of any size: the same rows every time, the truth met, marked, nothing half-written."""

from __future__ import annotations

import json

import duckdb
import pandas as pd
import pytest
from tests.benchmarks import poll as large

from satisfaction import SurveyDesign, estimate
from satisfaction.foundation.errors import ExportError
from satisfaction.sampling.tally import tally


def digest(folder):
    design = SurveyDesign(folder, strata="stratum", psu="psu", base_weight="base_weight")
    return tally(design, ["q0", "q1"], by=["county"]).digest()


def test_parts_do_not_change_the_rows(tmp_path, monkeypatch):
    one = large.simulate_rows(60_000, tmp_path / "one", items=2)
    monkeypatch.setattr(large, "PART", 25_000)
    two = large.simulate_rows(60_000, tmp_path / "two", items=2)
    assert len(list(two.glob("*.parquet"))) == 3
    assert digest(one) == digest(two)
    assert digest(large.simulate_rows(60_000, tmp_path / "three", items=2, seed=2)) != digest(one)


def test_the_truth_is_met(tmp_path):
    folder = large.simulate_rows(400_000, tmp_path / "poll", items=1)
    table = estimate(
        SurveyDesign(folder, strata="stratum", psu="psu", base_weight="base_weight"),
        "q0",
        by="county",
    ).table.set_index("county")
    truth = pd.read_csv(tmp_path / "poll" / "truth.csv", dtype={"county": str}).set_index("county")[
        "mean"
    ]
    z = (table["estimate"] - truth[table.index]) / table["se"]
    assert z.abs().max() < 5
    assert 0.7 < z.std() < 1.3
    assert truth.max() - truth.min() > 0.4


def test_it_says_that_it_is_simulated(tmp_path):
    large.simulate_rows(1000, tmp_path / "poll")
    assert (
        "simulated"
        in json.loads((tmp_path / "poll" / "simulated.json").read_text(encoding="utf-8"))["mark"]
    )
    (file,) = (tmp_path / "poll" / "rows").glob("*.parquet")
    kept = (
        duckdb.connect().execute("select value from parquet_kv_metadata(?)", [str(file)]).fetchall()
    )
    assert any("simulated" in value.decode() for (value,) in kept)


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(ExportError, match="X101"):
        large.simulate_rows(10, tmp_path)
