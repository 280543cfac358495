"""datapackage.json: the csv files described as Frictionless table schemas, so that any program can check them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from satisfaction.foundation.files import read_bytes, sha256
from satisfaction.pipeline import Results
from satisfaction.publication.columns import COLUMNS
from satisfaction.publication.labels import mark
from satisfaction.publication.manifest import FORMAT, FORMAT_NAME

KEYS = {
    "indices": ["level", "code", "measure"],
    "ranking": ["code"],
    "covariance": ["code", "other_code"],
    "ranking_sentences": ["code"],
    "ranking_within": ["level", "code"],
    "ranking_escalation": ["code"],
    "ranking_waves": ["wave", "code"],
    "ranking_targets": ["code", "target"],
    "ranking_thresholds": ["code", "measure", "threshold"],
}
INTO_INDICES = ("ranking", "ranking_within", "ranking_thresholds")
INTO_RANKING = ("covariance", "ranking_sentences", "ranking_targets", "ranking_escalation")
AREA_CODE = "[0-9]{6}"


def datapackage(
    results: Results, tables: dict[str, pd.DataFrame], folder: Path, *, revision: int
) -> dict[str, Any]:
    """Describe the csv files of a set.

    Parameters
    ----------
    results : Results
    tables : mapping
        The published tables by file name without ending, `indices` and `ranking` among them.
    folder : Path
        Where their files lie: sizes and hashes come from there.
    revision : int
    """
    survey = results.survey
    pattern = (
        AREA_CODE
        if all(len(code) == 6 and code.isdigit() for code in tables["indices"]["code"])
        else ""
    )
    codes = {"code": pattern, "other_code": pattern, "within": pattern}
    described = [_resource(name, table, folder, patterns=codes) for name, table in tables.items()]
    chinese = [
        _in_chinese(one, folder) for one in described if one["name"] in ("indices", "ranking")
    ]
    return {
        "profile": "tabular-data-package",
        "name": FORMAT_NAME,
        "version": FORMAT,
        "title": str(survey.declared.title),
        "description": mark(survey),
        "revision": revision,
        "survey": survey.name,
        "wave": survey.declared.wave,
        "resources": [*described, *chinese],
    }


def _resource(
    name: str, table: pd.DataFrame, folder: Path, *, patterns: dict[str, str]
) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "fields": [
            _field(column, table[column], pattern=patterns.get(column, "")) for column in table
        ],
        "missingValues": [""],
        "primaryKey": KEYS[name],
    }
    if name in INTO_INDICES:
        schema["foreignKeys"] = [_reference(["code", "measure"], "indices", ["code", "measure"])]
    elif name in INTO_RANKING:
        schema["foreignKeys"] = [_reference(["code"], "ranking", ["code"])]
    return {"name": name.replace("_", "-"), **_file(folder / f"{name}.csv"), "schema": schema}


def _in_chinese(resource: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Describe the file that holds the same rows under Chinese headings."""
    schema = resource["schema"]
    fields = [field | {"name": COLUMNS[field["name"]].zh} for field in schema["fields"]]
    key = [COLUMNS[name].zh for name in schema["primaryKey"]]
    path = folder / f"{resource['name']}_zh.csv"
    return {
        "name": f"{resource['name']}-zh",
        **_file(path),
        "schema": {"fields": fields, "missingValues": [""], "primaryKey": key},
    }


def _file(path: Path) -> dict[str, Any]:
    return {
        "path": path.name,
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8-sig",
        "dialect": {
            "delimiter": ",",
            "lineTerminator": "\n",
            "quoteChar": '"',
            "doubleQuote": True,
        },
        "bytes": len(read_bytes(path)),
        "hash": f"sha256:{sha256(path)}",
    }


def _field(name: str, values: pd.Series, *, pattern: str) -> dict[str, Any]:
    """Describe a column; whole numbers that a rule makes fractional (ranks of tied units) are numbers."""
    column = COLUMNS[name]
    fractional = column.type == "integer" and pd.api.types.is_float_dtype(values)
    bounds = {"minimum": column.low, "maximum": column.high}
    constraints: dict[str, Any] = {key: bound for key, bound in bounds.items() if bound is not None}
    constraints |= {"required": True} if column.filled else {}
    constraints |= {"enum": list(column.allowed)} if column.allowed else {}
    constraints |= {"pattern": pattern} if pattern else {}
    return {
        "name": name,
        "type": "number" if fractional else column.type,
        "title": f"{column.zh} {column.en}",
        "description": str(column.meaning),
        **({"unit": column.unit} if column.unit else {}),
        **({"constraints": constraints} if constraints else {}),
    }


def _reference(fields: list[str], resource: str, there: list[str]) -> dict[str, Any]:
    return {"fields": fields, "reference": {"resource": resource, "fields": there}}
