"""What changed behind the figures, in the reader's words: a key of a declaration by what it means, the key beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping

from satisfaction.foundation.conventions import KEYS, value_in_words
from satisfaction.foundation.language import Text, _, as_text, comma_list, pgettext
from satisfaction.publication.manifest import PROGRAM_FILES
from satisfaction.publication.ranking_workbook import LEVELS

NOT_DECLARED = _("not declared")
ROWS = {
    "rows": pgettext("a declared key", "rows"),
    "accepted": pgettext("a declared key", "accepted"),
    "rejected": pgettext("a declared key", "rejected"),
    "blanked": pgettext("a declared key", "blanked"),
}
PARTS = {
    "ranking": pgettext("a declared key", "ranking"),
    "rankings": pgettext("a declared key", "further ranking"),
    "responses": pgettext("a declared key", "rules for answers"),
    "thresholds": pgettext("a declared key", "threshold"),
    "targets": pgettext("a declared key", "target"),
    "history": pgettext("a declared key", "ranks of earlier waves"),
    "escalation": pgettext("a declared key", "ladder"),
    "release": pgettext("a declared key", "release"),
    "suppression": pgettext("a declared key", "small cells"),
    "combined": pgettext("a declared key", "combined score"),
    "components": pgettext("a declared key", "component"),
    "steps": pgettext("a declared key", "step"),
    "estimates": pgettext("a declared key", "estimates"),
}
"""Parts of what is declared, as they stand in the way to a key."""
TITLES = {
    "zh": pgettext("a declared key", "words in Chinese"),
    "en": pgettext("a declared key", "words in English"),
    "title": pgettext("a declared key", "title"),
    "measure": pgettext("a declared key", "measure"),
    "score": pgettext("a declared key", "score"),
    "name": pgettext("a declared key", "name"),
    "main": pgettext("a declared key", "whether it is the ranking of the wave"),
    "below": pgettext("a declared key", "value below which it holds"),
    "on_list": pgettext("a declared key", "what it does to the list"),
    "top": pgettext("a declared key", "a rank among the first so many"),
    "rise": pgettext("a declared key", "rise in places"),
    "first_in": pgettext("a declared key", "first in"),
    "since": pgettext("a declared key", "since the wave"),
    "wave": pgettext("a declared key", "wave"),
    "gaps": pgettext("a declared key", "waves that were not held"),
    "questionnaire": pgettext("a declared key", "questionnaire"),
    "listed_in_a_row": pgettext("a declared key", "waves in a row on the list"),
    "listed_in_a_year": pgettext("a declared key", "waves on the list within a year"),
    "fall": pgettext("a declared key", "fall in places"),
    "rank_from": pgettext("a declared key", "this rank or a worse one"),
    "low": pgettext("a declared key", "a measure proven to be low"),
    "off_list": pgettext("a declared key", "waves off the list"),
    "rank_at_most": pgettext("a declared key", "this rank or a better one"),
    "minimum_psus": pgettext("a declared key", "fewest PSUs"),
    "complementary": pgettext("a declared key", "a further cell withheld"),
    "weight": pgettext("a declared key", "weight"),
    "normalise": pgettext("a declared key", "normalisation"),
    "aggregation": pgettext("a declared key", "aggregation"),
    "above": pgettext("a declared key", "scores of larger areas"),
    "exact": pgettext("a declared key", "why it is exact"),
    "earlier": pgettext("a declared key", "earlier waves"),
    "date": pgettext("a declared key", "date"),
    "lost": pgettext("a declared key", "table of lost points"),
    "assessment": pgettext("a declared key", "assessment by points"),
    "standard_error": pgettext("a declared key", "standard error"),
    "trial": pgettext("a declared key", "what makes a trial"),
    "tests": pgettext("a declared key", "what is tested"),
    PROGRAM_FILES: pgettext("a declared key", "files of the program"),
}
"""What the keys are called that no convention names."""


def cause_line(row: Mapping[Hashable, object]) -> Text:
    """Write one cause: what changed, from what to what.

    Parameters
    ----------
    row : mapping
        kind, what, old, new, as `Comparison.causes` holds them.
    """
    what = str(row["what"])
    kind = row["kind"]
    old: Text | str = as_text(str(row["old"]))
    new: Text | str = as_text(str(row["new"]))
    title: Text | str = what
    if kind == "corrections":
        title = _corrected_cell(what)
        old = old or NOT_DECLARED
        new = new or NOT_DECLARED
    elif kind == "responses":
        place, _dot, counted = what.rpartition(".")
        title = _("{place}, {counted}", place=place, counted=ROWS[counted])
    elif kind != "inputs":
        title = key_in_words(what)
        old = _value(str(row["old"]))
        new = _value(str(row["new"]))
    return _("  {what}: {old} → {new}", what=title, old=old, new=new)


def _corrected_cell(what: str) -> Text:
    table, row = what.rsplit(" row ", 1)
    number, column = row.split(" ", 1)
    return _("{table} row {row} {column}", table=table, row=number, column=column)


def key_in_words(key: str) -> Text:
    """Say what the way to a declared value means, with the way itself in brackets; a way without words as it stands.

    Examples
    --------
    >>> key_in_words("escalation.steps[0].fall").en
    'ladder, step no. 1, fall in places (escalation.steps[0].fall)'
    """
    words: list[Text | str] = []
    for name in key.split("."):
        part, *places = re.split(r"[\[\]]+", name.rstrip("]"))
        part_words = PARTS.get(part) or LEVELS.get(part) or TITLES.get(part) or KEYS.get(part)
        if places:
            part_words = _(
                "{part} no. {number}", part=part_words or part, number=int(places[0]) + 1
            )
        words.append(part_words or part)
    if not any(isinstance(word, Text) for word in words):
        return Text(key)
    if len(words) > 1 and words[0] == PARTS["ranking"]:
        words = words[1:]
    return _("{words} ({key})", words=comma_list(words), key=key)


def _value(text: str) -> Text | str:
    """Write a declared value; a manifest holds it as JSON, and nothing where it is not declared."""
    if not text:
        return NOT_DECLARED
    try:
        value = json.loads(text)
    except ValueError:
        return as_text(text)
    if value is None:
        return NOT_DECLARED
    return LEVELS.get(str(value)) or value_in_words(value)
