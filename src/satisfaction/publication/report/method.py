"""The method as the report prints it: everything declared in questionnaire, survey and rules, every convention used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from satisfaction.declarations.items import Index, MultipleItem, Rate
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import Survey
from satisfaction.declarations.wave import BaseStep
from satisfaction.pipeline import Results, lonely_note, weighting_log
from satisfaction.publication.report.words import (
    ABSENT_STEPS,
    REASONS,
    SELECTION,
    WAYS,
    Words,
    both,
    key,
    plain,
)
from satisfaction.publication.verdicts import demand

RECORDS = {
    "base": Words("基础权数记录", "Record of the base weight"),
    "nonresponse": Words("无应答调整记录", "Record of the nonresponse adjustment"),
    "calibration": Words("校准记录", "Record of the calibration"),
    "trimming": Words("权数截尾记录", "Record of the trimming"),
    "replicates": Words("无解的重复样本", "Replicates without a solution"),
}
DESIGN_EFFECT = ("kish_deff", "effective_n")  # of the weights before and after a step
WHOLE_LIST = ("notes", "listed")  # the report shows them in sections of their own
LEVEL_OF_INDEX = {
    "person": Words(
        "先按人计算有效题目的加权平均，再求平均",
        "per person: weighted mean of the valid items, then the mean",
    ),
    "area": Words("地区估计值的加权和", "per area: weighted sum of the area's estimates"),
}
ERROR_OF_INDEX = {
    "person": Words("线性化方差", "linearized"),
    "area": Words(
        "协方差一并传递；t 区间，Satterthwaite 自由度；不计 deff",
        "with their covariance; t interval, Satterthwaite df; no deff",
    ),
}


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with entries (label, lines) and sections below it."""

    title: Words
    entries: list[tuple[Words, list[str]]]
    parts: tuple[Section, ...] = ()


def sections(results: Results) -> list[Section]:
    """Return the method of a wave, from instrument to ranking."""
    survey, questionnaire = results.survey, results.survey.questionnaire
    proven = survey.declared.selection == "probability"
    return [
        _instrument(questionnaire),
        Section(
            Words("率的定义", "How rates are defined"),
            [],
            tuple(_rate(questionnaire, r) for r in questionnaire.rates.values()),
        ),
        Section(
            Words("指数的定义", "How indices are defined"),
            [],
            tuple(_index(questionnaire, i, proven=proven) for i in questionnaire.indices.values()),
        ),
        _scores(questionnaire),
        _sample(survey, results.absent, lonely=lonely_note(survey, results.design)),
        _weighting(results),
        _estimation(results),
        Section(
            Words("排名的约定与整体结果", "Ranking: conventions and overall results"),
            _entries(results.ranking.summary, WHOLE_LIST),
        ),
        _rules(survey),
    ]


def _entries(
    mapping: Mapping[str, Any], without: Iterable[str] = ()
) -> list[tuple[Words, list[str]]]:
    return [(key(name), _lines(value)) for name, value in mapping.items() if name not in without]


def _lines(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{_text(key(str(name)))}: {plain(one)}" for name, one in value.items()] or [
            plain(value)
        ]
    return [plain(value)]


def _instrument(questionnaire: Questionnaire) -> Section:
    entries = [
        (Words("问卷与版本", "questionnaire@version"), [questionnaire.reference]),
        (Words("名称", "title"), [str(questionnaire.title)]),
        (Words("调查对象", "universe"), [str(questionnaire.universe)]),
        (Words("来源", "source"), [questionnaire.source]),
        (Words("与上一版的变化", "changes"), list(questionnaire.changes)),
        (
            Words("合格条件", "eligibility"),
            [
                _eligible(questionnaire, item, codes)
                for item, codes in questionnaire.eligibility.items()
            ],
        ),
    ]
    return Section(
        Words("问卷", "Questionnaire"), [(label, lines) for label, lines in entries if lines]
    )


def _eligible(questionnaire: Questionnaire, item: str, codes: list[int]) -> str:
    return f"{_label(questionnaire, item)}: {_answers(questionnaire, item, codes)}"


def _rate(questionnaire: Questionnaire, rate: Rate) -> Section:
    entries = [entry for item in rate.items for entry in _rate_item(questionnaire, item, rate)]
    if len(rate.items) > 1:
        entries.append(
            (
                Words("多题合并", "several items"),
                ["每人有效题目得分的平均 mean of the credits of a person's valid items"],
            )
        )
        entries.append((Words("最少有效题数", "min_valid_items"), [str(rate.min_valid_items)]))
    if rate.source:
        entries.append((Words("来源", "source"), [rate.source]))
    return Section(both(rate.zh, rate.en), entries)


def _rate_item(
    questionnaire: Questionnaire, item: str, rate: Rate
) -> list[tuple[Words, list[str]]]:
    declared = questionnaire.items[item]
    if isinstance(declared, MultipleItem):
        counted = _knowledge(declared) if declared.knowledge else _chosen(declared, rate)
    else:
        counting = rate.counts or [
            code for code, answer in questionnaire.answers(item).items() if answer.counts
        ]
        counted = _answers(questionnaire, item, counting)
    codes: dict[str, str] = {
        special.reason: f"{code} {special} "
        for code, special in questionnaire.special(item).items()
    }
    ways = questionnaire.denominator(item, rate)
    lines = [
        f"{codes.get(reason, '')}({_text(REASONS[reason])}): {_text(WAYS[way])}"
        for reason, way in ways.items()
    ]
    return [
        (Words("题目", "item"), [_label(questionnaire, item)]),
        (Words("计入的答案", "answers that count"), [counted]),
        (Words("特殊码与分母", "special codes and the denominator"), lines),
    ]


def _chosen(item: MultipleItem, rate: Rate) -> str:
    options = "; ".join(f"{code} {item.options[code]}" for code in rate.counts or ())
    return f"选了以下任一选项 chose any of these options: {options}"


def _knowledge(item: MultipleItem) -> str:
    right = "; ".join(f"{code} {option}" for code, option in item.options.items() if option.correct)
    rule = item.knowledge
    assert rule is not None
    credit = {
        "all": "选对全部且无错选得 1 all correct and none wrong: 1",
        "at_least": (
            f"选对至少 {rule.least} 项且错选不超过 {rule.wrong_allowed} 项得 1 "
            f"at least {rule.least} correct, at most {rule.wrong_allowed} wrong: 1"
        ),
        "share": "（选对数 − 错选数）÷ 正确项数，不低于 0 (correct - wrong) / number of correct options, not below 0",
    }[rule.credit]
    return f"{credit}。正确项 correct options: {right}"


def _index(questionnaire: Questionnaire, index: Index, *, proven: bool) -> Section:
    computed = [_text(LEVEL_OF_INDEX[index.level])]
    if proven:
        computed.append(_text(ERROR_OF_INDEX[index.level]))
    weights = [f"{_label(questionnaire, name)}: {weight}" for name, weight in index.weights.items()]
    entries = [
        (Words("层次", f"level: {index.level}"), computed),
        (Words("权重", "weights"), weights),
        (Words("来源", "source"), [index.source]),
    ]
    if index.level == "person":
        entries.insert(2, (Words("最少有效题数", "min_valid_items"), [str(index.min_valid_items)]))
    return Section(both(index.zh, index.en), entries)


def _scores(questionnaire: Questionnaire) -> Section:
    """List the score of every answer, once for items that share them."""
    used = {
        *questionnaire.topics,
        *(name for index in questionnaire.indices.values() for name in index.weights),
    }
    shared: dict[str, list[str]] = {}
    for name in (name for name in questionnaire.items if name in used):
        answers = questionnaire.answers(name).items()
        said = "; ".join(f"{code} {answer} = {answer.score}" for code, answer in answers)
        shared.setdefault(said, []).append(_label(questionnaire, name))
    entries = [
        (Words("计分", "scores"), [said, "题目 items: " + "、".join(items)])
        for said, items in shared.items()
    ]
    return Section(Words("计分（分，0-100）", "Scores of answers (points 0-100)"), entries)


def _sample(survey: Survey, absent: tuple[str, ...], *, lonely: str) -> Section:
    declared, roles = survey.declared, survey.questionnaire.roles
    entries: list[tuple[Words, list[str]]] = [
        (Words("样本选取方式", "selection"), [_text(SELECTION[declared.selection])]),
        (
            Words("分层", "strata"),
            [" × ".join(_label(survey.questionnaire, name) for name in roles.strata) or "无 none"],
        ),
        (
            Words("初级抽样单元", "PSU"),
            [
                _label(survey.questionnaire, roles.psu)
                if roles.psu
                else "每位受访者 every respondent"
            ],
        ),
        (
            Words("单一初级单元层的处理", "lonely_psu"),
            [plain(declared.lonely_psu), *filter(None, [lonely])],
        ),
        (
            Words("未声明、因而未做的步骤", "steps not declared, hence left out"),
            [_text(ABSENT_STEPS[a]) for a in absent] or ["无 none"],
        ),
    ]
    if declared.selection_note:
        entries.insert(1, (Words("选取说明", "note on selection"), [str(declared.selection_note)]))
    if declared.fielded:
        entries.append(
            (Words("访问日期", "fielded"), [f"{declared.fielded.start} – {declared.fielded.end}"])
        )
    if declared.simulated:
        entries.append(
            (
                Words("模拟", "simulated"),
                [str(declared.simulated.note), f"随机种子 seed {declared.simulated.seed}"],
            )
        )
    for name, label in {
        "areas": Words("地区表", "areas"),
        "frame": Words("抽样框", "frame"),
        "sample": Words("样本表", "sample"),
        "nonrespondents": Words("无应答者表", "nonrespondents"),
    }.items():
        if table := getattr(declared, name):
            entries.append((label, [f"{table.source} ({table.date})"]))
    return Section(Words("样本与事实表", "Sample and tables of facts"), entries)


def _weighting(results: Results) -> Section:
    survey = results.survey
    steps = [
        " ".join([f"{i}. {step.step}", str(getattr(step, "method", ""))]).strip()
        for i, step in enumerate(survey.declared.weighting, 1)
    ]
    entries = [
        (
            Words("步骤", "steps"),
            steps or ["无：每位受访者的权数为 1 none: every respondent has weight 1"],
        )
    ]
    if survey.declared.base:
        entries.append(
            (
                Words("基础权数", "base weight"),
                [_base_weight(survey.questionnaire, survey.declared.base)],
            )
        )
    for name, margin in survey.declared.margins.items():
        by = " × ".join(_label(survey.questionnaire, item) for item in margin.by)
        entries.append((Words("边际", name), [by, f"{margin.source} ({margin.date})"]))
    hidden = () if survey.declared.selection == "probability" else DESIGN_EFFECT
    parts = tuple(
        Section(RECORDS[record["step"]], _entries(_of_step(record, hidden)))
        for record in weighting_log(results)
    )
    return Section(Words("权数", "Weights"), entries, parts)


def _base_weight(questionnaire: Questionnaire, step: BaseStep) -> str:
    if step.column:
        return _label(questionnaire, step.column)
    if step.source == "inclusion":
        return "1 / (psu_probability × person_probability)"
    factors = [f" × {_label(questionnaire, name)}" for name in step.multiply]
    divisors = [f" ÷ {_label(questionnaire, name)}" for name in step.divide]
    total = "层的抽样框人数 ÷ 抽中者该乘积之和 scaled so that each stratum adds up to its frame"
    return "".join(["1", *factors, *divisors, f"（{total}）"])


def _of_step(record: Mapping[str, Any], hidden: Iterable[str]) -> dict[str, Any]:
    """Name the weights before and after a step for what they are: only a calibration's are calibrated."""
    own = (
        {}
        if record["step"] == "calibration"
        else {"before": "weights_before", "after": "weights_after"}
    )
    return {own.get(name, name): _without(value, hidden) for name, value in record.items()}


def _without(value: Any, hidden: Iterable[str]) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {name: one for name, one in value.items() if name not in hidden}


def _estimation(results: Results) -> Section:
    """Print the conventions once; a level of area that departs from them gets its own."""
    common = results.estimates[results.area].conventions
    parts = tuple(
        Section(Words(level), _entries(one.conventions))
        for level, one in results.estimates.items()
        if one.conventions != common
    )
    return Section(Words("估计的约定", "Estimation: conventions"), _entries(common), parts)


def _rules(survey: Survey) -> Section:
    rules, names = survey.rules, survey.area_names()
    entries = _entries(rules.ranking.model_dump()) + _entries(rules.responses.model_dump())
    targets = [
        f"{_text(both(names[code].zh, names[code].en))}: {demand(survey, code, target)}"
        for code, set_for_it in rules.targets.items()
        for target in set_for_it
    ]
    thresholds = [f"{one.zh} {one.en} ({one.source})" for one in rules.thresholds]
    history = [f"{rules.history.file} ({rules.history.source})"] if rules.history else []
    gaps = [
        f"{gap.wave}: {gap.source}" for gap in (rules.history.gaps or [] if rules.history else [])
    ]
    steps = (
        [f"{one.listed_in_a_row}: {one.zh} {one.en}" for one in rules.escalation.steps]
        if rules.escalation
        else []
    )
    further = {
        Words("目标", "targets"): targets,
        Words("界线", "thresholds"): thresholds,
        Words("以往公布的排名", "history"): history,
        Words("连续列入名单的措施", "escalation, by waves in a row"): steps,
        Words(
            "未开展的期次（连续期次跨过它们计数）",
            "waves that were not held; waves in a row count across them",
        ): gaps,
    }
    return Section(
        Words("规则（rules.yaml）", "Rules"),
        [*entries, *((label, lines or ["无 none"]) for label, lines in further.items())],
    )


def _label(questionnaire: Questionnaire, name: str) -> str:
    """Return name and label of an item, rate or index."""
    declared = (
        questionnaire.items.get(name)
        or questionnaire.rates.get(name)
        or questionnaire.indices[name]
    )
    return f"{_text(both(declared.zh, declared.en))} ({name})"


def _answers(questionnaire: Questionnaire, item: str, codes: Iterable[int]) -> str:
    return "; ".join(f"{code} {questionnaire.answers(item)[code]}" for code in codes)


def _text(label: Words) -> str:
    return f"{label.zh} {label.en}".rstrip()
