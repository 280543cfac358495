"""The item trees of combined.yaml: points at every level, what can still be reached, the ledger, and the score drawn."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from satisfaction.comparison.wave_files import made_from
from satisfaction.composite.ledger import WavePoints, points_lost_at_sites
from satisfaction.composite.scores import combined_scores
from satisfaction.composite.tree_draws import DRAWS, SEED, Drawing, drawn_table
from satisfaction.composite.tree_scores import TreeScores
from satisfaction.composite.tree_tables import AssessedTree, assessed_tree, sanctions_in_words
from satisfaction.declarations.assessment_tables import (
    PointsSheet,
    checked_sites,
    read_sheet,
    read_sites,
)
from satisfaction.declarations.combined import (
    Assessment,
    CombinedFile,
    CombinedInputs,
    PointsClass,
    read_combined_inputs,
)
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.errors import RankingError, shortened
from satisfaction.foundation.figures import probability
from satisfaction.foundation.files import (
    dated_folder,
    path_below,
    recorded,
    refuse_changed,
    sha256,
)
from satisfaction.foundation.language import N_, Text, _, comma_list, ngettext, use
from satisfaction.foundation.pages import page_name
from satisfaction.foundation.tables import (
    write_checksums,
    write_csv,
    write_json,
    write_text,
)
from satisfaction.foundation.workbooks import write_explaining
from satisfaction.foundation.yaml import refuse_placeholders
from satisfaction.pipeline import Results
from satisfaction.publication.assessment_pages import (
    STATE_WORDS,
    area_page,
    overview_page,
    workbook_sheets,
)
from satisfaction.publication.columns import OF_ASSESSMENT, described_columns
from satisfaction.publication.labels import mark, twelve_digits
from satisfaction.publication.manifest import plain
from satisfaction.ranking.drawn import JointDraws

ASSESSMENT = "assessment.json"


@dataclass(frozen=True, slots=True, eq=False)
class Assessments:
    """The assessments of a wave, and the combined score drawn.

    Attributes
    ----------
    results : Results
    declared : CombinedFile
    trees : tuple of AssessedTree
    drawn : JointDraws or None
        None where the survey's figures carry no design error.
    drawn_table : DataFrame
        As `composite.tree_draws.drawn_table`; empty where nothing was drawn.
    drawn_trees : mapping of str to DataFrame
        The same of every assessment's own score, where it was drawn.
    draws, seed : int
    sources : mapping of str to str
        SHA-256 of the files read, by absolute path.
    path : Path
        combined.yaml.
    """

    results: Results
    declared: CombinedFile
    trees: tuple[AssessedTree, ...]
    drawn: JointDraws | None
    drawn_table: pd.DataFrame = field(repr=False)
    drawn_trees: Mapping[str, pd.DataFrame] = field(repr=False)
    draws: int
    seed: int
    sources: Mapping[str, str] = field(repr=False)
    path: Path

    @property
    def survey(self) -> Survey:
        """Return the survey whose assessments they are."""
        return self.results.survey

    def __repr__(self) -> str:
        names = ", ".join(one.name for one in self.trees)
        return f"Assessments({self.survey.name}: {names}; {self.draws} draws, seed {self.seed})"


def assessments_of(
    results: Results, path: Path, *, draws: int = DRAWS, seed: int = SEED
) -> Assessments:
    """Score the assessments that combined.yaml declares, and draw the combined score, as `run` does.

    Parameters
    ----------
    results : Results
    path : Path
        combined.yaml; the files it names lie beside it.
    draws : int
    seed : int
        The same seed gives the same figures.

    Raises
    ------
    RankingError
        K301-K307, K371-K374 for declarations; K311-K313, K375-K377 for sheets; K379 where nothing applies; K380 where no component is an assessment, K381 where a sheet of sites is missing; K314 for a measure nobody
        knows, K317 where the files of an assessment are not there.
    """
    survey = results.survey
    drawing = Drawing(draws, seed, always=True)
    with recorded() as read:
        inputs = read_combined_inputs(path, areas=survey.areas)
        _refuse_awaited(inputs)
        scores = combined_scores(survey, inputs, results.estimates, drawing=drawing).ranked
        trees = {part.name: part.assessed for part in scores.parts if part.assessed}
        drawn = {part.name: part.drawn for part in scores.parts if part.drawn}
        assessed = tuple(
            _assessed(survey, inputs, name, tree_scores) for name, tree_scores in trees.items()
        )
    refuse_placeholders(map(Path, read), RankingError)
    bottom = survey.rules.ranking.list_size
    areas = survey.ranked_areas()
    table = pd.DataFrame()
    joint = None
    if scores.drawn is not None:
        joint = scores.drawn
        table = drawn_table(scores.score, joint, areas, bottom=bottom, excluded=scores.excluded)
    drawn_trees = {}
    for name, tree_scores in trees.items():
        if name in drawn:
            drawn_trees[name] = drawn_table(
                tree_scores.scores, drawn[name], areas, bottom=bottom, excluded=tree_scores.excluded
            )
    return Assessments(
        results,
        inputs.declared,
        assessed,
        joint,
        table,
        drawn_trees,
        draws,
        seed,
        dict(read),
        path,
    )


def _refuse_awaited(inputs: CombinedInputs) -> None:
    """Refuse to score where no component is an assessment, or the files of one are not there."""
    components = inputs.declared.components.items()
    named = [name for name, component in components if component.assessment is not None]
    if not named:
        raise RankingError(
            "K380",
            _("No component of combined.yaml is an assessment."),
            where=str(inputs.path),
            hint=_("Declare a component with `assessment` and `lost`."),
        )
    for name in named:
        if name in inputs.awaited:
            raise RankingError(
                "K317",
                _(
                    "The assessment {component} cannot be scored: {file} is not there.",
                    component=name,
                    file=inputs.awaited[name],
                ),
                where=str(inputs.path),
                hint=_("Put the file beside combined.yaml."),
            )


def _assessed(
    survey: Survey, inputs: CombinedInputs, name: str, scores: TreeScores
) -> AssessedTree:
    """Make the tables of an assessment, with the ledger of its earlier waves."""
    component = inputs.declared.components[name]
    tree = scores.tree
    areas = survey.ranked_areas()
    folder = inputs.path.parent
    waves = []
    for earlier in component.earlier:
        lost = read_sheet(folder / earlier.lost, tree, areas, named=survey.areas)
        visited = None
        if earlier.sites is not None:
            visited = read_sites(folder / earlier.sites, tree, areas, named=survey.areas)
        waves.append(_wave_points(tree, earlier.wave, lost, visited))
    sites = None
    if component.sites is not None:
        sites = checked_sites(inputs.sites[name], folder / component.sites, tree, areas=areas)
    waves.append(_wave_points(tree, survey.declared.wave, scores.sheet, sites))
    return assessed_tree(name, component, scores, waves=waves, level=survey.rules.ranking.level)


def _wave_points(
    tree: Assessment, wave: str, sheet: PointsSheet, sites: pd.DataFrame | None
) -> WavePoints:
    """Put what the sheet and the sites say together; an entry without a class takes its item's."""
    leaves = {name: leaf for name, (_branch, leaf) in tree.leaves().items()}
    entries = [sheet.lost]
    visited = None
    if sites is not None:
        points = pd.Series({name: leaf.points for name, leaf in leaves.items()})
        entries.append(points_lost_at_sites(sites, points))
        visited = sites[["code", "item", "site"]]
    lost = pd.concat(entries, ignore_index=True)
    classes: Mapping[str, PointsClass | None] = {
        name: leaf.points_class for name, leaf in leaves.items()
    }
    of_item = lost["item"].map(classes).fillna("")
    lost["points_class"] = lost["points_class"].where(lost["points_class"] != "", of_item)
    return WavePoints(wave, lost, visited, sheet.absent)


def export_assessments(found: Assessments, folder: Path | None = None) -> Path:
    """Write the assessments of a wave as a file set; returns the folder, by default <survey>/out/<time>-assessment/.

    Of every assessment its tables as csv and a workbook a language; combined_draws.csv; pages: an overview and one an area;
    columns.csv (what every column holds), assessment.json (what was declared, how it was drawn, inputs), run.json (the clock, and how
    the set is written again) and SHA256SUMS.
    """
    survey = found.survey
    marked = mark(survey)
    tables = {}
    for one in found.trees:
        for title, table in one.tables.items():
            tables[f"{one.name}_{title}"] = twelve_digits(table).assign(mark=marked)
    for name, table in found.drawn_trees.items():
        tables[f"{name}_draws"] = twelve_digits(table).assign(mark=marked)
    if found.drawn is not None:
        tables["combined_draws"] = twelve_digits(found.drawn_table).assign(mark=marked)
    lines = assessment_lines(found)
    refuse_changed(found.sources)
    languages = survey.declared.languages
    finished = datetime.datetime.now(datetime.UTC)
    target = survey.folder / "out" / f"{finished:%Y%m%dT%H%M%SZ}-assessment"
    with dated_folder(folder or target) as made:
        scratch = made.scratch
        for title, table in tables.items():
            write_csv(table, scratch / f"{title}.csv")
        write_csv(described_columns(tables, OF_ASSESSMENT), scratch / "columns.csv")
        for language in languages:
            for one in found.trees:
                with use(language):
                    sheets = workbook_sheets(survey, one, lines)
                name = page_name(f"{one.name}.xlsx", language, languages)
                write_explaining(scratch / name, sheets)
            page = overview_page(
                survey,
                found.trees,
                found.drawn_table,
                drawn_trees=found.drawn_trees,
                lines=lines,
                language=language,
            )
            write_text(page, scratch / page_name("index.html", language, languages))
            for code in survey.ranked_areas():
                name = page_name(f"{code}.html", language, languages)
                page = area_page(
                    survey,
                    found.trees,
                    found.drawn_table,
                    drawn_trees=found.drawn_trees,
                    code=code,
                    language=language,
                )
                write_text(page, scratch / name)
        write_json(plain(_record(found, lines)), scratch / ASSESSMENT)
        stamp = {
            "mark": marked,
            "finished": finished.isoformat(timespec="seconds"),
            "outputs": {path.name: sha256(path) for path in sorted(scratch.iterdir())},
            "command": "assessment",
            "options": {
                "declared": path_below(survey.folder, found.path),
                "draws": found.draws,
                "seed": found.seed,
            },
            "survey_folder": "../..",
            "surveys": ["."],
        }
        write_json(stamp, scratch / "run.json")
        write_checksums(scratch)
    return made.target


def _record(found: Assessments, lines: Sequence[Text]) -> dict[str, object]:
    """Return what the figures were made from and how."""
    survey = found.survey
    assessments = {}
    for one in found.trees:
        assessments[one.name] = {
            "title": one.tree.title,
            "source": one.tree.source.both,
            "standards": len(one.scores.leaves),
            "points": one.scores.total,
            "not_applicable": one.tree.not_applicable,
            "bonus_most": one.tree.bonus_most,
            "score_most": one.tree.score_most,
            "earlier": [earlier.wave for earlier in one.component.earlier],
        }
    measures = (
        "t around the estimates, all measures of an area together, with the errors that the "
        "survey's ranks rest on"
    )
    weights = {name: part.weight for name, part in found.declared.components.items()}
    inputs = {Path(path).name: digest for path, digest in found.sources.items()}
    record: dict[str, object] = {
        "survey": survey.name,
        "wave": survey.declared.wave,
        "mark": mark(survey),
        "assessments": assessments,
        "aggregation": found.declared.aggregation,
        "weights": weights,
        "inputs": inputs,
        "notes": list(lines),
        "draws": None,
    }
    if found.drawn is not None:
        record["draws"] = {
            "number": found.draws,
            "seed": found.seed,
            "measures": measures,
            "sites": N_("t with the sampling error of the sites"),
            "files": N_("normal with the se of the file; exact without one"),
        }
    return record | made_from([found.results])


def assessment_lines(found: Assessments) -> list[Text]:
    """Say what was assessed, what the figures leave out, and what the draws say."""
    lines = []
    if found.survey.marks:
        lines.append(found.survey.marks)
    for one in found.trees:
        lines += tree_lines(found.survey, one)
    lines += _draw_lines(found)
    return lines


def tree_lines(survey: Survey, one: AssessedTree) -> list[Text]:
    """Say what an assessment rests on, what most points are lost by, and how the ledger stands."""
    scores = one.scores
    lines = [
        _(
            "{title}: {items} standards, {points:g} points; source: {source}",
            title=one.tree.title,
            items=len(scores.leaves),
            points=scores.total,
            source=one.tree.source,
        )
    ]
    awaited = ~np.isfinite(scores.got)
    if awaited.any():
        columns = np.flatnonzero(awaited.any(axis=0))
        names = [scores.leaves[column] for column in columns]
        lines.append(
            ngettext(
                "awaited, so {n} area has no score: {items}",
                "awaited, so {n} areas have no score: {items}",
                int(awaited.any(axis=1).sum()),
                items=shortened(names),
            )
        )
    without = ~scores.applies
    if without.any():
        lines.append(
            _(
                "{entries} items do not apply in {areas} areas; their points were taken over: {how}",
                entries=int(without.sum()),
                areas=int(without.any(axis=1).sum()),
                how=TAKEN_OVER[one.tree.not_applicable or "tree"],
            )
        )
    lines += _site_lines(one)
    lines += _passing_lines(one)
    for code, by in zip(scores.areas, scores.vetoes, strict=True):
        if by:
            name = survey.area_names()[code]
            titles = sanctions_in_words(one.tree, by)
            lines.append(_("  {code} {name}: {by}", code=code, name=name, by=titles))
    lines.append(_most_lost(one))
    lines += _ledger_lines(one)
    return lines


TAKEN_OVER = {
    "tree": _("by all other items, in proportion to their points"),
    "branch": _("first by the other items of the same branch"),
}


def _site_lines(one: AssessedTree) -> list[Text]:
    sites = one.scores.sites
    if sites is None:
        return []
    lines = [
        _(
            "{sites} points of inspection visited; their sampling error is carried",
            sites=len(sites.area),
        )
    ]
    if sites.single.any():
        lines.append(
            _(
                "one site of a kind ({cells} items of areas): no standard error, and none is "
                "carried for it",
                cells=int(sites.single.sum()),
            )
        )
    if sites.alike.any():
        lines.append(
            _(
                "all sites alike ({cells} items of areas): a standard error of 0, which is no "
                "certainty",
                cells=int(sites.alike.sum()),
            )
        )
    return lines


def _passing_lines(one: AssessedTree) -> list[Text]:
    table = one.tables.get("passing")
    if table is None:
        return []
    lines = []
    for (item, mark_of_item), rows in table.groupby(["item", "at_least"], sort=False):
        words = Text.of(rows["zh"].iloc[0], rows["en"].iloc[0])
        counts = rows["verdict"].value_counts()
        reached = int(counts.get("reached", 0))
        missed = int(counts.get("not reached", 0))
        undecided = int(counts.get("not decidable", 0))
        lines.append(
            _(
                "{item} ({measure} >= {mark:g}): {reached} areas reach it, {missed} do not, of "
                "{open} it cannot be decided",
                item=words or item,
                measure=rows["measure"].iloc[0],
                mark=mark_of_item,
                reached=reached,
                missed=missed,
                open=undecided,
            )
        )
    return lines


def _most_lost(one: AssessedTree) -> Text:
    """Name the departments that lost most points over all areas."""
    lost = one.tables["departments"].groupby("department")["lost"].sum()
    clauses = []
    largest_first = lost.sort_values(ascending=False, kind="stable").round(2)
    for department, points in largest_first.head(3).items():
        name = department or _("none named")
        clauses.append(_("{name} {points:g}", name=name, points=points))
    return _("most points lost by department: {departments}", departments=comma_list(clauses))


def _ledger_lines(one: AssessedTree) -> list[Text]:
    table = one.tables.get("ledger")
    if table is None:
        return []
    counts = table["state"].value_counts()
    clauses = []
    for state, words in STATE_WORDS.items():
        number = int(counts.get(state, 0))
        if number:
            clauses.append(_("{state} {n}", state=words, n=number))
    lines = [_("ledger: {clauses}", clauses=comma_list(clauses))]
    overdue = int((table["overdue"] == "yes").sum())
    if overdue:
        lines.append(ngettext("{n} entry is overdue", "{n} entries are overdue", overdue))
    return lines


def _draw_lines(found: Assessments) -> list[Text]:
    if found.drawn is None:
        return [_("no design error, so nothing can be drawn: no probability of passing")]
    lines = [
        _(
            "combined score: {draws} draws (seed {seed}); points that a mark decides count by the "
            "probability of passing",
            draws=found.draws,
            seed=found.seed,
        )
    ]
    bottom = found.survey.rules.ranking.list_size
    most = found.drawn_table.sort_values(
        ["probability_list", "code"], ascending=[False, True]
    ).head(bottom)
    names = found.survey.area_names()
    for row in most.to_dict("records"):
        if pd.isna(row["probability_list"]):
            continue
        lines.append(
            _(
                "  {code} {name}: {score:.2f}, on the list in {share} of the draws",
                code=row["code"],
                name=names[str(row["code"])],
                score=row["score"],
                share=probability(row["probability_list"]),
            )
        )
    return lines
