"""Where a survey in memory departs from the files of its folder: what follows from it is a trial, not an official result."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from ..io.yaml import Label, Record

TRIAL = Label(zh="试算，不是正式结果", en="trial, not an official result")
TABLES = ("areas", "frame", "sample", "nonrespondents", "history", "quota", "outcomes", "cases", "backcheck")


def departures(survey: Any, original: Any) -> Iterator[str]:
    """Name what two records of one survey have different, as the files of the folder call it.

    Parameters
    ----------
    survey, original : Survey
        As it was computed with, and as its folder says.
    """
    yield from _keys("survey.yaml", survey.declared, original.declared)
    yield from _keys(original.declared.rules, survey.rules, original.rules)
    yield from _keys(original.declared.questionnaire, survey.questionnaire, original.questionnaire)
    for name in TABLES:
        if not _same(getattr(survey, name), getattr(original, name)):
            yield name
    for name in sorted(survey.margins.keys() | original.margins.keys()):
        if not _same(survey.margins.get(name), original.margins.get(name)):
            yield f"margins: {name}"
    if survey.files != original.files:
        yield "responses"


def _keys(file: str, used: Record, written: Record) -> Iterator[str]:
    """Name the keys of a declaration that differ."""
    if used is written:
        return
    for key in type(written).model_fields:
        if getattr(used, key) != getattr(written, key):
            yield f"{file}: {key}"


def _same(used: Any, written: Any) -> bool:
    if isinstance(used, pd.DataFrame) and isinstance(written, pd.DataFrame):
        return used is written or used.equals(written)
    return used is written or bool(type(used) is type(written) and used == written)
