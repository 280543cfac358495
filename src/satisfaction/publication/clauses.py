"""What sentences about a ranking share, and what they say, clause by clause.

A clause that names a rank names its set, and nothing is claimed that is not proven.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from satisfaction.foundation.figures import (
    Kind,
    amount,
    confidence,
    difference,
    number_in_words,
    p_value_in_words,
    percent,
    places,
    probability_in_words,
    range_of_models,
)
from satisfaction.foundation.language import (
    NOTHING,
    Text,
    _,
    as_text,
    comma_list,
    ngettext,
    pgettext,
)
from satisfaction.publication.labels import mark_as_text
from satisfaction.ranking.grades import FEW_ORDERED, PROMISED
from satisfaction.ranking.units import UNDECLARED

Row: TypeAlias = Mapping[str, Any]
Rows: TypeAlias = Sequence[Row]

WHERE = {
    "yes": _("on the list"),
    "no": _("off the list"),
    "tied": _("at the cut"),
}
LEVEL = 1e-9
"""Scores closer than this are level, as in the ranking."""
NAMED = 3
"""Units off the list that are named when there are more."""


def join_sentences(parts: Iterable[Text | None]) -> Text:
    """Put sentences, or parts of one, behind each other; None is left out."""
    present = [part for part in parts if part is not None]
    return Text("".join(part.zh for part in present), " ".join(part.en for part in present))


def listing(names: Iterable[Text]) -> Text:
    """List names: A, B and C."""
    *first, last = names
    if not first:
        return last
    return _("{names} and {last}", names=comma_list(first), last=last)


MODEL = _("under the model")


def _capital(sentence: Text) -> Text:
    """Start an English sentence with a capital letter."""
    return Text(sentence.zh, sentence.en[:1].upper() + sentence.en[1:])


def mark_of_sentences(text: Any) -> Text | None:
    """Return the mark of a table in brackets, each language by itself; None where there is none."""
    if not isinstance(text, str) or not text:
        return None
    return mark_in_brackets(mark_as_text(text))


def mark_in_brackets(mark: Text) -> Text:
    """Return a mark as it stands in front of a sentence."""
    return _("[{mark}]", mark=mark)


@dataclass(frozen=True, slots=True)
class Across:
    """The units nearest to one unit on the other side of the cut.

    Attributes
    ----------
    names : Text
    listed : str
        Where they stand: "yes", "no" or "tied".
    gap : float
        The unit's estimate minus theirs.
    """

    names: Text
    listed: str
    gap: float

    def compared(self, kind: Kind) -> Text:
        """Say how far away they are, to stand behind the unit as subject."""
        values = {"names": self.names, "where": WHERE[self.listed]}
        if abs(self.gap) < LEVEL:
            return _("is level with {names}, the nearest {where}", **values)
        size = difference(self.gap, kind)
        way = _("above") if self.gap > 0 else _("below")
        return _("is {size} {way} {names}, the nearest {where}", size=size, way=way, **values)


@dataclass(frozen=True, slots=True, repr=False)
class Ground:
    """What all sentences about one ranking share.

    Attributes
    ----------
    kind : {"rate", "index", "score"}
    rows : list of dict
        The table, in rank order.
    p : int
        Units ranked.
    side : {"last", "first"}
        The end of the ranking that is listed.
    size : int
        Places that the list is to have.
    words : dict of str to object
        What every sentence may say, by the names of its places: measure (what is ranked, as subject), p, level ("95%"), family
        (what the tests guard against), trust (level and family), end ("the last ten"), member ("among the last ten", to stand
        behind "is"), basis (what probabilities rest on, to stand before them).
    summary : mapping
        `Ranking.summary`.
    mark : Text or None
        "simulated" and the like, in brackets.
    across : dict
        By code, the nearest on the other side of the cut; none for units at the cut or not ranked.
    errors : mapping
        By code, why the error behind a unit's rank is not its own, in Chinese and then in English.
    exact : Text or None
        Which parts of the score are taken as exact, so that nothing is established.
    """

    kind: Kind
    rows: list[Row]
    p: int
    side: str
    size: int
    words: dict[str, Any]
    summary: Mapping[str, Any]
    mark: Text | None
    across: dict[str, Across]
    errors: Mapping[str, str]
    exact: Text | None

    @property
    def proven(self) -> bool:
        """Whether anything may be called established or excluded: only in a probability sample."""
        return bool(self.summary["selection"] == "probability")

    @property
    def undeclared(self) -> bool:
        """Whether the score has no error because none is declared."""
        return bool(self.summary["selection"] == UNDECLARED)

    def ranked(self) -> list[Row]:
        """Return the ranked rows."""
        return [row for row in self.rows if is_ranked(row)]

    def at(self, listed: str) -> list[Row]:
        """Return the ranked rows that stand on the list ("yes"), off it ("no"), or at its cut ("tied")."""
        return [row for row in self.ranked() if row["listed"] == listed]

    def gap(self, row: Row) -> float:
        """Return a row's estimate minus that of the nearest unit across the cut; 0 at the cut."""
        across = self.across.get(row["code"])
        return across.gap if across else 0.0

    def status(self, row: Row) -> str:
        """Return the status of a ranked row: "possible" where nothing can be proven."""
        return str(row["status"]) if self.proven else "possible"

    def words_of(self, row: Row) -> dict[str, Any]:
        """Return what a sentence about a unit may say, by the names of its places."""
        score = amount(row["estimate"], self.kind)
        return self.words | {"unit": unit_name(row), "score": score, "rank": row["rank"]}


def ground_of(
    ranking: pd.DataFrame, summary: Mapping[str, Any], *, kind: Kind, measure: Text
) -> Ground:
    """Read what sentences need.

    Parameters
    ----------
    ranking : DataFrame
        As `ranking_table` returns it. `probability_bottom` and `status` concern the list.
    summary : mapping
        `Ranking.summary` of the same ranking.
    kind : {"rate", "index", "score"}
        Whether estimates are shares 0-1 or points 0-100.
    measure : Text
        What is ranked, as subject of a sentence.
    """
    rows: list[Row] = ranking.to_dict("records")
    ranked = [row for row in rows if is_ranked(row)]
    errors = summary.get("se_from_larger", {})
    exact = None
    if "taken_as_exact" in summary and "note" in ranking and ranked:
        exact = as_text(ranked[0]["note"])
        errors = {row["code"]: row["note"] for row in ranked}
    side = str(ranking["side"].iloc[0])
    return Ground(
        kind=kind,
        rows=rows,
        p=len(ranked),
        side=side,
        size=int(summary["bottom"]),
        words={"measure": measure, "p": len(ranked)} | _words_of_list(summary, side),
        summary=summary,
        mark=mark_of_sentences(ranking["mark"].iloc[0]),
        across=dict(_across(ranked)),
        errors=errors,
        exact=exact,
    )


def _words_of_list(summary: Mapping[str, Any], side: str) -> dict[str, Any]:
    """Return what sentences call the list, how sure its tests are, and what its probabilities rest on."""
    level = confidence(summary["level"])
    family = _("each unit tested by itself")
    if "multiplicity" in summary:
        family = _("adjusted for the whole table")
    end, member = _end(int(summary["bottom"]), side)
    return {
        "level": level,
        "family": family,
        "trust": _("at the {level} confidence level, {family}", level=level, family=family),
        "end": end,
        "member": member,
        "basis": _basis(summary),
    }


def _basis(summary: Mapping[str, Any]) -> Text:
    """Say what probabilities rest on, to stand before them."""
    if not summary.get("drawn"):
        return MODEL
    return _("by {draws:,} draws (seed {seed})", draws=summary["draws"], seed=summary["seed"])


def is_ranked(row: Row) -> bool:
    """Whether a row has a rank."""
    return not pd.isna(row["rank"])


def unit_name(row: Row) -> Text:
    """Return the names of a row's unit; its code where it has none."""
    zh = row["name_zh"]
    en = row["name_en"]
    code = str(row["code"])
    return Text(
        zh if isinstance(zh, str) and zh else code, en if isinstance(en, str) and en else code
    )


def _end(size: int, side: str) -> tuple[Text, Text]:
    """Return what the list is called, "the last ten", and who belongs to it, "among the last ten"."""
    if size == 1 and side == "first":
        return _("the first one"), pgettext("is", "first")
    if size == 1:
        return _("the last one"), pgettext("is", "last")
    number = number_in_words(size)
    end = _("the last {number}", number=number)
    if side == "first":
        end = _("the first {number}", number=number)
    return end, _("among {end}", end=end)


def _across(ranked: list[Row]) -> Iterator[tuple[str, Across]]:
    """Find the nearest units across the cut, all of them where several are equally near."""
    listed = np.array([row["listed"] for row in ranked])
    estimate = np.array([row["estimate"] for row in ranked], dtype=float)
    for side in ("yes", "no"):
        others = np.flatnonzero(listed != side)
        if not len(others):
            continue
        for unit in np.flatnonzero(listed == side):
            distance = np.abs(estimate[unit] - estimate[others])
            nearest = [ranked[other] for other in others[distance < distance.min() + LEVEL]]
            first = nearest[0]
            names = listing(unit_name(row) for row in nearest)
            gap = float(estimate[unit] - first["estimate"])
            yield ranked[unit]["code"], Across(names, str(first["listed"]), gap)


def ranked_unit(ground: Ground, row: Row, *, level_with: int) -> Text:
    """Say of a ranked unit: score, rank with sets, list and status, probability, distance to the cut."""
    clauses = [ground.mark, _rank_and_sets(ground, row, level_with), _standing(ground, row)]
    if row["code"] in ground.errors:
        why = as_text(ground.errors[row["code"]])
        clauses.append(_capital(_("{why}.", why=why)))
    if across := ground.across.get(row["code"]):
        compared = across.compared(ground.kind)
        clauses.append(_capital(_("{measure} {compared}.", compared=compared, **ground.words)))
    grades = {one["grade"] for one in ground.rows if not pd.isna(one.get("grade"))}
    if grades:
        clauses.append(_grade(ground, row, grades=int(max(grades))))
    return join_sentences(clauses)


def _grade(ground: Ground, row: Row, *, grades: int) -> Text:
    """Say which grade a ranked unit has, and what the grades promise."""
    if grades == 1:
        return _("Under the model no grades can be told: all units are in one.")
    wrong = 100 * ground.summary.get("wrongly_ordered", PROMISED)
    said = _(
        "It is in grade {grade:g} of {grades} (1 is the best); under the model, of the pairs of units in different grades "
        "at most {wrong:g}% are expected to be in the wrong order.",
        grade=row["grade"],
        grades=grades,
        wrong=wrong,
    )
    in_order = _in_order(ground)
    if in_order >= FEW_ORDERED:
        return said
    few = _(
        "Only {share} of the pairs are in different grades; where so few are, up to a tenth of them was in the wrong order in "
        "simulations.",
        share=percent(in_order),
    )
    return join_sentences([said, few])


def _in_order(ground: Ground) -> float:
    """Share of the pairs of graded units that are in different grades (0-1)."""
    members = Counter(row["grade"] for row in ground.rows if not pd.isna(row["grade"]))
    graded = members.total()
    alike = sum(size * (size - 1) for size in members.values())
    return 1 - alike / max(graded * (graded - 1), 1)


def unranked_unit(ground: Ground, row: Row, minimum_n: int | None) -> Text:
    """Say of a unit that is not ranked why it is not."""
    words = ground.words_of(row)
    figure = NOTHING
    if not pd.isna(row["estimate"]):
        figure = _("{measure} is {score}; ", **words)
    n = 0
    if not pd.isna(row["n"]):
        n = int(row["n"])
    if not ground.p:
        why = _("it has no other area with answers beside it")
    elif minimum_n is not None and n < minimum_n:
        why = _("fewer than the {minimum_n} of the rule", minimum_n=minimum_n)
    else:
        why = _("it does not meet the conditions for being ranked")
    reason = ngettext(
        "{unit}: {figure}with {n} valid answer, {why}; it is not ranked and nothing is said about "
        "its being {member}.",
        "{unit}: {figure}with {n} valid answers, {why}; it is not ranked and nothing is said about "
        "its being {member}.",
        n,
        figure=figure,
        why=why,
        **words,
    )
    return join_sentences([ground.mark, reason])


def _rank_and_sets(ground: Ground, row: Row, level_with: int) -> Text:
    """Say score, rank of how many, the set of this unit by itself and within the whole table."""
    words = ground.words_of(row)
    counted = _("rank {rank:g} of the {p} units ranked", **words)
    if level_with:
        counted = ngettext(
            "rank {rank:g} of the {p} units ranked, shared with {n} other unit",
            "rank {rank:g} of the {p} units ranked, shared with {n} other units",
            level_with,
            **words,
        )
    words |= {"counted": counted}
    if ground.undeclared:
        return _(
            "{unit}: {measure} is {score}, {counted}; no standard error of it is declared, so it is "
            "unknown how certain the rank is.",
            **words,
        )
    if not ground.proven:
        return _(
            "{unit}: {measure} is {score}, by the estimate {counted}; without a "
            "probability sample it is unknown how certain the rank is.",
            **words,
        )
    low = row["marginal_low"]
    high = row["marginal_high"]
    lies = _("lies between {low:g} and {high:g}", low=low, high=high)
    if low == high:
        lies = _("is {alone}", alone=places(low, high))
    otherwise = NOTHING
    if not low <= row["rank"] <= high:
        otherwise = _("; the rule counts ranks otherwise than the set does")
    return _(
        "{unit}: {measure} is {score}, {counted}; the true rank {lies} (at the "
        "{level} confidence level, for this unit by itself; {table} when the whole "
        "table is compared at once{otherwise}).",
        lies=lies,
        table=places(row["simultaneous_low"], row["simultaneous_high"]),
        otherwise=otherwise,
        **words,
    )


def _standing(ground: Ground, row: Row) -> Text:
    """Say where a unit stands with the list, what is established about it, and its probability."""
    end = ground.words["end"]
    proof = _verdict(ground, row)
    if row["listed"] == "tied":
        where = _(
            "It is tied at the cut of the list of {name}, and the tie is not broken here;", name=end
        )
    else:
        on = _("on") if row["listed"] == "yes" else _("off")
        agrees = (row["listed"], ground.status(row)) in {("yes", "established"), ("no", "excluded")}
        but = _("and") if agrees else _("but")
        where = _("It is {on} the list of {name}, {but}", on=on, name=end, but=but)
        if "listed_by_rank" in row:  # thresholds act on the list that is filed
            where = _(
                "By its rank alone it is {on} the list of {name}, {but}", on=on, name=end, but=but
            )
    if not ground.proven:
        return _("{where} {proof}.", where=where, proof=proof)
    chance = probability_in_words(row["probability_bottom"])
    if row.get("model_dependent") == "yes":
        chance = range_of_models(chance, row["probability_low"], row["probability_high"])
    return _(
        "{where} {proof}; {basis}, the probability that it is {member} is {chance}.",
        where=where,
        proof=proof,
        chance=chance,
        **ground.words,
    )


def _verdict(ground: Ground, row: Row) -> Text:
    """Say what is established about a ranked unit, and what is not."""
    words = ground.words
    status = ground.status(row)
    if not ground.proven:
        return _("whether it is truly {member} is undecidable", **words)
    if status == "possible" and row["listed"] == "no":
        return _("it is not excluded that it is {member}, nor is this established", **words)
    if status == "possible":
        return _("it is not established that it is {member}, nor is this excluded", **words)
    if status == "established":
        return _("it is established that it is {member} ({trust})", **words)
    return _("it is excluded that it is {member} ({trust})", **words)


def members(ground: Ground, listed: Rows, tied: Rows) -> Text:
    """Name the units on the list with their scores."""
    if not ground.p:
        return _("Fewer than two areas have answers: no ranks and no list.")
    if not listed:
        return _("No unit is on the list of {end} however ties are broken.", **ground.words)
    units = listing(_("{unit} ({score})", **ground.words_of(row)) for row in listed)
    this = _("this is the list of {end}", **ground.words)
    if tied:
        this = _("these are on the list of {end} however ties are broken", **ground.words)
    return _(
        "Of the {p} units ranked by {measure}, {this}: {units}.",
        this=this,
        units=units,
        **ground.words,
    )


def tie_at_cut(ground: Ground, listed: Rows, tied: Rows) -> Text | None:
    """Name the units tied at the cut and both sizes of the list."""
    if not tied:
        return None
    low = len(listed)
    units = listing(map(unit_name, tied))
    return ngettext(
        "At the cut, {n} unit is tied: {units}; without it the list has {low}, with it {high}; the "
        "rule asks for {size}, and the tie is not broken here.",
        "At the cut, {n} units are tied: {units}; without them the list has {low}, with all of them "
        "{high}; the rule asks for {size}, and the tie is not broken here.",
        len(tied),
        units=units,
        low=ngettext("{n:,} unit", "{n:,} units", low),
        high=low + len(tied),
        size=ground.size,
    )


def established(ground: Ground, listed: Rows, sure: Rows) -> Text | None:
    """Say how many of the listed are established."""
    many = len(listed)
    if ground.undeclared:
        return _(
            "No standard error of the scores is declared: how certain the list is is unknown, and "
            "whether any unit truly belongs to it is undecidable."
        )
    if not ground.proven:
        return _(
            "Without a probability sample there is no sampling error: the list follows "
            "the estimates alone, how certain it is is unknown, and whether any unit "
            "truly belongs to it is undecidable."
        )
    if not listed:
        return None
    words = ground.words | {"many": many}
    if sure and len(sure) < many:
        proven = ngettext("{n} is", "{n} are", len(sure))
        rest = ngettext("{n} is", "{n} are", many - len(sure))
        return _(
            "Of the {many} units listed, {proven} established as being {member}: {units}; the "
            "other {rest} not ({trust}).",
            proven=proven,
            units=listing(map(unit_name, sure)),
            rest=rest,
            **words,
        )
    if sure and many == 1:
        return _("The one unit listed is established as being {member} ({trust}).", **words)
    if sure:
        return _("All {many} units listed are established as being {member} ({trust}).", **words)
    if many == 1:
        return _("The one unit listed is not established as being {member} ({trust}).", **words)
    return _(
        "Not one of the {many} units listed is established as being {member} ({trust}).", **words
    )


def taken_as_exact(ground: Ground) -> Text | None:
    """Say which parts of the score are taken as exact for want of an error, and what follows."""
    if ground.exact is None:
        return None
    return _(
        "{exact}: no standard error of it is declared, so ranks look more certain than they are and "
        "nothing is established.",
        exact=_capital(ground.exact),
    )


def whole_list(ground: Ground) -> Text | None:
    """Say whether the list as a whole is established."""
    if not ground.proven:
        return None
    summary = ground.summary
    values = {"p": p_value_in_words(summary["list_p"]), "alpha": f"{1 - summary['level']:.3g}"}
    if summary["list_established"]:
        return _(
            "The list as a whole is established: the p-value of its verification is {p}, "
            "at most {alpha}.",
            **values,
        )
    return _(
        "The list as a whole is not established: the p-value of its verification is "
        "{p}, above {alpha}.",
        **values,
    )


def expected_members(ground: Ground, listed: Rows, expected: float) -> Text | None:
    """Say how many of the listed are expected to be true members."""
    many = len(listed)
    if not listed or not ground.proven:
        return None
    if many == 1:
        chance = probability_in_words(expected)
        return _capital(
            _(
                "{basis}, the probability that it is {member} is {chance}.",
                chance=chance,
                **ground.words,
            )
        )
    return _capital(
        _(
            "{basis}, {expected:.1f} of the {many} units listed are expected to be truly {member}.",
            expected=expected,
            many=many,
            **ground.words,
        )
    )


def not_excluded(ground: Ground, off: Rows, still_open: Rows) -> Text | None:
    """Say how many units off the list cannot be excluded; name the nearest."""
    many = len(still_open)
    if not ground.proven or not off:
        return None
    if not still_open:
        return _("For every unit off the list it is excluded that it is {member}.", **ground.words)
    units = listing(map(unit_name, still_open[:NAMED]))
    if many > NAMED:
        return _(
            "Off the list, {many:,} units cannot be excluded from being {member}; nearest to the "
            "cut: {units}.",
            many=many,
            units=units,
            **ground.words,
        )
    return ngettext(
        "Off the list, {n:,} unit cannot be excluded from being {member}: {units}.",
        "Off the list, {n:,} units cannot be excluded from being {member}: {units}.",
        many,
        units=units,
        **ground.words,
    )


def step_from_cut(ground: Ground, row: Row) -> Text:
    """Say of a unit near the cut: rank with set, side, distance, and what is open."""
    words = ground.words_of(row)
    distance = NOTHING
    if across := ground.across.get(row["code"]):
        compared = across.compared(ground.kind)
        distance = _("; {measure} {compared}", compared=compared, **words)
    words |= {"where": WHERE[row["listed"]], "distance": distance, "proof": _verdict(ground, row)}
    if not ground.proven:
        sentence = _(
            "{unit} (rank {rank:g} by the estimate) is {where} of {end}{distance}; {proof}.",
            **words,
        )
        return join_sentences([ground.mark, sentence])
    sentence = _(
        "{unit} (rank {rank:g}, rank set {sets} at the {level} confidence level) is "
        "{where} of {end}{distance}; {proof}, and {basis} the probability is {chance}.",
        sets=places(row["marginal_low"], row["marginal_high"]),
        chance=probability_in_words(row["probability_bottom"]),
        **words,
    )
    return join_sentences([ground.mark, sentence])
