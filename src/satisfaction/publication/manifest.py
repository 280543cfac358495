"""What a file set was made from and how."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from satisfaction.collection.account import unanswered_areas
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.files import refuse_changed
from satisfaction.foundation.personal import masked_names
from satisfaction.pipeline import Results, weighting_log
from satisfaction.publication.labels import DIGITS, mark
from satisfaction.ranking.suppression import SHIELD, SMALL

FORMAT_NAME = "satisfaction-file-set"
FORMAT = "1.0"
"""Version of the file set: the first number rises when a column or file is renamed, removed or changes its meaning."""
PACKAGES = (
    "duckdb",
    "matplotlib",
    "narwhals",
    "numpy",
    "pandas",
    "satisfaction",
    "scipy",
    "statsmodels",
    "xlsxwriter",
)


def manifest(results: Results, *, revision: int = 1) -> dict[str, Any]:
    """Return what the results were made from and how: inputs with hashes, versions, steps, conventions, counts.

    Holds no clock and no path of the machine: the same inputs give the same manifest.
    """
    survey, declared = results.survey, results.survey.declared
    summary = results.responses.summary
    departures = survey.departures()
    trial = {"trial": list(departures)} if departures else {}
    rows = {name: int(summary[name].sum()) for name in ("rows", "accepted", "rejected", "blanked")}
    return {
        "format": {"name": FORMAT_NAME, "version": FORMAT},
        "revision": revision,
        "survey": survey.name,
        "wave": declared.wave,
        "questionnaire": survey.questionnaire.reference,
        "selection": declared.selection,
        "mark": mark(survey),
        **trial,
        "simulated_seed": declared.simulated.seed if declared.simulated else None,
        "inputs": inputs(results),
        "responses": summary.to_dict("records"),
        "not_read": results.responses.not_read.to_dict("records"),
        "areas_without_answers": list(unanswered_areas(survey, results.responses.by_area)["code"]),
        "rows": rows | {"balanced": rows["rows"] == rows["accepted"] + rows["rejected"]},
        "steps": {"declared": _declared_steps(survey), "weighting": list(weighting_log(results))},
        "absent": results.absent,
        "estimates": {level: one.conventions for level, one in results.estimates.items()},
        "ranking": dict(results.ranking.summary),
        "left_out": [
            {
                "level": one.level,
                "parent": one.parent,
                "codes": one.codes,
                "reason": str(one.reason),
            }
            for one in results.rankings.left_out
        ],
        "rules": survey.rules.model_dump(),
        "suppressed": suppressed_counts(results),
        "digits": DIGITS,
        "versions": {"python": platform.python_version()}
        | {p: importlib.metadata.version(p) for p in PACKAGES},
    }


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: numbers to 12 digits, mappings and tuples unfolded, nan as null."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, np.integer | np.bool_):
        return value.item()
    if isinstance(value, float | np.floating):
        return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
    return value


def suppressed_counts(results: Results) -> dict[str, int]:
    """Count the cells that the suppression rule withholds, by reason."""
    notes = [note for one in results.estimates.values() for note in one.table["note"]]
    return {"small": notes.count(str(SMALL)), "complementary": notes.count(str(SHIELD))}


def _declared_steps(survey: Survey) -> list[dict[str, Any]]:
    """Return the steps as survey.yaml writes them; what it leaves to a default stands in the step's record."""
    return [step.model_dump(exclude_unset=True) for step in survey.declared.weighting]


def inputs(results: Results) -> dict[str, str]:
    """Return the SHA-256 of the bytes that were read of every file, by its name as `input_names` has it.

    Raises
    ------
    InputFileError
        F420 for a file that is no longer what was read.
    """
    read = {**results.survey.read, **results.responses.read}
    refuse_changed(read)
    names = _shown(results.survey, read)
    return {names[path]: digest for path, digest in read.items()}


def input_names(survey: Survey) -> set[str]:
    """Return the names of a survey's input files: their paths below its folder, personal data masked."""
    return set(
        _shown(
            survey, [os.path.abspath(path) for path in (*survey.sources, *survey.files)]
        ).values()
    )


def _shown(survey: Survey, paths: Iterable[str]) -> dict[str, str]:
    ordered = sorted(paths)
    below = [os.path.relpath(path, survey.folder).replace(os.sep, "/") for path in ordered]
    return dict(zip(ordered, masked_names(below), strict=True))
