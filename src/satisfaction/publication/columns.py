"""What every published column holds: the one source of Chinese headings, dictionary, table schemas and README."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from satisfaction.foundation.language import Text

Type = Literal["string", "number", "integer"]
SHARE_OR_POINTS = "比例 0-1（率）或分 0-100 share 0-1 (rates) or points 0-100"
PROBABILITY = "0-1"


@dataclass(frozen=True, slots=True)
class Column:
    """One published column.

    Attributes
    ----------
    zh, en : str
        Headings.
    type : {"string", "number", "integer"}
    meaning : Text
    unit : str
    low, high : float, optional
        Bounds of its numbers.
    allowed : tuple of str
        All texts that may stand there; empty: any.
    filled : bool
        Whether every row has it.
    """

    zh: str
    en: str
    type: Type
    meaning: Text
    unit: str = ""
    low: float | None = None
    high: float | None = None
    allowed: tuple[str, ...] = ()
    filled: bool = False


def _text(
    zh: str,
    en: str,
    about_zh: str,
    about_en: str,
    *,
    allowed: tuple[str, ...] = (),
    filled: bool = False,
) -> Column:
    return Column(zh, en, "string", Text(zh=about_zh, en=about_en), allowed=allowed, filled=filled)


def _number(
    zh: str,
    en: str,
    about_zh: str,
    about_en: str,
    *,
    unit: str,
    low: float | None = None,
    high: float | None = None,
) -> Column:
    return Column(zh, en, "number", Text(zh=about_zh, en=about_en), unit=unit, low=low, high=high)


def _count(zh: str, en: str, about_zh: str, about_en: str, *, unit: str, low: float = 0) -> Column:
    return Column(zh, en, "integer", Text(zh=about_zh, en=about_en), unit=unit, low=low)


def _probability(zh: str, en: str, about_zh: str, about_en: str) -> Column:
    return _number(zh, en, about_zh, about_en, unit=PROBABILITY, low=0, high=1)


MEMBERSHIP = ("established", "possible", "excluded", "not ranked")
PLACE = "名 rank"
COLUMNS: dict[str, Column] = {
    "survey": _text("调查", "survey", "调查名称，即 surveys/ 下的文件夹", "name of the survey, its folder in surveys/", filled=True),
    "wave": _text("期次", "wave", "哪一期", "which fielding", filled=True),
    "level": _text("级别", "level", "地区的级别", "level of the area", filled=True),
    "code": _text("代码", "code", "行政区划代码（GB/T 2260），文本", "area code (GB/T 2260), text", filled=True),
    "other_code": _text("另一代码", "other code", "协方差的另一地区", "the other area of the covariance", filled=True),
    "name_zh": _text("地区", "Chinese name", "地区中文名", "Chinese name of the area"),
    "name_en": _text("地区英文名", "English name", "地区英文名", "English name of the area"),
    "measure": _text("指标代号", "measure", "问卷中的指标代号", "the measure's name in the questionnaire", filled=True),
    "measure_zh": _text("指标", "Chinese label", "指标中文名", "Chinese label of the measure"),
    "measure_en": _text("指标英文名", "English label", "指标英文名", "English label of the measure"),
    "kind": _text("类别", "kind", "率、得分或指数", "rate, score or index", allowed=("rate", "score", "index"), filled=True),
    "unit": _text(
        "单位", "unit", "本行估计值的单位", "unit of the row's estimate", allowed=("share 0-1", "points 0-100"), filled=True
    ),
    "estimate": _number("估计值", "estimate", "加权估计值", "weighted estimate", unit=SHARE_OR_POINTS, low=0, high=100),
    "se": _number("标准误", "se", "抽样标准误", "standard error of sampling", unit=SHARE_OR_POINTS, low=0),
    "df": _number("自由度", "df", "标准误的自由度", "degrees of freedom of the standard error", unit="", low=0),
    "ci_low": _number("置信下限", "lower limit", "置信区间下限", "lower confidence limit", unit=SHARE_OR_POINTS),
    "ci_high": _number("置信上限", "upper limit", "置信区间上限", "upper confidence limit", unit=SHARE_OR_POINTS),
    "cv": _number("变异系数", "cv", "标准误与估计值之比", "standard error over estimate", unit="1", low=0),
    "deff": _number("设计效应", "deff", "相对于简单随机抽样的方差比", "variance over that of simple random sampling", unit="1", low=0),
    "n": _count("有效样本", "n", "有效回答人数", "valid answers", unit="人 persons"),
    "note": _text("说明", "note", "没有数值或区间特殊时的原因", "why there is no figure, or a special interval"),
    "selection": _text(
        "抽样方式", "selection", "样本如何产生", "how the sample was selected", allowed=("probability", "quota", "open_link")
    ),
    "mark": _text("标注", "mark", "必须随数据说明的事项；空为无", "what must be said of the data; empty: nothing"),
    "rank": _count("名次", "rank", "名次；须与名次范围、状态一起使用", "rank; to be used with its sets and status only", unit=PLACE, low=1),
    "rank_unrounded": _count("未取整名次", "unrounded rank", "得分不取整时的名次", "rank of the unrounded scores", unit=PLACE, low=1),
    "marginal_low": _count("单看名次下界", "set from", "单看该单位的名次范围，起", "rank set for this unit by itself, from", unit=PLACE, low=1),
    "marginal_high": _count("单看名次上界", "set to", "单看该单位的名次范围，止", "rank set for this unit by itself, to", unit=PLACE, low=1),
    "simultaneous_low": _count(
        "同时名次下界", "joint set from", "全表同时成立的名次范围，起", "rank set for the whole table at once, from", unit=PLACE, low=1
    ),
    "simultaneous_high": _count(
        "同时名次上界", "joint set to", "全表同时成立的名次范围，止", "rank set for the whole table at once, to", unit=PLACE, low=1
    ),
    "side": _text("名单一端", "side", "名单取末位还是首位", "which end is listed", allowed=("last", "first")),
    "listed": _text("列入名单", "listed", "是否在名单上；并列于分界为 tied", "on the list; tied: at its cut", allowed=("yes", "no", "tied")),
    "status": _text(
        "状态代号", "status", "检验结论：已确认、不能确定、已排除、不排名", "what the tests say", allowed=MEMBERSHIP, filled=True
    ),
    "status_zh": _text("状态", "status in Chinese", "状态的中文", "the status in Chinese"),
    "p_in": _probability("属于的p值", "p in", "小则确认属于名单", "small: established on the list"),
    "p_out": _probability("不属于的p值", "p out", "小则排除属于名单", "small: excluded from the list"),
    "p_in_adjusted": _probability("属于的p值（校正）", "p in, adjusted", "多重比较校正后", "adjusted over the table"),
    "p_out_adjusted": _probability("不属于的p值（校正）", "p out, adjusted", "多重比较校正后", "adjusted over the table"),
    "probability_bottom": _probability("属于名单的概率", "P(list)", "模型估计，真属于名单一端的概率", "under the model: truly at the listed end"),
    "expected_rank": _number("期望名次", "expected rank", "模型估计的期望名次", "expected rank under the model", unit=PLACE, low=1),
    "reliability": _probability("信度", "reliability", "单位间方差占总方差的份额", "variance between units over the total"),
    "within": _text("上级代码", "within", "在哪个上级地区内排名", "ranked within this larger area", filled=True),
    "within_zh": _text("上级地区", "within, Chinese", "上级地区中文名", "Chinese name of the larger area"),
    "within_en": _text("上级地区英文名", "within, English", "上级地区英文名", "English name of the larger area"),
    "of": _count("排名单位数", "of", "参加该排名的单位数", "units of that ranking", unit="个 units"),
    "probability_first": _probability("居首概率", "P(first)", "模型估计，真居首位的概率", "truly first, under the model"),
    "probability_last": _probability("居末概率", "P(last)", "模型估计，真居末位的概率", "truly last, under the model"),
    "target": _text("目标（英文）", "target", "规则设定的目标", "target set by the rules", filled=True),
    "target_zh": _text("目标", "target in Chinese", "目标的中文", "the target in Chinese"),
    "verdict": _text(
        "结论代号",
        "verdict",
        "目标是否达到",
        "whether the target is met",
        allowed=("met", "not met", "not decidable", "not ranked"),
        filled=True,
    ),
    "verdict_zh": _text("结论", "verdict in Chinese", "结论的中文", "the verdict in Chinese"),
    "p_met": _probability("达到的p值", "p met", "小则确认达到", "small: met"),
    "p_not_met": _probability("未达到的p值", "p not met", "小则确认未达到", "small: not met"),
    "probability": _probability("达到的概率", "probability", "模型估计，真达到的概率", "truly met, under the model"),
    "basis": _text("依据（英文）", "basis", "目标按什么计", "what the target is counted in"),
    "basis_zh": _text("依据", "basis in Chinese", "依据的中文", "the basis in Chinese"),
    "source": _text("规则出处", "source", "规则的出处", "source of the rule"),
    "threshold": _number("界限", "threshold", "规则设定的界限", "threshold set by the rules", unit=SHARE_OR_POINTS, low=0, high=100),
    "p_below": _probability("低于的p值", "p below", "小则确认低于界限", "small: established below"),
    "p_not_below": _probability("不低于的p值", "p not below", "小则排除低于界限", "small: excluded below"),
    "p_below_adjusted": _probability("低于的p值（校正）", "p below, adjusted", "多重比较校正后", "adjusted over the table"),
    "p_not_below_adjusted": _probability("不低于的p值（校正）", "p not below, adjusted", "多重比较校正后", "adjusted over the table"),
    "consequence_zh": _text("后果", "consequence in Chinese", "低于界限的后果", "what follows from lying below"),
    "consequence_en": _text("后果（英文）", "consequence", "低于界限的后果", "what follows from lying below"),
    "listed_in_a_row": _count("连续列入期数", "listed in a row", "连续几期在名单上，含本期", "waves on the list in a row, this one too", unit="期 waves"),
    "tied_waves": _count("其中并列期数", "tied waves", "其中只是并列于分界的期数", "of them, tied at the cut only", unit="期 waves"),
    "step_zh": _text("措施", "step in Chinese", "随之而来的措施", "the step that follows"),
    "step_en": _text("措施（英文）", "step", "随之而来的措施", "the step that follows"),
    "covariance": _number("协方差", "covariance", "两地区估计值的抽样协方差", "sampling covariance of two estimates", unit="单位的平方 unit squared"),
    "zh": _text("说法", "sentence in Chinese", "可以怎样说，中文", "what may be said, in Chinese", filled=True),
    "en": _text("说法（英文）", "sentence", "可以怎样说，英文", "what may be said, in English", filled=True),
}  # fmt: skip


def with_chinese_headings(table: pd.DataFrame) -> pd.DataFrame:
    """Return a published table under its Chinese headings."""
    return table.rename(columns={name: COLUMNS[name].zh for name in table})


def typed(texts: pd.DataFrame) -> pd.DataFrame:
    """Return a published table, read as text, with its types: numbers as float, counts and ranks as Int64, codes as text."""
    table = texts.copy()
    for name in texts:
        if name not in COLUMNS or COLUMNS[name].type == "string":
            continue
        filled = texts[name].where(texts[name] != "")
        numbers = pd.to_numeric(filled, errors="raise").astype(float)
        # ranks that a rule makes fractional stay floating
        if COLUMNS[name].type == "integer" and (numbers.dropna() % 1 == 0).all():
            numbers = numbers.astype("Int64")
        table[name] = numbers
    return table


def dictionary_table(names: Iterable[str]) -> pd.DataFrame:
    """Return one row a column: column, zh, en, type, unit, meaning_zh, meaning_en."""
    rows = []
    for name in names:
        column = COLUMNS[name]
        row = {"column": name, "zh": column.zh, "en": column.en}
        row |= {"type": column.type, "unit": column.unit}
        rows.append(row | {"meaning_zh": column.meaning.zh, "meaning_en": column.meaning.en})
    return pd.DataFrame(rows)
