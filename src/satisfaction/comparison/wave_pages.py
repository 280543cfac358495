"""Pages of several waves, and of one wave ranked in many ways: a section a ranking, with sentences, pictures and areas."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

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
from satisfaction.foundation.figures import ABSENT, p_value, probability, rank_with_set
from satisfaction.foundation.language import NOTHING, Text, _, pgettext, use
from satisfaction.foundation.pages import across, fill, page_name
from satisfaction.publication.labels import STATUS, mark_as_text, score_labels

Cells: TypeAlias = list[str | Text]
SIGNIFICANT = {
    "yes": _("beyond sampling error"),
    "possible": _("possible"),
    "no": _("not beyond sampling error"),
    "not tested": _("not tested"),
}


class PageTable(NamedTuple):
    """A table of a page: its label, its headings, its rows (the name first)."""

    label: Text
    heads: list[Text]
    rows: list[Cells]


class OutlinedLine(NamedTuple):
    """A line, and those that are set in below it."""

    words: Text
    below: list[Text]


class RankingSection(NamedTuple):
    """What a page says of one ranking: its score, sentences, pictures and tables."""

    title: Text
    lines: list[Text]
    pictures: list[Any]
    tables: list[PageTable]

    @property
    def outline(self) -> list[OutlinedLine]:
        """Return the lines, with those that begin with a blank below the line that they belong to."""
        outlined: list[OutlinedLine] = []
        for line in self.lines:
            if outlined and line.zh.startswith(" "):
                outlined[-1].below.append(line)
            else:
                outlined.append(OutlinedLine(line, []))
        return outlined


def pages_of(
    name: str,
    surveys: Sequence[Survey],
    *,
    heading: Text,
    sections: Callable[[], Iterable[RankingSection]],
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
        Makes them in the language of the page: pictures hold words.
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
                "across": across(name, language, languages),
            }
            pages[page_name(name, language, languages)] = fill("waves.html", values)
    return pages


def change_pages(found: WaveChange) -> dict[str, str]:
    """Return the page of a change: a section a ranking."""
    surveys = [found.earlier.survey, found.later.survey]
    closing = [*left_out_lines(surveys[-1], found.left_out), HONEST]

    def sections() -> Iterable[RankingSection]:
        for one in (found, *found.further.values()):
            yield _change_section(one)

    return pages_of(
        "change.html",
        surveys,
        heading=_("What changed between two waves"),
        sections=sections,
        closing=closing,
    )


def _change_section(found: WaveChange) -> RankingSection:
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
        pictures.append(picture(change_plot(drawn, relative=True), alt))
    before = found.earlier.survey.declared.wave
    after = found.later.survey.declared.wave
    heads = [
        _("area"),
        _("score {wave}", wave=before),
        _("score {wave}", wave=after),
        _("change"),
        _("rank {wave}", wave=before),
        _("rank {wave}", wave=after),
        _("places gained"),
    ]
    if tested.any():
        places = found.ranks.summary.places
        heads += [
            _("guaranteed for one named area"),
            _("P(true rise of {places} or more)", places=places),
            _("change relative to the others"),
            _("adjusted p"),
            pgettext("heading", "verdict"),
        ]
    rows = [_change_cells(found, row, tested=tested.any()) for row in table.to_dict("records")]
    label = _("Every area, by its rank in {wave}", wave=after)
    title = score_labels(found.later.survey)[found.measure][1]
    return RankingSection(title, lines_of_change(found), pictures, [PageTable(label, heads, rows)])


def _change_cells(found: WaveChange, row: Mapping[Hashable, Any], *, tested: bool) -> Cells:
    """Write the change of one area; a dash where it is not ranked in both waves."""
    unit = figures(found.later.survey, found.measure)
    cells: Cells = [area_of(row)]
    for name in ("before", "after"):
        cells.append(_or_dash(row[name], unit.level))
    cells.append(_or_dash(row["change"], unit.change))
    for name in ("rank_before", "rank_after"):
        rank_set = {"marginal_low": row[f"{name}_low"], "marginal_high": row[f"{name}_high"]}
        cells.append(rank_with_set({"rank": row[name], **rank_set}))
    cells.append(_or_dash(row["rise"], _places))
    if not tested:
        return cells
    guaranteed = ABSENT
    if pd.notna(row["rise_low"]):
        guaranteed = f"{_places(row['rise_low'])} … {_places(row['rise_high'])}"
    limits = unit.change_limits(row["ci_low"], row["ci_high"])
    relative = f"{_or_dash(row['relative_change'], unit.change)}{limits}"
    rise = probability(row["probability_rise"])
    if row.get("model_dependent") == "yes":
        ends = (row["probability_rise_low"], row["probability_rise_high"])
        rise = f"{rise} ({' – '.join(map(probability, ends))})"
    cells += [guaranteed, rise, relative, p_value(row["p_bh"])]
    return [*cells, SIGNIFICANT[row["significant"]]]


def _places(number: Any) -> str:
    """Write places gained; none is neither more nor less."""
    if number == 0:
        return "0"
    return f"{int(number):+d}"


def _or_dash(value: Any, written: Callable[[Any], object]) -> str:
    if pd.isna(value):
        return ABSENT
    return str(written(value))


def rolling_pages(found: WaveRolling) -> dict[str, str]:
    """Return the page of a mean over waves: a section a ranking."""
    surveys = [wave.survey for wave in found.waves]
    closing = [*left_out_lines(surveys[-1], found.left_out), PERIOD]

    def sections() -> Iterable[RankingSection]:
        for one in (found, *found.further.values()):
            yield _rolling_section(one)

    return pages_of(
        "rolling.html",
        surveys,
        heading=_("Mean of the last waves, and the ranking on it"),
        sections=sections,
        closing=closing,
    )


def _rolling_section(found: WaveRolling) -> RankingSection:
    from satisfaction.publication.plots import probability_near_cut
    from satisfaction.publication.plots.canvas import picture

    survey = found.waves[-1].survey
    unit = figures(survey, found.measure)
    proven = found.ranking.summary.proven
    pictures = []
    heads = [_("area"), _("mean of the waves"), _("rank")]
    if proven:
        alt = _("Probability of the list for the areas nearest its cut.")
        pictures.append(picture(probability_near_cut(found.table), alt))
        heads += [_("interval"), _("P(on the list)"), pgettext("heading", "verdict")]
    rows = []
    for row in found.table.to_dict("records"):
        cells: Cells = [
            area_of(row),
            _or_dash(row["estimate"], unit.level),
            rank_with_set(row),
        ]
        if proven:
            limits = ABSENT
            if pd.notna(row["ci_low"]):
                limits = unit.limits(row["ci_low"], row["ci_high"]).strip(" ()")
            cells += [limits, probability(row["probability_bottom"]), STATUS[row["status"]]]
        rows.append(cells)
    label = _("Every area, by its rank")
    title = score_labels(survey)[found.measure][1]
    return RankingSection(title, lines_of_rolling(found), pictures, [PageTable(label, heads, rows)])
