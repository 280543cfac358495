"""Several waves side by side, and change between two, with the covariance of the PSUs they share.

Each wave keeps its own design: its PSU totals are centred on its own stratum means and scaled by its own n_h, and the
contributions of shared PSUs are cross-multiplied. A wave's own se do not change by standing beside another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from satisfaction.collection.responses import Responses, load_responses
from satisfaction.declarations.earlier import EarlierSet, comparable_questionnaires
from satisfaction.declarations.facts import read_facts
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import Survey, read_survey
from satisfaction.estimation.pairs import Comparisons, tested
from satisfaction.estimation.result import Estimates
from satisfaction.estimation.sample import Contributions
from satisfaction.foundation.errors import EstimatesError, SatisfactionError
from satisfaction.foundation.files import recorded
from satisfaction.foundation.language import N_, NOTHING, Text, _, use
from satisfaction.sampling.design import ROW
from satisfaction.sampling.tally import refuse_reserved
from satisfaction.sampling.variance import Members, summing

WAVE = "wave"
OF_A_CHANGE = ("later", "earlier", "difference", "t", "p", "p_holm", "p_bh", "correlation")
QUANTILE = "quantile"  # the column p of several quantiles, beside p-values
NULL = _("both waves have equal population values").both


def combine_waves(waves: Mapping[str, Estimates]) -> Estimates:
    """Put the estimates of several waves into one table with their full covariance.

    Parameters
    ----------
    waves : mapping
        Name of the wave -> its estimates, by the same domain columns. PSUs are the same where stratum and PSU have the same
        codes.

    Returns
    -------
    Estimates
        By "wave" and the domain columns; contrasts across waves have the right se.

    Raises
    ------
    EstimatesError
        E171 for fewer than two waves, or waves estimated by different domains, levels or statistics; E172 for replicates
        that have no PSU of their own (BRR, Fay, Rao-Wu, replicate weights); E174 for units of another type in each wave;
        E386 domains by a column `wave`.

    Examples
    --------
    >>> people = pd.DataFrame({"county": ["A"] * 6 + ["B"] * 6, "psu": [1, 1, 2, 2, 3, 3] * 2})
    >>> people["score"] = [80, 60, 75, 95, 70, 40, 55, 65, 60, 40, 70, 40]
    >>> design = sat.SurveyDesign(people, strata="county", psu="psu")
    >>> later = sat.estimate(design, "score", by="county")
    >>> before = people.assign(score=people["score"] - [5, 10, 5, 10, 5, 10] * 2)
    >>> earlier_design = sat.SurveyDesign(before, strata="county", psu="psu")
    >>> earlier = sat.estimate(earlier_design, "score", by="county")
    >>> both = sat.combine_waves({"Q2": earlier, "Q3": later})
    >>> both.table[["wave", "county", "estimate"]]
      wave county  estimate
    0   Q2      A      62.5
    1   Q2      B      47.5
    2   Q3      A      70.0
    3   Q3      B      55.0
    """
    arguments = {
        name: (wave.by, wave.level, wave.conventions["statistic"]) for name, wave in waves.items()
    }
    if len(waves) < 2 or len(set(arguments.values())) != 1:
        raise EstimatesError(
            "E171",
            _("At least two waves are needed, estimated by the same domains, statistic and level."),
            where="waves",
            available=[f"{name}: {by}" for name, (by, *_unused) in arguments.items()],
            hint=_("Estimate every wave with the same arguments."),
        )
    for name, wave in waves.items():
        variance = wave.conventions["variance"]
        if variance in ("brr", "fay", "rao-wu", "replicates"):
            raise EstimatesError(
                "E172",
                _(
                    "The {variance} replicates of '{name}' belong to no single PSU; waves cannot "
                    "be related.",
                    variance=variance,
                    name=name,
                ),
                where="waves",
                available=("linearized", "rake", "jkn"),
                hint=_('Use variance="jkn" or "linearized".'),
            )
    refuse_reserved([name for wave in waves.values() for name in wave.by if name == WAVE])
    parts = list(waves.values())
    table = pd.concat([part.table for part in parts], ignore_index=True)
    rows = [len(part.table) for part in parts]
    table.insert(0, WAVE, np.repeat(list(waves), rows))
    contributions = _joined([part.contributions for part in parts])
    cov = contributions.covariance
    start = 0
    for part in parts:
        end = start + len(part.table)
        cov[start:end, start:end] = part.cov
        start = end
    units = [part.contributions.units for part in parts]
    conventions = parts[0].conventions | {
        "waves": list(waves),
        "psus": [len(named) for named in units],
        "shared_psus": _shared_units(units),
    }
    by = (WAVE, *parts[0].by)
    return Estimates(table, cov, contributions, by, conventions, parts[0].design)


def change(later: Estimates, earlier: Estimates) -> Comparisons:
    """Test the change of every domain and measure between two waves.

    Parameters
    ----------
    later, earlier : Estimates
        By the same domain columns; domains and measures of only one of them are left out and counted in the conventions.

    Returns
    -------
    Comparisons
        One row a domain and measure: later, earlier, difference (later - earlier, in the measure's unit), se, df, t, p, p_holm,
        p_bh, ci_low, ci_high, correlation of the two estimates. Of several quantiles: a column `quantile`.

    Raises
    ------
    EstimatesError
        E171, E172, E174 as `combine_waves`; E173 when the waves have no domain and measure in common; E386 domains of a
        reserved name.

    Examples
    --------
    >>> people = pd.DataFrame({"county": ["A"] * 6 + ["B"] * 6, "psu": [1, 1, 2, 2, 3, 3] * 2})
    >>> people["score"] = [80, 60, 75, 95, 70, 40, 55, 65, 60, 40, 70, 40]
    >>> design = sat.SurveyDesign(people, strata="county", psu="psu")
    >>> later = sat.estimate(design, "score", by="county")
    >>> before = people.assign(score=people["score"] - [0, 10, 5, 10, 5, 12] * 2)
    >>> earlier_design = sat.SurveyDesign(before, strata="county", psu="psu")
    >>> earlier = sat.estimate(earlier_design, "score", by="county")
    >>> moved = sat.change(later, earlier)
    >>> moved.table[["county", "later", "earlier", "difference", "se"]].round(2)
      county  later  earlier  difference    se
    0      A   70.0     63.0         7.0  1.04
    1      B   55.0     48.0         7.0  1.04
    """
    asked = later.conventions.get("p")
    quantiles = {}
    if asked is not None and np.ndim(asked):
        quantiles["p"] = QUANTILE
    refuse_reserved([name for name in later.by if name in OF_A_CHANGE and name not in quantiles])
    both = combine_waves({"later": later, "earlier": earlier})
    keys = [*later.by, "measure"]
    numbered = both.table.assign(_row=np.arange(len(both.table)))
    rows = numbered.pivot_table(index=keys, columns=WAVE, values="_row", sort=False)
    rows = rows.rename_axis(columns=None)
    pairs = rows.reindex(columns=["later", "earlier"]).dropna().astype(int)
    if pairs.empty:
        raise EstimatesError(
            "E173",
            _("The waves have no domain and measure in common."),
            where="change",
            available=sorted(set(earlier.table["measure"])),
            hint=_("Estimate both waves by the same column and measure."),
        )
    first = pairs["later"].to_numpy()
    second = pairs["earlier"].to_numpy()
    value = both.table["estimate"].to_numpy(float)
    identity = sp.eye_array(len(value), format="csr")
    matrix = sp.csr_array(identity[first] - identity[second])
    differences = both.combined(matrix, pairs.reset_index()[keys], by=later.by).table
    testable = both.testable
    table = tested(
        differences[keys]
        .rename(columns=quantiles)
        .assign(later=value[first], earlier=value[second]),
        difference=value[first] - value[second],
        se=differences["se"].to_numpy(float),
        df=differences["df"].to_numpy(float),
        usable=testable[first] & testable[second],
        level=later.level,
    )
    variance = np.diag(both.cov)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = both.cov[first, second] / np.sqrt(variance[first] * variance[second])
    conventions = {
        "null": NULL,
        "test": _("two-sided t; each wave's own design, covariance over shared PSUs").both,
        "df": N_(
            "Satterthwaite over the waves; where they share PSUs: PSUs - strata of their union"
        ),
        "not_tested": N_("rows whose se is 0 or whose df is below 1"),
        "left_out": len(later.table) + len(earlier.table) - 2 * len(pairs),
    }
    for name in ("level", "selection", "calibration", "variance", "psus", "shared_psus"):
        conventions[name] = both.conventions[name]
    return Comparisons(table.assign(correlation=correlation), conventions)


def _shared_units(units: list[pd.DataFrame]) -> int:
    """Count the PSUs that stand in every wave."""
    common = units[0]
    for other in units[1:]:
        if list(common) != list(other) or ROW in common:
            return 0
        common = common.merge(other, how="inner")
    return len(common)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CommonUnits:
    """The sampling units of several waves.

    Attributes
    ----------
    table : DataFrame (U, ...)
        The PSUs of all waves, each once, by stratum and code.
    places : list of (U + S, R) of 0 and 1, sparse
        For every wave, where its R contributions stand among those of all; rows of its further stages behind the PSUs, one
        wave's after the other's.
    """

    table: pd.DataFrame
    places: list[Any]


def common_units(parts: Sequence[Contributions]) -> CommonUnits:
    """Find the PSUs that stand in several waves by the codes of stratum and PSU.

    Raises
    ------
    EstimatesError
        E174 for units that are numbers in one wave and text in another.
    """
    columns = list(parts[0].units)
    matched = ROW not in columns and all(list(part.units) == columns for part in parts)
    if matched:
        for column in columns:
            kinds = {pd.api.types.is_numeric_dtype(part.units[column]) for part in parts}
            if len(kinds) > 1:
                raise EstimatesError(
                    "E174",
                    _(
                        "Column '{column}' holds numbers in one wave and text in another.",
                        column=column,
                    ),
                    where="change",
                    hint=_("Give it one type in both waves, so that shared PSUs are found."),
                )
    named = []
    for wave, part in enumerate(parts):
        named.append(part.units if matched else part.units.assign(_wave=wave))
    units = pd.concat(named).drop_duplicates().reset_index(drop=True)
    place = units.assign(_unit=np.arange(len(units)))
    rows = []
    end = len(units)
    for part, names in zip(parts, named, strict=True):
        at = names.merge(place, on=list(names), how="left")["_unit"].to_numpy()
        start = end
        end += part.matrix.shape[0] - len(at)
        rows.append(np.append(at, np.arange(start, end)))
    return CommonUnits(units[columns] if matched else units, [summing(at, end) for at in rows])


def _joined(parts: list[Contributions]) -> Contributions:
    """Lay contributions side by side, with the PSUs that the waves share."""
    common = common_units(parts)
    number = len(common.table)
    joined = []
    inside = []
    in_stratum = []
    for part, place in zip(parts, common.places, strict=True):
        joined.append(place @ sp.csr_array(part.matrix))
        of_psus = place[:number, : len(part.units)]
        inside.append(of_psus @ part.members.inside)
        in_stratum.append(of_psus @ summing(part.members.stratum).T)
    # strata of two waves are one where they share a PSU
    belongs = sp.csr_array(sp.hstack(in_stratum))
    _unused, stratum = connected_components(belongs @ belongs.T, directed=False)
    members = Members(sp.csr_array(sp.hstack(inside)), np.asarray(stratum))
    return Contributions(common.table, sp.csr_array(sp.hstack(joined)), members)


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
                earlier = self.earlier
                comparable = comparable_questionnaires(self._questionnaire)
                if earlier.questionnaire not in comparable and not earlier.declared.accepted:
                    different = _(
                        "questionnaire {before}, now {now}, not declared comparable",
                        before=earlier.questionnaire,
                        now=self._questionnaire.reference,
                    )
                elif not _are_published(estimates, earlier):
                    different = _(
                        "the folder of {wave} no longer gives its file set {name}",
                        wave=earlier.wave,
                        name=earlier.folder.name,
                    )
                else:
                    different = NOTHING
            except SatisfactionError as fault:
                different = Text(f"{fault.code} {fault.zh}", f"{fault.code} {fault.en}")
        if different:
            estimates = {}
        return EarlierEstimates(estimates, different, read)


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
