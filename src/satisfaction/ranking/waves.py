"""Several waves of the same units: two side by side, the mean of the last ones, and whether they
may be compared.

Two waves are read from Estimates or arrays and put in one order, with the covariance between them.
Rolling indices are the mean of the last waves by area, with the covariance of the PSUs they share.
Waves may be compared where both questionnaires declare the same measure, one allows it, or the
caller says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from satisfaction.declarations.items import SingleItem
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.estimation.change import combine_waves
from satisfaction.estimation.intervals import standard_errors
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import RankingError, shortened
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.language import N_, Text, _
from satisfaction.foundation.yaml import leaves
from satisfaction.ranking.drawn import JointDraws, compare_drawn
from satisfaction.ranking.pairs import Bools, Floats, Ints, Pairs, by_point, compare_units
from satisfaction.ranking.units import (
    Units,
    check_units,
    is_covariance,
    numbers,
    refuse_other_index,
    shaped,
    unit_names,
    units_from_arrays,
    units_from_estimates,
)
from satisfaction.sampling.variance import Members

OF_DRAWS = N_("unknown: no standard error carries drawn scores from wave to wave")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Waves(Brief):
    """Two waves of p units, in the later wave's order.

    Attributes
    ----------
    before, after : Units
        The earlier and the later wave.
    cross : (p, p)
        Sampling covariance of the later (rows) and the earlier estimates.
    relation : str
        Where `cross` comes from.
    shared_psus : int or None
        PSUs that stand in both waves; None where only arrays were given.
    members : Members or None
        Which PSUs hold respondents of each unit, later wave first, then the earlier one: (P, 2p).
    """

    before: Units
    after: Units
    cross: Floats
    relation: str
    shared_psus: int | None = None
    members: Members | None = None

    @property
    def ranked(self) -> Bools:
        """(p,) bool: units that take part."""
        return self.after.ranked

    @property
    def selection(self) -> str:
        """The weaker of both waves' selections."""
        if self.after.selection != "probability":
            return self.after.selection
        return self.before.selection

    @property
    def drawn(self) -> bool:
        """Whether the scores of a wave are drawn: then nothing carries errors from wave to wave."""
        return self.after.drawn is not None or self.before.drawn is not None

    def covariance(self) -> Floats:
        """(2p, 2p) sampling covariance of the ranked units, later wave first."""
        ranked = np.ix_(self.ranked, self.ranked)
        cross = self.cross[ranked]
        return np.block([[self.after.cov[ranked], cross], [cross.T, self.before.cov[ranked]]])

    def pairs(self, sign: float) -> tuple[Pairs, Pairs]:
        """Pairs of the earlier and of the later wave, scores times `sign`."""
        return pairs_of(self.before, sign), pairs_of(self.after, sign)

    def ranked_scores(self, sign: float) -> tuple[Floats, Floats]:
        """Return the ranked units' scores times `sign`, (p, 2), earlier wave first, and their
        sampling covariances (p, 2, 2).
        """
        score = np.column_stack([self.before.estimate, self.after.estimate])
        score = score[self.ranked]
        before = np.diag(self.before.cov)[self.ranked]
        after = np.diag(self.after.cov)[self.ranked]
        cross = np.diag(self.cross)[self.ranked]
        return sign * score, two_by_two(before, after, cross)


def two_by_two(before: Floats, after: Floats, cross: Floats) -> Floats:
    """Put (n,) variances of two waves and their covariances together, (n, 2, 2)."""
    matrices = np.array([[before, cross], [cross, after]])
    return matrices.transpose(2, 0, 1)


def pairs_of(units: Units, sign: float) -> Pairs:
    """Compare the ranked units of one wave, scores times `sign`."""
    ranked = units.ranked
    score = sign * units.estimate[ranked]
    if units.selection != "probability":
        return by_point(score)
    if units.drawn is not None:
        return compare_drawn(score, units.drawn.of(np.flatnonzero(ranked)).turned(sign))
    return compare_units(score, cov=units.cov[np.ix_(ranked, ranked)], df=units.df[ranked])


def waves_from_estimates(
    later: Estimates, earlier: Estimates, *, ranked: object, selection: str
) -> Waves:
    """Read two Estimates of one measure by the same areas; shared PSUs give the covariance.

    Of drawn scores there is none: what is said of them must hold however the waves are related.
    """
    after = units_from_estimates(later, ranked=ranked, selection=selection)
    order = same_units(after.names, unit_names(earlier))
    taking_part = after.ranked[np.argsort(order)]
    before = units_from_estimates(earlier, ranked=taking_part, selection=selection)
    if after.drawn is not None or before.drawn is not None:
        p = len(order)
        unknown = np.full((p, p), np.nan)
        return _checked(Waves(before.of(order), after, unknown, OF_DRAWS))
    return waves_from_units(after, before, sources=(later, earlier))


def waves_from_arrays(
    later: object,
    earlier: object,
    *,
    se: object,
    cov: object,
    df: object,
    names: Iterable[object] | None,
    ranked: object,
    selection: str,
) -> Waves:
    """Read two arrays of scores; for the arguments see `ranking.change.rank_change`."""
    refuse_other_index(later, {"earlier": earlier, "ranked": ranked}, name="later")
    scores = numbers(later, "later")
    p = len(np.atleast_1d(scores))
    if (se is None) == (cov is None):
        raise RankingError(
            "K143",
            _("Give exactly one of se and cov."),
            where="se, cov",
        )
    if cov is None:
        errors = shaped(se, "se", (2, p)).ravel()
        # a negative se leaves a negative variance, to be refused by name
        both = np.diag(errors * np.abs(errors))
        relation = "waves independent: se given"
    else:
        both = shaped(cov, "cov", (2 * p, 2 * p))
        if not is_covariance(both):
            raise RankingError(
                "K144",
                _(
                    "cov must be symmetric and complete, the later wave first, and no combination may "
                    "have a negative variance."
                ),
                where="cov",
            )
        relation = "covariance given"
    freedom = np.full((2, p), np.inf)
    if df is not None:
        freedom = shaped(df, "df", (2, p), scalar=True)
    shared: dict[str, Any] = {
        "se": None,
        "names": None if names is None else tuple(names),
        "ranked": ranked,
        "selection": selection,
    }
    values = shaped(earlier, "earlier", (p,))
    after = units_from_arrays(scores, cov=both[:p, :p], df=freedom[0], **shared)
    before = units_from_arrays(values, cov=both[p:, p:], df=freedom[1], **shared)
    return _checked(Waves(before, after, both[:p, p:], relation))


def waves_from_units(
    after: Units, before: Units, *, sources: tuple[Estimates | None, Estimates | None]
) -> Waves:
    """Put the units of two waves side by side: with the covariance of the PSUs that their Estimates
    share; without both Estimates the waves count as independent.
    """
    refuse_drawn(after, before)
    order = same_units(after.names, before.names)
    before = before.of(order)
    if np.any(before.ranked != after.ranked):
        raise _different(_("units ranked"), after.ranked_names, before.ranked_names)
    later, earlier = sources
    p = len(order)
    if later is None or earlier is None:
        cross = np.zeros((p, p))
        relation = "unknown: taken as independent, which matters to probabilities only"
        return _checked(Waves(before, after, cross, relation))
    both = combine_waves({"later": later, "earlier": earlier})
    of_units = np.concatenate([np.arange(p), p + order])
    waves = Waves(
        before,
        after,
        cross=both.cov[:p, p:][:, order],
        relation="PSUs of the same stratum and code in both waves",
        shared_psus=int(both.conventions["shared_psus"]),
        members=both.contributions.members.of(of_units),
    )
    return _checked(waves)


def refuse_drawn(*waves: Units | Estimates) -> None:
    """Refuse scores that are drawn where standard errors of two waves are put together.

    Raises
    ------
    RankingError
        K370.
    """
    if any(wave.drawn is not None for wave in waves):
        raise RankingError(
            "K370",
            _(
                "The score is drawn, because a mark or points of inspection decide about points of an "
                "assessment: no standard error carries it from wave to wave."
            ),
            where="combined.yaml",
            hint=_(
                "Compare two waves by `satisfaction change`, whose bounds need none; average them by "
                "`satisfaction rolling`, which draws all waves together."
            ),
        )


def same_units(after: tuple[str, ...], before: tuple[str, ...]) -> Ints:
    """Where each of the later wave's units stands in the earlier one: (p,) int."""
    if sorted(after) != sorted(before):
        raise _different(_("units"), after, before)
    place = {name: i for i, name in enumerate(before)}
    return np.array([place[name] for name in after])


def _checked(waves: Waves) -> Waves:
    """Refuse waves of which one cannot be ranked."""
    check_units(waves.after)
    check_units(waves.before)
    return waves


def _different(what: Text, after: tuple[str, ...], before: tuple[str, ...]) -> RankingError:
    """Say which units stand in only one wave."""
    only_after = [name for name in after if name not in set(before)]
    only_before = [name for name in before if name not in set(after)]
    return RankingError(
        "K145",
        _(
            "The waves' {what} differ: only later {only_after}; only earlier {only_before}.",
            what=what,
            only_after=shortened(only_after) or "-",
            only_before=shortened(only_before) or "-",
        ),
        where="later, earlier",
        hint=_("Estimate and rank both waves over the same units."),
    )


# ---- the mean of the last waves


def rolling(waves: Mapping[str, Estimates], *, drawn_together: bool = False) -> Estimates:
    """Average waves area by area; every wave counts the same.

    The average is steadier than one wave and lags behind it: it describes the whole period, not its
    end.

    Parameters
    ----------
    waves : mapping
        Name of the wave -> its estimates of one measure by the same areas, in order of time; whether
        the measure means the same in all of them is for the caller to know.
    drawn_together : bool
        Whether the draws of drawn scores were made together, each the same state of all waves
        (`composite.scores.drawn_waves`).

    Returns
    -------
    Estimates
        By the areas, in the order of the last wave: fit for `rank`, `rank_change` (also against a
        window that shares waves with it) and contrasts. df by Satterthwaite over waves and areas; n
        is the sum; selection is that of the weakest wave. Of drawn scores: se and limits of the mean
        of the draws, no df.

    Raises
    ------
    RankingError
        K145 for areas that differ, K147 for several measures, K155 for a single wave, K370 for
        scores that were drawn wave by wave.
    EstimatesError
        E171, E172 as `combine_waves`.
    """
    if len(waves) < 2:
        raise RankingError(
            "K155",
            _("The mean of waves needs two of them or more."),
            where="rolling",
            available=waves,
            hint=_("Give as many waves as the window needs."),
        )
    if not drawn_together:
        refuse_drawn(*waves.values())
    one_measure(*waves.values())
    newest = list(waves.values())[-1]
    p = len(newest.table)
    share = np.full(p, 1 / len(waves))
    rows = []
    blocks = []
    n = np.zeros(p, dtype=newest.table["n"].dtype)
    for estimates in waves.values():
        at = same_units(unit_names(newest), unit_names(estimates))
        rows.append(at)
        blocks.append(sp.coo_array((share, (np.arange(p), at)), shape=(p, p)))
        n = n + estimates.table["n"].to_numpy()[at]
    keys = newest.table[[*newest.by, "measure"]]
    if drawn_together:
        mean = _mean_of_draws(
            [one.of_rows(at) for one, at in zip(waves.values(), rows, strict=True)]
        )
    else:
        mean = combine_waves(waves).combined(sp.csr_array(sp.hstack(blocks)), keys, by=newest.by)
    weakest = newest
    for estimates in waves.values():
        if estimates.conventions["selection"] != "probability":
            weakest = estimates
            break
    conventions = mean.conventions | {
        "rolling": list(waves),
        "wave_weights": "every wave counts the same",
        "selection": weakest.conventions["selection"],
    }
    table = mean.table.assign(n=n)
    return replace(mean, table=table, conventions=conventions, design=weakest.design)


def _mean_of_draws(waves: list[Estimates]) -> Estimates:
    """Average the same areas of waves whose scores were drawn together."""
    newest = waves[-1]
    drawn = JointDraws.mean([one.drawn for one in waves])
    score = np.mean([one.table["estimate"] for one in waves], axis=0)
    low, high = drawn.limits(newest.level)
    figures = {
        "estimate": score,
        "se": np.where(np.isnan(score), np.nan, standard_errors(drawn.cov)),
        "ci_low": low,
        "ci_high": high,
    }
    table = newest.table.assign(**figures)
    return replace(newest, table=table, cov=drawn.cov, drawn=drawn)


def one_measure(*waves: Estimates) -> None:
    """Refuse waves that are not estimates of one and the same measure (K147)."""
    measures: set[str] = set()
    for estimates in waves:
        measures.update(estimates.table["measure"])
    if len(measures) != 1:
        raise RankingError(
            "K147",
            _("All waves must be estimates of one and the same measure."),
            where="measure",
            available=sorted(measures),
            hint=_("Choose one measure with .of(measure)."),
        )


# ---- may waves be compared?


@dataclass(frozen=True, slots=True)
class Comparability:
    """Whether a measure means the same in two waves, and why not.

    Attributes
    ----------
    measure : str
    versions : (str, str)
        Questionnaires as name@version, later first.
    differences : tuple of str
        What the questionnaires declare differently, as paths; empty where the measure is the same.
    allowed : str
        The `comparable_with` of one of them that covers the measure, with its note and source;
        empty where there is none.
    beyond_bridge : tuple of str
        Items of the measure that the `bridge_items` of such a declaration leave out.
    hint : Text or None
        What may be done where the waves are not comparable, if that is no matter of questionnaires.
    """

    measure: str
    versions: tuple[str, str]
    differences: tuple[str, ...]
    allowed: str = ""
    beyond_bridge: tuple[str, ...] = ()
    hint: Text | None = None

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def comparability(later: Questionnaire, earlier: Questionnaire, measure: str) -> Comparability:
    """Compare all that two questionnaires declare about a measure, and read what `comparable_with`
    of either allows.

    Compared are the questionnaire's name (another instrument or mode), universe and eligibility,
    and the rate, index or item with everything it rests on: wording, answers, scores, special
    codes, denominators, weights. Sources are not. A declaration with bridge items covers the
    measures that rest on these items alone.

    Raises
    ------
    RankingError
        K140 for a measure that one of them does not declare.
    """
    new = _by_path(_whole_definition(later, measure))
    old = _by_path(_whole_definition(earlier, measure))
    missing = object()
    differences = tuple(
        path
        for path in sorted(new.keys() | old.keys())
        if new.get(path, missing) != old.get(path, missing)
    )
    allowed, beyond = _declared_bridge(later, earlier, measure)
    versions = (later.reference, earlier.reference)
    return Comparability(measure, versions, differences, allowed, beyond)


def _by_path(declared: Mapping[Any, Any]) -> dict[str, Any]:
    return {".".join(path): value for path, value in leaves(declared)}


def _declared_bridge(
    later: Questionnaire, earlier: Questionnaire, measure: str
) -> tuple[str, tuple[str, ...]]:
    """Find the `comparable_with` that covers a measure: its words, and the items that no such
    declaration covers.
    """
    beyond: tuple[str, ...] = ()
    items = later.rests_on(measure) | earlier.rests_on(measure)
    for declaring, other in ((later, earlier), (earlier, later)):
        for bridge in declaring.comparable_with:
            if bridge.version != other.reference:
                continue
            covered = items if bridge.bridge_items is None else bridge.bridge_items
            beyond = tuple(sorted(items.difference(covered)))
            if not beyond:
                return f"comparable_with of {declaring.reference}: {bridge}", ()
    return "", beyond


def require_comparable(comparable: object) -> str:
    """Return the declaration in words, for the summary.

    Raises
    ------
    RankingError
        K141 where nothing is declared, K142 where the waves are declared, or found, not to be
        comparable.
    """
    if comparable is True:
        return "declared by the caller"
    if comparable is False:
        raise RankingError(
            "K142",
            _(
                "The waves are not comparable: the caller declares that the questionnaires "
                "do not allow it."
            ),
            where="comparable",
            hint=_("Use a measure that both share."),
        )
    if not isinstance(comparable, Comparability):
        raise RankingError(
            "K141",
            _("Whether the waves are comparable must be declared before they are compared."),
            where="comparable",
            available=("comparability(later, earlier, measure)", "True", "False"),
            got=str(comparable),
            hint=_(
                "Check with comparability(later questionnaire, earlier questionnaire, "
                "measure), or give True once you know that items, scores and weights agree."
            ),
        )
    measure = comparable.measure
    if comparable.same:
        return f"{measure}: the same in {' and '.join(dict.fromkeys(comparable.versions))}"
    # where the differences lie, not every answer one by one
    places = dict.fromkeys(".".join(path.split(".")[:3]) for path in comparable.differences)
    differ = shortened(places, 6)
    if comparable.allowed:
        return f"{measure}: {comparable.allowed}; differs in {differ}"
    later, earlier = comparable.versions
    text = _(
        "The waves are not comparable: {later} and {earlier} differ for {measure} in {differ}.",
        later=later,
        earlier=earlier,
        measure=measure,
        differ=differ,
    )
    if comparable.beyond_bridge:
        text = _(
            "The waves are not comparable: {later} and {earlier} differ for {measure} in "
            "{differ}; bridge_items leave out {items}.",
            later=later,
            earlier=earlier,
            measure=measure,
            differ=differ,
            items=shortened(comparable.beyond_bridge),
        )
    raise RankingError(
        "K142",
        text,
        where="comparable",
        hint=comparable.hint
        or _(
            "Use a measure that both share; if a bridging study shows that they agree, "
            "write comparable_with: [{earlier}] in questionnaire {later} (bridge_items "
            "if it covers only some).",
            earlier=earlier,
            later=later,
        ),
    )


def _whole_definition(questionnaire: Questionnaire, measure: str) -> dict[str, Any]:
    """Collect whatever decides the value of a measure, and who is asked."""
    about = questionnaire.model_dump(include={"questionnaire", "universe", "eligibility"})
    for name in questionnaire.eligibility:
        about[name] = _definition(questionnaire, name)
    about[measure] = _definition(questionnaire, measure)
    return about


def _definition(
    questionnaire: Questionnaire, name: str, *, within: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Collect what a questionnaire declares about a rate, an index or an item, with all that it
    rests on.

    Of the items that decide who is asked an item, those that it lies `within` already are left out.
    """
    if name in questionnaire.items:
        item = questionnaire.items[name]
        left_out = {"scale", "required", "number", "replaces"}
        declared = _without_spellings(item.model_dump(exclude=left_out))
        if isinstance(item, SingleItem) and item.scale:
            declared |= _without_spellings(questionnaire.scales[item.scale].model_dump())
        within = (*within, name)
        for filtering in item.asked_if:
            if filtering not in within:
                declared[filtering] = _definition(questionnaire, filtering, within=within)
        return declared
    if rate := questionnaire.rates.get(name):
        declared = rate.model_dump(exclude={"source"})
        parts = list(rate.items)
    elif index := questionnaire.indices.get(name):
        declared = index.model_dump(exclude={"source", "weights"})
        declared["weights"] = index.whole_weights()
        parts = list(index.weights)
    else:
        raise RankingError(
            "K140",
            _(
                "{reference} declares no measure '{name}'.",
                reference=questionnaire.reference,
                name=name,
            ),
            where="measure",
            available=[*questionnaire.rates, *questionnaire.indices, *questionnaire.topics],
            got=name,
            hint=_("Use a measure of both waves."),
        )
    for part in parts:
        declared[part] = _definition(questionnaire, part)
    return declared


def _without_spellings(declared: dict[str, Any]) -> dict[str, Any]:
    """Leave out how answers may be spelt in files: that changes no answer."""
    cleaned = {}
    for key, value in declared.items():
        if key != "aliases":
            cleaned[key] = _without_spellings(value) if isinstance(value, dict) else value
    return cleaned
