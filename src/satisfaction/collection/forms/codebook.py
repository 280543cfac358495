"""The codebook of a questionnaire: wording, codes, what counts for which rate, denominators, scores, version, source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

import pandas as pd

from satisfaction.declarations.items import (
    Answer,
    Index,
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
from satisfaction.foundation.language import _
from satisfaction.foundation.pages import fill

TYPES = {
    "text": "文字 text", "date": "日期 date", "number": "整数 whole number", "area": "地区代码 area code", "single": "单选 one answer", "multiple": "多选 select all",
}  # fmt: skip
REASONS = {
    "not_applicable": "不适用 not applicable", "dont_know": "说不清 don't know", "refused": "拒答 refused", "no_answer": "未答 no answer", "skipped": "跳过 skipped",
}  # fmt: skip
WAYS = {"in": "计入 in", "out": "不计入 out"}
ROLES = {
    "respondent": "问卷编号 respondent", "area": "地区 area", "strata": "层 stratum", "psu": "初级单元 PSU", "calibration": "校准 calibration",
    "interview_date": "访问日期 interview date", "interviewer": "访问员 interviewer",
}  # fmt: skip


def codebook_tables(questionnaire: Questionnaire) -> Mapping[str, pd.DataFrame]:
    """Return the codebook as tables, by the names of their sheets.

    Returns
    -------
    mapping of DataFrame
        about (key, text), items, codes (one row a code: score in points 0-100, whether it counts, denominator), rates
        (one row a rate and item: codes that count and how each way of not answering enters the denominator), indices
        (one row an index and part, with its weight). Empty cells where nothing is declared.
    """
    rates = [
        _rate_row(questionnaire, name, rate, item)
        for name, rate in questionnaire.rates.items()
        for item in rate.items
    ]
    indices = [
        _index_row(questionnaire, name, index, p)
        for name, index in questionnaire.indices.items()
        for p in index.weights
    ]
    return {
        "说明 about": pd.DataFrame(_about(questionnaire), columns=["key", "text"]),
        "题目 items": pd.DataFrame(
            [_item_row(questionnaire, name) for name in questionnaire.items], dtype=object
        ),
        "编码 codes": pd.DataFrame(
            [row for name in questionnaire.items for row in _code_rows(questionnaire, name)],
            columns=["item", "code", "zh", "en", "kind", "score", "counts", "denominator"],
            dtype=object,
        ),
        "率 rates": pd.DataFrame(
            rates,
            columns=[
                "rate",
                "zh",
                "en",
                "item",
                "counts",
                *get_args(Missing),
                "min_valid_items",
                "source",
            ],
        ),
        "指数 indices": pd.DataFrame(
            indices,
            columns=[
                "index",
                "zh",
                "en",
                "level",
                "part",
                "weight",
                "part_scores",
                "min_valid_items",
                "source",
            ],
        ),
    }


def codebook_html(questionnaire: Questionnaire) -> str:
    """Return the codebook as one self-contained page."""
    tables = codebook_tables(questionnaire)
    about, items, codes, rates, indices = (
        table.astype(object).where(table.notna(), "") for table in tables.values()
    )
    values = {
        "questionnaire": questionnaire,
        "about": about.to_dict("records"),
        "items": items.to_dict("records"),
        "codes": {
            name: rows.to_dict("records") for name, rows in codes.groupby("item", sort=False)
        },
        "rates": rates.to_dict("records"),
        "indices": {
            name: rows.to_dict("records") for name, rows in indices.groupby("index", sort=False)
        },
        "reasons": REASONS,
    }
    return fill("codebook.html", values)


def denominators(questionnaire: Questionnaire, rate: Rate, item: str) -> dict[str, str]:
    """Return, for each way of not answering an item that its codes allow, whether such a person stays in the denominator."""
    return {reason: WAYS[way] for reason, way in questionnaire.denominator(item, rate).items()}


def counting(questionnaire: Questionnaire, rate: Rate, item: str) -> str:
    """Say which answers of an item count for a rate: code and label of each, or the rule of a knowledge item."""
    declared = questionnaire.items[item]
    if isinstance(declared, MultipleItem):
        if not declared.knowledge:
            options = "; ".join(f"{code} {declared.options[code]}" for code in rate.counts or ())
            return f"任选其一即计入 any of: {options}"
        return _credit(
            declared.knowledge,
            [str(code) for code, option in declared.options.items() if option.correct],
        )
    answers = questionnaire.answers(item)
    codes = (
        rate.counts
        if rate.counts is not None
        else [code for code, answer in answers.items() if answer.counts]
    )
    return "; ".join(f"{code} {answers[code]}" for code in codes)


def conditions(questionnaire: Questionnaire, asked: Mapping[str, Iterable[int]]) -> str:
    """Say in words which answers lead to an item."""
    parts = []
    for name, codes in asked.items():
        known = questionnaire.answers(name) | questionnaire.special(name)
        parts.append(f"{name} = " + " / ".join(f"{code} {known[code]}" for code in codes))
    return "; ".join(parts)


def _credit(knowledge: Knowledge, correct: list[str]) -> str:
    right, wrong = ", ".join(correct), knowledge.wrong_allowed
    zh, en = {
        "all": _("1 for every correct option and no wrong one, else 0"),
        "at_least": _(
            "1 for at least {least} correct and at most {wrong} wrong, else 0",
            least=knowledge.least,
            wrong=wrong,
        ),
        "share": _("(correct - wrong) / number of correct options, not below 0"),
    }[knowledge.credit]
    return f"正确项 correct: {right}。{zh} / {en}"


def _about(questionnaire: Questionnaire) -> list[tuple[str, str]]:
    ranked = (
        questionnaire.rates.get(questionnaire.ranked) or questionnaire.indices[questionnaire.ranked]
    )
    return [
        ("问卷与版本 questionnaire and version", questionnaire.reference),
        ("标题 title", str(questionnaire.title)),
        ("调查对象 universe", str(questionnaire.universe)),
        ("合格条件 eligibility", conditions(questionnaire, questionnaire.eligibility)),
        ("排名依据 ranked by", f"{questionnaire.ranked} {ranked}"),
        ("版本变更 changes", "; ".join(questionnaire.changes)),
        ("来源 source", questionnaire.source),
    ]


def _item_row(questionnaire: Questionnaire, name: str) -> dict[str, object]:
    item = questionnaire.items[name]
    asked = item.wording or item
    roles = [
        word for role, word in ROLES.items() if name in _named(getattr(questionnaire.roles, role))
    ]
    used = [key for key, rate in questionnaire.rates.items() if name in rate.items]
    used += [key for key, index in questionnaire.indices.items() if name in index.weights]
    return {
        "item": name,
        "zh": item.zh,
        "en": item.en,
        "wording_zh": asked.zh,
        "wording_en": asked.en,
        "type": TYPES[item.type],
        "values": f"{item.low} – {item.high}" if isinstance(item, NumberItem) else None,
        "required": "必填 required" if item.required else None,
        "asked_if": conditions(questionnaire, item.asked_if) or None,
        "roles": "; ".join(roles) or None,
        "used_in": "; ".join([*used, *(["议题 topic"] if name in questionnaire.topics else [])])
        or None,
    }


def _code_rows(questionnaire: Questionnaire, name: str) -> Iterable[dict[str, object]]:
    item = questionnaire.items[name]
    answers: Mapping[int, Answer | Option] = {}
    if isinstance(item, SingleItem):
        answers = questionnaire.answers(name)
    elif isinstance(item, MultipleItem):
        answers = item.options
    for code, choice in {**answers, **questionnaire.special(name)}.items():
        special = choice if isinstance(choice, Special) else None
        counts = (
            getattr(choice, "counts", None)
            if isinstance(choice, Answer)
            else getattr(choice, "correct", None)
        )
        words = (
            ("正确 correct", "错误 wrong") if isinstance(choice, Option) else ("是 yes", "否 no")
        )
        yield {
            "item": name,
            "code": code,
            "zh": choice.zh,
            "en": choice.en,
            "kind": REASONS[special.reason] if special else "答案 answer",
            "score": getattr(choice, "score", None),
            "counts": None if counts is None else words[not counts],
            "denominator": WAYS[special.denominator] if special else None,
        }


def _rate_row(questionnaire: Questionnaire, name: str, rate: Rate, item: str) -> dict[str, object]:
    row = {
        "rate": name,
        "zh": rate.zh,
        "en": rate.en,
        "item": item,
        "counts": counting(questionnaire, rate, item),
    }
    return (
        row
        | denominators(questionnaire, rate, item)
        | {"min_valid_items": rate.min_valid_items, "source": rate.source}
    )


def _index_row(
    questionnaire: Questionnaire, name: str, index: Index, part: str
) -> dict[str, object]:
    scores = None
    if part in questionnaire.items:
        scores = "; ".join(
            f"{code} = {answer.score}" for code, answer in questionnaire.answers(part).items()
        )
    return {
        "index": name,
        "zh": index.zh,
        "en": index.en,
        "level": {"person": "个人 person", "area": "地区 area"}[index.level],
        "part": part,
        "weight": str(index.weights[part]),
        "part_scores": scores,
        "min_valid_items": index.min_valid_items,
        "source": index.source,
    }


def _named(role: str | list[str] | None) -> list[str]:
    return role if isinstance(role, list) else [role] if role else []
