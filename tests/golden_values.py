"""The reference values of tests/golden (see its README), and the sample designs they were computed for."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from satisfaction import SurveyDesign
from satisfaction.sampling.design import SampleDesign

GOLDEN = Path(__file__).parent / "golden"
API_DESIGNS: dict[str, dict[str, Any]] = {
    "apistrat": {"strata": "stype", "fpc": "fpc"},
    "apiclus1": {"psu": "dnum", "fpc": "fpc"},
    "apiclus2": {"psu": ["dnum", "snum"], "fpc": ["fpc1", "fpc2"]},
}
API_NAMES = ("apistrat", "apistrat_nofpc", "apiclus1", "apiclus1_nofpc", "apiclus2")
ITEMS = [f"s{i}" for i in range(1, 9)]


def golden(name: str) -> Any:
    """Return a json file of tests/golden, such as "ranks/irank"."""
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


@functools.cache
def expected(sample: str) -> dict[str, Any]:
    """Return R's figures: `sample` is "api" or "province"."""
    figures = golden(f"{sample}/expected")
    arrays = GOLDEN / sample / "arrays.npz"
    if arrays.is_file():
        with np.load(arrays) as stored:
            for place in stored.files:
                _put_back(figures, place.split("."), stored[place])
    return figures


def _put_back(figures: dict[str, Any], place: list[str], array: np.ndarray) -> None:
    """Put a covariance or weights where province/split.py took them from."""
    *above, name = place
    for step in above:
        figures = figures[step]
    figures[name] = array


def api_rows(name: str) -> pd.DataFrame:
    """Return the schools of a sample or of one of `API_NAMES`, with sch.wide as two shares."""
    sample = name.removesuffix("_nofpc")
    rows = pd.read_csv(GOLDEN / "api" / f"{sample}.csv", dtype={"cds": str})
    wide = rows["sch.wide"]
    return rows.assign(no=(wide == "No").astype(int), yes=(wide == "Yes").astype(int))


def api_design(name: str, rows: pd.DataFrame | None = None) -> SampleDesign:
    """Return one of `API_NAMES`, as in golden/README.md; `rows` stand in for its schools."""
    sample = name.removesuffix("_nofpc")
    options = dict(API_DESIGNS[sample])
    if name != sample:
        del options["fpc"]
    schools = api_rows(sample) if rows is None else rows
    return SurveyDesign(schools, base_weight="pw", **options)


def province_rows() -> pd.DataFrame:
    """Return the respondents of the province with the measures that province.R derives as well."""
    rows = pd.read_csv(GOLDEN / "province" / "sample.csv")
    items = rows[ITEMS]
    enough = items.notna().sum(axis=1) >= 4
    rows["index"] = ((items.mean(axis=1) - 1) / 4 * 100).where(enough)
    rows["satisfied"] = (items["s1"] >= 4).astype(float).where(items["s1"].notna())
    return rows


def province_population() -> pd.DataFrame:
    """Return the population of the province: county, urban, sex, age, population."""
    return pd.read_csv(GOLDEN / "province" / "margins.csv")
