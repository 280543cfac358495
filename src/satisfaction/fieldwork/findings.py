"""Findings: what every check returns and says in both languages, which columns it reads, where it draws its lines.

A flag is a reason to look, never a verdict: no check deletes or changes a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation.language import Text
from satisfaction.foundation.errors import ResponsesError

Array = np.ndarray[Any, Any]
# fmt: off
COLUMNS = (
    "check", "level", "unit", "county", "n", "figure", "median", "q1", "q3", "p_bh", "flag", "zh", "en",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Check:
    """What is said of a check.

    Attributes
    ----------
    name : Text
        Short name.
    unit : {"share", "seconds", "count", "number"}
        How its figures are written.
    needs : Text
        What must be declared or recorded for it to run.
    figure : Text
        What its figures are.
    advice : Text
        What to do where it is flagged.
    """

    name: Text
    unit: Literal["share", "seconds", "count", "number"]
    needs: Text
    figure: Text
    advice: Text


_QUOTA = Text("survey.yaml 的 quota", "`quota` in survey.yaml")
_OUTCOMES = Text(
    "survey.yaml 的 outcomes 及全部样本的结果",
    "`outcomes` in survey.yaml and the outcome of every case",
)
_DURATION = Text("访问时长列", "a column of durations")
_STARTED = Text("开始时间列", "a column of starting times")
_TIMES = Text("开始与结束时间列", "columns of starting and ending times")
_BY_INTERVIEWER = Text("访问员列", "a column of interviewers")
_DAYS = Text("访问日期与访问员列", "columns of interview days and interviewers")
_TOPICS = Text("问卷的 topics", "`topics` in the questionnaire")
_EFFECT = Text(
    "访问员列与问卷的 topics", "a column of interviewers, and `topics` in the questionnaire"
)
_BACK = Text(
    "survey.yaml 的 fieldwork: backcheck（回访记录）",
    "`fieldwork: backcheck` in survey.yaml (re-interviews)",
)
_MODES = Text(
    "survey.yaml 的 fieldwork: modes（访问方式）",
    "`fieldwork: modes` in survey.yaml (modes of interview)",
)
_WAVES = Text(
    "survey.yaml 的 fieldwork: earlier（上期调查）",
    "`fieldwork: earlier` in survey.yaml (the wave before)",
)
_RATES = Text("问卷的知晓率与参与率", "rates `awareness` and `participation` in the questionnaire")
_NUMBER = Text("受访者编号", "numbers of respondents")
CHECKS: dict[str, Check] = {
    "quota": Check(
        name=Text("配额进度", "quota"), unit="share", needs=_QUOTA,
        figure=Text("完成比例（接受/到今日应完成）", "interviews accepted / due by today"),
        advice=Text("进度落后：与该组核对样本发放、人手与接触时段", "behind: check sample release, staff and hours of contact with the team"),
    ),
    "outside_quota": Check(
        name=Text("配额外单元", "outside the quota"), unit="share", needs=_QUOTA,
        figure=Text("不在配额表中的单元", "cell that the quota table does not have"),
        advice=Text("核对该单元的地区与类别编码，或补入配额表", "check the codes of this cell, or add it to the quota table"),
    ),
    "response_rate": Check(
        name=Text("应答率", "response rate"), unit="share", needs=_OUTCOMES,
        figure=Text("应答率 RR1 与其他单位相比", "response rate RR1 beside the other units"),
        advice=Text("核对结果代码的使用与回访次数", "check how outcome codes are used and how often persons are called back"),
    ),
    "speed": Check(
        name=Text("访问过快", "too fast"), unit="seconds", needs=_DURATION,
        figure=Text("访问时长（秒）", "duration of the interview (seconds)"),
        advice=Text("过快：听录音或回访，核对是否逐题念读", "too fast: listen to the recording or call back; were all questions read?"),
    ),
    "reversed_times": Check(
        name=Text("时间倒置", "reversed times"), unit="seconds", needs=_TIMES,
        figure=Text("结束减开始（秒）", "end minus start (seconds)"),
        advice=Text("结束不晚于开始：核对设备时钟与录入", "ends no later than it starts: check the device's clock and the entry"),
    ),
    "overlap": Check(
        name=Text("时间重叠", "overlap"), unit="seconds", needs=_TIMES,
        figure=Text("与同一访问员另一份访问重叠的秒数", "seconds shared with another interview of the same interviewer"),
        advice=Text("同一访问员同时进行两份访问：核对录音、位置与访问员编号", "one interviewer in two interviews at once: check recordings, places and the interviewer's code"),
    ),
    "odd_hours": Check(
        name=Text("时段异常", "odd hours"), unit="number", needs=_STARTED,
        figure=Text("开始时刻（时）", "hour at which it starts"),
        advice=Text("不在允许时段：核对时钟、时区与访问经过", "outside the hours allowed: check the clock, the time zone and the interview"),
    ),
    "many_a_day": Check(
        name=Text("一日份数", "interviews in a day"), unit="count", needs=_DAYS,
        figure=Text("访问员一日完成份数", "interviews of an interviewer in a day"),
        advice=Text("一日份数过多：抽听录音、回访", "too many for one day: listen to recordings, call back"),
    ),
    "straight_line": Check(
        name=Text("一路同答", "straight-lining"), unit="share", needs=_TOPICS,
        figure=Text("最长连续相同答案/题数（受访者）；全部答案相同者的比例（访问员、县）", "longest run of equal answers / items (respondent); share with all answers equal (interviewer, county)"),
        advice=Text("一路同答：抽听录音，核对是否逐题询问", "straight-lining: listen to recordings; was each item asked?"),
    ),
    "little_variance": Check(
        name=Text("答案少变化", "little variance"), unit="share", needs=_TOPICS,
        figure=Text("答案的方差（占可能最大方差的比例）", "variance of the answers (share of the largest possible)"),
        advice=Text("答案过于一致：抽取回访复核", "answers too much alike: draw a back-check"),
    ),
    "no_answer": Check(
        name=Text("漏答", "no answer"), unit="share", needs=_BY_INTERVIEWER,
        figure=Text("应答而未答的题次比例", "share of items asked and left without an answer"),
        advice=Text("漏答偏多：核对跳答与录入，提醒访问员", "many blanks: check skips and entry, remind the interviewer"),
    ),
    "dont_know": Check(
        name=Text("说不清", "don't know"), unit="share", needs=_BY_INTERVIEWER,
        figure=Text("答“说不清”的题次比例", "share of items answered don't know"),
        advice=Text("“说不清”偏多：核对是否追问、是否代答", "many don't-knows: was there probing, was it a proxy?"),
    ),
    "near_duplicate": Check(
        name=Text("近似重复", "near duplicate"), unit="share", needs=_NUMBER,
        figure=Text("与同县另一份最高的相同答案比例（受访者）；达到该比例者所占比例（县）", "highest share of answers equal to another of the county (respondent); share who reach the mark (county)"),
        advice=Text("与另一份几乎相同：比对两份的时间、录音与设备", "almost the same as another: compare times, recordings and devices of both"),
    ),
    "duplicate_id": Check(
        name=Text("编号重复", "number twice"), unit="count", needs=_NUMBER,
        figure=Text("编号出现次数", "times the number stands"),
        advice=Text("编号重复：确认哪一份有效，更正另一份的编号", "a number stands more than once: settle which is valid, correct the other"),
    ),
    "shared_device": Check(
        name=Text("同一设备", "one device"), unit="count", needs=Text("设备列", "a column of devices"),
        figure=Text("同一设备的份数", "interviews from one device"),
        advice=Text("同一设备份数过多：核对是否代填", "many from one device: were they filled in by someone else?"),
    ),
    "shared_ip": Check(
        name=Text("同一网络地址", "one network address"), unit="count", needs=Text("网络地址列", "a column of network addresses"),
        figure=Text("同一网络地址（散列值）的份数", "interviews from one network address (hashed)"),
        advice=Text("同一网络地址份数过多：核对是否集中填答", "many from one address: were answers collected in one place?"),
    ),
    "interviewer_effect": Check(
        name=Text("访问员效应", "interviewer effect"), unit="number", needs=_EFFECT,
        figure=Text("访问员组内相关系数", "intraclass correlation of interviewers"),
        advice=Text("同一访问员的答案彼此过于相似：培训该题的问法", "answers to one interviewer are too much alike: train how this item is asked"),
    ),
    "interviewer_mean": Check(
        name=Text("访问员均值", "interviewer's mean"), unit="number", needs=_EFFECT,
        figure=Text("访问员的平均值", "mean of the interviewer"),
        advice=Text("与同县其他访问员相差过大：抽听录音、回访", "far from the others of the county: listen to recordings, call back"),
    ),
    "back_check": Check(
        name=Text("回访不一致率", "back-check disagreement"), unit="share", needs=_BACK,
        figure=Text("回访与原答案不同的比例（访问员）；kappa（题目）", "share of back-checked answers that differ (interviewer); kappa (item)"),
        advice=Text("回访不一致：核对该访问员全部问卷；题目则检查措辞", "back-check disagrees: review the interviewer's work; for an item, its wording"),
    ),
    "back_check_lost": Check(
        name=Text("回访编号不符", "back-check lost"), unit="number", needs=_BACK,
        figure=Text("回访编号不在已接受的问卷中", "back-checked number that no accepted interview has"),
        advice=Text("核对回访记录的编号，或该问卷为何被拒收", "check the number, or why that interview was rejected"),
    ),
    "mode_gap": Check(
        name=Text("方式差距", "mode gap"), unit="number", needs=_MODES,
        figure=Text("两种访问方式的均值之差", "difference between the means of two modes"),
        advice=Text("方式差距大于他县：核对入户访问是否有人陪同", "a gap larger than elsewhere: were face-to-face interviews accompanied?"),
    ),
    "top_box": Check(
        name=Text("全答最高", "all top answers"), unit="share", needs=_TOPICS,
        figure=Text("全部题目答最高一级者的比例", "share who give the highest answer to every item"),
        advice=Text("满分偏多：异地交叉回访，查有无“标准答案”", "many perfect scores: back-check by another county's team; look for model answers"),
    ),
    "knowledge_ceiling": Check(
        name=Text("知晓封顶", "knowledge ceiling"), unit="share", needs=_RATES,
        figure=Text("知晓减参与（比例之差）", "awareness minus participation (difference of shares)"),
        advice=Text("知晓近满而参与低：查有无事先背诵", "awareness near the ceiling, participation low: was it learnt by heart?"),
    ),
    "jump": Check(
        name=Text("较上期突变", "jump"), unit="number", needs=_WAVES,
        figure=Text("较上期的变化", "change since the last wave"),
        advice=Text("变化大于他县且超出抽样误差：先核对执行，再解释结果", "a change beyond the others' and beyond sampling error: check fieldwork before explaining it"),
    ),
}  # fmt: skip
LEVELS = {
    "respondent": Text("受访者", "respondents"),
    "interviewer": Text("访问员", "interviewers"),
    "county": Text("县", "counties"),
    "cell": Text("配额单元", "cells"),
    "day": Text("访问员·日", "interviewer-days"),
    "device": Text("设备", "devices"),
    "ip": Text("网络地址", "network addresses"),
    "item": Text("题目", "items"),
}


@dataclass(frozen=True, slots=True)
class Fields:
    """Which columns of the respondents hold what; None where it was not recorded.

    Attributes
    ----------
    respondent : str
    county, interviewer, mode : str
        Area, interviewer and mode of interview, as codes.
    day : str
        Day of the interview, ISO text.
    started, ended : str
        Local clock times; an offset ("+08:00") is dropped.
    duration : str
        Seconds.
    device, ip : str
        Device codes; network addresses only as hashes.
    """

    respondent: str
    county: str | None = None
    interviewer: str | None = None
    mode: str | None = None
    day: str | None = None
    started: str | None = None
    ended: str | None = None
    duration: str | None = None
    device: str | None = None
    ip: str | None = None

    def column(self, rows: pd.DataFrame, field: str) -> pd.Series[Any]:
        """Return the column of a field.

        Raises
        ------
        ResponsesError
            R401 when the field is not declared, or its column is not there.
        """
        name = getattr(self, field)
        require(rows, [f"<{field}>"] if name is None else [name])
        return rows[name]

    def codes(self, rows: pd.DataFrame, field: str, *, needed: bool = False) -> pd.Series[Any]:
        """Return a field as text, "" where missing; all "" where the field is not declared and not needed either."""
        if getattr(self, field) is None and not needed:
            return pd.Series("", index=rows.index, dtype=object)
        column = self.column(rows, field)
        return column.astype(object).where(column.notna(), "").map(str)


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the checks draw their lines; printed in every workbook.

    Attributes
    ----------
    false_discovery : float
        Benjamini-Hochberg level of every check that tests units.
    respondent_rate : float
        Share of respondents of a clean county that a comparison with other counties may flag, at most.
    tolerated_rho : float
        Intraclass correlation that interviewers may have (0.02: the lower end of what field reports show).
    speed : float
        Durations below this share of the median of their mode.
    first_hour, last_hour : int
        Interviews start from first_hour:00 to before last_hour:00.
    match : float
        Share of equal answers from which a county's near duplicates are counted (Kuriakose and Robbins 2016).
    kappa : float
        Least kappa of a back-checked item.
    progress : float
        Least share of the interviews due by today.
    """

    false_discovery: float = 0.05
    respondent_rate: float = 0.01
    tolerated_rho: float = 0.02
    speed: float = 1 / 3
    first_hour: int = 8
    last_hour: int = 21
    match: float = 0.85
    kappa: float = 0.4
    progress: float = 0.8


USUAL = Limits()


def declared_fields(questionnaire: Questionnaire) -> Fields:
    """Return the fields that a questionnaire's roles declare; paradata are added with `dataclasses.replace`."""
    roles = questionnaire.roles
    return Fields(
        roles.respondent, county=roles.area, interviewer=roles.interviewer, day=roles.interview_date
    )


def require(rows: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse columns that are not there.

    Raises
    ------
    ResponsesError
        R401.
    """
    for name in columns:
        if name not in rows:
            raise ResponsesError(
                "R401",
                f"实施检查需要的列 '{name}' 不存在。",
                f"A fieldwork check needs column '{name}', which is not there.",
                where="fieldwork",
                available=rows.columns,
                got=name,
                hint=(
                    "补上该列，或在 Fields 中改正列名。",
                    "Add the column, or correct its name in Fields.",
                ),
            )


def findings(
    check: str,
    level: str,
    *,
    unit: Any,
    county: Any,
    n: Any,
    figure: Any,
    reference: Any,
    flag: Any,
    p_bh: Any = np.nan,
) -> pd.DataFrame:
    """Arrange the findings of a check as COLUMNS; advice stands where a unit is flagged.

    Parameters
    ----------
    check : str
        One of CHECKS.
    level : str
        Kind of unit: respondent, interviewer, county, cell, day, device, item.
    unit, county, n, figure, flag, p_bh : (U,) or scalar
    reference : (3, U) float
        Median and quartiles of what the figure is compared with.
    """
    raised = np.asarray(flag, dtype=bool)
    advice = CHECKS[check].advice
    median, q1, q3 = np.broadcast_to(np.asarray(reference, float), (3, len(raised)))
    columns = {
        "check": check,
        "level": level,
        "unit": np.asarray(unit, dtype=object).astype(str),
        "county": county,
        "n": n,
        "figure": figure,
        "median": median,
        "q1": q1,
        "q3": q3,
        "p_bh": p_bh,
        "flag": raised,
        "zh": np.where(raised, advice.zh, ""),
        "en": np.where(raised, advice.en, ""),
    }
    # arrays, because a Series would be matched by its index
    arrays = {}
    for name, values in columns.items():
        arrays[name] = np.broadcast_to(np.asarray(values), raised.shape)
    return pd.DataFrame(arrays)


def no_findings() -> pd.DataFrame:
    """Return a table of findings without a row."""
    none = np.empty((3, 0))
    return findings(
        "speed", "respondent", unit=[], county=[], n=[], figure=[], reference=none, flag=[]
    )


def written(check: str, value: float, level: str = "") -> str:
    """Write a figure of a check: shares in per cent, the others as they are; a dash where there is none.

    >>> written("back_check", 1 / 6, "interviewer"), written("back_check", 0.45, "item")
    ('16.7 %', 'kappa 0.45')
    """
    if pd.isna(value):
        return "–"
    if (check, level) == ("back_check", "item"):
        return f"kappa {value:.3g}"
    unit = CHECKS[check].unit
    if unit == "share":
        return f"{100 * value:.1f} %"
    if unit in ("seconds", "count"):
        return f"{value:,.0f}"
    return f"{value:.3g}"
