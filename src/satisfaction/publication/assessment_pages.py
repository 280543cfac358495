"""An assessment for readers: a page of all areas, one an area, and a workbook; each in one language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from satisfaction.composite.tree_tables import AssessedTree
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.figures import ABSENT, estimate_text, probability
from satisfaction.foundation.language import Language, Text, _, pgettext, use
from satisfaction.foundation.pages import across, fill, page_name
from satisfaction.publication.columns import OF_ASSESSMENT
from satisfaction.publication.headings import WORDS as IN_WORDS
from satisfaction.publication.headings import in_one_language

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
YES_NO = {"yes": _("yes"), "no": _("no"), "": Text("")}
WORDS: Mapping[str, Mapping[str, Text]] = {
    "state": STATE_WORDS,
    "points_class": CLASS_WORDS,
    "verdict": VERDICT_WORDS,
    "met": MET_WORDS,
    "error": ERROR_WORDS,
    "applies": YES_NO,
    "excluded": YES_NO,
    "reached": YES_NO,
    "overdue": YES_NO,
}
HEADINGS_OF_ASSESSMENT: Mapping[str, Text] = {
    **{name: column.title for name, column in OF_ASSESSMENT.items()},
    IN_WORDS: _("what it is called"),
    "name": _("area"),
}
ORDER = list(STATE_WORDS)
OPEN = ("open", "back", "new")
POINTS_OF_AN_AREA = (
    "score",
    "got",
    "bonus",
    "winnable",
    "difficult",
    "dead",
    "unclassed",
    "undecided",
    "score_winnable",
    "score_most",
)
Row = dict[str, Any]


def points_text(value: Any) -> str:
    """Write points with two decimals."""
    return estimate_text(value, "score", digits=2)


def _points(row: Row, columns: Sequence[str]) -> Row:
    """Write columns of points under their own names."""
    return {column: points_text(row[column]) for column in columns}


def _labelled(row: Row) -> Row:
    """Return the name of an item in both languages."""
    return {"name": Text.of(row["zh"], row["en"])}


def _linked(survey: Survey, code: str, language: Language) -> Row:
    """Return the name and code of an area and the address of its page."""
    address = page_name(f"{code}.html", language, survey.declared.languages)
    return {"name": survey.area_names()[code], "code": code, "href": address}


def overview_page(
    survey: Survey,
    trees: Sequence[AssessedTree],
    drawn: pd.DataFrame,
    drawn_trees: Mapping[str, pd.DataFrame],
    *,
    lines: Sequence[Text],
    language: Language,
) -> str:
    """Write the page of all areas: scores and classes, top items by area, departments by area, and the draws."""
    languages = survey.declared.languages
    shown = [line for line in lines if line != survey.marks]  # the mark stands above the page
    with use(language):
        sections = []
        for one in trees:
            ranks = drawn_trees.get(one.name)
            section: Row = {"title": one.tree.title}
            section["scores"] = _score_rows(survey, one, ranks, language)
            section["aspects"] = _wide_sums(survey, one, language)
            section["departments"] = _wide_departments(survey, one, language)
            section["levels"] = [str(name) for name in one.tree.levels]
            sections.append(section)
        values = _shared(survey) | {
            "across": across("index.html", language, languages),
            "lines": shown,
            "sections": sections,
            "drawn": _drawn_rows(survey, drawn, language),
        }
        return fill("assessment.html", values)


def area_page(
    survey: Survey,
    trees: Sequence[AssessedTree],
    drawn: pd.DataFrame,
    drawn_trees: Mapping[str, pd.DataFrame],
    code: str,
    *,
    language: Language,
) -> str:
    """Write the page of an area: what it has got, where it loses, what can be won, the ledger, and what the survey decides."""
    languages = survey.declared.languages
    with use(language):
        sections = [_area_section(one, drawn_trees.get(one.name), code) for one in trees]
        own = []
        if len(drawn):
            own = _drawn_rows(survey, drawn[drawn["code"] == code], language)
        values = _shared(survey) | {
            "across": across(f"{code}.html", language, languages),
            "index": page_name("index.html", language, languages),
            "code": code,
            "name": survey.area_names()[code],
            "sections": sections,
            "drawn": own,
        }
        return fill("assessment_area.html", values)


def _shared(survey: Survey) -> Row:
    return {
        "survey": survey,
        "declared": survey.declared,
        "marks": survey.marks,
        "proven": survey.declared.selection == "probability",
    }


def _score_rows(
    survey: Survey, one: AssessedTree, drawn: pd.DataFrame | None, language: Language
) -> list[Row]:
    """Write the areas in order of their score, the highest first; those without one last."""
    table = one.tables["scores"].sort_values(["rank", "code"], na_position="last")
    rows = []
    for row in table.to_dict("records"):
        written = _linked(survey, row["code"], language)
        written |= _points(row, POINTS_OF_AN_AREA)
        written["rank"] = _rank(row["rank"])
        written["ranks"] = _ranks_drawn(drawn, row["code"])
        written["rank_winnable"] = _rank(row["rank_winnable"])
        written["by"] = row["by"]
        rows.append(written)
    return rows


def _rank(value: Any) -> str:
    if pd.isna(value):
        return ABSENT
    return f"{value:.0f}"


def _ranks_drawn(drawn: pd.DataFrame | None, code: str) -> str:
    """Write how far sampling moves an area's rank; nothing where it was not drawn."""
    if drawn is None:
        return ABSENT
    row = drawn[drawn["code"] == code].iloc[0]
    if pd.isna(row["rank"]):
        return ABSENT
    return f"{row['rank_low']:.0f}–{row['rank_high']:.0f}"


def _wide_sums(survey: Survey, one: AssessedTree, language: Language) -> Row:
    """Set the points lost by area beside one another, a column a top item of the tree."""
    sums = one.tables["sums"]
    top = sums[sums["level"] == 1]
    heads = []
    for row in top.drop_duplicates("node").to_dict("records"):
        points = points_text(row["points"])
        heads.append({"name": Text.of(row["zh"], row["en"]), "points": points})
    return {"heads": heads, "rows": _wide(survey, top, "node", language)}


def _wide_departments(survey: Survey, one: AssessedTree, language: Language) -> Row:
    table = one.tables["departments"]
    heads = [{"name": name or _("none named")} for name in table["department"].unique()]
    return {"heads": heads, "rows": _wide(survey, table, "department", language)}


def _wide(survey: Survey, table: pd.DataFrame, columns: str, language: Language) -> list[Row]:
    order = list(table[columns].unique())
    wide = table.set_index(["code", columns])["lost"].unstack()  # noqa: PD010 -- a sum of nothing would be 0
    wide = wide.loc[table["code"].unique(), order]
    rows = []
    for code, lost in wide.iterrows():
        written = _linked(survey, str(code), language)
        written["lost"] = [points_text(value) for value in lost]
        rows.append(written)
    return rows


def _drawn_rows(survey: Survey, drawn: pd.DataFrame, language: Language) -> list[Row]:
    """Write the combined scores that were drawn, by rank and then by code."""
    shown = [row for row in drawn.to_dict("records") if not pd.isna(row["probability_list"])]
    shown.sort(key=lambda row: (row["rank"], str(row["code"])))
    rows = []
    for row in shown:
        written = _linked(survey, str(row["code"]), language)
        written["score"] = points_text(row["score"])
        written["mean"] = points_text(row["score_mean"])
        written["low"] = points_text(row["score_low"])
        written["high"] = points_text(row["score_high"])
        written["rank"] = _rank(row["rank"])
        written["ranks"] = f"{row['rank_low']:.0f}–{row['rank_high']:.0f}"
        written["probability"] = probability(row["probability_list"])
        rows.append(written)
    return rows


def _area_section(one: AssessedTree, drawn: pd.DataFrame | None, code: str) -> Row:
    """Return what the page of an area says of one assessment."""
    tables = {}
    for title, table in one.tables.items():
        tables[title] = table[table["code"] == code]
    scores = tables["scores"].iloc[0].to_dict()
    section: Row = {
        "title": one.tree.title,
        "levels": [str(name) for name in one.tree.levels],
        "classes": _class_rows(scores),
        "ranks": _ranks_drawn(drawn, code),
        "ledger": _ledger_rows(one, tables.get("ledger")),
    }
    section |= _standing(scores)
    sums = tables["sums"]
    losing = tables["standards"]
    losing = losing[losing["lost"] > 0]
    section["sums"] = _written(sums[sums["level"] <= 2], _sum_row)
    section["departments"] = _written(_most_lost_first(tables["departments"]), _department_row)
    section["losing"] = _written(_most_lost_first(losing), _losing_row)
    section["passing"] = _written(tables.get("passing"), _passing_row)
    section["preconditions"] = _written(tables.get("preconditions"), _passing_row)
    return section


def _standing(scores: Row) -> Row:
    """Write the score and rank of an area, and what it can still reach."""
    return {
        "score": points_text(scores["score"]),
        "rank": _rank(scores["rank"]),
        "undecided": points_text(scores["undecided"]),
        "reachable": points_text(scores["score_winnable"]),
        "rank_winnable": _rank(scores["rank_winnable"]),
        "most": points_text(scores["score_most"]),
        "by": scores["by"],
    }


def _class_rows(scores: Row) -> list[Row]:
    """Write the lost points of an area by class, those of no class last."""
    classes = []
    for name, words in CLASS_WORDS.items():
        column = name or "unclassed"
        classes.append({"name": words, "points": points_text(scores[column])})
    return classes


def _most_lost_first(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("lost", ascending=False, kind="stable")


def _written(table: pd.DataFrame | None, write: Callable[[Row], Row]) -> list[Row]:
    """Write every row of a table; nothing where the assessment has no such table."""
    if table is None:
        return []
    return [write(row) for row in table.to_dict("records")]


def _sum_row(row: Row) -> Row:
    without = ""
    if row["not_applicable"]:
        without = str(row["not_applicable"])
    share = ABSENT
    if not pd.isna(row["share_lost"]):
        share = estimate_text(row["share_lost"], "rate")
    counts = {name: row[name] for name in ("level", "standards")}
    points = _points(row, ["based", "got", "lost"])
    return _labelled(row) | counts | points | {"not_applicable": without, "share": share}


def _department_row(row: Row) -> Row:
    written = _points(row, ["based", "lost"])
    written["name"] = row["department"] or _("none named")
    written["standards"] = row["standards"]
    written["share"] = estimate_text(row["share"], "rate")
    return written


def _losing_row(row: Row) -> Row:
    written = _labelled(row) | _points(row, ["based", "lost", "se"])
    written["item"] = row["item"]
    written["department"] = row["department"] or _("none named")
    written["error"] = ERROR_WORDS[row["error"]]
    return written


def _passing_row(row: Row) -> Row:
    met = None
    if "met" in row:
        met = MET_WORDS[row["met"]]
    mark = ABSENT
    if not pd.isna(row["at_least"]):
        mark = f"{row['at_least']:g}"
    estimate = ABSENT
    if not pd.isna(row["estimate"]):
        estimate = f"{row['estimate']:.4g}"
    written = _labelled(row)
    written["measure"] = row["measure"]
    written["mark"] = mark
    written["points"] = points_text(row.get("points"))
    written["estimate"] = estimate
    written["probability"] = probability(row["probability"])
    written["verdict"] = VERDICT_WORDS[row["verdict"]]
    written["met"] = met
    return written


def _ledger_rows(one: AssessedTree, table: pd.DataFrame | None) -> list[Row]:
    """Write the entries of an area, those that are open first."""
    if table is None:
        return []
    order = table["state"].map(ORDER.index)
    ordered = table.assign(order=order).sort_values(
        ["order", "points", "item"], ascending=[True, False, True], kind="stable"
    )
    leaves = one.tree.leaves()
    rows = []
    for row in ordered.to_dict("records"):
        _branch, leaf = leaves[row["item"]]
        written: Row = {name: row[name] for name in ("site", "in_a_row", "reason", "due")}
        written["name"] = leaf.text
        written["state"] = STATE_WORDS[row["state"]]
        written["open"] = row["state"] in OPEN
        written["department"] = leaf.department or _("none named")
        written["points"] = points_text(row["points"])
        written["points_class"] = CLASS_WORDS[row["points_class"]]
        written["waves"] = f"{row['first_wave']} – {row['last_lost']}"
        written["overdue"] = row["overdue"] == "yes"
        rows.append(written)
    return rows


def workbook_sheets(
    survey: Survey, one: AssessedTree, lines: Sequence[Text]
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
    tables = dict(one.tables)
    sums = tables["sums"]
    tables["aspects"] = sums[sums["level"] == 1]
    leaves = {name: leaf for name, (_branch, leaf) in one.tree.leaves().items()}
    if "ledger" in tables:
        items = tables["ledger"]["item"]
        departments = items.map(lambda name: leaves[name].department or "")
        labels = items.map(lambda name: leaves[name].text)
        with_names = tables["ledger"].assign(department=departments)
        with_names["zh"] = labels.map(lambda label: label.zh)
        with_names["en"] = labels.map(lambda label: label.in_language("en"))
        tables["ledger"] = with_names
    sheets = {}
    for title, words in titles.items():
        if title not in tables:
            continue
        table = tables[title]
        if title == "standards":
            table = table[(table["lost"] > 0) | (table["applies"] == "no")]
        sheets[str(words)] = _shown(survey, table)
    sheets[str(_("notes"))] = pd.DataFrame({str(_("note")): [str(line) for line in lines]})
    return sheets


def _shown(survey: Survey, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table under headings of the current language, with names of areas and words for codes."""
    names = survey.area_names()
    shown = table.copy()
    for column, words in WORDS.items():
        if column in shown:
            shown[column] = shown[column].map(words)
    shown.insert(1, "name", [names[code] for code in shown["code"]])
    if survey.marks:
        shown["mark"] = survey.marks
    return in_one_language(shown, HEADINGS_OF_ASSESSMENT)
