"""What every published table shares: names, marks, words for statuses, and 12 significant digits."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import MARKS, Survey
from satisfaction.foundation.language import (
    Text,
    _,
    as_text,
    ngettext,
    pgettext,
    rendered,
    semicolon_list,
)

CALIBRATIONS = {"logit": _("logit calibration"), "linear": _("linear calibration")}
DIGITS = 12
UNITS = {"rate": "share 0-1", "score": "points 0-100", "index": "points 0-100"}
KINDS = "省市州区县"
"""Kinds of area that a Chinese name ends in."""
STATUS = {
    "established": _("established"),
    "possible": _("possible"),
    "excluded": _("excluded"),
    "not ranked": _("not ranked"),
}
BELOW = {
    "established": pgettext("below a line", "established"),
    "possible": _("possible"),
    "excluded": pgettext("below a line", "excluded"),
}
STEP = {
    "established": pgettext("of a step", "established"),
    "possible": _("possible"),
    "excluded": pgettext("of a step", "excluded"),
}
YES_NO = {"yes": _("yes"), "no": _("no")}
VERDICT = {
    "met": _("met"),
    "not met": _("not met"),
    "not decidable": _("not decidable"),
    "not ranked": _("not ranked"),
}


def twelve_digits(table: pd.DataFrame) -> pd.DataFrame:
    """Round every float column to 12 significant digits, the unit of 'identical' between machines."""
    floats = {
        name: table[name].map(lambda x: float(f"{x:.{DIGITS}g}"))
        for name in table.select_dtypes("float")
    }
    return table.assign(**floats)


def whole_numbers(numbers: pd.Series) -> pd.Series:
    """Return numbers of answers as whole ones; missing for scores that rest on none."""
    if numbers.isna().any():
        return numbers.astype("Int64")
    return numbers.astype("int64")


def area_labels(survey: Survey) -> dict[str, Text]:
    """Return the names of all areas, and of all together, as figures bear them.

    The total of an area of which only a part was surveyed is named for what it covers, never for the area.
    """
    if survey.areas is None:
        return survey.area_names() | {whole_code(survey): _("all")}
    names = survey.area_names()
    whole = whole_code(survey)
    for code, (have, of) in survey.coverage().items():
        if have < of:
            names[code] = _partial(survey, names[code], (have, of), is_whole=code == whole)
    return names


def _partial(survey: Survey, name: Text, covered: tuple[int, int], *, is_whole: bool) -> Text:
    """Name an area of which some of its areas alone were surveyed: so many of so many."""
    have, of = covered
    unit = _("areas")
    if survey.questionnaire.roles.area == "county":
        unit = _("counties")
    if not have:
        return _("{name} (none of {of} {unit} has answers)", name=name, of=of, unit=unit)
    # Chinese names the whole once more: by its kind, where the name ends in one
    kind = name.zh[-1]
    if kind in KINDS:
        total = _("all {of} {unit} of the {kind}", of=of, unit=unit, kind=kind)
    else:
        total = _("{of} {unit} of {name} in all", of=of, unit=unit, name=name)
    of_all = Text(total.zh, str(of))
    if is_whole:
        return ngettext(
            "the one surveyed of {of_all} {unit}",
            "the {n} surveyed {unit} together (of {of_all})",
            have,
            of_all=of_all,
            unit=unit,
        )
    return ngettext(
        "the one surveyed of {of_all} {unit} of {name}",
        "the {n} surveyed {unit} of {name} together (of {of_all})",
        have,
        of_all=of_all,
        unit=unit,
        name=name,
    )


def whole_code(survey: Survey) -> str:
    """Return the code that all areas together carry."""
    if survey.areas is None:
        return "all"
    is_whole = survey.areas["parent"] == ""
    return str(survey.areas.loc[is_whole, "code"].iloc[0])


def measure_labels(questionnaire: Questionnaire) -> dict[str, tuple[str, Text]]:
    """Return kind and label of every published measure."""
    topics = {name: questionnaire.items[name] for name in questionnaire.topics}
    groups: dict[str, Mapping[str, Any]] = {
        "rate": questionnaire.rates,
        "score": topics,
        "index": questionnaire.indices,
    }
    labels = {}
    for kind, group in groups.items():
        for name, declared in group.items():
            labels[name] = (kind, declared.text)
    return labels


def measures_named(survey: Survey, table: pd.DataFrame) -> pd.DataFrame:
    """Add kind, unit and labels of the rows' `measure`."""
    kinds = {}
    labels = {}
    for name, (kind, label) in score_labels(survey).items():
        kinds[name] = kind
        labels[name] = label
    kind_of = table["measure"].map(kinds)
    table = table.assign(kind=kind_of, unit=kind_of.map(UNITS))
    return labelled(table, labels, key="measure", into="measure")


def score_labels(survey: Survey) -> dict[str, tuple[str, Text]]:
    """Return kind and label of everything that can be ranked: published measures, the combined score, its components."""
    composed = {name: ("index", label) for name, label in survey.composed.items()}
    return composed | measure_labels(survey.questionnaire)


def names_of_scores(survey: Survey) -> dict[str, Text]:
    """Return the label alone of everything that can be ranked."""
    return {name: label for name, (_kind, label) in score_labels(survey).items()}


def in_crosses(words: Sequence[Text]) -> Text:
    """Write what is crossed with one another: sex × age."""
    return rendered(lambda: " × ".join(map(str, words)))


def answer_with_code(code: int | str, answer: object) -> Text:
    """Write an answer behind its code."""
    return _("{code} {answer}", code=code, answer=answer)


def mark(survey: Survey) -> str:
    """Return what every row must say about the sample, in both languages; empty for a real probability sample."""
    return survey.marks.both if survey.marks else ""


def mark_as_text(mark: str) -> Text:
    """Return the mark of a published table's rows as words; one that no survey gives stands as it is."""
    return _known_marks().get(mark) or as_text(mark)


@functools.cache
def _known_marks() -> dict[str, Text]:
    """Return every mark a survey can have, by what its tables hold."""
    known = {}
    for size in range(1, len(MARKS) + 1):
        for marks in itertools.combinations(MARKS, size):
            together = semicolon_list(marks)
            known[together.both] = together
    return known


def published_levels(indices: pd.DataFrame) -> list[str]:
    """Return the levels of area of the published indices, the ranked one first, the whole last."""
    return list(indices["level"].unique())


def levels_to_compare(indices: pd.DataFrame) -> list[str]:
    """Return the published levels without the larger ones of which a single area has figures: they are those of the whole."""
    ranked, *larger, whole = published_levels(indices)
    known = indices[indices["estimate"].notna()]
    areas = known.groupby("level")["code"].nunique()
    return [ranked, *(level for level in larger if areas.get(level, 0) > 1), whole]


def of_the_whole(indices: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of all areas together."""
    return indices[indices["level"] == published_levels(indices)[-1]]


def topics_of_the_whole(indices: pd.DataFrame) -> pd.DataFrame:
    """Return the topics of all areas together, strongest first."""
    whole = of_the_whole(indices)
    scores = whole[whole["kind"] == "score"]
    return scores.sort_values("estimate", ascending=False, kind="stable", ignore_index=True)


def label_of(row: Any, what: str) -> Text:
    """Return what a row of a published table calls its `what`: name, measure, topic, within."""
    return Text.of(row[f"{what}_zh"], row[f"{what}_en"])


def labelled(
    table: pd.DataFrame, labels: Mapping[str, Text], *, key: str, into: str
) -> pd.DataFrame:
    """Add the Chinese and English labels of a column's values as `into`_zh and `into`_en."""
    zh = {value: label.zh for value, label in labels.items()}
    en = {value: label.en for value, label in labels.items()}
    return table.assign(**{f"{into}_zh": table[key].map(zh), f"{into}_en": table[key].map(en)})


def worded(table: pd.DataFrame, texts: Iterable[Text], *, zh: str, en: str) -> pd.DataFrame:
    """Add the words of the rows as two columns, one a language."""
    return table.assign(**pd.DataFrame(list(texts), table.index, [zh, en]))


def published(survey: Survey, table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Add survey, wave, names by `code` and the mark; put columns in order; keep 12 digits."""
    table = labelled(
        table.assign(survey=survey.name, wave=survey.declared.wave),
        area_labels(survey),
        key="code",
        into="name",
    )
    return twelve_digits(table.assign(mark=mark(survey))[["survey", "wave", *columns, "mark"]])


def recipe_words(name: Text | str) -> Text | str:
    """Return what a weighting that was tried is called: words for the names that the program gives, any other as it stands.

    Examples
    --------
    >>> recipe_words("trim 3 x mean, without county_sex").en
    'weights cut at 3 times the mean; without the margin county_sex'
    >>> recipe_words("my own")
    'my own'
    """
    parts = []
    for part in re.split(r", (?![\d.]+\])", str(name)):
        words = _words_of_change(part)
        if words is None:
            return name
        parts.append(words)
    return semicolon_list(parts)


def _words_of_change(change: str) -> Text | None:
    """Return words for one change of a recipe that the program proposes; None for any other."""
    if change == "no trimming":
        return _("no trimming")
    if cut := re.fullmatch(r"trim ([\d.]+) x mean", change):
        return _("weights cut at {multiple} times the mean", multiple=cut[1])
    if without := re.fullmatch(r"without (\w+)", change):
        return _("without the margin {margin}", margin=without[1])
    calibrated = re.fullmatch(r"(logit|linear) \[([\d.]+), ([\d.]+)\]", change)
    if calibrated is None:
        return None
    method = CALIBRATIONS[calibrated[1]]
    return _(
        "{method}, factors {low} to {high}", method=method, low=calibrated[2], high=calibrated[3]
    )
