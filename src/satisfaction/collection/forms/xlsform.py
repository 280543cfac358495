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
from satisfaction.foundation.language import _
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
        for row, record in enumerate(table.itertuples(index=False), start=2):
            if any(len(str(value)) > LONGEST_CELL for value in record):
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
    survey = [{"type": one, "name": one} for one in TIMES if one not in questionnaire.items]
    compared = comparisons(questionnaire)
    survey += [
        _question(name, item, lists, data["items"][name], compared.get(name, []))
        for name, item in questionnaire.items.items()
    ]
    choices = [
        row for name, scale in data.get("scales", {}).items() for row in _choices(name, scale)
    ]
    choices += [
        row for name, chosen in lists.items() for row in _choices(chosen, data["items"][name])
    ]
    settings = {
        "form_title": questionnaire.title.zh,
        "form_id": data.pop("questionnaire"),
        "version": data.pop("version"),
        "default_language": LANGUAGES["zh"],
    }
    rest = {key: value for key, value in data.items() if key not in ("scales", "items")}
    for part in ("scales", "items"):
        rest[part] = {
            name: kept for name, one in data.get(part, {}).items() if (kept := _unseen(one))
        }
    return {
        "survey": _table(survey, CORE),
        "choices": _table(choices, CHOICE),
        "settings": _table([settings], tuple(settings)),
        "sat_items": _table(
            [{"path": at, "value": json.dumps(v, ensure_ascii=False)} for at, v in leaves(rest)],
            ("path", "value"),
        ),
    }


def list_names(questionnaire: Questionnaire) -> dict[str, str]:
    """Return, for every item with answers or options of its own, the name of its list of choices; no scale has that name."""
    own = [
        n
        for n, item in questionnaire.items.items()
        if getattr(item, "answers", None) or isinstance(item, MultipleItem)
    ]
    taken, names = {*questionnaire.scales, *own}, {}
    for name in own:
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
    clauses = [
        " or ".join(f"${{{item}}} = '{code}'" for code in codes) for item, codes in asked_if.items()
    ]
    return " and ".join(f"({clause})" for clause in clauses)


def comparisons(questionnaire: Questionnaire) -> dict[str, list[tuple[str, Constraint]]]:
    """Return, for the item that is asked last of those a constraint compares, the clause a collecting tool checks there."""
    asked, found = list(questionnaire.items), dict[str, list[tuple[str, Constraint]]]()
    for one in questionnaire.constraints.values():
        last = max(one.items(), key=asked.index)
        other, operator = (
            (one.right, one.operator) if last == one.left else (one.left, TURNED[one.operator])
        )
        sign = "=" if operator == "==" else operator
        clause = (
            f". {sign} {other}"
            if isinstance(other, int)
            else f"(${{{other}}} = '' or . {sign} ${{{other}}})"
        )
        found.setdefault(last, []).append((clause, one))
    return found


def _question(
    name: str,
    item: Item,
    lists: Mapping[str, str],
    data: Mapping[str, Any],
    compared: list[tuple[str, Constraint]],
) -> dict[str, Any]:
    asked = item.wording or item
    row: dict[str, Any] = {"type": _type(name, item, lists), "name": name}
    row |= {f"label::{LANGUAGES[tongue]}": getattr(asked, tongue) for tongue in LANGUAGES}
    row |= {
        "required": "yes" if item.required else None,
        "relevant": condition(item.asked_if) or None,
    }
    row |= _constraint(item, compared) | {
        "sat::type": item.type,
        "sat::scale": getattr(item, "scale", None),
    }
    if item.wording:
        row |= {f"sat::short_{tongue}": _cell(getattr(item, tongue)) for tongue in LANGUAGES}
    return row | {f"sat::{key}": _cell(value) for key, value in data.items() if key not in SHOWN}


def _type(name: str, item: Item, lists: Mapping[str, str]) -> str:
    if isinstance(item, SingleItem):
        return f"select_one {item.scale or lists[name]}"
    if isinstance(item, MultipleItem):
        return f"select_multiple {lists[name]}"
    if isinstance(item, NumberItem):
        return "integer"
    return "date" if isinstance(item, DateItem) else "text"


def _constraint(item: Item, compared: list[tuple[str, Constraint]]) -> dict[str, str]:
    """Return what the collecting tool refuses while the interviewer is still there, with the message it shows."""
    parts = [
        *filter(None, [_own_constraint(item)]),
        *((clause, one.zh, one.en) for clause, one in compared),
    ]
    if not parts:
        return {}
    clauses, zh, en = zip(*parts, strict=True)
    messages = {"zh": "；".join(zh), "en": " ".join(en)}
    return {"constraint": " and ".join(clauses)} | {
        f"constraint_message::{LANGUAGES[tongue]}": text for tongue, text in messages.items()
    }


def _own_constraint(item: Item) -> tuple[str, str, str] | None:
    """Return what an item alone must fulfil: the expression and the message in both languages."""
    if isinstance(item, NumberItem):
        text = f". >= {item.low} and . <= {item.high}"
        zh, en = _("Enter a whole number from {low} to {high}.", low=item.low, high=item.high)
    elif isinstance(item, AreaItem):
        text = "regex(., '^[0-9A-Za-z]{1,12}$')"
        zh, en = _("Enter the area code: digits and letters only.")
    elif isinstance(item, MultipleItem) and item.special:
        alone = " or ".join(f"selected(., '{code}')" for code in item.special)
        text = f"count-selected(.) = 1 or not({alone})"
        zh, en = _("Don't know, refused and the like stand alone.")
    else:
        return None
    return text, zh, en


def _choices(name: str, coded: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for part in CODED:
        for code, choice in coded.get(part, {}).items():
            row = {"list_name": name, "name": str(code)}
            yield row | {f"label::{LANGUAGES[tongue]}": choice[tongue] for tongue in LANGUAGES}


def _unseen(coded: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the choices of a scale or item hold beside their labels: scores, what counts, why a code is special."""
    kept: dict[str, Any] = {}
    for part in CODED:
        for code, choice in coded.get(part, {}).items():
            if facts := {key: value for key, value in choice.items() if key not in LANGUAGES}:
                kept.setdefault(part, {})[code] = facts
    return kept


def _table(rows: list[dict[str, Any]], first: tuple[str, ...]) -> pd.DataFrame:
    columns = dict.fromkeys([*first, *(key for row in rows for key in row)])
    return pd.DataFrame(
        [[row.get(column) for column in columns] for row in rows],
        columns=list(columns),
        dtype=object,
    )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return text == ""
    return True
