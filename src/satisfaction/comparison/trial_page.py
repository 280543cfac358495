"""The page of a trial beside the official survey: what differs, by mode, and signs of coaching, area by area."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
from satisfaction.foundation.figures import count, p_value, signed, unit_of
from satisfaction.foundation.language import NOTHING, Text, _, semicolon_list, use
from satisfaction.foundation.pages import across, fill, page_name
from satisfaction.publication.labels import label_of, labelled, measure_labels
from satisfaction.publication.reading_sets import FileSet

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


FILTERS: dict[str, Callable[..., object]] = {
    "count": count,
    "label_of": label_of,
    "p_value": p_value,
    "said": lambda row: Text.of(row["zh"], row["en"]),
    "signed": signed,
}


def trial_pages(found: Trial) -> dict[str, str]:
    """Return the page of a trial in every language that the trial's survey declares, by file name."""
    languages = found.trial.survey.declared.languages
    pages = {}
    for language in languages:
        with use(language):
            values = _values(found)
            values["across"] = across(PAGE, language, languages)
            pages[page_name(PAGE, language, languages)] = fill(
                "trial.html", values, filters=FILTERS
            )
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
        "units": {measure: figures(trial, measure) for measure in found.differences["measure"]},
        "rate": unit_of("rate"),
        "score": unit_of("score"),
        "beyond": BEYOND,
        "sides": SIDES,
        "pictures_of": MOST_PICTURES if len(codes) > MOST_PICTURES else 0,
    }


def _section(found: Trial, code: str, mark: Text, *, drawn: bool) -> dict[str, Any]:
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
    tested = int(differences["p"].notna().sum())
    finding = _("Differences are described, not tested.")
    if found.tested and tested:
        finding = _(
            "Beyond sampling error: {n} of {all} measures tested (Benjamini-Hochberg over all areas and measures).",
            n=len(beyond),
            all=tested,
        )
    return {
        "name": area_of(rows[0]),
        "finding": finding,
        "picture": image,
        "differences": rows,
        "signs": _of_area(found.signs, code),
        "modes": _of_area(found.modes, code),
    }


def _of_area(table: pd.DataFrame, code: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table[table["code"] == code].to_dict("records")
    return rows
