"""What R survey makes of its api samples and of the province, from ../shared/reference; tests skip where it is not here."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from satisfaction import SurveyDesign
from satisfaction.sampling.design import SampleDesign

REFERENCE = Path(__file__).parents[2] / "shared" / "reference"
API_DESIGNS = {
    "apistrat": {"strata": "stype", "fpc": "fpc"},
    "apiclus1": {"psu": "dnum", "fpc": "fpc"},
    "apiclus2": {"psu": ["dnum", "snum"], "fpc": ["fpc1", "fpc2"]},
}
API_NAMES = ("apistrat", "apistrat_nofpc", "apiclus1", "apiclus1_nofpc", "apiclus2")


def expected(name: str) -> dict[str, Any]:
    """Return expected.json of "api" or "province"."""
    path = REFERENCE / name / "expected.json"
    if not path.is_file():
        assert os.environ.get("SATISFACTION_REQUIRE_SHARED") != "1", f"{path} is not here"
        pytest.skip(f"{path} is not here")
    return json.loads(path.read_text(encoding="utf-8"))


def api_rows(name: str) -> pd.DataFrame:
    """Return the respondents of one of `API_NAMES`, with `no` = 1 where sch.wide is "No"."""
    expected("api")
    rows = pd.read_csv(REFERENCE / "api" / f"{name.partition('_')[0]}.csv", dtype={"cds": str})
    return rows.assign(no=(rows["sch.wide"] == "No").astype(int))


def api_design(name: str, rows: pd.DataFrame | None = None) -> SampleDesign:
    """Return one of `API_NAMES`, as in the reference's README; `rows` stand in for its respondents."""
    sample, _, no_fpc = name.partition("_")
    options = {
        key: value for key, value in API_DESIGNS[sample].items() if not (no_fpc and key == "fpc")
    }
    return SurveyDesign(api_rows(name) if rows is None else rows, base_weight="pw", **options)
