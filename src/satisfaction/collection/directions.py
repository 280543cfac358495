"""Scales whose ends were exchanged, 1 for 5, in one file of many or in one area of a file.

Two signs. An item goes down where the other items with scores go up, and elsewhere it does not. Or the level of the ranked
measure lies nearer to the mirror image of what it is elsewhere than to that. Where answers elsewhere lie near the middle
of the scale and all items were exchanged together, nothing can be seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from satisfaction.collection.account import EXCHANGED, TableNote
from satisfaction.declarations.items import SingleItem
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.errors import ResponsesError, place_of
from satisfaction.foundation.language import Text, _, ngettext

Floats = npt.NDArray[np.float64]
FEWEST = 50  # respondents of whom a direction is judged
FEWEST_APART = 20  # of them who lie apart from the mean of their group
APART = 0.25  # standard deviations
CERTAIN = 4.0  # standard errors (Fisher's z) that a correlation must lie below 0
OPPOSITE = -0.2  # a correlation at most this runs against the others, whatever it is elsewhere
WITH_THEM = 0.1  # a correlation of at least this elsewhere shows which way an item should run
MIDDLE = 50.0  # of scores 0-100
FAR = 15.0  # points that the level elsewhere must lie from the middle


def directions(accepted: pd.DataFrame, survey: Survey) -> list[TableNote]:
    """Say which scales seem to run the other way: of a whole file, else of areas in it.

    Parameters
    ----------
    accepted : DataFrame
        One row a respondent, coded.

    Returns
    -------
    list of TableNote
        Rule R222; `column` is the item, or the ranked measure for the level of all its items; `value` is the area.
    """
    questionnaire = survey.questionnaire
    scores = _scores(accepted, questionnaire)
    if scores.empty:
        return []
    files = accepted[["_file", "_sheet"]].assign(_area="")
    areas = files.assign(_area=accepted[questionnaire.roles.area].astype(object).fillna(""))
    found: list[TableNote] = []
    for places in (files, areas):
        grouped = places.groupby(list(places.columns), sort=False)
        groups = _Groups(grouped.ngroup().to_numpy(), list(grouped.groups))
        said = {(note.file, note.sheet, note.column) for note in found}
        notes = [
            *_mirrored(scores, groups, questionnaire),
            *_against_the_others(scores, groups, questionnaire),
        ]
        found += [note for note in notes if (note.file, note.sheet, note.column) not in said]
    return found


def refuse_directions(notes: Sequence[TableNote], survey: Survey) -> None:
    """Refuse responses with a scale that seems to run the other way, unless rules.yaml says that it is only noted.

    Raises
    ------
    ResponsesError
        R327.
    """
    if not notes or survey.rules.responses.reversed_scale == "note":
        return
    first = notes[0]
    text = first.text
    if len(notes) > 1:
        text = ngettext(
            "{text}; there is {n} more sign of that.",
            "{text}; there are {n} more signs of that.",
            len(notes) - 1,
            text=text,
        )
    raise ResponsesError(
        "R327",
        text,
        where=place_of(first.file, first.sheet, first.value),
        hint=_(
            "Compare the codes in the file with the questionnaire; have it exported again with labels in "
            "place of numbers, or with the questionnaire's codes. If the answers are right, write "
            "responses: {reversed_scale} in rules.yaml.",
            reversed_scale="{reversed_scale: note}",
        ),
    )


class _Groups(NamedTuple):
    """The group of each respondent, and the names of the groups: file, sheet, area."""

    number: npt.NDArray[np.integer]
    names: list[tuple[str, str, str]]

    def sums(self, values: Floats, known: npt.NDArray[np.bool_]) -> Floats:
        """Sum (n,) known values by group."""
        number = self.number[known]
        return np.bincount(number, weights=values[known], minlength=len(self.names)).astype(float)

    def apart(self, x: Floats, y: Floats, known: npt.NDArray[np.bool_]) -> Floats:
        """Count by group who lies apart from the group's mean in both: one person alone can make a correlation."""
        apart = known.copy()
        n = np.maximum(self.sums(np.ones_like(x), known), 1)
        for values in (x, y):
            centre = self.sums(values, known) / n
            variance = np.maximum(self.sums(values * values, known) / n - centre**2, 0)
            far = APART * np.sqrt(variance)
            apart &= np.abs(values - centre[self.number]) > far[self.number]
        return self.sums(np.ones_like(x), apart)

    def note(self, group: int, item: str, text: Text) -> TableNote:
        """Say something of a group."""
        file, sheet, area = self.names[group]
        return TableNote(file, sheet, 0, item, area, EXCHANGED, text)


def _scores(accepted: pd.DataFrame, questionnaire: Questionnaire) -> pd.DataFrame:
    """Scores of the items whose answers have some, in points; NaN where there is no answer with a score."""
    columns = {}
    for name in questionnaire.items_of(SingleItem):
        points = {}
        for code, answer in questionnaire.answers(name).items():
            if answer.score is not None:
                points[code] = float(answer.score)
        if len(set(points.values())) > 1:
            columns[name] = accepted[name].map(points).astype(float)
    scores = pd.DataFrame(columns, index=accepted.index)
    return scores.dropna(axis=1, how="all")


def _against_the_others(
    scores: pd.DataFrame, groups: _Groups, questionnaire: Questionnaire
) -> Iterator[TableNote]:
    """Items that go down where the mean of the others goes up."""
    points = scores.to_numpy(float)
    spread = np.nanstd(points, axis=0)
    points = (points - np.nanmean(points, axis=0)) / np.where(spread > 0, spread, 1.0)
    answered = ~np.isnan(points)
    sums = np.where(answered, points, 0.0).sum(axis=1)
    counts = answered.sum(axis=1)
    for place, item in enumerate(scores):
        known = answered[:, place] & (counts > 1)
        own = points[:, place]
        others = (sums - np.nan_to_num(own)) / np.maximum(counts - 1, 1)
        parts = (np.ones_like(own), own, others, own * own, others * others, own * others)
        here = np.array([groups.sums(part, known) for part in parts])
        inside = _correlation(here)
        outside = _correlation(here.sum(axis=1, keepdims=True) - here)
        certain = np.arctanh(inside) * np.sqrt(np.maximum(here[0] - 3, 0)) <= -CERTAIN
        exchanged = certain & ((inside <= OPPOSITE) | (outside >= WITH_THEM))
        exchanged &= here[0] >= FEWEST
        if not exchanged.any():
            continue
        exchanged &= groups.apart(own, others, known) >= FEWEST_APART
        for group in np.flatnonzero(exchanged).tolist():
            text = _(
                "answers to '{title}' go down where the other answers go up (correlation {here:.2f}, "
                "elsewhere {elsewhere:.2f}), as if the ends of its scale or of the others were exchanged",
                title=questionnaire.items[item],
                here=inside[group],
                elsewhere=outside[group],
            )
            if np.isnan(outside[group]):  # there is nobody else
                text = _(
                    "answers to '{title}' go down where the other answers go up (correlation {here:.2f}), "
                    "as if the ends of its scale were exchanged",
                    title=questionnaire.items[item],
                    here=inside[group],
                )
            yield groups.note(group, item, text)


def _correlation(sums: Floats) -> Floats:
    """Correlations from n and the sums of x, y, xx, yy, xy, (6, groups); NaN where nothing varies."""
    n, x, y, xx, yy, xy = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        product = (xx - x * x / n) * (yy - y * y / n)
        correlation: Floats = (xy - x * y / n) / np.sqrt(product)
    return np.clip(correlation, -0.999999, 0.999999)


def _mirrored(
    scores: pd.DataFrame, groups: _Groups, questionnaire: Questionnaire
) -> Iterator[TableNote]:
    """Files or areas whose level of the ranked measure lies nearer to the mirror image of the others' level."""
    ranked = questionnaire.ranked
    items = [item for item in scores if item in questionnaire.rests_on(ranked)]
    if not items:
        return
    level = scores[items].mean(axis=1).to_numpy(float)
    known = ~np.isnan(level)
    n = groups.sums(np.ones_like(level), known)
    sums = groups.sums(level, known)
    judged = np.flatnonzero((n >= FEWEST) & (n.sum() - n >= FEWEST))
    for group in judged.tolist():
        here = sums[group] / n[group]
        elsewhere = (sums.sum() - sums[group]) / (n.sum() - n[group])
        mirror = 2 * MIDDLE - elsewhere
        if abs(elsewhere - MIDDLE) < FAR or abs(here - elsewhere) <= abs(here - mirror):
            continue
        text = _(
            "'{title}' has a mean of {here:.1f} of 100, elsewhere {elsewhere:.1f}: nearer to its mirror "
            "image, as if the ends of the scale were exchanged",
            title=(questionnaire.rates | questionnaire.indices)[ranked],
            here=here,
            elsewhere=elsewhere,
        )
        yield groups.note(group, ranked, text)
