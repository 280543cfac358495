"""Pages of several waves, and of one wave ranked in many ways: a section a ranking, with sentences, pictures and areas."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from satisfaction.comparison.changes import WaveChange, WaveRolling
from satisfaction.comparison.sides import joint_mark
from satisfaction.comparison.words import (
    HONEST,
    PERIOD,
    area_of,
    figures,
    left_out_lines,
    lines_of_change,
    lines_of_rolling,
)
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.figures import (
    ABSENT,
    Unit,
    p_value,
    probability,
    rank_set,
    rank_text,
    rank_with_set,
)
from satisfaction.foundation.language import NOTHING, Text, _, use
from satisfaction.foundation.pages import across, fill, page_name
from satisfaction.publication.labels import STATUS, mark_as_text, score_labels

SIGNIFICANT = {
    "yes": _("beyond sampling error"),
    "possible": _("possible"),
    "no": _("not beyond sampling error"),
    "not tested": _("not tested"),
}


class OutlinedLine(NamedTuple):
    """A line, and those that are set in below it."""

    words: Text
    below: list[Text]


def _outlined(lines: Iterable[Text]) -> list[OutlinedLine]:
    """Put lines that begin with a blank below the line that they belong to."""
    outlined: list[OutlinedLine] = []
    for line in lines:
        if outlined and line.zh.startswith(" "):
            outlined[-1].below.append(line)
        else:
            outlined.append(OutlinedLine(line, []))
    return outlined


def _places(number: float) -> str:
    """Write places gained; none is neither more nor less."""
    if number == 0:
        return "0"
    return f"{int(number):+d}"


def _or_dash(value: Any, written: Callable[[Any], object]) -> str:
    if pd.isna(value):
        return ABSENT
    return str(written(value))


def _guaranteed(row: Mapping[str, Any]) -> str:
    """Write between which bounds the rank of one named area has moved."""
    if pd.isna(row["rise_low"]):
        return ABSENT
    return f"{_places(row['rise_low'])} … {_places(row['rise_high'])}"


def _interval_of(row: Mapping[str, Any], unit: Unit) -> str:
    if pd.isna(row["ci_low"]):
        return ABSENT
    return unit.limits(row["ci_low"], row["ci_high"]).strip(" ()")


FILTERS: dict[str, Callable[..., object]] = {
    "area": area_of,
    "guaranteed": _guaranteed,
    "interval_of": _interval_of,
    "or_dash": _or_dash,
    "outlined": _outlined,
    "p_value": p_value,
    "probability": probability,
    "rank": rank_text,
    "rank_set": rank_set,
    "rank_with_set": rank_with_set,
}


def pages_of(
    name: str,
    surveys: Sequence[Survey],
    *,
    heading: Text,
    sections: Callable[[], Iterable[Mapping[str, object]]],
    closing: Sequence[Text] = (),
) -> dict[str, str]:
    """Return a page in every language that the last survey declares, by file name.

    Parameters
    ----------
    name : str
        Of the page in the first language, with its ending.
    surveys : sequence of Survey
        Oldest first.
    heading : Text
    sections : callable
        Makes them, one a ranking, in the language of the page (pictures hold words): title, lines, pictures, `table` (the
        template of its tables), and what that reads.
    closing : sequence of Text
        What is said at the end.
    """
    last = surveys[-1]
    languages = last.declared.languages
    pages = {}
    for language in languages:
        with use(language):
            marks = joint_mark(surveys)
            values = {
                "heading": heading,
                "title": last.declared.title,
                "waves": " → ".join(survey.declared.wave for survey in surveys),
                "marks": mark_as_text(marks) if marks else NOTHING,
                "sections": list(sections()),
                "closing": closing,
                "places": _places,
                "significant": SIGNIFICANT,
                "words": STATUS,
                "across": across(name, language, languages),
            }
            pages[page_name(name, language, languages)] = fill(
                "waves.html", values, filters=FILTERS
            )
    return pages


def change_pages(found: WaveChange) -> dict[str, str]:
    """Return the page of a change: a section a ranking."""
    surveys = [found.earlier.survey, found.later.survey]
    closing = [*left_out_lines(surveys[-1], found.left_out), HONEST]

    def sections() -> Iterable[dict[str, object]]:
        """Yield the section of every ranking; drawn once a language."""
        return map(_change_section, (found, *found.further.values()))

    return pages_of(
        "change.html",
        surveys,
        heading=_("What changed between two waves"),
        sections=sections,
        closing=closing,
    )


def _change_section(found: WaveChange) -> dict[str, object]:
    # brings matplotlib, which `import satisfaction` should not
    from satisfaction.publication.plots import change_plot
    from satisfaction.publication.plots.canvas import picture

    table = found.table
    tested = table["p"].notna()
    pictures = []
    if tested.any():
        drawn = table[tested].drop(columns="change")
        drawn = drawn.rename(columns={"relative_change": "change", "shrunk_change": "shrunk"})
        drawn["significant"] = drawn["significant"] == "yes"
        alt = _("Change of every area relative to the others; the values stand in the table below.")
        pictures.append(picture(change_plot(drawn), alt))
    survey = found.later.survey
    return {
        "title": score_labels(survey)[found.measure][1],
        "lines": lines_of_change(found),
        "pictures": pictures,
        "table": "change_table.html",
        "before": found.earlier.survey.declared.wave,
        "after": survey.declared.wave,
        "unit": figures(survey, found.measure),
        "tested": tested.any(),
        "bounded": table["rise_low"].notna().any(),
        "places": found.ranks.summary.places,
        "rows": table.to_dict("records"),
    }


def rolling_pages(found: WaveRolling) -> dict[str, str]:
    """Return the page of a mean over waves: a section a ranking."""
    surveys = [wave.survey for wave in found.waves]
    closing = [*left_out_lines(surveys[-1], found.left_out), PERIOD]

    def sections() -> Iterable[dict[str, object]]:
        """Yield the section of every ranking; drawn once a language."""
        return map(_rolling_section, (found, *found.further.values()))

    return pages_of(
        "rolling.html",
        surveys,
        heading=_("Mean of the last waves, and the ranking on it"),
        sections=sections,
        closing=closing,
    )


def _rolling_section(found: WaveRolling) -> dict[str, object]:
    from satisfaction.publication.plots import probability_near_cut
    from satisfaction.publication.plots.canvas import picture

    survey = found.waves[-1].survey
    proven = found.ranking.summary.proven
    pictures = []
    if proven:
        alt = _("Probability of the list for the areas nearest its cut.")
        pictures.append(picture(probability_near_cut(found.table), alt))
    return {
        "title": score_labels(survey)[found.measure][1],
        "lines": lines_of_rolling(found),
        "pictures": pictures,
        "table": "rolling_table.html",
        "unit": figures(survey, found.measure),
        "proven": proven,
        "rows": found.table.to_dict("records"),
    }
