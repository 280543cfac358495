"""What a key of a declaration means: one description, for the JSON Schema and for the comments of a new wave's files.

It stands in the code as `Field(description=N_("..."))`; its Chinese stands in the catalogue.
"""

from __future__ import annotations

from typing import Any

from satisfaction.foundation.language import NOTHING, Text, _
from satisfaction.foundation.yaml import Record


def meaning_of(model: type[Record], key: str) -> Text:
    """Return what a key means; nothing where its record does not say.

    Parameters
    ----------
    model : type of Record
        The declaration: `SurveyFile`, `Rules`.
    key : str

    Examples
    --------
    >>> from satisfaction.declarations.wave import SurveyFile
    >>> meaning_of(SurveyFile, "level").in_language("en")
    'confidence level'
    """
    description = model.model_fields[key].description
    return _(description) if description else NOTHING


def schema_of(model: type[Record]) -> dict[str, Any]:
    """Return the JSON Schema of a declaration, with its descriptions in the current language."""
    schema: dict[str, Any] = _translated(model.model_json_schema())
    return schema


def _translated(part: Any) -> Any:
    """Put the descriptions of a part of a schema into the current language; docstrings have no Chinese and stay."""
    if isinstance(part, list):
        return [_translated(entry) for entry in part]
    if not isinstance(part, dict):
        return part
    translated = {}
    for key, value in part.items():
        if key == "description" and isinstance(value, str):
            translated[key] = str(_(value))
        else:
            translated[key] = _translated(value)
    return translated
