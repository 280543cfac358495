"""Drawing PSUs from a frame: checks, strata, take-all units, rotation over waves with a declared overlap, reserves.

For every stratum one master list is drawn with probabilities proportional to size, put in random order, and cut into
overlapping waves. A unit is in the list with probability M x / X and, given that, in a wave with n / M: together n x / X,
exactly, in every wave, and neighbouring waves share exactly the declared number of units.

Selection on arrays: `pi` are inclusion probabilities that add up to a whole number n. Every method meets them exactly; they
differ in their joint probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from satisfaction.foundation.errors import DesignError, one_of, require_names, shortened
from satisfaction.foundation.language import N_, Text, _, semicolon_list
from satisfaction.sampling.variance import Array

Method: TypeAlias = Literal["systematic", "brewer", "sampford"]
CERTAIN = 1 - 1e-12
ATTEMPTS = 100_000  # of Sampford's rejective procedure


def inclusion_probabilities(size: Array, n: int) -> Array:
    """N x size / sum, (N,); units whose share exceeds 1 are taken for certain and the rest is shared among the others."""
    certain = np.zeros(len(size), dtype=bool)
    while True:
        rest = ~certain & (size > 0)
        left = n - int(certain.sum())
        pi = np.where(certain, 1.0, 0.0)
        if left > 0 and rest.any():
            of_rest = size[rest]
            pi[rest] = left * of_rest / of_rest.sum()
        over = (pi >= CERTAIN) & ~certain
        if not over.any():
            return pi
        certain |= over


def systematic(size: Array, rng: np.random.Generator, n: int | None = None) -> Array:
    """Take n units in proportion to size, at equal steps along the cumulated sizes; their places, in order (Madow 1949).

    The order of the units matters: neighbours are rarely taken together, which stratifies by whatever they are sorted by.
    Without n, sizes are inclusion probabilities, and n is their sum.
    """
    n = n or round(float(size.sum()))
    ends = np.cumsum(size)
    interval = ends[-1] / n
    points = (rng.random() + np.arange(n)) * interval
    places: Array = np.searchsorted(ends, points, side="right")
    return places


def brewer(pi: Array, rng: np.random.Generator) -> Array:
    """Take unit after unit with the probabilities that keep pi exact (Brewer 1975; Tille 2006, algorithm 6.10)."""
    n = round(float(pi.sum()))
    chosen = np.zeros(len(pi), dtype=bool)
    for step in range(n):
        left = n - float(pi[chosen].sum())
        open_ = ~chosen & (pi > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            weight = np.where(open_, pi * (left - pi) / (left - pi * (n - step)), 0.0)
        weight = np.where(open_ & ~np.isfinite(weight), 1e300, np.maximum(weight, 0.0))
        chosen[rng.choice(len(pi), p=weight / weight.sum())] = True
    return np.flatnonzero(chosen)


def sampford(pi: Array, rng: np.random.Generator) -> Array:
    """Draw with replacement until all n are different: the first with pi, the others with pi / (1 - pi) (Sampford 1967).

    Raises
    ------
    RuntimeError
        After `ATTEMPTS`: n is large, and nearly every draw repeats a unit.
    """
    sure = np.flatnonzero(pi >= CERTAIN)
    rest = np.flatnonzero((pi > 0) & (pi < CERTAIN))
    n = round(float(pi[rest].sum()))
    if not n:
        return sure
    p = pi[rest] / n
    p = p / p.sum()
    odds = pi[rest] / (1 - pi[rest])
    odds = odds / odds.sum()
    for _attempt in range(ATTEMPTS):
        first = rng.choice(len(rest), p=p)
        others = rng.choice(len(rest), size=n - 1, p=odds)
        taken = np.append(first, others)
        if len(set(taken.tolist())) == n:
            return np.sort(np.append(sure, rest[taken]))
    raise RuntimeError("Sampford's procedure repeats units in nearly every draw")


METHODS: dict[Method, Callable[[Array, np.random.Generator], Array]] = {
    "systematic": systematic,
    "brewer": brewer,
    "sampford": sampford,
}


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """A drawn sample of PSUs.

    Attributes
    ----------
    table : DataFrame
        One row a PSU and wave: wave (1, 2, ...; 0: reserve), the strata columns, the PSU's column, size, probability (of being in
        that wave's sample; of a reserve: of being in the master list), role ("certain", "main", "reserve"), order (in which
        reserves are to be used).
    summary : DataFrame
        One row a stratum: units, size, taken, certain, master, waves, reserve.
    conventions : mapping
        method, seed, overlap, waves, what the probabilities are.
    """

    table: pd.DataFrame = field(repr=False)
    summary: pd.DataFrame = field(repr=False)
    conventions: Mapping[str, Any]

    def wave(self, number: int) -> pd.DataFrame:
        """Return the sample of one wave."""
        of_wave = self.table["wave"] == number
        return self.table[of_wave].reset_index(drop=True)


def draw_sample(
    frame: pd.DataFrame,
    *,
    psu: str,
    strata: Sequence[str],
    size: str,
    take: int | Mapping[tuple[str, ...], int],
    method: Method = "systematic",
    waves: int = 1,
    overlap: float = 0.0,
    reserve: int = 0,
    seed: int,
) -> Draw:
    """Draw a stratified sample with probabilities proportional to size.

    Parameters
    ----------
    frame : DataFrame
        One row a PSU; sorted as systematic selection is to go through it.
    psu, size : str
        Columns of the PSU's code and of its size (> 0: persons).
    strata : sequence of str
    take : int, or mapping stratum -> int
        PSUs a wave and stratum; a mapping names every stratum of the frame (0: none is drawn there) and no other.
    method : {"systematic", "brewer", "sampford"}
        How the master list is drawn.
    waves : int
        Waves that are drawn together.
    overlap : float
        Share of a wave's units (0-1, without those taken for certain) that the next wave keeps; rounded to units.
    reserve : int
        Further units a stratum, in the order in which they replace units that cannot be worked.
    seed : int
        The same frame and seed give the same sample; strata do not depend on one another.

    Raises
    ------
    DesignError
        D121 a column that is not there, D122 codes that stand twice, D123 sizes that are not positive, D124 a stratum with
        too few units for what is asked, D125 options, D441 strata that `take` does not name, or the frame does not have.
    """
    one_of(method, Method, argument="method", error=DesignError, code="D125")
    if waves < 1 or not 0 <= overlap <= 1 or reserve < 0 or seed < 0:
        raise DesignError(
            "D125",
            _("waves >= 1, 0 <= overlap <= 1, reserve >= 0, seed >= 0."),
            where=f"waves={waves}, overlap={overlap}, reserve={reserve}, seed={seed}",
            hint=_("Correct these options."),
        )
    check_frame_table(frame, psu=psu, strata=strata, size=size)
    wanted = _wanted(take, frame, strata)
    parts = []
    rows = []
    for place, (stratum, units) in enumerate(frame.groupby(list(strata), sort=True)):
        n = wanted[stratum]
        rng = np.random.default_rng([seed, place])
        drawn = draw_stratum(
            units[size].to_numpy(float),
            n,
            method=method,
            waves=waves,
            overlap=overlap,
            reserve=reserve,
            rng=rng,
            where=stratum,
        )
        chosen = units.iloc[drawn["unit"].to_numpy()][[*strata, psu, size]]
        parts.append(chosen.reset_index(drop=True).join(drawn.drop(columns="unit")))
        certain = int((drawn["role"] == "certain").sum() / waves)
        reserves = int((drawn["role"] == "reserve").sum())
        master = 0
        if (drawn["role"] != "certain").any():
            master = int(drawn.loc[drawn["role"] != "certain", "_master"].max())
        rows.append((*stratum, len(units), units[size].sum(), n, certain, master, waves, reserves))
    table = pd.concat(parts, ignore_index=True).drop(columns="_master")
    columns = ["wave", *strata, psu, size, "probability", "role", "order"]
    summary = pd.DataFrame(
        rows, columns=[*strata, "units", "size", "taken", "certain", "master", "waves", "reserve"]
    )
    conventions = {
        "method": method,
        "seed": seed,
        "waves": waves,
        "overlap": overlap,
        "probability": N_(
            "take x size / sum of sizes in the stratum; units above 1 are taken for certain"
        ),
    }
    return Draw(
        table.sort_values(["wave", *strata, "order", psu], ignore_index=True)[columns],
        summary,
        conventions,
    )


def _wanted(
    take: int | Mapping[tuple[str, ...], int], frame: pd.DataFrame, strata: Sequence[str]
) -> dict[Any, int]:
    """Return the PSUs wanted of every stratum of the frame; refuse strata without a number and numbers without a stratum."""
    in_frame = [stratum for stratum, _units in frame.groupby(list(strata), sort=True)]
    wanted = dict.fromkeys(in_frame, take) if isinstance(take, int) else dict(take)
    missing = [_slashed(stratum) for stratum in in_frame if stratum not in wanted]
    unknown = [_slashed(stratum) for stratum in wanted if stratum not in in_frame]
    reasons = []
    if missing:
        reasons.append(_("strata without a number: {strata}", strata=shortened(missing)))
    if unknown:
        reasons.append(
            _("strata that the frame does not have: {strata}", strata=shortened(unknown))
        )
    if reasons:
        raise DesignError(
            "D441",
            _("Not drawn: {reasons}.", reasons=semicolon_list(reasons)),
            where="take",
            available=[_slashed(stratum) for stratum in in_frame],
            got=next(iter(unknown), ""),
            hint=_("Give every stratum a row; write 0 where none is to be drawn."),
        )
    if min(wanted.values()) < 0 or max(wanted.values()) < 1:
        raise DesignError(
            "D125",
            _("Numbers by stratum are not negative, and not all 0."),
            where="take",
            hint=_("Correct `take`."),
        )
    return wanted


def _slashed(stratum: tuple[object, ...]) -> str:
    return " / ".join(map(str, stratum))


def check_frame_table(frame: pd.DataFrame, *, psu: str, strata: Sequence[str], size: str) -> None:
    """Refuse a frame that nothing can be drawn from; see `draw_sample`."""
    named = [psu, *strata, size]
    if not strata or len(set(named)) < len(named):
        raise DesignError(
            "D125",
            _("At least one column of strata is needed, and no column may be named twice."),
            where=", ".join(named),
            hint=_("Correct `psu`, `strata` and `size`."),
        )
    not_there = N_("The frame has no column '{name}'.")
    hint = _("Add the column, or correct its name.")
    require_names(named, frame, DesignError, code="D121", text=not_there, where="frame", hint=hint)
    twice = frame[psu].duplicated(keep=False)
    _refuse_rows("D122", _("codes that stand twice"), twice)
    keys = frame[[*strata, psu]]
    written = keys.fillna("").astype(str).map(str.strip)
    empty = (keys.isna() | (written == "")).any(axis=1)
    _refuse_rows("D121", _("no stratum or code"), empty)
    sizes = pd.to_numeric(frame[size], errors="coerce")
    unusable = ~(sizes > 0) | np.isinf(sizes)
    _refuse_rows("D123", _("sizes that are not positive"), unusable)


def _refuse_rows(code: str, fault: Text, wrong: pd.Series) -> None:
    """Refuse rows of the frame by their labels: of `read_filled_in` their numbers in the file."""
    rows = wrong.index[wrong]
    if len(rows):
        raise DesignError(
            code,
            _(
                "The frame is not right: {fault} (rows {rows}).",
                fault=fault,
                rows=shortened(rows),
            ),
            where="frame",
            hint=_("Correct or remove these rows."),
        )


def draw_stratum(
    size: Array,
    n: int,
    *,
    method: Method,
    waves: int,
    overlap: float,
    reserve: int,
    rng: np.random.Generator,
    where: Any,
) -> pd.DataFrame:
    """Draw one stratum; returns unit (place), wave, probability, role, order and the length of the master list."""
    if n > len(size):
        raise _too_few(where, len(size), n)
    certain = np.flatnonzero(inclusion_probabilities(size, n) >= CERTAIN)
    rest = np.setdiff1d(np.arange(len(size)), certain)
    left = n - len(certain)
    kept = round(overlap * left)
    longest = left + (waves - 1) * (left - kept) + reserve
    rows = []
    for wave in range(1, waves + 1):
        for unit in certain:
            rows.append((int(unit), wave, 1.0, "certain", 0, 0))
    if left:
        share = size[rest] / size[rest].sum()
        if longest > len(rest) or longest * share.max() > 1 + 1e-12:
            most = int(min(len(rest), np.floor(1 / share.max() + 1e-9)))
            raise _too_few(where, len(rest), longest, most=most)
        listed = rest[METHODS[method](longest * share, rng)]
        listed = rng.permutation(listed)
        probability = dict(zip(rest.tolist(), (left * share).tolist(), strict=True))
        for wave in range(1, waves + 1):
            first = (wave - 1) * (left - kept)
            for order, unit in enumerate(listed[first : first + left].tolist(), 1):
                rows.append((unit, wave, probability[unit], "main", order, longest))
        for order, unit in enumerate(listed[longest - reserve :].tolist(), 1):
            in_list = probability[unit] / left * longest
            rows.append((unit, 0, in_list, "reserve", order, longest))
    return pd.DataFrame(rows, columns=["unit", "wave", "probability", "role", "order", "_master"])


def _too_few(where: Any, units: int, needed: int, *, most: int | None = None) -> DesignError:
    stratum = str(where)
    if isinstance(where, tuple):
        stratum = _slashed(where)
    fault = _(
        "Stratum {stratum} has {units} units; {needed} are needed for all waves and reserves.",
        stratum=stratum,
        units=units,
        needed=needed,
    )
    if most is not None:
        fault = _(
            "Stratum {stratum} has {units} units; {needed} are needed for all waves and reserves; "
            "at most {most} can be.",
            stratum=stratum,
            units=units,
            needed=needed,
            most=most,
        )
    return DesignError(
        "D124",
        fault,
        where="frame",
        hint=_("Lower take, waves or reserve, or raise overlap."),
    )
