"""Short names of the checks, what each needs, and how its figures are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pandas as pd

from ..errors import SatisfactionError

Unit = Literal["share", "seconds", "count", "number"]

QUOTA = ("survey.yaml 的 quota", "`quota` in survey.yaml")
OUTCOMES = ("survey.yaml 的 outcomes 及全部样本的结果", "`outcomes` in survey.yaml and the outcome of every case")
DURATION = ("访问时长列", "a column of durations")
STARTED = ("开始时间列", "a column of starting times")
TIMES = ("开始与结束时间列", "columns of starting and ending times")
BY_INTERVIEWER = ("访问员列", "a column of interviewers")
DAYS = ("访问日期与访问员列", "columns of interview days and interviewers")
TOPICS = ("问卷的 topics", "`topics` in the questionnaire")
EFFECT = ("访问员列与问卷的 topics", "a column of interviewers, and `topics` in the questionnaire")
BACK = ("survey.yaml 的 fieldwork: backcheck（回访记录）", "`fieldwork: backcheck` in survey.yaml (re-interviews)")
MODES = ("survey.yaml 的 fieldwork: modes（访问方式）", "`fieldwork: modes` in survey.yaml (modes of interview)")
WAVES = ("survey.yaml 的 fieldwork: earlier（上期调查）", "`fieldwork: earlier` in survey.yaml (the wave before)")
RATES = ("问卷的知晓率与参与率", "rates `awareness` and `participation` in the questionnaire")
NUMBER = ("受访者编号", "numbers of respondents")
# check -> its short name in Chinese and English, what its figures are, and what it needs
NAMES: dict[str, tuple[str, str, Unit, tuple[str, str]]] = {
    "quota": ("配额进度", "quota", "share", QUOTA),
    "outside_quota": ("配额外单元", "outside the quota", "share", QUOTA),
    "response_rate": ("应答率", "response rate", "share", OUTCOMES),
    "speed": ("访问过快", "too fast", "seconds", DURATION),
    "reversed_times": ("时间倒置", "reversed times", "seconds", TIMES),
    "overlap": ("时间重叠", "overlap", "seconds", TIMES),
    "odd_hours": ("时段异常", "odd hours", "number", STARTED),
    "many_a_day": ("一日份数", "interviews in a day", "count", DAYS),
    "straight_line": ("一路同答", "straight-lining", "share", TOPICS),
    "little_variance": ("答案少变化", "little variance", "share", TOPICS),
    "no_answer": ("漏答", "no answer", "share", BY_INTERVIEWER),
    "dont_know": ("说不清", "don't know", "share", BY_INTERVIEWER),
    "near_duplicate": ("近似重复", "near duplicate", "share", NUMBER),
    "duplicate_id": ("编号重复", "number twice", "count", NUMBER),
    "shared_device": ("同一设备", "one device", "count", ("设备列", "a column of devices")),
    "shared_ip": ("同一网络地址", "one network address", "count", ("网络地址列", "a column of network addresses")),
    "interviewer_effect": ("访问员效应", "interviewer effect", "number", EFFECT),
    "interviewer_mean": ("访问员均值", "interviewer's mean", "number", EFFECT),
    "back_check": ("回访不一致率", "back-check disagreement", "share", BACK),
    "back_check_lost": ("回访编号不符", "back-check lost", "number", BACK),
    "mode_gap": ("方式差距", "mode gap", "number", MODES),
    "top_box": ("全答最高", "all top answers", "share", TOPICS),
    "knowledge_ceiling": ("知晓封顶", "knowledge ceiling", "share", RATES),
    "jump": ("较上期突变", "jump", "number", WAVES),
}  # fmt: skip
LEVELS = {
    "respondent": ("受访者", "respondents"), "interviewer": ("访问员", "interviewers"), "county": ("县", "counties"), "cell": ("配额单元", "cells"),
    "day": ("访问员·日", "interviewer-days"), "device": ("设备", "devices"), "ip": ("网络地址", "network addresses"), "item": ("题目", "items"),
}  # fmt: skip


def written(check: str, value: float, level: str = "") -> str:
    """Write a figure of a check: shares in per cent, the others as they are; a dash where there is none.

    >>> written("back_check", 1 / 6, "interviewer"), written("back_check", 0.45, "item")
    ('16.7 %', 'kappa 0.45')
    """
    if pd.isna(value):
        return "–"
    if (check, level) == ("back_check", "item"):
        return f"kappa {value:.3g}"
    unit = NAMES[check][2]
    if unit == "share":
        return f"{100 * value:.1f} %"
    return f"{value:,.0f}" if unit in ("seconds", "count") else f"{value:.3g}"


def left_out(ran: set[str], reasons: Mapping[str, SatisfactionError]) -> pd.DataFrame:
    """List the checks that did not run and what they need, or why they could not: check, zh, en, needs_zh, needs_en."""
    done = ran | ({"outside_quota"} if "quota" in ran else set()) | ({"back_check_lost"} if "back_check" in ran else set())
    done -= set(reasons)
    told = {check: (f"[{one.code}] {one.zh}", f"[{one.code}] {one.en}") for check, one in reasons.items()}
    rows = [(check, zh, en, *told.get(check, needs)) for check, (zh, en, _, needs) in NAMES.items() if check not in done]
    return pd.DataFrame(rows, columns=["check", "zh", "en", "needs_zh", "needs_en"])
