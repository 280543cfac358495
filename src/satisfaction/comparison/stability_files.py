"""The stability of a wave's ranks as a file set: of the survey's index, and of the combined score beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from satisfaction.comparison.sides import ranked_by
from satisfaction.comparison.stability import (
    KINDS,
    NO_LIMITS,
    Choices,
    Components,
    Scale,
    Stability,
    combined_components,
    components_of,
    make_world,
    stability,
)
from satisfaction.comparison.wave_files import Command, write_set
from satisfaction.comparison.wave_pages import pages_of
from satisfaction.declarations.combined import COMBINED, Aggregation
from satisfaction.foundation.errors import shortened
from satisfaction.foundation.language import Text, _, comma_list
from satisfaction.pipeline import Results
from satisfaction.publication.labels import labelled, mark, score_labels, twelve_digits
from satisfaction.publication.tables import results_by
from satisfaction.ranking.borrowed_errors import LENT

FACTOR = {
    "normalisation": _("normalisation"),
    "aggregation": _("aggregation"),
    "weights": _("weights"),
    "dropped": _("one component dropped"),
    "variant": _("rule of the denominator"),
    "sampling": _("sampling error"),
}

ABOVE_ONE = _(
    "A total index is at most 1; what lies above is simulation error (± is one standard error): "
    "read it as 1."
)


@dataclass(frozen=True, slots=True, eq=False)
class StudiedRanking:
    """How stable one ranking of a wave is.

    Attributes
    ----------
    results : Results
        Ranked by the score that is studied, where it is the combined one.
    score : str
    parts : Components
    found : Stability
    """

    results: Results = field(repr=False)
    score: str
    parts: Components = field(repr=False)
    found: Stability


def study_stability(
    results: Results, *, measure: str | None = None, weight_noise: float = 0.25, seed: int = 1
) -> dict[str, StudiedRanking]:
    """Study the survey's index and the combined score, by the name their tables begin with (empty: the first one).

    Parameters
    ----------
    results : Results
    measure : str, optional
        An index of the questionnaire, or `combined`, alone.
    weight_noise : float
        Share by which weights vary; combined.yaml may name weights instead, under `alternatives`.
    seed : int

    Raises
    ------
    RankingError
        K317 for a combined score that waits for its files, K321 for a measure that is no index, K440 where too few areas have
        all components.
    """
    questionnaire = results.survey.questionnaire
    first = measure or questionnaire.ranked
    is_ranked = results_by(results, COMBINED) is not None
    if measure is None and is_ranked and first not in questionnaire.indices:
        first = COMBINED
    studied = {}
    if first == COMBINED and COMBINED in results.survey.composed:
        studied[""] = _study_combined(results, weight_noise=weight_noise, seed=seed)
        return studied
    parts = components_of(results, measure=first, seed=seed)
    world = make_world(
        parts.scores,
        parts.errors,
        parts.weights,
        choices=Choices(weight_noise=weight_noise),
        seed=seed,
    )
    ranking = results.survey.rules.ranking
    found = stability(world, parts.areas, bottom=ranking.list_size, side=ranking.side, seed=seed)
    studied[""] = StudiedRanking(results, first, parts, found)
    if measure is None and is_ranked:
        studied[COMBINED] = _study_combined(results, weight_noise=weight_noise, seed=seed)
    return studied


def _study_combined(results: Results, *, weight_noise: float, seed: int) -> StudiedRanking:
    """Rank by the combined score under the alternatives that combined.yaml names, else under the usual ones."""
    ranked = ranked_by(results, COMBINED)
    parts = combined_components(ranked, seed=seed)
    assert ranked.combined is not None
    declared = ranked.combined.inputs.declared
    alternatives = declared.alternatives
    scales: list[Scale] = ["minmax", "zscore"]
    aggregations: list[Aggregation] = ["arithmetic", "geometric"]
    weight_sets = []
    drop = True
    if alternatives is not None:
        scales = list(alternatives.normalise)
        aggregations = list(alternatives.aggregation)
        for weights in alternatives.weights:
            weight_sets.append([weights[name] for name in parts.names])
        weight_noise = 0.0
        drop = False
    choices = Choices(
        normalisations=("declared", *scales),
        aggregations=tuple(dict.fromkeys([declared.aggregation, *aggregations])),
        weight_noise=weight_noise,
        drop=drop,
    )
    world = make_world(
        parts.scores,
        parts.errors,
        parts.weights,
        choices=choices,
        seed=seed,
        scalings=parts.scalings,
        weight_sets=weight_sets,
    )
    rules = ranked.survey.rules.ranking
    found = stability(world, parts.areas, bottom=rules.list_size, side=rules.side, seed=seed)
    note = USUAL
    if alternatives is not None:
        note = _("alternatives as named by {source}", source=alternatives.source)
    return StudiedRanking(ranked, COMBINED, replace(parts, notes=(note, *parts.notes)), found)


USUAL = _(
    "combined.yaml names no alternatives: the usual ones are tried (other weights, scales and "
    "aggregations, each component left out in turn)"
)


def export_stability(
    studied: Mapping[str, StudiedRanking],
    options: Mapping[str, Any],
    folder: Path | None = None,
) -> Path:
    """Write stability.csv, sources.csv, .xlsx, .json, a page in every language and run.json; returns the folder.

    Tables of the combined score beside another one begin with its name: combined_stability.csv.

    Parameters
    ----------
    studied : mapping
        As `study_stability` returns it.
    options : mapping
        Those of `study_stability` that it was made with, so that the set can be written again.
    folder : Path, optional
        Default: <survey>/out/<time>-stability/.
    """
    first = studied[""]
    tables: dict[str, pd.DataFrame] = {}
    for name, one in studied.items():
        prefix = f"{name}_" if name else ""
        tables |= {f"{prefix}{title}": table for title, table in _tables_of(one).items()}
    further = {name: _record_of(one) for name, one in studied.items() if name}
    record = _record_of(first)
    if further:
        record["further"] = further
    return write_set(
        [first.results],
        "stability",
        tables=tables,
        lines=stability_lines(studied),
        record=record,
        pages=stability_pages(studied),
        command=Command("stability", options),
        folder=folder,
    )


def _tables_of(one: StudiedRanking) -> dict[str, pd.DataFrame]:
    """Return the tables of one ranking as published."""
    names = one.results.survey.area_names()
    marked = mark(one.results.survey)
    found = one.found
    table = labelled(found.table, names, key="area", into="name").assign(mark=marked)
    sources = labelled(found.sources, FACTOR, key="factor", into="factor").assign(mark=marked)
    tables = {"stability": table, "sources": sources}
    return {title: twelve_digits(one) for title, one in tables.items()}


def _record_of(one: StudiedRanking) -> dict[str, Any]:
    return {
        "stability": dict(one.found.summary),
        "parts": list(one.parts.names),
        "variants": list(one.parts.variants),
    }


def stability_lines(studied: Mapping[str, StudiedRanking]) -> list[Text]:
    """Say how far ranks move, what moves them, and who is in the list whatever is chosen; ranking by ranking."""
    survey = studied[""].results.survey
    lines = [survey.declared.title.text]
    if survey.marks:
        lines.append(survey.marks)
    for one in studied.values():
        if len(studied) > 1 or one.score == COMBINED:
            label = score_labels(one.results.survey)[one.score][1]
            lines.append(_("— {score} —", score=label))
        lines += lines_of_stability(one)
    return [*lines, NO_LIMITS]


def lines_of_stability(one: StudiedRanking) -> list[Text]:
    """Say of one ranking how far its ranks move, what moves them, and who is in the list whatever is chosen."""
    found = one.found
    summary = found.summary
    names = one.results.survey.area_names()
    lines = list(one.parts.notes)
    for kind, shift in summary["mean_shift"].items():
        lines.append(
            _(
                "{what}: mean shift of ranks {shift:.1f}; of the list change {changed:.1f} of "
                "{bottom}",
                what=KINDS[kind],
                shift=shift,
                changed=summary["list_changed"][kind],
                bottom=summary["bottom"],
            )
        )
    raised = shortened(one.parts.lent)
    if raised:
        lines.append(_("{areas}: {note}", areas=raised, note=LENT))
    if summary["left_out"]:
        unknown = comma_list(names[code] for code in summary["left_out"])
        left_out = _("left out, a component is missing: {areas}", areas=unknown)
        if one.score == COMBINED:
            left_out = _("left out, not ranked: {areas}", areas=unknown)
        lines.append(left_out)
    lines += _source_lines(found.sources)
    inside = found.table["choices_list"]
    if "both" in found.summary["mean_shift"]:
        inside = found.table["both_list"]
    always = comma_list(names[code] for code in found.table.loc[inside >= 0.95, "area"])
    sometimes = (inside > 0.05) & (inside < 0.95)
    lines.append(
        _(
            "in the list in 95% of the runs or more: {areas}; now in, now out: {sometimes}",
            areas=always or _("none"),
            sometimes=int(sometimes.sum()),
        )
    )
    return lines


def stability_pages(studied: Mapping[str, StudiedRanking]) -> dict[str, str]:
    """Return the page of a study in every language: a section a ranking."""

    def sections() -> Iterable[dict[str, object]]:
        """Yield the section of every ranking; drawn once a language."""
        return map(_section, studied.values())

    return pages_of(
        "stability.html",
        [studied[""].results.survey],
        heading=_("How stable the ranks are"),
        sections=sections,
        closing=[NO_LIMITS],
    )


def _section(one: StudiedRanking) -> dict[str, object]:
    # brings matplotlib, which `import satisfaction` should not
    from satisfaction.publication.plots import list_shares
    from satisfaction.publication.plots.canvas import picture

    survey = one.results.survey
    names = survey.area_names()
    table = one.found.table
    drawn = labelled(table, names, key="area", into="name").assign(mark=mark(survey))
    alt = _("How often an area is on the list; the values stand in the table below.")
    return {
        "title": score_labels(survey)[one.score][1],
        "lines": lines_of_stability(one),
        "pictures": [picture(list_shares(drawn, one.found.summary), alt)],
        "table": "stability_tables.html",
        "kinds": KINDS,
        "factors": FACTOR,
        "names": names,
        "rows": table.to_dict("records"),
        "sources": one.found.sources.to_dict("records"),
    }


def _source_lines(sources: pd.DataFrame) -> list[Text]:
    """Say which choice moves the list and the ranks, the strongest first."""
    lines = []
    for row in sources.sort_values("total_list", ascending=False).to_dict("records"):
        if row["values"] == 1 or pd.isna(row["total_list"]):
            continue
        lines.append(
            _(
                "  {factor}: total index of the list {of_list:.2f} (± {list_se:.2f}), of ranks "
                "{of_ranks:.2f} (± {ranks_se:.2f})",
                factor=FACTOR[row["factor"]],
                of_list=row["total_list"],
                list_se=row["total_list_se"],
                of_ranks=row["total_shift"],
                ranks_se=row["total_shift_se"],
            )
        )
    if (sources[["total_list", "total_shift"]] > 1).any(axis=None):
        lines.append(ABOVE_ONE)
    return lines
