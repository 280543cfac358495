"""The codebook of a questionnaire: wording, codes, what counts for which rate, denominators, scores, version, source.

The questionnaire on paper: A4, in one language, boxes to tick, skips said where they apply.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, NamedTuple, get_args

import pandas as pd

from satisfaction.declarations.items import (
    Answer,
    Item,
    Knowledge,
    Missing,
    MultipleItem,
    NumberItem,
    Option,
    Rate,
    SingleItem,
    Special,
)
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation.language import (
    Language,
    Text,
    _,
    comma_list,
    current,
    pgettext,
    semicolon_list,
    use,
)
from satisfaction.foundation.pages import fill

TYPES = {
    "text": _("text"),
    "date": _("date"),
    "number": _("whole number"),
    "area": _("area code"),
    "single": _("one answer"),
    "multiple": _("several answers"),
}
REASONS = {
    "not_applicable": _("not applicable"),
    "dont_know": _("don't know"),
    "refused": _("refused"),
    "no_answer": _("no answer"),
    "skipped": _("skipped"),
}
WAYS = {"in": pgettext("denominator", "in"), "out": pgettext("denominator", "out")}
LEVELS = {"person": _("person"), "area": _("area")}
ROLES = {
    "respondent": _("number of the respondent"),
    "area": _("area"),
    "strata": _("stratum"),
    "psu": _("primary sampling unit"),
    "calibration": _("calibration"),
    "interview_date": _("date of the interview"),
    "interviewer": _("interviewer"),
}
SHEETS = {
    "about": pgettext("name of a sheet", "about"),
    "items": pgettext("name of a sheet", "items"),
    "codes": pgettext("name of a sheet", "codes"),
    "rates": pgettext("name of a sheet", "rates"),
    "indices": pgettext("name of a sheet", "indices"),
}
HEADINGS = REASONS | {
    "key": _("about"),
    "text": _("text"),
    "item": _("item"),
    "label": _("label"),
    "wording": _("wording"),
    "type": _("type"),
    "values": _("values"),
    "required": _("required"),
    "asked_if": _("asked only if"),
    "roles": _("role"),
    "used_in": _("used in"),
    "code": pgettext("of an answer", "code"),
    "kind": _("kind"),
    "score": _("points"),
    "counts": _("counts"),
    "denominator": _("denominator"),
    "rate": _("rate"),
    "min_valid_items": _("valid items needed"),
    "source": _("source"),
    "index": _("index"),
    "level": _("level"),
    "part": _("part"),
    "weight": _("weight"),
    "part_scores": _("points of each code"),
}
Row = dict[Any, Any]
CODES = ["item", "code", "label", "kind", "score", "counts", "denominator"]
RATES = ["rate", "label", "item", "counts", *get_args(Missing), "min_valid_items", "source"]
INDICES = ["index", "label", "level", "part", "weight", "part_scores", "min_valid_items", "source"]


def codebook_tables(questionnaire: Questionnaire) -> dict[str, pd.DataFrame]:
    """Return the codebook as tables by name, their words in the current language.

    Returns
    -------
    dict of DataFrame
        about (key, text), items, codes (one row a code: score in points 0-100, whether it counts, denominator), rates
        (one row a rate and item: codes that count and how each way of not answering enters the denominator), indices
        (one row an index and part, with its weight). Empty cells where nothing is declared.
    """
    rates = []
    for name, rate in questionnaire.rates.items():
        for item in rate.items:
            row = {
                "rate": name,
                "label": str(rate),
                "item": item,
                "counts": counting(questionnaire, rate, item),
                "min_valid_items": rate.min_valid_items,
                "source": str(rate.source) if rate.source else None,
            }
            rates.append(row | denominators(questionnaire, rate, item))
    indices = []
    for name, index in questionnaire.indices.items():
        for part, weight in index.weights.items():
            scores = None
            if part in questionnaire.items:
                answers = questionnaire.answers(part)
                scores = "; ".join(f"{code} = {answer.score}" for code, answer in answers.items())
            row = {
                "index": name,
                "label": str(index),
                "level": str(LEVELS[index.level]),
                "part": part,
                "weight": str(weight),
                "part_scores": scores,
                "min_valid_items": index.min_valid_items,
                "source": str(index.source),
            }
            indices.append(row)
    items = []
    codes: list[dict[str, object]] = []
    for name in questionnaire.items:
        items.append(_item_row(questionnaire, name))
        codes += _code_rows(questionnaire, name)
    return {
        "about": pd.DataFrame(_about(questionnaire), columns=["key", "text"]),
        "items": pd.DataFrame(items, dtype=object),
        "codes": pd.DataFrame(codes, columns=CODES, dtype=object),
        "rates": pd.DataFrame(rates, columns=RATES),
        "indices": pd.DataFrame(indices, columns=INDICES),
    }


def codebook_sheets(questionnaire: Questionnaire) -> dict[str, pd.DataFrame]:
    """Return the codebook as the sheets of a workbook: names and headings in the current language; no empty columns."""
    sheets = {}
    for name, table in codebook_tables(questionnaire).items():
        filled = table.dropna(axis="columns", how="all")
        headings = [str(HEADINGS[column]) for column in filled]
        sheets[str(SHEETS[name])] = filled.set_axis(headings, axis="columns")
    return sheets


def codebook_html(questionnaire: Questionnaire) -> str:
    """Return the codebook as one self-contained page in the current language."""
    values: dict[str, Any] = {}
    for name, table in codebook_tables(questionnaire).items():
        filled = table.astype(object).where(table.notna(), "")
        values[name] = filled.to_dict("records")
    values["codes"] = _grouped(values["codes"], "item")
    values["indices"] = _grouped(values["indices"], "index")
    words = {
        "_": _,
        "pgettext": pgettext,
        "language": current() or "zh",
        "reasons": REASONS,
        "stays_in": str(WAYS["in"]),
    }
    values["questionnaire"] = questionnaire
    indices = questionnaire.indices.items()
    values["levels"] = {name: index.level for name, index in indices}
    return fill("codebook.html", values | words)


def _grouped(rows: Iterable[Row], key: str) -> dict[object, list[Row]]:
    groups: dict[object, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups


def denominators(questionnaire: Questionnaire, rate: Rate, item: str) -> dict[str, str]:
    """Return, for each way of not answering an item that its codes allow, whether such a person stays in the denominator."""
    ways = questionnaire.denominator(item, rate)
    return {reason: str(WAYS[way]) for reason, way in ways.items()}


def counting(questionnaire: Questionnaire, rate: Rate, item: str) -> str:
    """Say which answers of an item count for a rate: code and label of each, or the rule of a knowledge item."""
    declared = questionnaire.items[item]
    if isinstance(declared, MultipleItem):
        if declared.knowledge:
            options = declared.options.items()
            correct = [str(code) for code, option in options if option.correct]
            return str(_credit(declared.knowledge, correct))
        counting_options = _listed(declared.options, rate.counts or ())
        return str(_("any of: {options}", options=counting_options))
    answers = questionnaire.answers(item)
    codes = rate.counts
    if codes is None:
        codes = [code for code, answer in answers.items() if answer.counts]
    return _listed(answers, codes)


def _listed(answers: Mapping[int, object], codes: Iterable[int], between: str = "; ") -> str:
    """Return codes with their labels."""
    return between.join(f"{code} {answers[code]}" for code in codes)


def conditions(questionnaire: Questionnaire, asked: Mapping[str, Iterable[int]]) -> str:
    """Say in words which answers lead to an item."""
    parts = []
    for name, codes in asked.items():
        known = questionnaire.answers(name) | questionnaire.special(name)
        parts.append(f"{name} = {_listed(known, codes, ' / ')}")
    return "; ".join(parts)


def _credit(knowledge: Knowledge, correct: list[str]) -> Text:
    """Say what an answer to a knowledge item is worth."""
    rules = {
        "all": _("1 for every correct option and no wrong one, else 0"),
        "at_least": _(
            "1 for at least {least} correct and at most {wrong} wrong, else 0",
            least=knowledge.least,
            wrong=knowledge.wrong_allowed,
        ),
        "share": _("(correct - wrong) / number of correct options, not below 0"),
    }
    return _(
        "correct: {options}; {rule}", options=comma_list(correct), rule=rules[knowledge.credit]
    )


def _about(questionnaire: Questionnaire) -> list[tuple[str, str]]:
    name = questionnaire.ranked
    ranked = questionnaire.rates.get(name) or questionnaire.indices[name]
    eligible = conditions(questionnaire, questionnaire.eligibility)
    entries = {
        _("questionnaire and version"): questionnaire.reference,
        _("title"): questionnaire.title,
        _("universe"): questionnaire.universe,
        _("eligibility"): eligible,
        _("ranked by"): f"{ranked} ({name})",
        pgettext("of a questionnaire", "changes"): semicolon_list(questionnaire.changes),
        _("source"): questionnaire.source,
    }
    return [(str(key), str(text)) for key, text in entries.items() if str(text)]


def _item_row(questionnaire: Questionnaire, name: str) -> dict[str, object]:
    item = questionnaire.items[name]
    roles = []
    for role, word in ROLES.items():
        declared = getattr(questionnaire.roles, role)
        if name == declared or (isinstance(declared, list) and name in declared):
            roles.append(str(word))
    used = [key for key, rate in questionnaire.rates.items() if name in rate.items]
    used += [key for key, index in questionnaire.indices.items() if name in index.weights]
    if name in questionnaire.topics:
        used.append(str(_("topic")))
    wording = item.wording or item
    cells = {
        "item": name,
        "label": item.text,
        "wording": wording.text,
        "type": TYPES[item.type],
        "values": f"{item.low} – {item.high}" if isinstance(item, NumberItem) else "",
        "required": _("required") if item.required else "",
        "asked_if": conditions(questionnaire, item.asked_if),
        "roles": "; ".join(roles),
        "used_in": "; ".join(used),
    }
    return {column: str(cell) or None for column, cell in cells.items()}


def _code_rows(questionnaire: Questionnaire, name: str) -> Iterator[dict[str, object]]:
    for code, answer in questionnaire.choices(name).items():
        row = _code_row(name, code, answer, kind=_("answer"))
        if isinstance(answer, Answer):
            row["score"] = answer.score
            if answer.counts is not None:
                row["counts"] = str(_("yes") if answer.counts else _("no"))
        elif isinstance(answer, Option) and answer.correct is not None:
            row["counts"] = str(_("correct") if answer.correct else _("wrong"))
        yield row
    for code, special in questionnaire.special(name).items():
        row = _code_row(name, code, special, kind=REASONS[special.reason])
        yield row | {"denominator": str(WAYS[special.denominator])}


def _code_row(item: str, code: int, label: object, *, kind: Text) -> dict[str, object]:
    return {"item": item, "code": code, "label": str(label), "kind": str(kind)}


SMALLEST_GRID = 3  # fewer questions of one scale in a row are asked one by one
WIDEST_GRID = 9  # more codes do not fit across the page


class _Choice(NamedTuple):
    """One box: its code, its label, and whether it is read out."""

    code: int
    label: Text
    special: bool


class _Question(NamedTuple):
    """One question as printed: its number, and the questions and codes it depends on."""

    number: int
    item: Item
    choices: list[_Choice]
    only_if: list[tuple[str, str]]
    stops: list[str]


def printable_html(questionnaire: Questionnaire, language: Language = "zh") -> str:
    """Return the questionnaire as one self-contained page to be printed on A4, in one language.

    Identifiers, date, interviewer, area and PSU stand in a head that the interviewer fills in; there is no field for a
    name, address or telephone number. Three or more questions in a row on one scale form a grid.
    """
    roles = questionnaire.roles
    filled_in = {roles.respondent, roles.area, roles.psu, roles.interview_date, roles.interviewer}
    # a single item is asked, even where it is a role
    filled_in -= {*questionnaire.items_of(SingleItem, MultipleItem)}
    asked = [name for name in questionnaire.items if name not in filled_in]
    numbers = {name: number for number, name in enumerate(asked, start=1)}
    questions = [_question(questionnaire, name, numbers) for name in asked]
    fields = [(name, item) for name, item in questionnaire.items.items() if name in filled_in]
    blocks = list(_blocks(questions))
    values = {"questionnaire": questionnaire, "head": fields, "blocks": blocks}
    with use(language):
        return fill("form.html", values)


def _question(questionnaire: Questionnaire, name: str, numbers: dict[str, int]) -> _Question:
    item = questionnaire.items[name]
    coded = {**questionnaire.choices(name), **questionnaire.special(name)}
    choices = []
    for code, answer in coded.items():
        choices.append(_Choice(code, answer.text, isinstance(answer, Special)))
    only_if = []
    for other, codes in item.asked_if.items():
        called = f"Q{numbers[other]}" if other in numbers else other
        only_if.append((called, " / ".join(map(str, codes))))
    eligible = questionnaire.eligibility.get(name, coded)
    stops = [str(code) for code in coded if code not in eligible]
    return _Question(numbers[name], item, choices, only_if, stops)


def _blocks(questions: list[_Question]) -> Iterable[tuple[str, list[_Question]]]:
    """Yield the questions one by one, or those of one scale in a row as a grid."""

    def together(question: _Question) -> object:
        """Return what neighbours in a grid share: their scale; a question that must stand alone has its number."""
        conditional = question.only_if or question.stops
        if conditional or len(question.choices) > WIDEST_GRID:
            return question.number
        return getattr(question.item, "scale", None) or question.number

    for _shared, run in groupby(questions, key=together):
        alike = list(run)
        if len(alike) >= SMALLEST_GRID:
            yield "grid", alike
        else:
            yield from (("single", [question]) for question in alike)
