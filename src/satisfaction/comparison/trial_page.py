"""The page of a trial beside the official survey: what differs, by mode, and signs of coaching, area by area."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import pandas as pd

from satisfaction.comparison.trial import Trial
from satisfaction.comparison.words import (
    NO_ANSWERS,
    NO_MODES,
    NO_PROOF,
    UNTESTED,
    area_of,
    figures,
)
from satisfaction.foundation.figures import Unit, count, p_value, signed, unit_of
from satisfaction.foundation.language import NOTHING, Text, _, semicolon_list, use
from satisfaction.foundation.pages import across, fill, page_name
from satisfaction.publication.labels import label_of, labelled, measure_labels
from satisfaction.publication.reading_sets import FileSet

Cells: TypeAlias = list[str | Text]
PAGE = "trial.html"
MOST_PICTURES = 12
BEYOND = {
    "yes": _("beyond sampling error"),
    "no": _("not beyond sampling error"),
    "not tested": _("not tested"),
}
SIDES = {
    "official": _("the official side looks coached"),
    "trial": _("the trial looks coached"),
    "": _("neither side stands out"),
}


class AreaSection(NamedTuple):
    """What a page says of one area.

    Attributes
    ----------
    name : Text
    finding : Text
        What differs beyond sampling error, in a sentence.
    picture : Picture or None
    differences, signs, modes : list of list of str or Text
        The rows of the tables, the name first.
    """

    name: Text
    finding: Text
    picture: Any
    differences: list[Cells]
    signs: list[Cells]
    modes: list[Cells]


def trial_pages(found: Trial) -> dict[str, str]:
    """Return the page of a trial in every language that the trial's survey declares, by file name."""
    languages = found.trial.survey.declared.languages
    pages = {}
    for language in languages:
        with use(language):
            values = _values(found)
            values["across"] = across(PAGE, language, languages)
            pages[page_name(PAGE, language, languages)] = fill("trial.html", values)
    return pages


def _values(found: Trial) -> dict[str, Any]:
    trial = found.trial.survey
    marks = []
    for side, words in ((_("official"), found.side.marks), (_("trial"), trial.marks)):
        if words:
            marks.append(_("{side}: {mark}", side=side, mark=words))
    mark = semicolon_list(marks) if marks else NOTHING
    notes = [] if found.tested else [UNTESTED]
    if isinstance(found.official, FileSet):
        notes.append(NO_ANSWERS)
    elif found.modes.empty:
        notes.append(NO_MODES)
    for measure, why in found.left_out.items():
        notes.append(_("not compared: {measure} ({why})", measure=measure, why=why))
    codes = list(dict.fromkeys(found.differences["code"]))
    sections = []
    for number, code in enumerate(codes):
        sections.append(_section(found, code, mark, drawn=number < MOST_PICTURES))
    return {
        "official": found.side,
        "trial": trial,
        "marks": mark,
        "tested": found.tested,
        "notes": [*notes, NO_PROOF],
        "sections": sections,
        "pictures_of": MOST_PICTURES if len(codes) > MOST_PICTURES else 0,
    }


def _section(found: Trial, code: str, mark: Text, *, drawn: bool) -> AreaSection:
    # brings matplotlib, which `import satisfaction` should not
    from satisfaction.publication.plots import trial_plot
    from satisfaction.publication.plots.canvas import picture

    labels = {
        name: label
        for name, (_kind, label) in measure_labels(found.trial.survey.questionnaire).items()
    }
    differences = found.differences[found.differences["code"] == code]
    differences = labelled(differences, labels, key="measure", into="measure")
    beyond = differences[differences["beyond_error"] == "yes"]
    rows = differences.to_dict("records")
    image = None
    if drawn:
        alt = _("Every measure in both surveys; the values stand in the table below.")
        image = picture(trial_plot(differences, mark=mark), alt)
    finding = _("Differences are described, not tested.")
    if found.tested:
        finding = _(
            "Beyond sampling error: {n} of {all} measures (Benjamini-Hochberg over all areas and measures).",
            n=len(beyond),
            all=len(differences),
        )
    signs = [_sign_cells(found, row) for row in _of_area(found.signs, code)]
    modes = [_mode_cells(row) for row in _of_area(found.modes, code)]
    return AreaSection(
        name=area_of(rows[0]),
        finding=finding,
        picture=image,
        differences=[_difference_cells(found, row) for row in rows],
        signs=signs,
        modes=modes,
    )


def _of_area(table: pd.DataFrame, code: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table[table["code"] == code].to_dict("records")
    return rows


def _difference_cells(found: Trial, row: dict[str, Any]) -> Cells:
    """Write a difference; without a test its interval, p-value and verdict are left out."""
    unit = figures(found.trial.survey, row["measure"])
    cells: Cells = [
        label_of(row, "measure"),
        unit.level(row["official"]),
        unit.level(row["trial"]),
        unit.change(row["difference"]),
    ]
    if found.tested:
        limits = str(unit.change_limits(row["ci_low"], row["ci_high"])).strip()
        cells += [limits, p_value(row["p_bh"]), BEYOND[row["beyond_error"]]]
    return [*cells, count(row["n_official"]), count(row["n_trial"])]


def _sign_cells(found: Trial, row: dict[str, Any]) -> Cells:
    unit: Unit = unit_of("score" if row["sign"] == "spread" else "rate")
    cells: Cells = [
        Text(row["zh"], row["en"]),
        unit.level(row["official"]),
        unit.level(row["trial"]),
        unit.change(row["difference"]),
    ]
    if found.tested:
        cells += [p_value(row["p_bh"]), SIDES[row["side"]]]
    return cells


def _mode_cells(row: dict[str, Any]) -> Cells:
    share = unit_of("rate")
    mean = unit_of("score")
    return [
        Text.of(row["zh"], row["en"]),
        share.level(row["share_official"]),
        share.level(row["share_trial"]),
        mean.level(row["mean_official"]),
        mean.level(row["mean_trial"]),
        signed(row["mix"]),
        signed(row["within"]),
    ]
