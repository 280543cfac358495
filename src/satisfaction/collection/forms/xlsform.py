"""A questionnaire as an XLSForm workbook: what Kobo, ODK and SurveyCTO read, and beside it everything they cannot say.

Sheets survey, choices and settings are the form. What an XLSForm has no word for stands in `sat::` columns of survey and in
the sheet `sat_items` (path, value), which those tools ignore; `read_xlsform` puts the two together again. Choices get no
columns of ours: tools copy such columns into the form, scores and correct answers with them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from satisfaction.declarations.items import (
    TURNED,
    AreaItem,
    Constraint,
    DateItem,
    Item,
    MultipleItem,
    NumberItem,
    SingleItem,
)
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation.errors import QuestionnaireError
from satisfaction.foundation.language import Text, _
from satisfaction.foundation.tables import write_xlsx

LANGUAGES = {"zh": "中文 (zh)", "en": "English (en)"}
CORE = (
    "type", "name", *(f"label::{name}" for name in LANGUAGES.values()), "required", "relevant", "constraint",
    *(f"constraint_message::{name}" for name in LANGUAGES.values()), "sat::type", "sat::scale", "sat::short_zh", "sat::short_en",
)  # fmt: skip
CHOICE = ("list_name", "name", *(f"label::{name}" for name in LANGUAGES.values()))
CODED = ("answers", "options", "special")
SHOWN = {"zh", "en", "wording", "type", "required", "asked_if", "low", "high", "scale", *CODED}
TIMES = ("start", "end")  # filled in by the collecting tool: how long an interview took
LONGEST_CELL = 32_767  # Excel's limit; a longer text would be dropped without a word


def write_xlsform(questionnaire: Questionnaire, path: str | Path) -> None:
    """Write a questionnaire as an XLSForm workbook that `read_xlsform` reads back as an equal questionnaire.

    Raises
    ------
    QuestionnaireError
        Q201 when a text is longer than a cell of a workbook holds.
    """
    sheets = xlsform_sheets(questionnaire)
    for name, table in sheets.items():
        longest = table.map(lambda value: len(str(value))).max(axis=1)
        for row, length in enumerate(longest, start=2):
            if length > LONGEST_CELL:
                raise QuestionnaireError(
                    "Q201",
                    _(
                        "A text is longer than the {LONGEST_CELL} characters a cell holds.",
                        LONGEST_CELL=LONGEST_CELL,
                    ),
                    where=f"{path} {name} row {row}",
                    hint=_("Shorten the text."),
                )
    write_xlsx(sheets, Path(path))


def xlsform_sheets(questionnaire: Questionnaire) -> dict[str, pd.DataFrame]:
    """Return the sheets survey, choices, settings and sat_items, in the order they are written."""
    lists = list_names(questionnaire)
    data = questionnaire.model_dump(mode="json", exclude_defaults=True)
    survey = [{"type": name, "name": name} for name in TIMES if name not in questionnaire.items]
    compared = comparisons(questionnaire)
    for name, item in questionnaire.items.items():
        survey.append(_question(name, item, lists, data["items"][name], compared.get(name, [])))
    choices: list[dict[str, Any]] = []
    for name, scale in data.get("scales", {}).items():
        choices += _choices(name, scale)
    for name, chosen in lists.items():
        choices += _choices(chosen, data["items"][name])
    settings = {
        "form_title": questionnaire.title.zh,
        "form_id": data.pop("questionnaire"),
        "version": data.pop("version"),
        "default_language": LANGUAGES["zh"],
    }
    rest = {key: value for key, value in data.items() if key not in ("scales", "items")}
    for part in ("scales", "items"):
        kept = {name: _unseen(coded) for name, coded in data.get(part, {}).items()}
        rest[part] = {name: facts for name, facts in kept.items() if facts}
    beside = []
    for path, value in leaves(rest):
        beside.append({"path": path, "value": json.dumps(value, ensure_ascii=False)})
    return {
        "survey": _table(survey, CORE),
        "choices": _table(choices, CHOICE),
        "settings": _table([settings], tuple(settings)),
        "sat_items": _table(beside, ("path", "value")),
    }


def list_names(questionnaire: Questionnaire) -> dict[str, str]:
    """Return, for every item with answers or options of its own, the name of its list of choices; no scale has that name."""
    with_choices = []
    for name, item in questionnaire.items.items():
        if getattr(item, "answers", None) or isinstance(item, MultipleItem):
            with_choices.append(name)
    taken = {*questionnaire.scales, *with_choices}
    names = {}
    for name in with_choices:
        chosen = name
        while chosen in questionnaire.scales or (chosen != name and chosen in taken):
            chosen += "_own"
        names[name] = chosen
        taken.add(chosen)
    return names


def leaves(data: Mapping[str, Any], at: str = "") -> Iterable[tuple[str, Any]]:
    """Yield every value of nested mappings with its path, a JSON pointer (RFC 6901); lists and empty mappings are values."""
    for key, value in data.items():
        here = f"{at}/{str(key).replace('~', '~0').replace('/', '~1')}"
        if isinstance(value, Mapping) and value:
            yield from leaves(value, here)
        else:
            yield here, value


def _cell(value: Any) -> str | int:
    """Write a value so that a cell's text tells its type: whole numbers and plain words as they are, the rest as JSON."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value == value.strip() and not _is_json(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def condition(asked_if: Mapping[str, Iterable[int]]) -> str:
    """Write a skip rule as an XLSForm expression: every item named must have one of its codes."""
    clauses = []
    for item, codes in asked_if.items():
        any_of_them = " or ".join(f"${{{item}}} = '{code}'" for code in codes)
        clauses.append(f"({any_of_them})")
    return " and ".join(clauses)


def comparisons(questionnaire: Questionnaire) -> dict[str, list[tuple[str, Constraint]]]:
    """Return, for the item that is asked last of those a constraint compares, the clause a collecting tool checks there."""
    asked = list(questionnaire.items)
    clauses: dict[str, list[tuple[str, Constraint]]] = {}
    for constraint in questionnaire.constraints.values():
        last = max(constraint.items(), key=asked.index)
        other: int | str = constraint.left
        operator: str = TURNED[constraint.operator]
        if last == constraint.left:
            other = constraint.right
            operator = constraint.operator
        if operator == "==":
            operator = "="
        clause = f". {operator} {other}"
        if isinstance(other, str):
            clause = f"(${{{other}}} = '' or . {operator} ${{{other}}})"
        clauses.setdefault(last, []).append((clause, constraint))
    return clauses


def _question(
    name: str,
    item: Item,
    lists: Mapping[str, str],
    data: Mapping[str, Any],
    compared: list[tuple[str, Constraint]],
) -> dict[str, Any]:
    asked = item.wording or item
    row: dict[str, Any] = {"type": _type(name, item, lists), "name": name}
    row |= _in_columns("label", asked.text)
    row["required"] = "yes" if item.required else None
    row["relevant"] = condition(item.asked_if) or None
    row |= _constraint(item, compared)
    row["sat::type"] = item.type
    row["sat::scale"] = getattr(item, "scale", None)
    if item.wording:
        row["sat::short_zh"] = _cell(item.zh)
        row["sat::short_en"] = _cell(item.en)
    for key, value in data.items():
        if key not in SHOWN:
            row[f"sat::{key}"] = _cell(value)
    return row


def _in_columns(base: str, text: Text) -> dict[str, str]:
    """Return words as cells of the columns of each language."""
    return {f"{base}::{LANGUAGES['zh']}": text.zh, f"{base}::{LANGUAGES['en']}": text.en}


def _type(name: str, item: Item, lists: Mapping[str, str]) -> str:
    if isinstance(item, SingleItem):
        return f"select_one {item.scale or lists[name]}"
    if isinstance(item, MultipleItem):
        return f"select_multiple {lists[name]}"
    if isinstance(item, NumberItem):
        return "integer"
    if isinstance(item, DateItem):
        return "date"
    return "text"


def _constraint(item: Item, compared: list[tuple[str, Constraint]]) -> dict[str, str]:
    """Return what the collecting tool refuses while the interviewer is still there, with the message it shows."""
    refused = list(_refused_alone(item))
    refused += [(clause, constraint.text) for clause, constraint in compared]
    if not refused:
        return {}
    clauses = [clause for clause, _message in refused]
    _clause, message = refused[0]
    for _clause, further in refused[1:]:
        message = _("{refusal} {further}", refusal=message, further=further)
    return {"constraint": " and ".join(clauses)} | _in_columns("constraint_message", message)


def _refused_alone(item: Item) -> Iterable[tuple[str, Text]]:
    """Yield what an item alone must fulfil: the expression and the message."""
    if isinstance(item, NumberItem):
        expression = f". >= {item.low} and . <= {item.high}"
        message = _("Enter a whole number from {low} to {high}.", low=item.low, high=item.high)
        yield expression, message
    elif isinstance(item, AreaItem):
        expression = "regex(., '^[0-9A-Za-z]{1,12}$')"
        yield expression, _("Enter the area code: digits and letters only.")
    elif isinstance(item, MultipleItem) and item.special:
        alone = " or ".join(f"selected(., '{code}')" for code in item.special)
        expression = f"count-selected(.) = 1 or not({alone})"
        yield expression, _("Don't know, refused and the like stand alone.")


def _choices(name: str, coded: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for part in CODED:
        for code, choice in coded.get(part, {}).items():
            row = {"list_name": name, "name": str(code)}
            yield row | _in_columns("label", Text(choice["zh"], choice["en"]))


def _unseen(coded: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the choices of a scale or item hold beside their labels: scores, what counts, why a code is special."""
    kept: dict[str, Any] = {}
    for part in CODED:
        for code, choice in coded.get(part, {}).items():
            facts = {key: value for key, value in choice.items() if key not in LANGUAGES}
            if facts:
                kept.setdefault(part, {})[code] = facts
    return kept


def _table(rows: list[dict[str, Any]], first: tuple[str, ...]) -> pd.DataFrame:
    columns = dict.fromkeys(first)
    for row in rows:
        columns |= dict.fromkeys(row)
    records = []
    for row in rows:
        records.append([row.get(column) for column in columns])
    return pd.DataFrame(records, columns=list(columns), dtype=object)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return text == ""
    return True
