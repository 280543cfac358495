"""What is printed about several waves: few lines, Chinese and English, no rank without its set."""

from __future__ import annotations

from typing import Any

import pandas as pd

from satisfaction.comparison.changes import WaveChange
from satisfaction.comparison.roll import WaveRolling
from satisfaction.comparison.sides import joint_mark
from satisfaction.comparison.trial import Trial
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.errors import number_of
from satisfaction.foundation.figures import (
    Unit,
    p_value,
    probability,
    rank_set_in_words,
    rank_text,
    unit_of,
)
from satisfaction.foundation.language import _
from satisfaction.pipeline import Results
from satisfaction.publication.labels import measure_labels

HONEST = _(
    "A better rank is not better work, nor a worse rank worse work: sampling "
    "error moves ranks even where nothing has changed."
)
PERIOD = _("A rolling index describes the whole period, not its end.")
UNTESTED = _(
    "Not both samples are probability samples: differences are listed, without "
    "errors; they prove nothing about either."
)
NO_MODES = _(
    "Modes: not both surveys declare `fieldwork: modes`; the mode of interview "
    "may cause differences."
)
NO_PROOF = _("A sign is no proof: listen to recordings and call back first.")


def other_areas(found: WaveChange) -> list[str]:
    """Warn where the waves did not ask in the same areas: the whole is then another whole."""
    asked = []
    for one in (found.earlier, found.later):
        table = one.estimates[one.area].of(found.measure).table
        asked.append(set(table.loc[table["n"] > 0, one.area].astype(str)))
    if asked[0] == asked[1]:
        return []
    return [
        f"两期调查的地区不同（{len(asked[0])} 个与 {len(asked[1])} 个，相同 {len(asked[0] & asked[1])} 个）：总体的变化不能作比较。 "
        f"The waves asked in different areas ({len(asked[0])} and {len(asked[1])}, {len(asked[0] & asked[1])} in both): "
        "the change of the whole compares different populations."
    ]


def change_lines(found: WaveChange) -> list[str]:
    """Say what changed between two waves beyond sampling error, and what the largest jump is worth."""
    summary, whole = found.ranks.summary, found.whole
    surveys = [found.earlier.survey, found.later.survey]
    figure = figures(surveys[-1], found.measure)
    return [
        *heading(surveys, found.measure),
        f"可比 comparable: {summary['comparable']}",
        f"两期共有初级单元 PSUs in both waves: {summary['shared_psus']}",
        f"总体 whole: {figure.level(whole['earlier'])} → {figure.level(whole['later'])}，变化 change "
        f"{figure.change(whole['difference'])}{figure.change_limits(whole['ci_low'], whole['ci_high'])}",
        *other_areas(found),
        *beyond_error(found, figure),
        *summary["notes"],
        *other_ranks(found.table),
        *largest_jump(found, figure),
        *HONEST,
    ]


def rolling_lines(found: WaveRolling) -> list[str]:
    """Say what a rolling index is, what it gains, and what its ranking is worth."""
    surveys, last = [one.survey for one in found.waves], found.waves[-1]
    figure = figures(last.survey, found.measure)
    errors = []
    single, rolled = (
        one["se"].median()
        for one in (last.estimates[last.area].of(found.measure).table, found.table)
    )
    if found.estimates.conventions["selection"] == "probability":
        errors.append(
            f"标准误中位数 median standard error: {last.survey.declared.wave} {figure.level(single)}，{len(surveys)} 期 waves "
            f"{figure.level(rolled)}"
        )
    return [
        *heading(surveys, found.measure),
        "各期由旧到新 waves from the oldest to the newest",
        *(f"可比 comparable: {words}" for words in found.comparable),
        *errors,
        *found.ranking.summary["notes"],
        *PERIOD,
    ]


def figures(survey: Survey, measure: str) -> Unit:
    """Return how a measure's figures are written."""
    return unit_of(measure_labels(survey.questionnaire)[measure][0])


def heading(surveys: list[Survey], measure: str) -> list[str]:
    """Name the waves, the measure and the mark."""
    mark, label = joint_mark(surveys), measure_labels(surveys[-1].questionnaire)[measure][1]
    lines = [f"{' → '.join(one.declared.wave for one in surveys)}  {label}"]
    return [*lines, f"*** {mark} ***"] if mark else lines


def beyond_error(found: WaveChange, figure: Unit) -> list[str]:
    """Count and name the areas whose score changed relative to the field beyond sampling error."""
    summary, table = found.ranks.summary, found.table
    if summary["selection"] != "probability":
        return []
    changed = table[table["significant"] == "yes"]
    return [
        f"得分相对平均变化超出抽样误差的单位 units whose score changed relative to the field beyond sampling error: {len(changed)} / "
        f"{summary['p']} (Benjamini-Hochberg, {1 - summary['level']:.0%})",
        *(f"  {unit(row)}  {relative(row, figure)}" for _unused, row in changed.iterrows()),
    ]


def largest_jump(found: WaveChange, figure: Unit) -> list[str]:
    """Say what the largest change of a rank is worth; it was picked afterwards, so the bounds are those of the whole table."""
    ranked = found.table[found.table["rise"].notna()]
    row = ranked.loc[ranked["rise"].astype(float).abs().idxmax()]
    if row["rise"] == 0:
        return []
    moved_from = wave_rank_with_set(found.earlier, row["code"])
    moved_to = wave_rank_with_set(found.later, row["code"])
    jump = f"名次变动最大 largest jump: {unit(row)}  {moved_from} → {moved_to}"
    if found.ranks.summary["selection"] != "probability":
        return [jump]
    m, up = found.ranks.summary["places"], row["rise"] > 0
    rising = found.ranks.probability_rise(m if up else 1 - m)[row["code"]]
    likely, (zh, en) = (
        probability(rising if up else 1 - rising),
        _("rise") if up else _("fall"),
    )
    lines = [f"{jump}，P(真{zh}至少 {m} 位 true {en} of {m} or more) {likely}"]
    moved = row["all_low"] > 0 or row["all_high"] < 0
    verdict = (
        "名次确有变动 the rank has moved"
        if moved
        else "不能确认名次确有变动 that the rank has moved is not established"
    )
    return [
        *lines,
        f"  升降的可靠范围（全表同时） guaranteed rise, whole table at once: {row['all_low']:+d} … {row['all_high']:+d}；{verdict}",
        f"  {relative(row, figure)}",
    ]


def other_ranks(table: pd.DataFrame) -> list[str]:
    """Say where rises are not the differences of the published ranks."""
    ranked = table[table["rise"].notna()]
    differ = int((ranked["rise"] != ranked["rank_before"] - ranked["rank_after"]).sum())
    if not differ:
        return []
    return [
        f"{differ} 个单位的升降不等于公布名次之差：只在两期都参与排名的单位之间计算，并列取同一名次。 For {number_of(differ, 'unit')} the rise is not "
        "the difference of the published ranks: it counts units ranked in both waves only, ties sharing a rank."
    ]


def unit(row: Any) -> str:
    """Name an area."""
    return f"{row['code']} {row['name_zh']}"


def wave_rank_with_set(results: Results, code: str) -> str:
    """Write the rank of an area in one wave with its set for this area by itself, as `run` prints it; no set where there is none."""
    row = results.ranking.table.set_index("unit").loc[code]
    if pd.isna(row["marginal_low"]):
        return rank_text(row["rank"])
    return f"{rank_text(row['rank'])} ({rank_set_in_words(row)})"


def relative(row: Any, figure: Unit) -> str:
    """Write a change relative to the field with its interval and the adjusted p-value."""
    change = figure.change(row["relative_change"])
    limits = figure.change_limits(row["ci_low"], row["ci_high"])
    return f"得分相对变化 relative change {change}{limits}  校正 adjusted p {p_value(row['p_bh'])}"


def trial_lines(found: Trial) -> list[str]:
    """Say where a trial differs from the official survey, what the modes explain, and which side's answers look coached."""
    surveys = [found.official.survey, found.trial.survey]
    mark = joint_mark(surveys)
    lines = [
        f"官方 official: {surveys[0].name}   自测 trial: {surveys[1].name}",
        *([f"*** {mark} ***"] if mark else []),
    ]
    table = found.differences
    if found.tested:
        beyond = table[table["beyond_error"] == "yes"]
        lines.append(
            f"超出抽样误差的差异 differences beyond sampling error: {len(beyond)} / {int(table['p'].notna().sum())} (Benjamini-Hochberg)"
        )
    else:
        beyond = table[table["measure"] == surveys[1].questionnaire.ranked]
        lines += UNTESTED
    for _unused, row in beyond.iterrows():
        figure = figures(surveys[1], row["measure"])
        interval = ""
        if found.tested:
            interval = figure.change_limits(row["ci_low"], row["ci_high"])
        label = measure_labels(surveys[1].questionnaire)[row["measure"]][1]
        lines.append(
            f"  {unit(row)}  {label}: {figure.level(row['official'])} → {figure.level(row['trial'])}  "
            f"{figure.change(row['difference'])}{interval}"
        )
    named = {"official": "官方 official", "trial": "自测 trial"}
    looks = found.signs[found.signs["side"] != ""]
    if found.tested:
        lines.append(
            f"像是经过辅导的迹象 signs of coaching: {len(looks)} / {int(found.signs['p'].notna().sum())}"
        )
    lines += [
        f"  {row['code']}  {named[row['side']]}: {row['zh']} {row['en']}  {row['official']:.3g} → {row['trial']:.3g}"
        for _unused, row in looks.iterrows()
    ]
    if found.modes.empty:
        lines += NO_MODES
    else:
        parts = found.modes.groupby("code")[["mix", "within"]].sum()
        lines += [
            f"  {code}  访问方式构成 mix of modes {row['mix']:+.2f}，同一方式之内 within modes {row['within']:+.2f}"
            for code, row in parts.iterrows()
        ]
    return [
        *lines,
        *(f"未比较 not compared: {measure}（{why}）" for measure, why in found.left_out.items()),
        *NO_PROOF,
    ]
