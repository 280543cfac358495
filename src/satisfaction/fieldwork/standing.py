"""How a survey's fieldwork stands on a day: what was recorded, every check it allows, and the checks it does not."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from satisfaction.collection.account import shown
from satisfaction.collection.coding import code_answers
from satisfaction.collection.responses import Responses, load_responses
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import Survey, read_survey
from satisfaction.estimation.change import change
from satisfaction.estimation.result import Estimates
from satisfaction.fieldwork.answers import (
    answer_codes,
    little_variance,
    near_duplicates,
    open_items,
    points,
    rate_values,
    straight_lining,
)
from satisfaction.fieldwork.coaching import back_check, jumps, knowledge_ceiling, mode_gap, top_box
from satisfaction.fieldwork.findings import (
    CHECKS,
    Fields,
    declared_fields,
    in_one_table,
)
from satisfaction.fieldwork.outliers import interviewer_effects, interviewer_means
from satisfaction.fieldwork.paradata import (
    duplicate_ids,
    many_a_day,
    moments,
    odd_hours,
    overlaps,
    reversed_times,
    shared_values,
    speeders,
)
from satisfaction.fieldwork.progress import (
    Dispositions,
    dispositions,
    progress,
    quota_progress,
    response_rates,
)
from satisfaction.foundation.errors import (
    ResponsesError,
    SatisfactionError,
    shortened,
    shortened_list,
)
from satisfaction.foundation.language import Text, _
from satisfaction.pipeline import base_design, estimate_areas
from satisfaction.ranking.waves import comparability, require_comparable
from satisfaction.weighting.wave_design import weigh

PARADATA = {
    "started": "_started",
    "ended": "_ended",
    "duration": "_seconds",
    "device": "_device",
    "ip": "_ip",
}
DAY = "_day"
MEAN = "_topics"
KNOWLEDGE = "awareness"
PARTICIPATION = "participation"


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
    found : DataFrame
        Findings of every check that ran: COLUMNS, `other`, and planned and accepted of cells.
    left_out : DataFrame
        check, zh, en, needs_zh, needs_en; one row a check that did not run.
    progress : DataFrame
        As `progress.progress`, one row an area.
    outcomes : Dispositions or None
    """

    survey: Survey = field(repr=False)
    responses: Responses = field(repr=False)
    day: str
    fields: Fields
    found: pd.DataFrame = field(repr=False)
    left_out: pd.DataFrame = field(repr=False)
    progress: pd.DataFrame = field(repr=False)
    outcomes: Dispositions | None = field(repr=False)

    @property
    def rows(self) -> pd.DataFrame:
        """Return the accepted respondents up to the day."""
        return self.responses.accepted


def stand(
    survey: Survey,
    responses: Responses,
    *,
    day: datetime.date | None = None,
) -> Standing:
    """Run every check of the fieldwork that a survey's declarations and paradata allow.

    Parameters
    ----------
    survey : Survey
    responses : Responses
        As `load_responses` returns them.
    day : date, optional
        Interviews up to this day are looked at; default: the last day of an accepted one.

    Raises
    ------
    ResponsesError
        R403 an outcome code that the map does not have; R406 a day is given, but none is recorded; R407 no accepted interview
        up to that day; R408 an answer of a re-interview that the questionnaire does not know.
    """
    recorded_rows, fields = _recorded(responses.accepted, survey)
    rows, until = up_to(recorded_rows, fields, day)
    tables = [run_checks(rows, survey.questionnaire, fields=fields)]
    if survey.quota is not None:
        by = [name for name in survey.quota if name != "planned"]
        passed = elapsed(survey, until)
        tables.append(quota_progress(rows, survey.quota, by=by, elapsed=passed))
    outcomes = None
    cases = _cases(survey, responses)
    if survey.outcomes is not None and cases is not None:
        outcomes = dispositions(cases["outcome"], survey.outcomes)
        area = survey.questionnaire.roles.area
        tables.append(response_rates(cases, survey.outcomes, outcome="outcome", by=area))
    declared = survey.declared.fieldwork
    if declared.backcheck is not None:
        tables.append(_back_checks(survey, rows, fields))
    if declared.modes is not None and survey.questionnaire.topics:
        tables.append(_mode_gaps(survey, rows, fields))
    reasons = {}
    if declared.earlier is not None:
        try:
            tables.append(_jumps_since(survey, responses))
        except SatisfactionError as reason:
            # a wave in the field may lack strata that its weights need
            reasons["jump"] = reason
    found = in_one_table(*tables)
    responses_until = replace(responses, accepted=rows)
    return Standing(
        survey=survey,
        responses=responses_until,
        day=until,
        fields=fields,
        found=found,
        left_out=_left_out(set(found["check"]), reasons),
        progress=progress(responses_until, survey),
        outcomes=outcomes,
    )


def run_checks(
    rows: pd.DataFrame,
    questionnaire: Questionnaire,
    *,
    fields: Fields,
) -> pd.DataFrame:
    """Run every check that accepted respondents and their paradata allow; a check whose fields are missing is left out.

    Parameters
    ----------
    rows : DataFrame
        Accepted respondents as coded, with the columns of paradata that `fields` names.
    questionnaire : Questionnaire
        Its topics are the battery; all coded items but those of the sample design are compared for near duplicates.
        Awareness and participation are compared where it has both rates.
    fields : Fields

    Returns
    -------
    DataFrame
        COLUMNS and `other`, the interview a near duplicate is near to. Findings of quotas, response rates, back-checks,
        modes and waves need tables of their own: concatenate them.

    Raises
    ------
    ResponsesError
        R401, R405.
    """
    recorded = {
        speeders: [fields.duration],
        odd_hours: [fields.started],
        reversed_times: [fields.started, fields.ended],
    }
    recorded |= {
        overlaps: [fields.started, fields.ended, fields.interviewer],
        many_a_day: [fields.day, fields.interviewer],
    }
    tables = [check(rows, fields=fields) for check, needed in recorded.items() if all(needed)]

    roles = questionnaire.roles
    same_by_design = {roles.area, *roles.strata, *questionnaire.eligibility, fields.mode}
    codes = answer_codes(rows, questionnaire, without=same_by_design)
    coded = rows.assign(**codes)
    tables.append(near_duplicates(coded, list(codes), fields=fields))
    tables.append(open_items(rows, questionnaire, fields=fields))

    battery = questionnaire.topics
    if battery:
        scored = rows.assign(**points(rows, questionnaire, battery))
        tops = {}
        for item in battery:
            answers = questionnaire.answers(item).values()
            tops[item] = max(answer.score or 0 for answer in answers)
        tables.append(straight_lining(rows, battery, fields=fields))
        tables.append(little_variance(scored, battery, fields=fields))
        tables.append(top_box(scored, tops, fields=fields))
        tables.append(interviewer_means(scored, battery, fields=fields))
        if fields.interviewer:
            tables.append(interviewer_effects(scored, battery, fields=fields))

    tables.append(duplicate_ids(rows, fields=fields))
    if fields.device:
        tables.append(shared_values(rows, fields=fields, field="device"))
    if fields.ip:
        tables.append(shared_values(rows, fields=fields, field="ip"))

    rates = (KNOWLEDGE, PARTICIPATION)
    if set(rates) <= set(questionnaire.rates):
        valued = rows.assign(**rate_values(rows, questionnaire, rates))
        tables.append(
            knowledge_ceiling(
                valued,
                knowledge=KNOWLEDGE,
                participation=PARTICIPATION,
                fields=fields,
            )
        )
    return in_one_table(*tables)


def _recorded(accepted: pd.DataFrame, survey: Survey) -> tuple[pd.DataFrame, Fields]:
    """Return the respondents and which of their columns hold what; a column of paradata without a value is none.

    Without a duration it is the time between start and end. Without an interview date in the questionnaire the day is that of
    the start, else of the submission.
    """
    rows = accepted
    fields = declared_fields(survey.questionnaire)
    for name, column in PARADATA.items():
        if _has_values(rows, column):
            fields = replace(fields, **{name: column})
    if fields.interviewer is None and _has_values(rows, "_interviewer"):
        fields = replace(fields, interviewer="_interviewer")
    if fields.duration is None and fields.started and fields.ended:
        seconds = reversed_times(rows, fields=fields)["figure"].to_numpy()
        rows = rows.assign(**{PARADATA["duration"]: seconds})
        fields = replace(fields, duration=PARADATA["duration"])
    stamps = [name for name in ("_started", "_submitted") if _has_values(rows, name)]
    if fields.day is None and stamps:
        dates = rows[stamps[0]].astype(str).str.replace("[ T].*", "", regex=True)
        days = moments(dates).dt.strftime("%Y-%m-%d")
        rows = rows.assign(**{DAY: days.astype(object)})
        fields = replace(fields, day=DAY)
    modes = survey.declared.fieldwork.modes
    if modes is not None:
        fields = replace(fields, mode=modes.item)
    return rows, fields


def up_to(
    rows: pd.DataFrame, fields: Fields, day: datetime.date | None
) -> tuple[pd.DataFrame, str]:
    """Return the interviews up to a day (default: the last one) and that day; those without a day are kept."""
    if fields.day is None:
        if day is not None:
            raise ResponsesError(
                "R406",
                _("No day of interview is recorded; there is nothing to report by day."),
                where=f"--day {day}",
                hint=_("Leave out --day, or declare the role `interview_date`."),
            )
        return rows, ""
    days = rows[fields.day].dropna().astype(str)
    ends = [days.min(), days.max()] if len(days) else []
    until = "".join(ends[1:]) if day is None else day.isoformat()
    early = days.index[days <= until]
    if day is not None and early.empty:
        raise ResponsesError(
            "R407",
            _("There is no accepted interview up to {until}.", until=until),
            where=f"--day {day}",
            available=ends,
            hint=_("Give a day between the first and the last one."),
        )
    without_day = rows[fields.day].isna()
    looked_at = without_day | rows.index.isin(early)
    return rows[looked_at].reset_index(drop=True), until


def elapsed(survey: Survey, day: str) -> float:
    """Return the share of the fielding period that has passed at the end of a day (0-1); 1 where either is not known."""
    fielded = survey.declared.fielded
    if fielded is None or not day:
        return 1.0
    today = datetime.date.fromisoformat(day)
    passed = (today - fielded.start).days + 1
    period = (fielded.end - fielded.start).days + 1
    return min(max(passed / period, 0.0), 1.0)


def _has_values(rows: pd.DataFrame, column: str) -> bool:
    if column not in rows:
        return False
    text = rows[column].astype("string").str.strip()
    return bool(text.replace("", pd.NA).notna().any())


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
    tables = (responses.accepted, responses.rejected_answers)
    rows = pd.concat([table[columns] for table in tables])
    has_outcome = rows["_outcome"] != ""
    rows = rows[has_outcome.groupby(rows["_file"]).transform("any")]
    codes = rows[area].astype("string")
    is_ranked = codes.isin(survey.ranked_areas())
    ranked = codes.astype(object).where(is_ranked, None)
    return pd.DataFrame({area: ranked, "outcome": rows["_outcome"]}).reset_index(drop=True)


def _back_checks(survey: Survey, rows: pd.DataFrame, fields: Fields) -> pd.DataFrame:
    """Compare the declared re-interviews with the first interviews."""
    declared = survey.declared.fieldwork.backcheck
    assert declared is not None
    assert survey.backcheck is not None
    text = survey.backcheck.reindex(columns=list(survey.questionnaire.items), fill_value="")
    again = code_answers(text, survey).table
    for name in declared.items:
        unknown = (text[name] != "") & again[name].isna()
        if unknown.any():
            answers = text.loc[unknown, name]
            raise ResponsesError(
                "R408",
                _(
                    "Re-interviews have answers to '{name}' that the questionnaire does not know: "
                    "{answers} (rows {numbers}).",
                    name=name,
                    answers=shortened_list(map(shown, answers.unique())),
                    numbers=shortened(answers.index),
                ),
                where=survey.folder / declared.file,
                hint=_("Correct these rows, or leave the cells empty."),
            )
    return back_check(rows, again, declared.items, fields=fields)


def _mode_gaps(survey: Survey, rows: pd.DataFrame, fields: Fields) -> pd.DataFrame:
    """Compare the gap between the declared modes in every county; the figure is the mean score of the topics, 0-100."""
    modes = survey.declared.fieldwork.modes
    assert modes is not None
    scores = points(rows, survey.questionnaire, survey.questionnaire.topics)
    rows = rows.assign(**{MEAN: scores.mean(axis=1)})
    first, second = modes.compared
    return mode_gap(rows, MEAN, modes=(str(first), str(second)), fields=fields)


def _jumps_since(survey: Survey, responses: Responses) -> pd.DataFrame:
    """Compare the ranked measure's change since the declared earlier wave with the other areas'; weights as declared.

    Raises
    ------
    SatisfactionError
        Where either wave cannot be estimated (yet), or the two may not be compared.
    """
    folder = survey.folder / str(survey.declared.fieldwork.earlier)
    earlier = read_survey(folder, ranking=False)
    measure = survey.questionnaire.ranked
    require_comparable(comparability(survey.questionnaire, earlier.questionnaire, measure))
    later = _ranked(survey, responses)
    before = _ranked(earlier, load_responses(earlier))
    return jumps(change(later, before).table, county=later.by[0])


def _ranked(survey: Survey, responses: Responses) -> Estimates:
    estimates = estimate_areas(survey, weigh(survey, base_design(survey, responses)))
    return estimates[survey.ranked_level].of(survey.questionnaire.ranked)


def _left_out(ran: set[str], reasons: Mapping[str, SatisfactionError]) -> pd.DataFrame:
    """List the checks that did not run and what they need, or why they could not: check, zh, en, needs_zh, needs_en."""
    done = set(ran)
    # these two show nothing where nothing is wrong
    if "quota" in ran:
        done.add("outside_quota")
    if "back_check" in ran:
        done.add("back_check_lost")
    rows = []
    for check, about in CHECKS.items():
        needs = about.needs
        if check in reasons:
            reason = reasons[check]
            needs = Text(f"[{reason.code}] {reason.zh}", f"[{reason.code}] {reason.en}")
        elif check in done:
            continue
        rows.append((check, *about.name, *needs))
    return pd.DataFrame(rows, columns=["check", "zh", "en", "needs_zh", "needs_en"])
