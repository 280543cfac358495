"""An assessment for readers: a page of all areas, one an area, and a workbook; each in one language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from satisfaction.composite.tree_tables import AssessedTree
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.figures import ABSENT, estimate_text, probability
from satisfaction.foundation.language import Language, Text, _, pgettext, use
from satisfaction.foundation.pages import across, fill, page_name
from satisfaction.publication.assessment_columns import column_of

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
}
YES_NO = {"yes": _("yes"), "no": _("no"), "": Text("")}
ORDER = list(STATE_WORDS)
Row = dict[str, Any]


def points_text(value: Any) -> str:
    """Write points with two decimals."""
    return estimate_text(value, "score", digits=2)


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
    with use(language):
        sections = []
        for one in trees:
            sections.append(
                {
                    "title": one.tree.title,
                    "scores": _score_rows(survey, one, drawn_trees.get(one.name), language),
                    "aspects": _wide_sums(survey, one, language),
                    "departments": _wide_departments(survey, one, language),
                    "levels": [str(name) for name in one.tree.levels],
                }
            )
        values = _shared(survey) | {
            "across": across("index.html", language, languages),
            "lines": [line for line in lines if line != survey.marks],
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
    return {"survey": survey, "declared": survey.declared, "marks": survey.marks}


def _score_rows(
    survey: Survey, one: AssessedTree, drawn: pd.DataFrame | None, language: Language
) -> list[Row]:
    """Write the areas in order of their score, the highest first; those without one last."""
    table = one.tables["scores"].sort_values(["rank", "code"], na_position="last")
    rows = []
    for row in table.to_dict("records"):
        written: Row = {
            "name": survey.area_names()[row["code"]],
            "code": row["code"],
            "href": page_name(f"{row['code']}.html", language, survey.declared.languages),
            "rank": _rank(row["rank"]),
            "ranks": _ranks_drawn(drawn, row["code"]),
            "rank_winnable": _rank(row["rank_winnable"]),
            "by": row["by"],
        }
        for column in ("score", "got", "bonus", "winnable", "difficult", "dead", "unclassed",
                       "undecided", "score_winnable", "score_most"):  # fmt: skip
            written[column] = points_text(row[column])
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
        rows.append(
            {
                "name": survey.area_names()[str(code)],
                "code": code,
                "href": page_name(f"{code}.html", language, survey.declared.languages),
                "lost": [points_text(value) for value in lost],
            }
        )
    return rows


def _drawn_rows(survey: Survey, drawn: pd.DataFrame, language: Language) -> list[Row]:
    rows = []
    for row in drawn.to_dict("records"):
        if pd.isna(row["probability_list"]):
            continue
        rows.append(
            {
                "name": survey.area_names()[str(row["code"])],
                "code": row["code"],
                "href": page_name(f"{row['code']}.html", language, survey.declared.languages),
                "score": points_text(row["score"]),
                "mean": points_text(row["score_mean"]),
                "low": points_text(row["score_low"]),
                "high": points_text(row["score_high"]),
                "rank": _rank(row["rank"]),
                "ranks": f"{row['rank_low']:.0f}–{row['rank_high']:.0f}",
                "probability": probability(row["probability_list"]),
                "order": row["rank"],
            }
        )
    return sorted(rows, key=lambda row: (row["order"], str(row["code"])))


def _area_section(one: AssessedTree, drawn: pd.DataFrame | None, code: str) -> Row:
    """Return what the page of an area says of one assessment."""
    tables = one.tables
    own = {title: table[table["code"] == code] for title, table in tables.items()}
    scores = own["scores"].iloc[0].to_dict()
    standards = own["standards"]
    losing = standards[standards["lost"] > 0]
    losing = losing.sort_values("lost", ascending=False, kind="stable")
    classes = []
    for name in ("winnable", "difficult", "dead", "unclassed"):
        key = name.replace("unclassed", "")
        classes.append({"name": CLASS_WORDS[key], "points": points_text(scores[name])})
    departments = own["departments"].sort_values("lost", ascending=False, kind="stable")
    return {
        "title": one.tree.title,
        "score": points_text(scores["score"]),
        "rank": _rank(scores["rank"]),
        "ranks": _ranks_drawn(drawn, code),
        "undecided": points_text(scores["undecided"]),
        "reachable": points_text(scores["score_winnable"]),
        "rank_winnable": _rank(scores["rank_winnable"]),
        "most": points_text(scores["score_most"]),
        "by": scores["by"],
        "levels": [str(name) for name in one.tree.levels],
        "classes": classes,
        "sums": [_sum_row(row) for row in own["sums"].to_dict("records") if row["level"] <= 2],
        "departments": [_department_row(row) for row in departments.to_dict("records")],
        "losing": [_losing_row(row) for row in losing.to_dict("records")],
        "passing": [_passing_row(row) for row in _records(own, "passing")],
        "preconditions": [_passing_row(row) for row in _records(own, "preconditions")],
        "ledger": _ledger_rows(one, own.get("ledger")),
    }


def _records(tables: Mapping[str, pd.DataFrame], title: str) -> list[Row]:
    if title not in tables:
        return []
    return [dict(row) for row in tables[title].to_dict("records")]


def _sum_row(row: Row) -> Row:
    without = ""
    if row["not_applicable"]:
        without = str(row["not_applicable"])
    share = ABSENT
    if not pd.isna(row["share_lost"]):
        share = estimate_text(row["share_lost"], "rate")
    return {
        "name": Text.of(row["zh"], row["en"]),
        "level": row["level"],
        "standards": row["standards"],
        "not_applicable": without,
        "based": points_text(row["based"]),
        "got": points_text(row["got"]),
        "lost": points_text(row["lost"]),
        "share": share,
    }


def _department_row(row: Row) -> Row:
    return {
        "name": row["department"] or _("none named"),
        "standards": row["standards"],
        "based": points_text(row["based"]),
        "lost": points_text(row["lost"]),
        "share": estimate_text(row["share"], "rate"),
    }


def _losing_row(row: Row) -> Row:
    return {
        "name": Text.of(row["zh"], row["en"]),
        "item": row["item"],
        "department": row["department"] or _("none named"),
        "based": points_text(row["based"]),
        "lost": points_text(row["lost"]),
        "error": ERROR_WORDS[row["error"]],
        "se": points_text(row["se"]),
    }


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
    return {
        "name": Text.of(row["zh"], row["en"]),
        "measure": row["measure"],
        "mark": mark,
        "points": points_text(row.get("points")),
        "estimate": estimate,
        "probability": probability(row["probability"]),
        "verdict": VERDICT_WORDS[row["verdict"]],
        "met": met,
    }


def _ledger_rows(one: AssessedTree, table: pd.DataFrame | None) -> list[Row]:
    """Write the entries of an area, those that are open first."""
    if table is None:
        return []
    leaves = {name: leaf for name, (_branch, leaf) in one.tree.leaves().items()}
    ordered = table.assign(order=table["state"].map(ORDER.index)).sort_values(
        ["order", "points", "item"], ascending=[True, False, True], kind="stable"
    )
    rows = []
    for row in ordered.to_dict("records"):
        rows.append(
            {
                "name": leaves[row["item"]].text,
                "site": row["site"],
                "state": STATE_WORDS[row["state"]],
                "open": row["state"] in ("open", "back", "new"),
                "department": leaves[row["item"]].department or _("none named"),
                "points": points_text(row["points"]),
                "points_class": CLASS_WORDS[row["points_class"]],
                "waves": f"{row['first_wave']} – {row['last_lost']}",
                "in_a_row": row["in_a_row"],
                "reason": row["reason"],
                "due": row["due"],
                "overdue": row["overdue"] == "yes",
            }
        )
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
    if {"zh", "en"} <= set(shown):
        words = [str(Text.of(zh, en)) for zh, en in zip(shown["zh"], shown["en"], strict=True)]
        shown = shown.drop(columns=["zh", "en"])
        shown.insert(1, str(_("what it is called")), words)
    for column, words_of in WORDS.items():
        if column in shown:
            shown[column] = [str(words_of[value]) for value in shown[column]]
    for column in ("applies", "excluded", "reached", "overdue"):
        if column in shown:
            shown[column] = [str(YES_NO[value]) for value in shown[column]]
    shown.insert(1, str(_("area")), [str(names[code]) for code in shown["code"]])
    if survey.marks:
        shown["mark"] = str(survey.marks)
    known = [name for name in shown if name in table or name == "mark"]
    return shown.rename(columns={name: str(column_of(str(name)).title) for name in known})
