"""A draft of a questionnaire from an XLSForm of other people: what the form says, and a list of what it cannot say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import QuestionnaireError
from ..io.tables import read_tables
from ..io.yaml import FILL_IN, SOURCE, checked
from ..io.yaml_text import yaml_text
from ..questionnaire import Questionnaire
from .reading import Choices, Places, _choice_places, _choices, _coded, _Form, _items, _rows, _sheet

OPEN = dict(zip(("zh", "en"), FILL_IN, strict=True))


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft.

    Attributes
    ----------
    text : str
        YAML; what the form does not say stands there as words to be replaced.
    lacking : tuple of str
        What is to be declared or corrected, each once: sheet and row, Chinese, English.
    """

    text: str
    lacking: tuple[str, ...]


def is_foreign(path: str | Path) -> bool:
    """Return whether a workbook lacks the sheet `sat_items`, which every form written here has."""
    return "sat_items" not in {table.sheet.strip().lower() for table in read_tables(Path(path))}


def draft_xlsform(path: str | Path) -> Draft:
    """Read an XLSForm of other people as a draft of a questionnaire.

    Texts and codes are the form's; codes that are no numbers are numbered and kept as aliases. What a questionnaire has no word
    for is left out and listed.

    Raises
    ------
    InputFileError
        For a file that cannot be read.
    QuestionnaireError
        Q202 a sheet or column is missing, Q205 a name or code that stands twice.
    """
    path = Path(path)
    sheets = {table.sheet.strip().lower(): table for table in read_tables(path)}
    settings = dict(next(iter(_rows(sheets.get("settings"))), ("", {}))[1])
    choices = {
        name: _numbered(one) for name, one in _choices(_sheet(sheets, "choices", ("list_name", "name"), path), path).items()
    }
    places: Places = {}
    left: list[QuestionnaireError] = []
    survey = _sheet(sheets, "survey", ("type", "name"), path)
    items, own = _items(survey, choices, {}, places, path, left=left)
    scales: dict[str, Any] = {}
    for name in choices:
        if name not in own:
            scales[name] = _coded(choices[name], {}, "answers")
            places |= _choice_places(("scales", name), scales[name], choices[name])
    said = {
        "questionnaire": re.sub("[^a-z0-9]+", "-", settings.get("form_id", "").lower()).strip("-"),
        "version": settings.get("version", ""),
        "title": dict.fromkeys(OPEN, settings["form_title"]) if settings.get("form_title") else None,
    }
    known = {key: value for key, value in said.items() if value} | {"scales": scales, "items": items}
    _, faults = checked(_Form(path, places, known), Questionnaire)
    lacking = [f"{fault.where}: {fault.zh} {fault.en}" for fault in left]
    lacking += [f"{fault['where']}: {fault['zh']} {fault['en']}" for fault in faults]
    defaults: dict[str, Any] = {
        "questionnaire": "new",
        "version": "1",
        "title": OPEN,
        "source": SOURCE,
        "universe": OPEN,
        "changes": ["首版 first version"],
        "ranked": OPEN["zh"],
        "roles": {"respondent": OPEN["zh"], "area": OPEN["zh"]},
    }
    ordered = {key: (defaults | known)[key] for key in Questionnaire.model_fields if key in defaults | known}
    return Draft(yaml_text(ordered), tuple(dict.fromkeys(lacking)))


def _numbered(choices: Choices) -> Choices:
    """Number the codes of a list of which one is no number; the form's own become other spellings."""
    if all(re.fullmatch(r"-?\d+", code) for code in choices):
        return choices
    return {
        str(number): (place, label | {"aliases": [code]})
        for number, (code, (place, label)) in enumerate(choices.items(), start=1)
    }
