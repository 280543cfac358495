"""The wave before, estimated anew from its folder, and whether it still gives what was published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np
import pandas as pd

from satisfaction.collection.responses import Responses, load_responses
from satisfaction.declarations.earlier import EarlierSet, comparable_questionnaires
from satisfaction.declarations.facts import read_facts
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import Survey, read_survey
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import SatisfactionError
from satisfaction.foundation.files import recorded
from satisfaction.foundation.language import NOTHING, Text, _, use

ByLevel: TypeAlias = dict[str, Estimates]
SAME_FIGURES = 1e-9  # of a wave computed again and its published set, relative


@dataclass(frozen=True, slots=True)
class EarlierEstimates:
    """What an earlier wave's folder gives.

    Attributes
    ----------
    estimates : dict of Estimates
        Of the score that this wave's questionnaire ranks, by level of area; empty where it cannot be compared.
    fault : Text
        Why not; empty where it can.
    read : dict of str to str
        SHA-256 of every file that was read for it, by its absolute path.
    """

    estimates: ByLevel
    fault: Text
    read: Mapping[str, str] = field(repr=False)


class WaveBefore:
    """The wave before, computed from its folder when somebody asks for a change.

    Attributes
    ----------
    earlier : EarlierSet
    """

    def __init__(
        self,
        earlier: EarlierSet,
        questionnaire: Questionnaire,
        estimate: Callable[[Survey, Responses, str], ByLevel],
    ) -> None:
        self.earlier = earlier
        self._questionnaire = questionnaire
        self._estimate = estimate

    def __repr__(self) -> str:
        return f"WaveBefore({self.earlier.wave}: {self.earlier.survey})"

    @cached_property
    def computed(self) -> EarlierEstimates:
        """Return its estimates as the folder gives them now; computed once."""
        assert self.earlier.survey_folder is not None
        with use(None), recorded() as read:
            try:
                survey = read_survey(self.earlier.survey_folder, ranking=False)
                responses = load_responses(survey)
                read |= {**survey.read, **responses.read}
                estimates = self._estimate(survey, responses, self._questionnaire.ranked)
                different = self._difference(estimates)
            except SatisfactionError as fault:
                different = Text(f"{fault.code} {fault.zh}", f"{fault.code} {fault.en}")
        if different:
            estimates = {}
        return EarlierEstimates(estimates, different, read)

    def _difference(self, estimates: ByLevel) -> Text:
        """Say why the estimates cannot stand for what was published; nothing where they can."""
        earlier = self.earlier
        comparable = comparable_questionnaires(self._questionnaire)
        if earlier.questionnaire not in comparable and not earlier.declared.accepted:
            return _(
                "questionnaire {before}, now {now}, not declared comparable",
                before=earlier.questionnaire,
                now=self._questionnaire.reference,
            )
        if not _are_published(estimates, earlier):
            return _(
                "the folder of {wave} no longer gives its file set {name}",
                wave=earlier.wave,
                name=earlier.folder.name,
            )
        return NOTHING


def _are_published(estimates: ByLevel, earlier: EarlierSet) -> bool:
    """Tell whether estimates and errors of all areas are those of a file set."""
    columns = ("level", "code", "measure", "estimate", "se")
    table = read_facts(earlier.folder / "indices.csv", columns)
    published = table.set_index(["level", "code", "measure"])[["estimate", "se"]]
    for level, of_level in estimates.items():
        if not of_level.by:
            continue
        codes = of_level.table[of_level.by[0]].astype(str)
        levels = [level] * len(codes)
        keys = pd.MultiIndex.from_arrays([levels, codes, of_level.table["measure"]])
        before = published.reindex(keys).apply(pd.to_numeric, errors="coerce")
        now = of_level.table[["estimate", "se"]].astype(float)
        if not np.allclose(now, before, rtol=SAME_FIGURES, atol=1e-12, equal_nan=True):
            return False
    return True
