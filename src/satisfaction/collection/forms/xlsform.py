"""A questionnaire as an XLSForm workbook: what Kobo, ODK and SurveyCTO read, and beside it everything they cannot say.

Sheets survey, choices and settings are the form. What an XLSForm has no word for stands in `sat::` columns of survey and in
the sheet `sat_items` (path, value), which those tools ignore; `read_xlsform` puts the two together again. Choices get no
columns of ours: tools copy such columns into the form, scores and correct answers with them.

Back into a questionnaire: what was edited in the form counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from satisfaction.declarations.items import (
    TURNED,
    AreaItem,
    Constraint,
    Item,
    MultipleItem,
    NumberItem,
)
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation.errors import QuestionnaireError
from satisfaction.foundation.language import Text, _
from satisfaction.foundation.tables import RawTable, read_tables, write_xlsx
from satisfaction.foundation.yaml import Document, Location, leaves, validated

LANGUAGES = {"zh": "中文 (zh)", "en": "English (en)"}
CORE = (
    "type", "name", *(f"label::{name}" for name in LANGUAGES.values()), "required", "relevant", "constraint",
    *(f"constraint_message::{name}" for name in LANGUAGES.values()), "sat::type", "sat::scale", "sat::short_zh", "sat::short_en",
)  # fmt: skip
CHOICE = ("list_name", "name", *(f"label::{name}" for name in LANGUAGES.values()))
CODED = ("answers", "options", "special")
SHOWN = {"zh", "en", "wording", "type", "required", "asked_if", "low", "high", "scale", *CODED}
KINDS = {
    "select_one": "single",
    "select_multiple": "multiple",
    "integer": "number",
    "date": "date",
    "text": "text",
}
ASKED_AS = {item: kind for kind, item in KINDS.items()} | {"area": "text"}
Compared = tuple[str, Constraint]  # the clause of an expression, and what it says
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
        lengths = table.map(str).map(len)
        longest = lengths.max(axis=1)
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
        survey.append(
            _question(name, item, lists, data=data["items"][name], compared=compared.get(name, []))
        )
    coded = data.get("scales", {}) | {lists[name]: data["items"][name] for name in lists}
    choices = []
    for name, declared in coded.items():
        for part in CODED:
            for code, choice in declared.get(part, {}).items():
                row = {"list_name": name, "name": str(code)}
                label = Text(choice["zh"], choice["en"])
                choices.append(row | _in_columns("label", label))
    settings = {
        "form_title": questionnaire.title.zh,
        "form_id": data.pop("questionnaire"),
        "version": data.pop("version"),
        "default_language": LANGUAGES["zh"],
    }
    beside = []
    for path, value in leaves(_beside_the_form(data)):
        beside.append({"path": _pointer(path), "value": json.dumps(value, ensure_ascii=False)})
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


def _pointer(path: Iterable[str]) -> str:
    """Write a path as a JSON pointer (RFC 6901)."""
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in path)


def _cell(value: Any) -> str | int:
    """Write a value so that a cell's text tells its type: whole numbers and plain words as they are, the rest as JSON."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value and value == value.strip() and _value(value) is value:
        return value
    return json.dumps(value, ensure_ascii=False)


def condition(asked_if: Mapping[str, Iterable[int]]) -> str:
    """Write a skip rule as an XLSForm expression: every item named must have one of its codes."""
    clauses = []
    for item, codes in asked_if.items():
        alternatives = [f"${{{item}}} = '{code}'" for code in codes]
        clauses.append(f"({' or '.join(alternatives)})")
    return " and ".join(clauses)


def comparisons(questionnaire: Questionnaire) -> dict[str, list[Compared]]:
    """Return, for the item that is asked last of those a constraint compares, the clause a collecting tool checks there."""
    asked = list(questionnaire.items)
    clauses: dict[str, list[Compared]] = {}
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
    *,
    data: Mapping[str, Any],
    compared: list[Compared],
) -> dict[str, Any]:
    asked = item.wording or item
    kind = ASKED_AS.get(item.type, item.type)
    chosen = getattr(item, "scale", None) or lists.get(name, "")
    row: dict[str, Any] = {"type": f"{kind} {chosen}".rstrip(), "name": name}
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
    columns = [f"{base}::{name}" for name in LANGUAGES.values()]
    return dict(zip(columns, text, strict=True))


def _constraint(item: Item, compared: list[Compared]) -> dict[str, str]:
    """Return what the collecting tool refuses while the interviewer is still there, with the message it shows."""
    refused: dict[str, Text] = {}
    if isinstance(item, NumberItem):
        expression = f". >= {item.low} and . <= {item.high}"
        message = _("Enter a whole number from {low} to {high}.", low=item.low, high=item.high)
        refused[expression] = message
    elif isinstance(item, AreaItem):
        expression = "regex(., '^[0-9A-Za-z]{1,12}$')"
        refused[expression] = _("Enter the area code: digits and letters only.")
    elif isinstance(item, MultipleItem) and item.special:
        alone = " or ".join(f"selected(., '{code}')" for code in item.special)
        expression = f"count-selected(.) = 1 or not({alone})"
        refused[expression] = _("Don't know, refused and the like stand alone.")
    for clause, constraint in compared:
        refused[clause] = constraint.text
    if not refused:
        return {}
    message, *others = refused.values()
    for further in others:
        message = _("{refusal} {further}", refusal=message, further=further)
    return {"constraint": " and ".join(refused)} | _in_columns("constraint_message", message)


def _beside_the_form(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a form does not say; of a choice all but its labels: scores, what counts, why a code is special."""
    rest = {key: value for key, value in data.items() if key not in ("scales", "items")}
    for kind in ("scales", "items"):
        rest[kind] = {}
        for name, coded in data.get(kind, {}).items():
            for part in CODED:
                for code, choice in coded.get(part, {}).items():
                    facts = {key: value for key, value in choice.items() if key not in LANGUAGES}
                    if facts:
                        rest[kind].setdefault(name, {}).setdefault(part, {})[code] = facts
    return rest


def _table(rows: list[dict[str, Any]], first: tuple[str, ...]) -> pd.DataFrame:
    columns = dict.fromkeys(first)
    for row in rows:
        columns |= dict.fromkeys(row)
    records = []
    for row in rows:
        records.append([row.get(column) for column in columns])
    return pd.DataFrame(records, columns=list(columns), dtype=object)


NOT_ASKED = {
    "start", "end", "today", "deviceid", "phonenumber", "username", "email", "audit", "note", "calculate", "hidden",
    "begin_group", "end_group", "begin group", "end group",
}  # fmt: skip
RANGE = re.compile(r"\s*\.\s*>=\s*(-?\d+)\s+and\s+\.\s*<=\s*(-?\d+)\s*")
CHOSEN = re.compile(
    r"\s*(?:selected\(\s*\$\{(\w+)\}\s*,\s*'?(-?\d+)'?\s*\)|\$\{(\w+)\}\s*=\s*'?(-?\d+)'?)\s*"
)
FIXED = ("sat::type", "sat::scale", "sat::short_zh", "sat::short_en")
Row = Mapping[str, str]
Rows = list[tuple[str, Row]]  # with their places
Places = dict[tuple[str, ...], str]  # where a part of the questionnaire stands: "survey row 7"
Choices = dict[str, tuple[str, dict[str, Any]]]  # by code: its place and its labels


@dataclass(frozen=True, slots=True)
class _Form(Document):
    """The questionnaire's data; `node` holds the sheet and row of every part."""

    def place(self, location: Location) -> str:
        """Return 'file sheet row n' of a part, or of the nearest one around it that has a row."""
        parts = [str(key) for key in location]
        for most in range(len(parts), 0, -1):
            if place := self.node.get(tuple(parts[:most])):
                return f"{self.path} {place}"
        return str(self.path)


def read_xlsform(path: str | Path) -> Questionnaire:
    """Read an XLSForm workbook as a questionnaire.

    Parameters
    ----------
    path : str or Path
        A workbook that `write_xlsform` wrote, edited or not. Questions, labels, choices, skip rules and ranges are
        taken from the form; scores, rates, indices and roles from the `sat::` columns and the sheet `sat_items`.

    Raises
    ------
    InputFileError
        For a file that cannot be read.
    QuestionnaireError
        Q202 a sheet or column is missing, Q203 a type or expression that a questionnaire has no word for, Q204 a value of
        `sat_items` that is not JSON, Q205 a name or code that stands twice; otherwise as for a YAML file, with sheet and row.
    """
    path = Path(path)
    sheets = sheets_of(path)
    if "sat_items" not in sheets:
        problem = _(
            "The form was not written by `satisfaction form`: there is no sheet 'sat_items', "
            "where scores, rates and roles stand."
        )
        raise _refusal("Q202", problem, str(path), available=sheets)
    places: Places = {}
    data: dict[str, Any] = {}
    for place, row in _sheet(sheets, "sat_items", ("path", "value"), path=path):
        _root, *parts = row["path"].strip().split("/")
        pointer = tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)
        try:
            value = json.loads(row["value"])
        except ValueError:
            where = f"{path} {place}"
            raise _refusal(
                "Q204", _("'{text}' is not valid JSON.", text=row["value"]), where
            ) from None
        around = data
        for key in pointer[:-1]:
            around = around.setdefault(key, {})
        if pointer:
            around[pointer[-1]] = value
        places[pointer] = place
    settings: Row = {}
    if "settings" in sheets:
        settings = dict(next(sheets["settings"].records(), (0, {}))[1])
    if settings.get("form_id"):
        data["questionnaire"] = settings["form_id"]
    if settings.get("version"):
        data["version"] = settings["version"]
    choices: dict[str, Choices] = {}
    for place, row in _sheet(sheets, "choices", ("list_name", "name"), path=path):
        code = row["name"].strip()
        listed = choices.setdefault(row["list_name"].strip(), {})
        if code in listed:
            where = f"{path} {place}"
            raise _refusal("Q205", _("The code '{code}' stands twice.", code=code), where)
        listed[code] = (place, _label(row))
    choices.pop("", None)
    rows = _sheet(sheets, "survey", ("type", "name"), path=path)
    data["items"], of_items = _items(rows, choices, data.get("items", {}), places=places, path=path)
    kept = data.pop("scales", {})
    data["scales"] = {}
    for name, listed in choices.items():
        if name not in of_items:
            scale = _coded(
                listed, kept.get(name, {}), "answers", at=("scales", name), places=places
            )
            data["scales"][name] = scale
    return validated(_Form(path, places, data), Questionnaire, QuestionnaireError)


def sheets_of(path: Path) -> dict[str, RawTable]:
    """Return the sheets of a workbook by their names in small letters."""
    return {table.sheet.strip().lower(): table for table in read_tables(path)}


def _items(
    rows: Rows,
    choices: Mapping[str, Choices],
    kept: Mapping[str, Any],
    *,
    places: Places,
    path: Path,
) -> tuple[dict[str, Any], set[str]]:
    """Return the items of the survey sheet, and the lists of choices that are an item's own; their places are added."""
    items: dict[str, Any] = {}
    of_items = set()
    for place, row in rows:
        where = f"{path} {place}"
        name = row["name"].strip()
        kind, chosen = _kind(row)
        if not kind or kind in NOT_ASKED:
            continue
        if name in items:
            raise _refusal("Q205", _("The name '{name}' stands twice.", name=name), where)
        item = _item(row, where)
        items[name] = item
        places["items", name] = place
        if "scale" not in item and kind.startswith("select"):
            of_items.add(chosen)
            listed = choices.get(chosen, {})
            main = "options" if item["type"] == "multiple" else "answers"
            at = ("items", name)
            item |= _coded(listed, kept.get(name, {}), main, at=at, places=places)
    return items, of_items


def _kind(row: Row) -> tuple[str, str]:
    """Return a question's type and the list it chooses from."""
    text = row["type"].strip()
    if text in NOT_ASKED:
        return text, ""
    kind, _blank, chosen = text.partition(" ")
    return kind, chosen.strip()


def _item(row: Row, where: str) -> dict[str, Any]:
    """Return what one row of the survey sheet says of an item."""
    kind, chosen = _kind(row)
    if kind not in KINDS:
        raise _refusal(
            "Q203",
            _("Type '{type}' cannot be read.", type=row["type"]),
            where,
            available=KINDS,
        )
    item: dict[str, Any] = {"type": KINDS[kind], **_label(row)}
    if kind == "text" and row.get("sat::type") == "area":
        item["type"] = "area"
    if row.get("sat::short_zh"):
        item["zh"] = _value(row["sat::short_zh"])
        item["en"] = _value(row.get("sat::short_en", ""))
        item["wording"] = _label(row)
    if row.get("required", "").strip().lower() in ("yes", "true", "true()"):
        item["required"] = True
    if row.get("relevant"):
        item["asked_if"] = _asked_if(row["relevant"], where)
    limits = RANGE.match(row.get("constraint", ""))
    if kind == "integer" and limits:
        item["low"] = int(limits[1])
        item["high"] = int(limits[2])
    if row.get("sat::scale"):
        item["scale"] = chosen
    for column, value in row.items():
        key = column.removeprefix("sat::")
        if column.startswith("sat::") and column not in FIXED and value and key not in SHOWN:
            item[key] = _value(value)
    return item


def _label(row: Row) -> dict[str, str]:
    """Return a row's label in both languages."""
    return {language: row.get(f"label::{name}", "") for language, name in LANGUAGES.items()}


def _coded(
    choices: Choices,
    kept: Mapping[str, Any],
    main: str,
    *,
    at: tuple[str, ...],
    places: Places,
) -> dict[str, Any]:
    """Part a list into answers (or options) and the codes `sat_items` calls special, each with what is kept there.

    Their places are added.
    """
    coded: dict[str, Any] = {main: {}}
    for code, (place, label) in choices.items():
        part = "special" if code in kept.get("special", {}) else main
        facts = kept.get(part, {}).get(code, {})
        coded.setdefault(part, {})[code] = label | facts
        places[*at, part, code] = place
    return coded


def _asked_if(condition: str, where: str) -> dict[str, list[int]]:
    """Read a skip rule: clauses joined by `and`, each of them codes of one item joined by `or`."""
    rule: dict[str, list[int]] = {}
    for clause in re.split(r"\band\b", condition):
        inside = clause.strip()
        if inside.startswith("(") and inside.endswith(")"):
            inside = inside[1:-1]
        alternatives = re.split(r"\bor\b", inside)
        chosen = list(filter(None, map(CHOSEN.fullmatch, alternatives)))
        names = {match[1] or match[3] for match in chosen}
        readable = len(chosen) == len(alternatives) and len(names) == 1
        if not readable or names & rule.keys():
            raise _refusal(
                "Q203",
                _("The condition '{text}' cannot be read.", text=condition),
                where,
                available=["(${a} = '1' or ${a} = '2') and (${b} = '1')"],
            )
        codes = [match[2] or match[4] for match in chosen]
        rule[names.pop()] = list(map(int, codes))
    return rule


def _sheet(
    sheets: Mapping[str, RawTable], name: str, columns: tuple[str, ...], *, path: Path
) -> Rows:
    """Return the rows of a sheet, by column name, with their places."""
    if name not in sheets:
        problem = _("There is no sheet '{name}'.", name=name)
        raise _refusal("Q202", problem, str(path), available=sheets)
    table = sheets[name]
    header = list(table.cells)
    for column in columns:
        if column not in header:
            problem = _("Sheet '{name}' has no column '{column}'.", name=name, column=column)
            raise _refusal("Q202", problem, f"{path} {name} row 1", available=header)
    return [(f"{table.sheet} row {number}", row) for number, row in table.records()]


def _value(text: str) -> Any:
    """Read a cell as `xlsform` writes it."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _refusal(code: str, text: Text, where: str, *, available: Any = ()) -> QuestionnaireError:
    hint = _("Correct it there, or change the YAML questionnaire and export again.")
    return QuestionnaireError(code, text, where=where, available=available, hint=hint)
