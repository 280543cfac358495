"""What is printed about several waves: few lines, no rank without its set."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from satisfaction.comparison.changes import WaveChange, WaveRolling, rests_on_survey
from satisfaction.comparison.trial import Trial
from satisfaction.declarations.facts import codes_of_today
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.conventions import in_words
from satisfaction.foundation.figures import (
    Unit,
    confidence,
    p_value,
    probability,
    range_of_models,
    rank_set_in_words,
    rank_text,
    unit_of,
)
from satisfaction.foundation.language import NOTHING, Text, _, as_text, ngettext, semicolon_list
from satisfaction.pipeline import Results
from satisfaction.publication.labels import measure_labels, names_of_scores, score_labels
from satisfaction.publication.reading_sets import FileSet

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
NO_ANSWERS = _(
    "The official side is a published file set: figures are compared, not answers (no signs of "
    "coaching, no modes), and the samples count as independent."
)
NO_PROOF = _("A sign is no proof: listen to recordings and call back first.")


def other_areas(found: WaveChange) -> list[Text]:
    """Warn where the waves did not ask in the same areas: the whole is then another whole."""
    today = codes_of_today(found.later.survey.areas, merged=True)
    asked = []
    for wave in (found.earlier, found.later):
        table = wave.estimates[wave.area].of(found.measure).table
        codes = table.loc[table["n"] > 0, wave.area].astype(str)
        asked.append(set(codes.replace(today)))
    before, after = asked
    if before == after:
        return []
    return [
        _(
            "The waves asked in different areas ({before} and {after}, {both} in both): the change "
            "of the whole compares different populations.",
            before=len(before),
            after=len(after),
            both=len(before & after),
        )
    ]


def change_lines(found: WaveChange) -> list[Text]:
    """Say what changed between two waves beyond sampling error, and what the largest jump is worth; ranking by ranking."""
    last = found.later.survey
    lines = heading([found.earlier.survey, last], found.measure)
    lines += lines_of_change(found)
    for one in found.further.values():
        lines += [label_of_score(one.later.survey), *lines_of_change(one)]
    return [*lines, *left_out_lines(last, found.left_out), HONEST]


def lines_of_change(found: WaveChange) -> list[Text]:
    """Say what changed in one ranking."""
    summary = found.ranks.summary
    figure = figures(found.later.survey, found.measure)
    lines = []
    if found.measure not in found.later.survey.composed:
        lines.append(_why_comparable(summary["comparable"], found.later.survey))
    if rests_on_survey(found.later):
        lines.append(_("PSUs in both waves: {psus}", psus=summary["shared_psus"]))
    lines += found.notes
    if found.whole is not None:
        of_whole = _(
            "whole: {earlier} → {later}, change {change}{limits}",
            earlier=figure.level(found.whole["earlier"]),
            later=figure.level(found.whole["later"]),
            change=figure.change(found.whole["difference"]),
            limits=figure.change_limits(found.whole["ci_low"], found.whole["ci_high"]),
        )
        lines += [of_whole, *other_areas(found)]
    lines += beyond_error(found, figure)
    lines += summary["notes"]
    lines += other_ranks(found.table)
    lines += largest_jump(found, figure)
    return lines


def _why_comparable(declared: str, survey: Survey) -> Text:
    """Say why waves may be compared; the record names the score by its identifier, a reader knows its title."""
    words = in_words(declared)
    if isinstance(words, str):
        words = Text(words)
    name, _colon, _why = declared.partition(": ")
    title = names_of_scores(survey).get(name)
    if title is not None:
        words = Text(words.zh.replace(name, title.zh, 1), words.en.replace(name, title.en, 1))
    return _("comparable: {comparable}", comparable=words)


def change_sentences(found: WaveChange) -> pd.DataFrame:
    """Say of every area what became of its rank, and what is established: code, name_zh, name_en, measure, zh, en, mark.

    What is established holds for one area that is named beforehand, at the level of the ranking.
    """
    rows = []
    for row in found.table.to_dict("records"):
        sentence = _sentence(found, row)
        rows.append({"zh": sentence.zh, "en": sentence.en})
    about = found.table[["code", "name_zh", "name_en", "measure"]]
    said = pd.DataFrame(rows, index=about.index)
    return about.join(said).assign(mark=found.table["mark"])


def _sentence(found: WaveChange, row: Mapping[Hashable, Any]) -> Text:
    area = Text(row["name_zh"], row["name_en"])
    score = score_labels(found.later.survey)[found.measure][1]
    if pd.isna(row["rise"]):
        return _("{area}, {score}: not ranked in both waves.", area=area, score=score)
    ranks = _(
        "{area}, {score}: {wave_before} rank {before}, {wave_after} rank {after}",
        area=area,
        score=score,
        wave_before=row["wave_before"],
        before=rank_as_printed(found.earlier, row["code"]),
        wave_after=row["wave_after"],
        after=rank_as_printed(found.later, row["code"]),
    )
    clauses = [ranks, _places_gained(int(row["rise"])), _established(found, row)]
    if pd.notna(row["probability_rise"]):
        clauses.append(_chance(found, row))
    return _("{sentence}.", sentence=semicolon_list(clauses))


def _chance(found: WaveChange, row: Any) -> Text:
    """Say how probable a true rise of so many places is, or a true fall where the published rank fell."""
    places = found.ranks.summary.places
    code = row["code"]
    falls = row["rise"] < 0
    gained = 1 - places if falls else places
    chance = found.ranks.probability_rise(gained)[code]
    likely = _("true rise of {places} or more", places=places)
    if falls:
        chance = 1 - chance
        likely = _("true fall of {places} or more", places=places)
    stated = _("P({likely}) {probability}", likely=likely, probability=probability(chance))
    under = found.ranks.rise_range(gained)
    if code not in under.index or not under.loc[code, "model_dependent"]:
        return stated
    ends = under.loc[code, ["probability_rise_low", "probability_rise_high"]].tolist()
    if falls:
        ends = [1 - end for end in reversed(ends)]
    return range_of_models(stated, *ends)


def _places_gained(rise: int) -> Text:
    if rise > 0:
        return ngettext("up {n} place", "up {n} places", rise)
    if rise < 0:
        return ngettext("down {n} place", "down {n} places", -rise)
    return _("as before")


def _established(found: WaveChange, row: Mapping[Hashable, Any]) -> Text:
    """Say whether it is established that the rank of one area named beforehand has moved, and by how much at least."""
    if pd.isna(row["rise_low"]):
        return _("how certain that is is unknown")
    if found.taken_as_exact:
        return _("a component is taken as exact, so nothing is established")
    if row["rise_low"] > 0:
        return _("a rise of at least {n} is established", n=row["rise_low"])
    if row["rise_high"] < 0:
        return _("a fall of at least {n} is established", n=-row["rise_high"])
    return _("that the rank has moved is not established")


def left_out_lines(survey: Survey, left_out: Mapping[str, Text]) -> list[Text]:
    """Say which rankings are not compared, and why."""
    labels = score_labels(survey)
    scores = {one.name: one.score for one in survey.further}
    lines = []
    for name, why in left_out.items():
        score = scores.get(name, name)
        label = as_text(name)
        if score in labels:
            label = labels[score][1]
        lines.append(_("not compared: {measure} ({why})", measure=label, why=why))
    return lines


def rolling_lines(found: WaveRolling) -> list[Text]:
    """Say what a rolling index is, what it gains, and what its ranking is worth; ranking by ranking."""
    surveys = [wave.survey for wave in found.waves]
    lines = heading(surveys, found.measure)
    lines.append(_("waves from the oldest to the newest"))
    lines += lines_of_rolling(found)
    for one in found.further.values():
        lines += [label_of_score(one.waves[-1].survey), *lines_of_rolling(one)]
    return [*lines, *left_out_lines(surveys[-1], found.left_out), PERIOD]


def lines_of_rolling(found: WaveRolling) -> list[Text]:
    """Say what the mean of the waves is in one ranking, and what it gains."""
    last = found.waves[-1]
    figure = figures(last.survey, found.measure)
    composed = found.measure in last.survey.composed
    lines: list[Text] = []
    if composed:
        lines.append(EACH_AS_PUBLISHED)
    else:
        for words in found.comparable:
            lines.append(_why_comparable(words, last.survey))
    lines += found.notes
    if found.estimates.conventions["selection"] == "probability":
        single = last.estimates[last.area].of(found.measure).table["se"].median()
        rolled = found.table["se"].median()
        lines.append(
            _(
                "median standard error: {wave} {single}, {waves} waves {rolled}",
                wave=last.survey.declared.wave,
                single=figure.level(single),
                waves=len(found.waves),
                rolled=figure.level(rolled),
            )
        )
    return [*lines, *found.ranking.summary["notes"]]


EACH_AS_PUBLISHED = _(
    "The mean of the scores as each wave has them, with that wave's weights and scales; every wave "
    "counts the same."
)


def label_of_score(survey: Survey) -> Text:
    """Return what the ranked score is called, as the title of what is said of it."""
    return _("— {score} —", score=score_labels(survey)[survey.ranked][1])


def figures(survey: Survey, measure: str) -> Unit:
    """Return how a measure's figures are written."""
    return unit_of(score_labels(survey)[measure][0])


def heading(surveys: list[Survey], measure: str) -> list[Text]:
    """Name the waves, the measure and the mark."""
    waves = " → ".join(survey.declared.wave for survey in surveys)
    label = score_labels(surveys[-1])[measure][1]
    lines = [_("{waves}  {measure}", waves=waves, measure=label)]
    return lines + _mark_lines(surveys)


def _mark_lines(surveys: list[Survey]) -> list[Text]:
    """Say what the samples are, where one is not a real probability sample."""
    marks = dict.fromkeys(survey.marks for survey in surveys if survey.marks)
    if not marks:
        return []
    return [_("*** {mark} ***", mark=semicolon_list(marks))]


def beyond_error(found: WaveChange, figure: Unit) -> list[Text]:
    """Count and name the areas whose score changed relative to the field beyond sampling error."""
    summary = found.ranks.summary
    if not found.table["p"].notna().any():
        return []
    changed = found.table[found.table["significant"].isin(["yes", "possible"])]
    counts = {"n": len(changed), "p": summary["p"], "level": confidence(1 - summary["level"])}
    title = _(
        "units whose score changed relative to the field beyond sampling error: {n} of {p} "
        "(Benjamini-Hochberg, {level})",
        **counts,
    )
    if found.taken_as_exact:
        title = _(
            "units whose score changed relative to the field beyond the errors that are declared: "
            "{n} of {p} (Benjamini-Hochberg, {level}); none is established",
            **counts,
        )
    lines = [title]
    for _row, row in changed.iterrows():
        moved = relative_change(row, figure)
        lines.append(_("  {area}  {change}", area=area_of(row), change=moved))
    return lines


def largest_jump(found: WaveChange, figure: Unit) -> list[Text]:
    """Say what the largest change of a rank is worth; it was picked afterwards, so the bounds are those of the whole table."""
    ranked = found.table[found.table["rise"].notna()]
    row = ranked.loc[ranked["rise"].astype(float).abs().idxmax()]
    if row["rise"] == 0:
        return []
    jump = _(
        "largest jump: {area}  {before} → {after}",
        area=area_of(row),
        before=rank_as_printed(found.earlier, row["code"]),
        after=rank_as_printed(found.later, row["code"]),
    )
    if pd.isna(row["all_low"]):
        return [jump]
    moved = not found.taken_as_exact and (row["all_low"] > 0 or row["all_high"] < 0)
    verdict = _("that the rank has moved is not established")
    if moved:
        verdict = _("the rank has moved")
    if pd.notna(row["probability_rise"]):
        jump = _("{jump}, {chance}", jump=jump, chance=_chance(found, row))
    return [
        jump,
        _(
            "  guaranteed rise, whole table at once: {low:+d} … {high:+d}; {verdict}",
            low=row["all_low"],
            high=row["all_high"],
            verdict=verdict,
        ),
        _("  {change}", change=relative_change(row, figure)),
    ]


def other_ranks(table: pd.DataFrame) -> list[Text]:
    """Say where rises are not the differences of the published ranks."""
    ranked = table[table["rise"].notna()]
    differ = int((ranked["rise"] != ranked["rank_before"] - ranked["rank_after"]).sum())
    if not differ:
        return []
    return [
        ngettext(
            "For {n} unit the rise is not the difference of the published ranks: it counts units "
            "ranked in both waves only, ties sharing a rank.",
            "For {n} units the rise is not the difference of the published ranks: it counts units "
            "ranked in both waves only, ties sharing a rank.",
            differ,
        )
    ]


def area_of(row: Any) -> Text:
    """Name an area."""
    name = Text(row["name_zh"], row["name_en"])
    return _("{code} {name}", code=row["code"], name=name)


def rank_as_printed(results: Results, code: str) -> Text:
    """Write the rank of an area in one wave with its set for this area by itself, as `run` prints it; no set where there is none."""
    row = results.ranking.table.set_index("unit").loc[code]
    if pd.isna(row["marginal_low"]):
        return Text(rank_text(row["rank"]))
    return _("{rank} ({rank_set})", rank=rank_text(row["rank"]), rank_set=rank_set_in_words(row))


def relative_change(row: Any, figure: Unit) -> Text:
    """Write a change relative to the field with its interval and the adjusted p-value, where there is one."""
    if pd.isna(row["p_bh"]):
        return _(
            "relative change {change}{limits}",
            change=figure.change(row["relative_change"]),
            limits=figure.change_limits(row["ci_low"], row["ci_high"]),
        )
    return _(
        "relative change {change}{limits}  adjusted p {p}",
        change=figure.change(row["relative_change"]),
        limits=figure.change_limits(row["ci_low"], row["ci_high"]),
        p=p_value(row["p_bh"]),
    )


def trial_lines(found: Trial) -> list[Text]:
    """Say where a trial differs from the official survey, what the modes explain, and which side's answers look coached."""
    trial = found.trial.survey
    lines = [_("official: {official}   trial: {trial}", official=found.side.name, trial=trial.name)]
    marks = dict.fromkeys(marks for marks in (found.side.marks, trial.marks) if marks)
    if marks:
        lines.append(_("*** {mark} ***", mark=semicolon_list(marks)))
    lines += _differences(found)
    if isinstance(found.official, FileSet):
        lines.append(NO_ANSWERS)
    else:
        lines += _signs_of_coaching(found)
        lines += _modes(found)
    for measure, why in found.left_out.items():
        lines.append(_("not compared: {measure} ({why})", measure=measure, why=why))
    return [*lines, NO_PROOF]


def _differences(found: Trial) -> list[Text]:
    """Name what differs beyond error; without errors every difference of the ranked measure."""
    questionnaire = found.trial.survey.questionnaire
    table = found.differences
    if found.tested:
        shown = table[table["beyond_error"] == "yes"]
        title = _(
            "differences beyond sampling error: {n} of {tested} (Benjamini-Hochberg)",
            n=len(shown),
            tested=int(table["p"].notna().sum()),
        )
    else:
        shown = table[table["measure"] == questionnaire.ranked]
        title = UNTESTED
    lines = [title]
    labels = measure_labels(questionnaire)
    for _row, row in shown.iterrows():
        figure = figures(found.trial.survey, row["measure"])
        limits = NOTHING
        if found.tested:
            limits = figure.change_limits(row["ci_low"], row["ci_high"])
        lines.append(
            _(
                "  {area}  {measure}: {official} → {trial}  {difference}{limits}",
                area=area_of(row),
                measure=labels[row["measure"]][1],
                official=figure.level(row["official"]),
                trial=figure.level(row["trial"]),
                difference=figure.change(row["difference"]),
                limits=limits,
            )
        )
    return lines


def _modes(found: Trial) -> list[Text]:
    """Split the difference of every area into the mix of modes and the answers within them."""
    if found.modes.empty:
        return [NO_MODES]
    lines = []
    for code, row in found.modes.groupby("code")[["mix", "within"]].sum().iterrows():
        lines.append(
            _(
                "  {code}  mix of modes {mix:+.2f}, within modes {within:+.2f}",
                code=code,
                mix=row["mix"],
                within=row["within"],
            )
        )
    return lines


def _signs_of_coaching(found: Trial) -> list[Text]:
    sides = {"official": _("official"), "trial": _("trial")}
    signs = found.signs[found.signs["side"] != ""]
    lines = []
    if found.tested:
        lines.append(
            _(
                "signs of coaching: {n} of {tested}",
                n=len(signs),
                tested=int(found.signs["p"].notna().sum()),
            )
        )
    for _row, row in signs.iterrows():
        figure = unit_of("score" if row["sign"] == "spread" else "rate")
        lines.append(
            _(
                "  {code}  {side}: {sign}  {official} → {trial}",
                code=row["code"],
                side=sides[row["side"]],
                sign=Text(row["zh"], row["en"]),
                official=figure.level(row["official"]),
                trial=figure.level(row["trial"]),
            )
        )
    return lines
