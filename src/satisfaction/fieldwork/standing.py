"""How a survey's fieldwork stands on a day: what was recorded, every check it allows, and the checks it does not.

The checks that compare the interviews with something beside them: re-interviews, another mode, the wave before.

Short names of the checks, what each needs, and how its figures are written.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from satisfaction.collection.coding import code_answers
from satisfaction.collection.responses import Responses, load_responses
from satisfaction.declarations.survey import Survey, read_survey
from satisfaction.estimation.change import change
from satisfaction.estimation.result import Estimates
from satisfaction.fieldwork.answers import points
from satisfaction.fieldwork.backcheck import back_check
from satisfaction.fieldwork.checks import COLUMNS, USUAL, Fields, Limits, declared_fields
from satisfaction.fieldwork.coaching import jumps, mode_gap
from satisfaction.fieldwork.daily import run_checks
from satisfaction.fieldwork.dispositions import Dispositions, dispositions, response_rates
from satisfaction.fieldwork.progress import progress, quota_progress
from satisfaction.fieldwork.timing import moments, reversed_times
from satisfaction.foundation.errors import ResponsesError, SatisfactionError
from satisfaction.pipeline import base_design, estimate_areas, weigh
from satisfaction.ranking.waves import comparability, require_comparable

MEAN = "_topics"


def back_checks(
    survey: Survey, rows: pd.DataFrame, *, fields: Fields, limits: Limits
) -> pd.DataFrame:
    """Compare the declared re-interviews with the first interviews; see `fieldwork.back_check`."""
    declared, again, questionnaire = (
        survey.declared.fieldwork.backcheck,
        survey.backcheck,
        survey.questionnaire,
    )
    assert declared is not None
    assert again is not None
    text = pd.DataFrame(
        "", index=again.index, columns=list(questionnaire.items), dtype=object
    ).assign(**dict(again.items()))
    coded = code_answers(text, survey).table
    return back_check(rows, coded, declared.items, fields=fields, limits=limits)


def mode_gaps(
    survey: Survey, rows: pd.DataFrame, *, fields: Fields, limits: Limits
) -> pd.DataFrame:
    """Compare the gap between the declared modes in every county; the figure is the mean score of the topics, 0-100."""
    modes, topics = survey.declared.fieldwork.modes, survey.questionnaire.topics
    assert modes is not None
    mean = pd.DataFrame(points(rows, survey.questionnaire, topics)).mean(axis=1)
    first, second = map(str, modes.compared)
    return mode_gap(
        rows.assign(**{MEAN: mean}), MEAN, modes=(first, second), fields=fields, limits=limits
    )


def jumps_since(survey: Survey, responses: Responses, *, limits: Limits) -> pd.DataFrame:
    """Compare the ranked measure's change since the declared earlier wave with the other areas'; weights as declared.

    Raises
    ------
    SatisfactionError
        Where either wave cannot be estimated (yet), or the two may not be compared.
    """
    earlier = read_survey(survey.folder / str(survey.declared.fieldwork.earlier))
    measure = survey.questionnaire.ranked
    require_comparable(comparability(survey.questionnaire, earlier.questionnaire, measure))
    later, before = _ranked(survey, responses), _ranked(earlier, load_responses(earlier))
    return jumps(change(later, before).table, county=later.by[0], limits=limits)


def _ranked(survey: Survey, responses: Responses) -> Estimates:
    estimates = estimate_areas(survey, weigh(survey, base_design(survey, responses)))
    return estimates[survey.ranked_level].of(survey.questionnaire.ranked)


def beside(
    survey: Survey, responses: Responses, rows: pd.DataFrame, *, fields: Fields, limits: Limits
) -> tuple[list[pd.DataFrame], dict[str, SatisfactionError]]:
    """Run what survey.yaml declares under `fieldwork`; a comparison of waves that is not possible yet says why."""
    declared, found, reasons = survey.declared.fieldwork, [], dict[str, SatisfactionError]()
    if declared.backcheck is not None:
        found.append(back_checks(survey, rows, fields=fields, limits=limits))
    if declared.modes is not None and survey.questionnaire.topics:
        found.append(mode_gaps(survey, rows, fields=fields, limits=limits))
    if declared.earlier is not None:
        try:
            found.append(jumps_since(survey, responses, limits=limits))
        except (
            SatisfactionError
        ) as reason:  # a wave in the field may lack strata that its weights need
            reasons["jump"] = reason
    return found, reasons


Unit = Literal["share", "seconds", "count", "number"]

QUOTA = ("survey.yaml 的 quota", "`quota` in survey.yaml")
OUTCOMES = (
    "survey.yaml 的 outcomes 及全部样本的结果",
    "`outcomes` in survey.yaml and the outcome of every case",
)
DURATION = ("访问时长列", "a column of durations")
STARTED = ("开始时间列", "a column of starting times")
TIMES = ("开始与结束时间列", "columns of starting and ending times")
BY_INTERVIEWER = ("访问员列", "a column of interviewers")
DAYS = ("访问日期与访问员列", "columns of interview days and interviewers")
TOPICS = ("问卷的 topics", "`topics` in the questionnaire")
EFFECT = ("访问员列与问卷的 topics", "a column of interviewers, and `topics` in the questionnaire")
BACK = (
    "survey.yaml 的 fieldwork: backcheck（回访记录）",
    "`fieldwork: backcheck` in survey.yaml (re-interviews)",
)
MODES = (
    "survey.yaml 的 fieldwork: modes（访问方式）",
    "`fieldwork: modes` in survey.yaml (modes of interview)",
)
WAVES = (
    "survey.yaml 的 fieldwork: earlier（上期调查）",
    "`fieldwork: earlier` in survey.yaml (the wave before)",
)
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
    done = (
        ran
        | ({"outside_quota"} if "quota" in ran else set())
        | ({"back_check_lost"} if "back_check" in ran else set())
    )
    done -= set(reasons)
    told = {
        check: (f"[{one.code}] {one.zh}", f"[{one.code}] {one.en}")
        for check, one in reasons.items()
    }
    rows = [
        (check, zh, en, *told.get(check, needs))
        for check, (zh, en, _, needs) in NAMES.items()
        if check not in done
    ]
    return pd.DataFrame(rows, columns=["check", "zh", "en", "needs_zh", "needs_en"])


PARADATA = {
    "started": "_started",
    "ended": "_ended",
    "duration": "_seconds",
    "device": "_device",
    "ip": "_ip",
}
DAY = "_day"


@dataclass(frozen=True, slots=True)
class Standing:
    """The fieldwork of a survey up to a day.

    Attributes
    ----------
    survey : Survey
    responses : Responses
        With the interviews up to that day alone in `accepted`.
    day : str
        ISO text; empty where no day of interview is recorded.
    fields : Fields
        Which columns hold what.
    limits : Limits
    found : DataFrame
        Findings of every check that ran: the columns of `fieldwork.COLUMNS`, `other`, and planned and accepted of cells.
    left_out : DataFrame
        check, zh, en, needs_zh, needs_en; one row a check that did not run.
    progress : DataFrame
        As `fieldwork.progress`, one row an area.
    outcomes : Dispositions or None
    """

    survey: Survey
    responses: Responses
    day: str
    fields: Fields
    limits: Limits
    found: pd.DataFrame
    left_out: pd.DataFrame
    progress: pd.DataFrame
    outcomes: Dispositions | None

    @property
    def rows(self) -> pd.DataFrame:
        """Return the accepted respondents up to the day."""
        return self.responses.accepted


def stand(
    survey: Survey,
    responses: Responses,
    *,
    day: datetime.date | None = None,
    limits: Limits = USUAL,
) -> Standing:
    """Run every check of the fieldwork that a survey's declarations and paradata allow.

    Parameters
    ----------
    survey : Survey
    responses : Responses
        As `load_responses` returns them.
    day : date, optional
        Interviews up to this day are looked at; default: the last day of an accepted one.
    limits : Limits

    Raises
    ------
    ResponsesError
        R403 an outcome code that the map does not have; R406 a day is given, but none is recorded; R407 no accepted interview
        up to that day.
    """
    rows, fields = recorded(responses.accepted, survey)
    rows, until = up_to(rows, fields, day)
    found = [run_checks(rows, survey.questionnaire, fields=fields, limits=limits)]
    if survey.quota is not None:
        by = [name for name in survey.quota if name != "planned"]
        found.append(
            quota_progress(rows, survey.quota, by=by, elapsed=elapsed(survey, until), limits=limits)
        )
    outcomes, cases = None, _cases(survey, responses)
    if survey.outcomes is not None and cases is not None:
        outcomes = dispositions(cases["outcome"], survey.outcomes)
        area = survey.questionnaire.roles.area
        found.append(
            response_rates(cases, survey.outcomes, outcome="outcome", by=area, limits=limits)
        )
    further, reasons = beside(survey, responses, rows, fields=fields, limits=limits)
    every = pd.concat([*found, *(table for table in further if len(table))], ignore_index=True)
    every = every[[*COLUMNS, *(name for name in ("other", "planned", "accepted") if name in every)]]
    until_then = replace(responses, accepted=rows)
    return Standing(
        survey, until_then, until, fields, limits, every.assign(other=every["other"].fillna("")),
        left_out(set(every["check"]), reasons),
        progress(until_then, survey), outcomes,
    )  # fmt: skip


def recorded(accepted: pd.DataFrame, survey: Survey) -> tuple[pd.DataFrame, Fields]:
    """Return the respondents and which of their columns hold what; a column of paradata without a value is none.

    Without a duration it is the time between start and end. Without an interview date in the questionnaire the day is that of
    the start, else of the submission.
    """
    fields = declared_fields(survey.questionnaire)
    there = {field: name for field, name in PARADATA.items() if _has_values(accepted, name)}
    if fields.interviewer is None and _has_values(accepted, "_interviewer"):
        there["interviewer"] = "_interviewer"
    if "duration" not in there and {"started", "ended"} <= set(there):
        between = reversed_times(accepted, fields=replace(fields, **there))["figure"].to_numpy()
        accepted, there["duration"] = (
            accepted.assign(**{PARADATA["duration"]: between}),
            PARADATA["duration"],
        )
    stamps = [name for name in ("_started", "_submitted") if _has_values(accepted, name)]
    if fields.day is None and stamps:
        first = accepted[stamps[0]].astype(str).str.split("[ T]", n=1, regex=True).str[0]
        days = moments(first)
        accepted, there["day"] = (
            accepted.assign(**{DAY: days.dt.strftime("%Y-%m-%d").astype(object)}),
            DAY,
        )
    if survey.declared.fieldwork.modes is not None:
        there["mode"] = survey.declared.fieldwork.modes.item
    return accepted, replace(fields, **there)


def up_to(
    rows: pd.DataFrame, fields: Fields, day: datetime.date | None
) -> tuple[pd.DataFrame, str]:
    """Return the interviews up to a day (default: the last one) and that day; those without a day are kept."""
    if fields.day is None:
        if day is not None:
            raise ResponsesError(
                "R406",
                "没有记录访问日期，不能按日报告。",
                "No day of interview is recorded; there is nothing to report by day.",
                where=f"--day {day}",
                hint=(
                    "不写 --day，或在问卷 roles 中声明 interview_date。",
                    "Leave out --day, or declare the role `interview_date`.",
                ),
            )
        return rows, ""
    days = rows[fields.day].dropna().astype(str)
    until = day.isoformat() if day is not None else str(days.max()) if len(days) else ""
    early = days.index[days <= until]
    if day is not None and early.empty:
        raise ResponsesError(
            "R407",
            f"到 {until} 为止没有已接受的答卷。",
            f"There is no accepted interview up to {until}.",
            where=f"--day {day}",
            available=(days.min(), days.max()) if len(days) else (),
            hint=("改为首末访问日之间的日期。", "Give a day between the first and the last one."),
        )
    return rows[rows[fields.day].isna() | rows.index.isin(early)].reset_index(drop=True), until


def elapsed(survey: Survey, day: str) -> float:
    """Return the share of the fielding period that has passed at the end of a day (0-1); 1 where either is not known."""
    fielded = survey.declared.fielded
    if fielded is None or not day:
        return 1.0
    passed = (datetime.date.fromisoformat(day) - fielded.start).days + 1
    return min(max(passed / ((fielded.end - fielded.start).days + 1), 0.0), 1.0)


def _has_values(rows: pd.DataFrame, column: str) -> bool:
    return column in rows and bool(
        rows[column].astype("string").str.strip().replace("", pd.NA).notna().any()
    )


def _cases(survey: Survey, responses: Responses) -> pd.DataFrame | None:
    """Return the area and outcome of every case: of the file declared, else of all rows of files with outcomes; or None.

    Accepted interviews alone would make every rate 1; so the rejected rows, refusals among them, count too.
    """
    if survey.cases is not None or survey.outcomes is None:
        return survey.cases
    if not _has_values(responses.accepted, "_outcome"):
        return None
    area = survey.questionnaire.roles.area
    columns = ["_file", "_outcome", area]
    rows = pd.concat([responses.accepted[columns], responses.rejected_answers[columns]])
    has_outcomes = (rows["_outcome"] != "").groupby(rows["_file"]).transform("any")
    rows = rows[has_outcomes]
    codes = rows[area].astype("string")
    ranked = codes.astype(object).where(codes.isin(survey.ranked_areas()), None)
    return pd.DataFrame({area: ranked, "outcome": rows["_outcome"]}).reset_index(drop=True)


def counties(standing: Standing) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Yield code, respondents and findings of every ranked area, in order."""
    whose = standing.fields.codes(standing.rows, "county")
    rows, found = (
        dict(list(standing.rows.groupby(whose))),
        dict(list(standing.found.groupby("county"))),
    )
    for code in standing.survey.ranked_areas():
        yield code, rows.get(code, standing.rows.iloc[:0]), found.get(code, standing.found.iloc[:0])
