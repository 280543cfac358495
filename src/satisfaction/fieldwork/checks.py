"""What every check returns, what it says in both languages, which columns it reads and where it draws its lines.

A flag is a reason to look, never a verdict: no check deletes or changes a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation.errors import ResponsesError

Array = np.ndarray[Any, Any]
COLUMNS = (
    "check",
    "level",
    "unit",
    "county",
    "n",
    "figure",
    "median",
    "q1",
    "q3",
    "p_bh",
    "flag",
    "zh",
    "en",
)

# check -> what the figure is, and what to do where it is flagged, each in Chinese and English
CHECKS: dict[str, tuple[str, str, str, str]] = {
    "quota": (
        "完成比例（接受/到今日应完成）", "interviews accepted / due by today",
        "进度落后：与该组核对样本发放、人手与接触时段", "behind: check sample release, staff and hours of contact with the team",
    ),
    "outside_quota": (
        "不在配额表中的单元", "cell that the quota table does not have",
        "核对该单元的地区与类别编码，或补入配额表", "check the codes of this cell, or add it to the quota table",
    ),
    "response_rate": (
        "应答率 RR1 与其他单位相比", "response rate RR1 beside the other units",
        "核对结果代码的使用与回访次数", "check how outcome codes are used and how often persons are called back",
    ),
    "speed": (
        "访问时长（秒）", "duration of the interview (seconds)",
        "过快：听录音或回访，核对是否逐题念读", "too fast: listen to the recording or call back; were all questions read?",
    ),
    "reversed_times": (
        "结束减开始（秒）", "end minus start (seconds)",
        "结束不晚于开始：核对设备时钟与录入", "ends no later than it starts: check the device's clock and the entry",
    ),
    "overlap": (
        "与同一访问员另一份访问重叠的秒数", "seconds shared with another interview of the same interviewer",
        "同一访问员同时进行两份访问：核对录音、位置与访问员编号", "one interviewer in two interviews at once: check recordings, places and the interviewer's code",
    ),
    "odd_hours": (
        "开始时刻（时）", "hour at which it starts",
        "不在允许时段：核对时钟、时区与访问经过", "outside the hours allowed: check the clock, the time zone and the interview",
    ),
    "many_a_day": (
        "访问员一日完成份数", "interviews of an interviewer in a day",
        "一日份数过多：抽听录音、回访", "too many for one day: listen to recordings, call back",
    ),
    "straight_line": (
        "最长连续相同答案/题数（受访者）；全部答案相同者的比例（访问员、县）",
        "longest run of equal answers / items (respondent); share with all answers equal (interviewer, county)",
        "一路同答：抽听录音，核对是否逐题询问", "straight-lining: listen to recordings; was each item asked?",
    ),
    "little_variance": (
        "答案的方差（占可能最大方差的比例）", "variance of the answers (share of the largest possible)",
        "答案过于一致：抽取回访复核", "answers too much alike: draw a back-check",
    ),
    "no_answer": (
        "应答而未答的题次比例", "share of items asked and left without an answer",
        "漏答偏多：核对跳答与录入，提醒访问员", "many blanks: check skips and entry, remind the interviewer",
    ),
    "dont_know": (
        "答“说不清”的题次比例", "share of items answered don't know",
        "“说不清”偏多：核对是否追问、是否代答", "many don't-knows: was there probing, was it a proxy?",
    ),
    "near_duplicate": (
        "与同县另一份最高的相同答案比例（受访者）；达到该比例者所占比例（县）",
        "highest share of answers equal to another of the county (respondent); share who reach the mark (county)",
        "与另一份几乎相同：比对两份的时间、录音与设备", "almost the same as another: compare times, recordings and devices of both",
    ),
    "duplicate_id": (
        "编号出现次数", "times the number stands",
        "编号重复：确认哪一份有效，更正另一份的编号", "a number stands more than once: settle which is valid, correct the other",
    ),
    "shared_device": (
        "同一设备的份数", "interviews from one device",
        "同一设备份数过多：核对是否代填", "many from one device: were they filled in by someone else?",
    ),
    "shared_ip": (
        "同一网络地址（散列值）的份数", "interviews from one network address (hashed)",
        "同一网络地址份数过多：核对是否集中填答", "many from one address: were answers collected in one place?",
    ),
    "interviewer_effect": (
        "访问员组内相关系数", "intraclass correlation of interviewers",
        "同一访问员的答案彼此过于相似：培训该题的问法", "answers to one interviewer are too much alike: train how this item is asked",
    ),
    "interviewer_mean": (
        "访问员的平均值", "mean of the interviewer",
        "与同县其他访问员相差过大：抽听录音、回访", "far from the others of the county: listen to recordings, call back",
    ),
    "back_check": (
        "回访与原答案不同的比例（访问员）；kappa（题目）", "share of back-checked answers that differ (interviewer); kappa (item)",
        "回访不一致：核对该访问员全部问卷；题目则检查措辞", "back-check disagrees: review the interviewer's work; for an item, its wording",
    ),
    "back_check_lost": (
        "回访编号不在已接受的问卷中", "back-checked number that no accepted interview has",
        "核对回访记录的编号，或该问卷为何被拒收", "check the number, or why that interview was rejected",
    ),
    "mode_gap": (
        "两种访问方式的均值之差", "difference between the means of two modes",
        "方式差距大于他县：核对入户访问是否有人陪同", "a gap larger than elsewhere: were face-to-face interviews accompanied?",
    ),
    "top_box": (
        "全部题目答最高一级者的比例", "share who give the highest answer to every item",
        "满分偏多：异地交叉回访，查有无“标准答案”", "many perfect scores: back-check by another county's team; look for model answers",
    ),
    "knowledge_ceiling": (
        "知晓减参与（比例之差）", "awareness minus participation (difference of shares)",
        "知晓近满而参与低：查有无事先背诵", "awareness near the ceiling, participation low: was it learnt by heart?",
    ),
    "jump": (
        "较上期的变化", "change since the last wave",
        "变化大于他县且超出抽样误差：先核对执行，再解释结果", "a change beyond the others' and beyond sampling error: check fieldwork before explaining it",
    ),
}  # fmt: skip


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
    _, _, zh, en = CHECKS[check]
    raised = np.asarray(flag, dtype=bool)
    median, q1, q3 = np.broadcast_to(np.asarray(reference, float), (3, len(raised)))
    columns = {
        "check": check,
        "level": level,
        "unit": np.asarray(unit, dtype=object).astype(str),
        "county": county,
        "n": n,
    }
    columns |= {
        "figure": figure,
        "median": median,
        "q1": q1,
        "q3": q3,
        "p_bh": p_bh,
        "flag": raised,
    }
    columns |= {"zh": np.where(raised, zh, ""), "en": np.where(raised, en, "")}
    # arrays, because a Series would be matched by its index
    return pd.DataFrame(
        {
            name: np.broadcast_to(np.asarray(values), raised.shape)
            for name, values in columns.items()
        }
    )


def no_findings() -> pd.DataFrame:
    """Return a table of findings without a row."""
    return findings(
        "speed",
        "respondent",
        unit=[],
        county=[],
        n=[],
        figure=[],
        reference=np.empty((3, 0)),
        flag=[],
    )
