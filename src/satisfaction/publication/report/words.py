"""Labels and number formats of the report: numbers for people, two languages, no missing value shown as 'nan'.

A figure in a page: what it shows, in words, and its SVG as a data address.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup

from satisfaction.publication import plots
from satisfaction.publication.ground import chance

ABSENT = "—"
SMALL = 0.001


class Words(NamedTuple):
    """A text in Chinese and in English; `en` is empty where both are the same."""

    zh: str
    en: str = ""


STATUS_SHAPES = {"established": "■", "possible": "◆", "excluded": "●", "not ranked": "✕"}
SIDES = {"last": Words("末", "last"), "first": Words("前", "first")}
LEVELS = {
    "province": Words("省级", "province"),
    "prefecture": Words("市级", "prefecture"),
    "county": Words("县级", "county"),
    "township": Words("乡级", "township"),
    "all": Words("全部", "all"),
}
REASONS = {
    "dont_know": Words("不知道", "don't know"),
    "refused": Words("拒答", "refused"),
    "not_applicable": Words("不适用", "not applicable"),
    "no_answer": Words("未作答", "no answer"),
    "skipped": Words("按跳转规则未问", "left out by the skip rule"),
}
WAYS = {
    "in": Words("计入分母", "in the denominator"),
    "out": Words("不计入分母", "out of the denominator"),
}
ACTIONS = {
    "reject_row": Words("整行拒收", "row rejected"),
    "blank_item": Words("该题置空", "item blanked"),
    "normalised": Words("已规范", "normalised"),
    "warn": Words("只提示", "warned"),
    "corrected": Words("已按更正改写", "corrected"),
    "recoded": Words("已换码", "recoded"),
    "masked": Words("已遮盖", "masked"),
    "note": Words("说明", "note"),
}
SELECTION = {
    "probability": Words("概率样本", "probability sample"),
    "quota": Words("配额样本", "quota sample"),
    "open_link": Words("公开链接样本", "open link"),
}
ABSENT_STEPS = {
    "areas": Words("地区表", "table of areas"),
    "fielding period": Words("访问起止日期", "fielding period"),
    "strata": Words("分层", "strata"),
    "psu": Words("初级抽样单元", "PSUs"),
    "base weights": Words("基础权数", "base weights"),
    "margins": Words("总体边际", "margins"),
    "calibration": Words("校准", "calibration"),
    "overall rate": Words("总体评价的率（overall）", "overall rate"),
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
    "sum_lost": "未能重新分配的权数占比", "columns": "权数所依据的列", "minimum_reliability": "最低信度", "minimum_df": "自身误差的最低自由度", "minimum_deff": "自身误差的最低设计效应",
    "se_from_larger": "误差按上级地区推算的单位", "multiplicity": "多重性",
    "actions": "各规则的处理", "membership_asked": "要求的成员检验方法", "simultaneous_asked": "要求的同时集合方法", "draws": "模拟次数",
    "critical_steps": "逐步检验的轮数", "monte_carlo_error": "临界值的模拟误差", "between": "单位间方差的估计", "step_down": "是否逐步检验",
}  # fmt: skip

VALUES = {
    "mean": "均值", "linearized": "线性化", "t; logit for rates": "t 区间；率用 logit 区间", "domain: PSUs - strata": "本域初级单元数 − 层数",
    "probability": "概率样本", "quota": "配额样本", "open_link": "公开链接样本", "none": "无", "none: not a probability sample": "无：不是概率样本", "raking": "多边际迭代校准", "linear": "线性校准",
    "poststratify": "事后分层", "calibration": "校准", "fail": "报错停止", "adjust": "以总均值代替", "average": "取平均", "certainty": "视为必选",
    "remove": "剔除", "simes": "Simes 闭合检验", "holm": "Holm 逐步检验", "tukey": "Tukey-Kramer", "joint-ci": "联合置信区间",
    "base": "基础权数", "nonresponse": "无应答调整", "trimming": "权数截尾", "classes": "加权类", "propensity": "应答倾向模型", "logit": "有界 logit 校准", "frame": "抽样框人数 ÷ 抽中人数", "column": "问卷中的题目",
    "trimming (cell)": "截尾，超出部分留在单元内", "trimming (equal)": "截尾，超出部分平均分给其余权数",
    "last": "末位", "first": "首位", "one": "逐个单位", "bh": "Benjamini-Hochberg", "modified": "并列同名次，取末位名次", "dense": "并列同名次，后续不跳位",
    "fractional": "并列取平均名次", "maxt": "max-t 模拟", "dunnett": "Dunnett", "bonferroni": "Bonferroni", "warn": "只提示", "competition": "并列同名次，后续跳位", "off": "不取整", "stop": "停止运行", "reject_row": "整行拒收", "blank_item": "该题置空",
}  # fmt: skip


def both(zh: str, en: str) -> Words:
    """Return a label in two languages, or one where they are the same."""
    return Words(str(zh), "" if zh == en else str(en))


def key(name: str) -> Words:
    """Return the label of a convention; its own name stands for the English."""
    return Words(KEYS.get(name, name), name if name in KEYS else "")


def count(value: Any) -> str:
    """Write a whole number."""
    return f"{int(value):,}"


def score(value: Any, scale: str, digits: int = 1) -> str:
    """Write an estimate: a share 0-1 ("rate") as a percentage, anything else in points."""
    if pd.isna(value):
        return ABSENT
    return f"{value:.1%}".replace("%", " %") if scale == "rate" else f"{value:.{digits}f}"


def level(value: float) -> str:
    """Write a confidence level."""
    return f"{100 * value:g} %"


def interval(low: Any, high: Any, scale: str) -> str:
    """Write limits; unbounded where an estimate has no degrees of freedom."""
    if pd.isna(low) or pd.isna(high):
        return ABSENT
    if np.isinf(low) or np.isinf(high):
        return "无界 unbounded"
    return (
        f"{score(low, scale)[:-2]}–{score(high, scale)}"
        if scale == "rate"
        else f"{low:.1f}–{high:.1f}"
    )


def probability(value: Any) -> str:
    """Write a probability; what would round to 0 or 1 says so."""
    if pd.isna(value):
        return ABSENT
    return chance(value)


def p_value(value: Any) -> str:
    """Write a p-value; what would round to 0 or 1 says so, as in the workbooks."""
    if pd.isna(value):
        return ABSENT
    if value < SMALL:
        return "< 0.001"
    if value > 1 - SMALL:
        return "> 0.999"
    return f"{value:.3f}"


def place(rank: Any) -> str:
    """Write a rank, which the rule of ties may make fractional."""
    return ABSENT if pd.isna(rank) else f"{rank:g}"


def span(low: Any, high: Any) -> str:
    """Write a set of ranks."""
    return ABSENT if pd.isna(low) or pd.isna(high) else f"{low:.0f}–{high:.0f}"


def scale(indices: pd.DataFrame, ranking: pd.DataFrame) -> str:
    """Return the kind of the measure that is ranked."""
    return str(indices.loc[indices["measure"] == ranking["measure"].iloc[0], "kind"].iloc[0])


def plain(value: Any) -> str:
    """Write the value of a convention."""
    if value is None:
        return "无 none"
    if isinstance(value, bool | np.bool_):
        return "是 yes" if value else "否 no"
    if isinstance(value, float):
        return (
            "无 none"
            if np.isnan(value)
            else f"{value:.6g}"
            if abs(value) < 1e6
            else f"{value:,.0f}"
        )
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {plain(one)}" for name, one in value.items()) or "无 none"
    if isinstance(value, tuple | list):
        return ", ".join(plain(one) for one in value) or "无 none"
    return f"{VALUES[value]} {value}" if value in VALUES else str(value)


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure in the page."""

    alt: Words
    address: Markup


def picture(figure: plots.Figure, alt: Words) -> Picture:
    """Put a figure into an address of its own: same figure, same text."""
    encoded = base64.b64encode(plots.svg(figure).encode()).decode("ascii")
    return Picture(alt, Markup("data:image/svg+xml;base64," + encoded))
