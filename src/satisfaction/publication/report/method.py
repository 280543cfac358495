"""The method as the report prints it: everything declared in questionnaire, survey and rules, every convention used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from satisfaction.declarations.items import Index, MultipleItem, Rate
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import Survey
from satisfaction.declarations.wave import BaseStep
from satisfaction.foundation.language import Text, _, pgettext
from satisfaction.pipeline import Results, lonely_note, weighting_log
from satisfaction.publication.verdicts import demand

REASONS = {
    "dont_know": _("don't know"),
    "refused": _("refused"),
    "not_applicable": _("not applicable"),
    "no_answer": _("no answer"),
    "skipped": _("left out by the skip rule"),
}

WAYS = {
    "in": _("in the denominator"),
    "out": _("out of the denominator"),
}

SELECTION = {
    "probability": _("probability sample"),
    "quota": _("quota sample"),
    "open_link": _("open link"),
}

ABSENT_STEPS = {
    "areas": _("table of areas"),
    "fielding period": _("fielding period"),
    "strata": _("strata"),
    "psu": _("PSUs"),
    "base weights": _("base weights"),
    "margins": _("margins"),
    "calibration": _("calibration"),
    "overall rate": _("overall rate"),
}

KEYS = {
    "statistic": "统计量", "variance": "方差估计", "interval": "置信区间", "level": "置信水平", "df": "自由度", "deff": "设计效应",
    "lonely_psu": "单一初级单元层的处理", "selection": "样本选取方式", "calibration": "校准方法", "fpc": "有限总体校正",
    "engine_exact": "计数逐位可重现", "p": "参与排名的单位数", "not_ranked": "不排名的单位", "rankability": "可排名度",
    "tau2": "单位间真实方差", "mu": "单位均值", "decidable_share": "可判定先后的单位对比例", "tied_at_cut": "分界处并列的单位",
    "tie_at_cut": "分界处是否并列", "list_size_low": "名单最少个数", "list_size_high": "名单最多个数", "listed": "名单",
    "expected_true_bottom": "名单中真正属于末位的期望个数", "established_listed": "名单中已确认的个数", "list_p": "整份名单的 p 值",
    "list_established": "整份名单是否得到确认", "critical_values": "临界值", "se_from_limits": "标准误由置信限得出的单位",
    "zero_se": "标准误为零的单位", "independent": "单位之间独立", "ties": "并列的处理", "probabilities": "概率的算法", "seed": "随机种子",
    "fragile": "受模拟误差影响的界限", "bottom": "名单长度", "higher_is_better": "数值越大越好", "marginal": "单独看的名次集合",
    "marginal_asked": "要求的单独集合方法", "simultaneous": "同时成立的名次集合", "membership": "名单成员检验", "step": "步骤",
    "method": "方法", "tolerance": "容差", "iterations": "迭代次数", "discrepancy": "最大偏差", "margins": "边际及其水平数",
    "factor_low": "最小因子", "factor_high": "最大因子", "before": "校准前权数", "after": "校准后权数", "respondents": "受访者数",
    "sum": "权数之和", "low": "最小", "high": "最大", "cv": "变异系数", "kish_deff": "Kish 设计效应", "effective_n": "有效样本量",
    "list_size": "名单长度", "side": "名单取向", "minimum_n": "最少样本量", "round_before_ranking": "排名前取整", "source": "来源",
    "unknown_area": "未知地区代码", "outside_scale": "量表外的答案", "unknown_answers": "问卷不认识的答案超过此数即停止", "empty": "作空白读取的文字",
    "count": "个数", "share": "占比", "repeated": "同一说法的次数", "sampled": "抽中人数", "strata": "层数", "multiply": "乘以的题目",
    "divide": "除以的题目", "missing": "缺失、按 1 计的人数", "column": "权数所在的题目", "by": "调整所依据的题目", "response_rate": "加权应答率",
    "weights_before": "本步骤前权数", "weights_after": "本步骤后权数", "bounds": "因子的界限", "at_bounds": "因子在界限上的单元数",
    "lower": "权数下界", "upper": "权数上界", "within": "权数之和不变的分组", "trimmed": "被截尾的人数", "share_trimmed": "截去的权数占比",
    "relative_to": "界限所依据的权数", "strict": "曾越界的权数不再变动", "whole": "全部权数停在界限上的单元",
    "sum_lost": "离开本单元的权数占比", "columns": "权数所依据的列", "minimum_reliability": "最低信度", "minimum_df": "自身误差的最低自由度", "minimum_deff": "自身误差的最低设计效应",
    "se_from_larger": "误差按上级地区推算的单位", "multiplicity": "多重性", "prior": "真值的先验", "wrongly_ordered": "档次允诺的颠倒比例",
    "actions": "各规则的处理", "membership_asked": "要求的成员检验方法", "simultaneous_asked": "要求的同时集合方法", "draws": "模拟次数",
    "critical_steps": "逐步检验的轮数", "monte_carlo_error": "临界值的模拟误差", "between": "单位间方差的估计", "step_down": "是否逐步检验",
}  # fmt: skip

VALUES = {
    "mean": "均值", "median": "中位数", "linearized": "线性化", "t; logit for rates": "t 区间；率用 logit 区间", "domain: PSUs - strata": "本域初级单元数 − 层数",
    "probability": "概率样本", "quota": "配额样本", "open_link": "公开链接样本", "none": "无", "none: not a probability sample": "无：不是概率样本", "raking": "多边际迭代校准", "linear": "线性校准",
    "poststratify": "事后分层", "calibration": "校准", "fail": "报错停止", "adjust": "以总均值代替", "average": "取平均", "certainty": "视为必选",
    "auto": "自动：率用 logit，得分用原尺度", "identity": "原尺度正态", "arcsine": "反正弦尺度正态", "nonparametric": "不限形状",
    "remove": "剔除", "simes": "Simes 闭合检验", "holm": "Holm 逐步检验", "tukey": "Tukey-Kramer", "joint-ci": "联合置信区间",
    "base": "基础权数", "nonresponse": "无应答调整", "trimming": "权数截尾", "classes": "加权类", "propensity": "应答倾向模型", "logit": "有界 logit 校准", "frame": "抽样框人数 ÷ 抽中人数", "column": "问卷中的题目",
    "trimming (cell)": "截尾，超出部分留在单元内", "trimming (equal)": "截尾，超出部分平均分给其余权数",
    "last": "末位", "first": "首位", "one": "逐个单位", "bh": "Benjamini-Hochberg", "modified": "并列同名次，取末位名次", "dense": "并列同名次，后续不跳位",
    "fractional": "并列取平均名次", "maxt": "max-t 模拟", "dunnett": "Dunnett", "bonferroni": "Bonferroni", "warn": "只提示", "competition": "并列同名次，后续跳位", "off": "不取整", "stop": "停止运行", "reject_row": "整行拒收", "blank_item": "该题置空",
}  # fmt: skip

RECORDS = {
    "base": _("Record of the base weight"),
    "nonresponse": _("Record of the nonresponse adjustment"),
    "calibration": _("Record of the calibration"),
    "trimming": _("Record of the trimming"),
    "replicates": _("Replicates without a solution"),
}
DESIGN_EFFECT = ("kish_deff", "effective_n")  # of the weights before and after a step
WHOLE_LIST = ("notes", "listed")  # the report shows them in sections of their own
LEVEL_OF_INDEX = {
    "person": _("per person: weighted mean of the valid items, then the mean"),
    "area": _("per area: weighted sum of the area's estimates"),
}
ERROR_OF_INDEX = {
    "person": _("linearized"),
    "area": _("with their covariance; t interval, Satterthwaite df; no deff"),
}


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with entries (label, lines) and sections below it."""

    title: Text
    entries: list[tuple[Text, list[str]]]
    parts: tuple[Section, ...] = ()


def sections(results: Results) -> list[Section]:
    """Return the method of a wave, from instrument to ranking."""
    survey, questionnaire = results.survey, results.survey.questionnaire
    proven = survey.declared.selection == "probability"
    return [
        _instrument(questionnaire),
        Section(
            _("How rates are defined"),
            [],
            tuple(_rate(questionnaire, r) for r in questionnaire.rates.values()),
        ),
        Section(
            _("How indices are defined"),
            [],
            tuple(_index(questionnaire, i, proven=proven) for i in questionnaire.indices.values()),
        ),
        _scores(questionnaire),
        _sample(survey, results.absent, lonely=lonely_note(survey, results.design)),
        _weighting(results),
        _estimation(results),
        Section(
            _("Ranking: conventions and overall results"),
            _entries(results.ranking.summary, WHOLE_LIST),
        ),
        _rules(survey),
    ]


def _entries(
    mapping: Mapping[str, Any], without: Iterable[str] = ()
) -> list[tuple[Text, list[str]]]:
    return [(key(name), _lines(value)) for name, value in mapping.items() if name not in without]


def _lines(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{key(str(name))!s}: {plain(one)}" for name, one in value.items()] or [
            plain(value)
        ]
    return [plain(value)]


def _instrument(questionnaire: Questionnaire) -> Section:
    entries = [
        (_("questionnaire@version"), [questionnaire.reference]),
        (_("title"), [str(questionnaire.title)]),
        (_("universe"), [str(questionnaire.universe)]),
        (_("source"), [questionnaire.source]),
        (_("changes"), list(questionnaire.changes)),
        (
            _("eligibility"),
            [
                _eligible(questionnaire, item, codes)
                for item, codes in questionnaire.eligibility.items()
            ],
        ),
    ]
    return Section(_("Questionnaire"), [(label, lines) for label, lines in entries if lines])


def _eligible(questionnaire: Questionnaire, item: str, codes: list[int]) -> str:
    return f"{_label(questionnaire, item)}: {_answers(questionnaire, item, codes)}"


def _rate(questionnaire: Questionnaire, rate: Rate) -> Section:
    entries = [entry for item in rate.items for entry in _rate_item(questionnaire, item, rate)]
    if len(rate.items) > 1:
        entries.append(
            (
                _("several items"),
                ["每人有效题目得分的平均 mean of the credits of a person's valid items"],
            )
        )
        entries.append((_("min_valid_items"), [str(rate.min_valid_items)]))
    if rate.source:
        entries.append((_("source"), [rate.source]))
    return Section(Text.of(rate.zh, rate.en), entries)


def _rate_item(questionnaire: Questionnaire, item: str, rate: Rate) -> list[tuple[Text, list[str]]]:
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
        f"{codes.get(reason, '')}({REASONS[reason]!s}): {WAYS[way]!s}"
        for reason, way in ways.items()
    ]
    return [
        (_("item"), [_label(questionnaire, item)]),
        (_("answers that count"), [counted]),
        (_("special codes and the denominator"), lines),
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
    computed = [str(LEVEL_OF_INDEX[index.level])]
    if proven:
        computed.append(str(ERROR_OF_INDEX[index.level]))
    weights = [f"{_label(questionnaire, name)}: {weight}" for name, weight in index.weights.items()]
    entries = [
        (_("level: {level}", level=index.level), computed),
        (_("weights"), weights),
        (_("source"), [index.source]),
    ]
    if index.level == "person":
        entries.insert(2, (_("min_valid_items"), [str(index.min_valid_items)]))
    return Section(Text.of(index.zh, index.en), entries)


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
        (_("scores"), [said, "题目 items: " + "、".join(items)]) for said, items in shared.items()
    ]
    return Section(_("Scores of answers (points 0-100)"), entries)


def _sample(survey: Survey, absent: tuple[str, ...], *, lonely: Text) -> Section:
    declared, roles = survey.declared, survey.questionnaire.roles
    entries: list[tuple[Text, list[str]]] = [
        (_("selection"), [str(SELECTION[declared.selection])]),
        (
            _("strata"),
            [" × ".join(_label(survey.questionnaire, name) for name in roles.strata) or "无 none"],
        ),
        (
            _("PSU"),
            [
                _label(survey.questionnaire, roles.psu)
                if roles.psu
                else "每位受访者 every respondent"
            ],
        ),
        (
            _("lonely_psu"),
            [plain(declared.lonely_psu), *([str(lonely)] if lonely else [])],
        ),
        (
            _("steps not declared, hence left out"),
            [str(ABSENT_STEPS[a]) for a in absent] or ["无 none"],
        ),
    ]
    if declared.selection_note:
        entries.insert(1, (_("note on selection"), [str(declared.selection_note)]))
    if declared.fielded:
        entries.append((_("fielded"), [f"{declared.fielded.start} – {declared.fielded.end}"]))
    if declared.simulated:
        entries.append(
            (
                _("simulated"),
                [str(declared.simulated.note), f"随机种子 seed {declared.simulated.seed}"],
            )
        )
    for name, label in {
        "areas": pgettext("a table", "areas"),
        "frame": _("frame"),
        "sample": _("sample"),
        "nonrespondents": _("nonrespondents"),
    }.items():
        if table := getattr(declared, name):
            entries.append((label, [f"{table.source} ({table.date})"]))
    return Section(_("Sample and tables of facts"), entries)


def _weighting(results: Results) -> Section:
    survey = results.survey
    steps = [
        " ".join([f"{i}. {step.step}", str(getattr(step, "method", ""))]).strip()
        for i, step in enumerate(survey.declared.weighting, 1)
    ]
    entries = [
        (
            _("steps"),
            steps or ["无：每位受访者的权数为 1 none: every respondent has weight 1"],
        )
    ]
    if survey.declared.base:
        entries.append(
            (
                _("base weight"),
                [_base_weight(survey.questionnaire, survey.declared.base)],
            )
        )
    for name, margin in survey.declared.margins.items():
        by = " × ".join(_label(survey.questionnaire, item) for item in margin.by)
        entries.append((Text("边际", name), [by, f"{margin.source} ({margin.date})"]))
    hidden = () if survey.declared.selection == "probability" else DESIGN_EFFECT
    parts = tuple(
        Section(RECORDS[record["step"]], _entries(_of_step(record, hidden)))
        for record in weighting_log(results)
    )
    return Section(_("Weights"), entries, parts)


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
        Section(Text(level), _entries(one.conventions))
        for level, one in results.estimates.items()
        if one.conventions != common
    )
    return Section(_("Estimation: conventions"), _entries(common), parts)


def _rules(survey: Survey) -> Section:
    rules, names = survey.rules, survey.area_names()
    entries = _entries(rules.ranking.model_dump()) + _entries(rules.responses.model_dump())
    targets = [
        f"{Text.of(names[code].zh, names[code].en)!s}: {demand(survey, code, target)}"
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
        _("targets"): targets,
        _("thresholds"): thresholds,
        _("history"): history,
        _("escalation, by waves in a row"): steps,
        _("waves that were not held; waves in a row count across them"): gaps,
    }
    return Section(
        _("Rules"),
        [*entries, *((label, lines or ["无 none"]) for label, lines in further.items())],
    )


def _label(questionnaire: Questionnaire, name: str) -> str:
    """Return name and label of an item, rate or index."""
    declared = (
        questionnaire.items.get(name)
        or questionnaire.rates.get(name)
        or questionnaire.indices[name]
    )
    return f"{Text.of(declared.zh, declared.en)!s} ({name})"


def _answers(questionnaire: Questionnaire, item: str, codes: Iterable[int]) -> str:
    return "; ".join(f"{code} {questionnaire.answers(item)[code]}" for code in codes)


def key(name: str) -> Text:
    """Return the label of a convention; its own name stands for the English."""
    return Text(KEYS[name], name) if name in KEYS else Text(name)


def plain(value: Any) -> str:
    """Write the value of a convention."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "无 none"
    if isinstance(value, bool | np.bool_):
        return "是 yes" if value else "否 no"
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:,.0f}"
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {plain(part)}" for name, part in value.items()) or "无 none"
    if isinstance(value, tuple | list):
        return ", ".join(plain(part) for part in value) or "无 none"
    return f"{VALUES[value]} {value}" if value in VALUES else str(value)
