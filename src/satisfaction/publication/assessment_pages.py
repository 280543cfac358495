"""An assessment for readers: a page of all areas, one an area, and a workbook; each in one language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from satisfaction.composite.tree_tables import AssessedTree, sanctions_in_words
from satisfaction.declarations.combined import Assessment
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.figures import ABSENT, estimate_text, probability, rank_set, rank_text
from satisfaction.foundation.language import (
    NOTHING,
    Language,
    Text,
    _,
    pgettext,
    semicolon_list,
    use,
)
from satisfaction.foundation.pages import across, fill, page_name
from satisfaction.publication.columns import OF_ASSESSMENT
from satisfaction.publication.headings import WORDS as IN_WORDS
from satisfaction.publication.headings import in_one_language
from satisfaction.publication.labels import YES_NO
from satisfaction.publication.report.rows import Row, records

STATE_WORDS: Mapping[str, Text] = {
    "open": _("still open"),
    "back": _("came back"),
    "new": _("new in this wave"),
    "mended": _("mended"),
    "mended earlier": _("mended earlier"),
    "not looked at again": _("not looked at again"),
    "does not apply": _("no longer applies"),
}
CLASS_WORDS: Mapping[str, Text] = {
    "winnable": _("winnable points"),
    "difficult": _("difficult points"),
    "dead": _("dead points"),
    "": _("points of no class"),
}
VERDICT_WORDS: Mapping[str, Text] = {
    "reached": _("established: reached"),
    "not reached": _("established: not reached"),
    "not decidable": _("cannot be decided"),
}
MET_WORDS: Mapping[str, Text] = {
    "yes": pgettext("of a precondition", "met"),
    "no": pgettext("of a precondition", "not met"),
    "not stated": _("not stated"),
}
ERROR_WORDS: Mapping[str, Text] = {
    "exact as handed in": _("exact as handed in"),
    "passing": _("by passing the mark"),
    "sampled": _("sampled"),
    "one site of a kind": _("one site of a kind: no standard error"),
    "all sites alike": _("all sites alike: no certainty"),
    "awaited": _("awaited"),
}
WORDS: Mapping[str, Mapping[str, Text]] = {
    "state": STATE_WORDS,
    "points_class": CLASS_WORDS,
    "verdict": VERDICT_WORDS,
    "met": MET_WORDS,
    "error": ERROR_WORDS,
    **dict.fromkeys(("applies", "excluded", "reached", "overdue"), YES_NO | {"": NOTHING}),
    "scored_by": {
        "sheet": _("sheet of lost points"),
        "measure": _("measure of the survey"),
        "sites": _("points of inspection"),
        "bonus": _("bonus"),
    },
}
HEADINGS_OF_ASSESSMENT: Mapping[str, Text] = {
    **{name: column.title for name, column in OF_ASSESSMENT.items()},
    IN_WORDS: _("what it is called"),
    "name": _("area"),
}
ORDER = list(STATE_WORDS)
LOST_BY_CLASS = {name or "unclassed": words for name, words in CLASS_WORDS.items()}
"""What the columns of points lost by class are called."""


def _points(value: Any) -> str:
    """Write points with two decimals."""
    return estimate_text(value, "score", digits=2)


def _ranks_drawn(row: Row | None) -> str:
    """Write how far sampling moves an area's rank; nothing where it was not drawn."""
    if row is None or pd.isna(row["rank"]):
        return ABSENT
    return rank_set(row["rank_low"], row["rank_high"])


def _significant(value: Any, digits: int = 6) -> str:
    if pd.isna(value):
        return ABSENT
    return f"{value:.{digits}g}"


FILTERS: dict[str, Callable[..., object]] = {
    "estimate": estimate_text,
    "label": lambda row: Text.of(row["zh"], row["en"]),
    "points": _points,
    "probability": probability,
    "rank": rank_text,
    "ranks_drawn": _ranks_drawn,
    "significant": _significant,
}


def overview_page(
    survey: Survey,
    trees: Sequence[AssessedTree],
    drawn: pd.DataFrame,
    *,
    drawn_trees: Mapping[str, pd.DataFrame],
    lines: Sequence[Text],
    language: Language,
) -> str:
    """Write the page of all areas: scores and classes, top items by area, departments by area, and the draws."""
    sections = []
    for assessed in trees:
        scores = _with_titles(assessed.tables["scores"], assessed.tree)
        scores = scores.sort_values(["rank", "code"], na_position="last")
        sums = assessed.tables["sums"]
        top = sums[sums["level"] == 1]
        section = {
            "tree": assessed.tree,
            "scores": records(scores),
            "drawn": _by_area(drawn_trees.get(assessed.name)),
            "aspects": records(top.drop_duplicates("node")),
            "lost_by_aspect": _lost_by_area(top, "node"),
            "lost_by_department": _lost_by_area(assessed.tables["departments"], "department"),
        }
        sections.append(section)
    values: dict[str, object] = {
        "lines": [line for line in lines if line != survey.marks],  # the mark stands above the page
        "sections": sections,
        "drawn": _by_rank(drawn),
    }
    return _filled("assessment.html", survey, values, file="index.html", language=language)


def area_page(
    survey: Survey,
    trees: Sequence[AssessedTree],
    drawn: pd.DataFrame,
    *,
    drawn_trees: Mapping[str, pd.DataFrame],
    code: str,
    language: Language,
) -> str:
    """Write the page of an area: what it has got, where it loses, what can be won, the ledger, and what the survey decides."""
    values: dict[str, object] = {
        "code": code,
        "sections": [
            _area_section(assessed, drawn_trees.get(assessed.name), code) for assessed in trees
        ],
        "drawn": [row for row in _by_rank(drawn) if row["code"] == code],
    }
    file = f"{code}.html"
    return _filled("assessment_area.html", survey, values, file=file, language=language)


def _filled(
    template: str, survey: Survey, values: dict[str, object], *, file: str, language: Language
) -> str:
    """Fill the template of a page with its own values and with what all pages read."""
    languages = survey.declared.languages

    def page_of(code: str) -> str:
        return page_name(f"{code}.html", language, languages)

    shared: dict[str, object] = {
        "declared": survey.declared,
        "marks": survey.marks,
        "proven": survey.declared.selection == "probability",
        "names": survey.area_names(),
        "words": WORDS,
        "classes": LOST_BY_CLASS,
        "index": page_of("index"),
        "across": across(file, language, languages),
    }
    with use(language):
        return fill(template, shared | values, filters={**FILTERS, "page_of": page_of})


def _by_area(drawn: pd.DataFrame | None) -> dict[str, Row]:
    """Return the rows of a table of draws by the code of their area; none where nothing was drawn."""
    if drawn is None:
        return {}
    return {row["code"]: row for row in records(drawn)}


def _by_rank(drawn: pd.DataFrame) -> list[Row]:
    """Return the rows of the combined scores that were drawn, by rank and then by code."""
    ranked = [row for row in records(drawn) if not pd.isna(row["probability_list"])]
    return sorted(ranked, key=lambda row: (row["rank"], str(row["code"])))


def _lost_by_area(table: pd.DataFrame, columns: str) -> pd.DataFrame:
    """Set the points lost by area beside one another, in the table's order."""
    wide = table.pivot(index="code", columns=columns, values="lost")  # noqa: PD010 -- a sum of nothing would be 0
    order = table[columns].unique()
    return wide.loc[table["code"].unique(), order]


def _with_titles(scores: pd.DataFrame, tree: Assessment) -> pd.DataFrame:
    """Write vetoes and preconditions by their titles."""
    return scores.assign(by=[sanctions_in_words(tree, by) for by in scores["by"]])


def _area_section(
    assessed: AssessedTree, drawn: pd.DataFrame | None, code: str
) -> dict[str, object]:
    """Return what the page of an area says of one assessment."""
    tables = {title: table[table["code"] == code] for title, table in assessed.tables.items()}
    sums = tables["sums"]
    standards = tables["standards"]
    losing = standards[standards["lost"] > 0]
    shown = sums[(sums["level"] < 2) | ((sums["level"] == 2) & (sums["lost"] > 0))]
    whole = sums[(sums["level"] == 2) & ~(sums["lost"] > 0)]
    nothing = pd.DataFrame()
    section = {
        "tree": assessed.tree,
        "leaves": assessed.tree.leaves(),
        "scores": records(_with_titles(tables["scores"], assessed.tree))[0],
        "drawn": _by_area(drawn).get(code),
    }
    return section | {
        "sums": records(shown),
        "without_loss": len(whole),
        "departments": _most_lost_first(tables["departments"]),
        "losing": _most_lost_first(losing),
        "passing": records(tables.get("passing", nothing)),
        "preconditions": records(tables.get("preconditions", nothing)),
        "ledger": _open_first(tables.get("ledger", nothing)),
        "ledger_counts": _counts_of(tables.get("ledger", nothing)),
    }


def _most_lost_first(table: pd.DataFrame) -> list[Row]:
    return records(table.sort_values("lost", ascending=False, kind="stable"))


def _counts_of(ledger: pd.DataFrame) -> Text:
    """Say how many entries of an area's ledger are in each state, and how many are overdue."""
    if not len(ledger):
        return NOTHING
    numbers = ledger["state"].value_counts()
    counts = []
    for state, words in STATE_WORDS.items():
        if state in numbers.index:
            counts.append(_("{state} {n}", state=words, n=numbers[state]))
    overdue = int((ledger["overdue"] == "yes").sum())
    if overdue:
        counts.append(_("of them overdue {n}", n=overdue))
    return semicolon_list(counts)


def _open_first(ledger: pd.DataFrame) -> list[Row]:
    """Return the entries of an area, those that are open first."""
    if not len(ledger):
        return []
    ordered = ledger.assign(order=ledger["state"].map(ORDER.index))
    keys = ["order", "points", "item"]
    return records(ordered.sort_values(keys, ascending=[True, False, True], kind="stable"))


def workbook_sheets(
    survey: Survey, assessed: AssessedTree, lines: Sequence[Text]
) -> dict[str, pd.DataFrame]:
    """Return the sheets of an assessment's workbook in the current language: headings and words of it, one sheet a table."""
    titles: Mapping[str, Text] = {
        "scores": _("scores and classes"),
        "aspects": _("points lost, top items"),
        "departments": _("points lost, departments"),
        "ledger": _("ledger of mending"),
        "passing": _("decided by the survey"),
        "preconditions": _("preconditions"),
        "standards": _("standards"),
    }
    tables = dict(assessed.tables)
    sums = tables["sums"]
    tables["aspects"] = sums[sums["level"] == 1]
    if "ledger" in tables:
        leaves = assessed.tree.leaves()
        items = [leaves[name][1] for name in tables["ledger"]["item"]]
        tables["ledger"] = tables["ledger"].assign(
            item=[item.text for item in items],
            department=[item.department or "" for item in items],
        )
    sheets = {}
    for title, words in titles.items():
        if title not in tables:
            continue
        table = tables[title]
        if title == "scores":
            table = _with_titles(table, assessed.tree)
        if title == "standards":
            table = table[(table["lost"] > 0) | (table["applies"] == "no")]
        sheets[str(words)] = _shown(survey, table)
    sheets[str(_("notes"))] = pd.DataFrame({str(_("note")): [str(line) for line in lines]})
    return sheets


def _shown(survey: Survey, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table under headings of the current language, with names of areas and words for codes."""
    shown = table.drop(columns={"node", "item"} & set(table)) if "zh" in table else table.copy()
    for column, words in WORDS.items():
        if column in shown:
            shown[column] = shown[column].map(words)
    shown.insert(1, "name", shown["code"].map(survey.area_names()))
    if survey.marks:
        shown["mark"] = str(survey.marks)
    return in_one_language(shown, HEADINGS_OF_ASSESSMENT)
