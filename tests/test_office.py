"""The contract with the ranking office's own scripts."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

import satisfaction as sat
from conftest import SmallSurvey
from satisfaction.errors import InputFileError


@pytest.fixture(scope="module")
def folder(small_template, tmp_path_factory):
    return sat.export(sat.run(SmallSurvey(small_template).read()), tmp_path_factory.mktemp("office") / "set")


def test_the_record_holds_typed_tables_and_what_must_be_said(folder):
    found = sat.read_indices(folder)
    assert (found.survey, found.wave, found.mark, found.revision, found.format) == ("small-wave", "2026T1", "", 1, "1.0")
    assert found.questionnaire == "small@1"
    assert found.provenance["rows"]["accepted"] == 120
    assert {"indices", "ranking", "covariance", "ranking_sentences", "ranking_within"} <= set(found.tables)
    for table in found.tables.values():
        if "code" in table:
            assert all(isinstance(code, str) and len(code) == 6 for code in table["code"])
    assert found.indices[["estimate", "se", "df", "ci_low", "ci_high"]].dtypes.eq(float).all()
    assert found.indices["n"].dtype == "Int64"
    assert found.ranking["rank"].tolist() == [1, 2, 3, 4]


def test_the_figures_are_those_of_the_pipeline(folder, unchanged):
    found, results = sat.read_indices(folder), sat.run(unchanged)
    own = found.measure("streets")
    expected = results.estimates["county"].of("streets").table.set_index("county")
    assert own.loc[expected.index.astype(str), "estimate"].tolist() == pytest.approx(expected["estimate"].tolist(), rel=1e-11)
    assert found.measure("streets", level="province")["se"].iloc[0] > 0


def test_records_are_frozen(folder):
    found = sat.read_indices(folder)
    with pytest.raises(AttributeError):
        found.revision = 2
    with pytest.raises(TypeError):
        found.tables["x"] = pd.DataFrame()


@pytest.mark.parametrize(
    ("name", "code"), [("indices.csv", "F124"), ("ranking.xlsx", "F124"), ("SHA256SUMS", "F121"), ("manifest.json", "F121")]
)
def test_a_file_that_is_missing_or_changed_is_refused(folder, tmp_path, name, code):
    copy = shutil.copytree(folder, tmp_path / "set")
    (copy / name).unlink()
    with pytest.raises(InputFileError, match=code) as fault:
        sat.read_indices(copy)
    assert name in str(fault.value)
    shutil.copy(folder / name, copy / name)
    sat.read_indices(copy)
    if code == "F124":
        (copy / name).write_bytes((copy / name).read_bytes() + b"\n")
        with pytest.raises(InputFileError, match="F124"):
            sat.read_indices(copy)


def test_another_format_and_an_unknown_measure_are_refused(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "set")
    made = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    made["format"]["version"] = "2.0"
    (copy / "manifest.json").write_text(json.dumps(made), encoding="utf-8")
    with pytest.raises(InputFileError, match="F122"):
        sat.read_indices(copy)
    with pytest.raises(InputFileError, match="F125"):
        sat.read_indices(folder).measure("overal")
