"""What is ranked: units with their errors, read from arrays or Estimates, refused where they cannot
be ranked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from scipy import special

from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import RankingError, one_of, shortened
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.language import Text, _
from satisfaction.ranking.pairs import Bools, Floats, Ints

if TYPE_CHECKING:
    from satisfaction.ranking.drawn import JointDraws

NOT_RANKED = _(
    "Raise `minimum_n` under `ranking` in rules.yaml, so that units with too few "
    "answers are not ranked; in a call of rank(), leave them out by its argument "
    "`ranked`."
)
Selection: TypeAlias = Literal["probability", "quota", "open_link", "undeclared"]
UNDECLARED = "undeclared"
"""Not of respondents: scores of a component of which no error is declared."""


@dataclass(frozen=True, slots=True, repr=False)
class Units(Brief):
    """The p units of a table, ranked or not, in input order.

    Attributes
    ----------
    names : (p,)
        One name a unit, all different.
    estimate, df : (p,)
        Estimates and the degrees of freedom of their variances (inf = known).
    cov : (p, p)
        Sampling covariance; missing, as the df, without a probability sample.
    ranked : (p,) bool
        Units that take part.
    selection : str
        How the respondents were selected: "probability", "quota" or "open_link"; "undeclared" for scores without an error.
    se_from_limits : tuple of str
        Units whose se was 0 and comes from their confidence limits.
    drawn : JointDraws or None
        Of scores that no standard error describes.
    """

    names: tuple[str, ...]
    estimate: Floats
    cov: Floats
    df: Floats
    ranked: Bools
    selection: str
    se_from_limits: tuple[str, ...] = ()
    drawn: JointDraws | None = None

    @property
    def ranked_names(self) -> tuple[str, ...]:
        """Names of the units that take part."""
        return tuple(np.array(self.names, dtype=object)[self.ranked])

    def of(self, rows: Ints) -> Units:
        """Return some of the units."""
        names = tuple(self.names[row] for row in rows)
        se_from_limits = tuple(name for name in self.se_from_limits if name in names)
        drawn = None
        if self.drawn is not None:
            drawn = self.drawn.of(rows)
        return replace(
            self,
            names=names,
            estimate=self.estimate[rows],
            cov=self.cov[np.ix_(rows, rows)],
            df=self.df[rows],
            ranked=self.ranked[rows],
            se_from_limits=se_from_limits,
            drawn=drawn,
        )


def units_from_arrays(
    estimate: object,
    *,
    se: object,
    cov: object,
    df: object,
    names: Iterable[object] | None,
    ranked: object,
    selection: str,
) -> Units:
    """Read units from arrays; see `satisfaction.rank` for their meaning."""
    others = {"se": se, "cov": cov, "df": df, "ranked": ranked}
    refuse_other_index(estimate, others, name="estimate")
    scores = numbers(estimate, "estimate")
    if scores.ndim != 1:
        raise RankingError(
            "K101",
            _("estimate must be one-dimensional."),
            where="estimate",
        )
    p = len(scores)
    if (se is None) == (cov is None):
        raise RankingError(
            "K102",
            _("Give exactly one of se and cov."),
            where="se, cov",
        )
    if cov is None:
        errors = shaped(se, "se", (p,))
        # a negative se leaves a negative variance, to be refused by name
        covariance = np.diag(errors * np.abs(errors))
    else:
        covariance = shaped(cov, "cov", (p, p))
    freedom = np.full(p, np.inf)
    if df is not None:
        freedom = shaped(df, "df", (p,), scalar=True)
    if selection != "probability":
        covariance = np.full((p, p), np.nan)
        freedom = np.full(p, np.nan)
    labels = numbered_names(names, p)
    if len(labels) != p:
        raise _misshapen("names", (len(labels),), (p,))
    taking_part = np.ones(p, dtype=bool)
    if ranked is not None:
        taking_part = np.array(ranked)
    if taking_part.shape != (p,) or taking_part.dtype != bool:
        raise _misshapen("ranked", taking_part.shape, (p,), kind="boolean")
    return Units(labels, scores, covariance, freedom, taking_part, selection)


def refuse_other_index(first: object, arguments: Mapping[str, object], *, name: str) -> None:
    """Refuse (K128) pandas arguments whose rows stand under another index than the first one's, or in another order."""
    if not isinstance(first, pd.Series):
        return
    for argument, values in arguments.items():
        if not isinstance(values, pd.Series | pd.DataFrame):
            continue
        if values.index.equals(first.index):
            continue
        raise RankingError(
            "K128",
            _(
                "The rows of {argument} stand under another index than those of {first}, or in "
                "another order.",
                argument=argument,
                first=name,
            ),
            where=argument,
            hint=_(
                "Write {argument}.reindex({first}.index); or, where the rows are in one order, "
                "{argument}.to_numpy().",
                argument=argument,
                first=name,
            ),
        )


def numbered_names(names: Iterable[object] | None, p: int) -> tuple[str, ...]:
    """Return names as text; without names, 1 to p."""
    if names is None:
        names = range(1, p + 1)
    return tuple(map(str, names))


def units_from_estimates(estimates: Estimates, *, ranked: object, selection: str) -> Units:
    """Read units from Estimates of one measure by domain; the weaker of both declared selections
    holds.
    """
    table = estimates.table
    measures = list(dict.fromkeys(table["measure"]))
    if len(measures) != 1:
        raise RankingError(
            "K103",
            _("One measure can be ranked at a time; there are {n}.", n=len(measures)),
            where="estimate",
            available=measures,
            hint=_("Call estimate with one of the measures."),
        )
    if selection == "probability":
        selection = estimates.conventions["selection"]
    units = units_from_arrays(
        table["estimate"],
        se=None,
        cov=estimates.cov,
        df=table["df"],
        names=unit_names(estimates),
        ranked=ranked,
        selection=selection,
    )
    low = numbers(table["ci_low"], "ci_low")
    high = numbers(table["ci_high"], "ci_high")
    if units.selection == "probability":
        units = replace(units, drawn=estimates.drawn)
    return with_se_from_limits(units, low, high, level=estimates.level)


def unit_names(estimates: Estimates) -> tuple[str, ...]:
    """Names of the areas of Estimates: their codes, joined by "/"."""
    columns = [estimates.table[name].tolist() for name in estimates.by]
    areas = zip(*columns, strict=True)
    return tuple("/".join(map(str, codes)) for codes in areas)


def with_se_from_limits(units: Units, low: Floats, high: Floats, *, level: float) -> Units:
    """Give units with se 0 the se that goes with their (p,) confidence limits: the length over two
    t quantiles. Units of infinite df are known without error, as declared: theirs stays 0.
    """
    without_error = np.diag(units.cov) == 0
    zero = units.ranked & without_error & np.isfinite(units.df)
    if not zero.any():
        return units
    share = (1 + level) / 2
    quantile = special.stdtrit(units.df[zero], share)
    length = high[zero] - low[zero]
    se = length / (2 * quantile)
    zero_names = tuple(np.array(units.names)[zero].tolist())
    if not np.all(se > 0):
        raise RankingError(
            "K105",
            _("A standard error of 0 without confidence limits cannot enter a ranking."),
            where=", ".join(zero_names),
            hint=NOT_RANKED,
        )
    cov = units.cov.copy()
    cov[zero, zero] = se**2
    return replace(units, cov=cov, se_from_limits=zero_names)


def check_units(units: Units) -> None:
    """Refuse units that cannot be ranked, naming them."""
    known = get_args(Selection)
    one_of(units.selection, known, argument="selection", error=RankingError, code="K106")
    if len(set(units.names)) < len(units.names):
        names = units.names
        twice = [name for name in names if names.count(name) > 1]
        repeated = shortened(dict.fromkeys(twice))
        raise RankingError("K107", _("Names repeat: {repeated}", repeated=repeated), where="names")
    ranked = units.ranked
    if ranked.sum() < 2:
        raise RankingError("K108", _("Ranking needs at least two units."), where="estimate")
    lacking = ranked & ~np.isfinite(units.estimate)
    _refuse(units, lacking, "K109", text=_("estimate missing or not finite"))
    if units.selection != "probability":
        return
    variance = np.diag(units.cov)
    without_se = ranked & ~np.isfinite(variance)
    _refuse(units, without_se, "K110", text=_("se missing or not finite"))
    _refuse(units, variance < 0, "K104", text=_("negative se or variance"))
    without_df = ranked & ~(units.df > 0)
    _refuse(units, without_df, "K111", text=_("df must be positive"))
    if not is_covariance(units.cov[np.ix_(ranked, ranked)]):
        raise RankingError(
            "K112",
            _(
                "cov must be symmetric and complete, and no combination may have a negative variance."
            ),
            where="cov",
        )


def _refuse(units: Units, wrong: Bools, code: str, *, text: Text) -> None:
    """Raise an error that names the units that are wrong."""
    if wrong.any():
        names = np.array(units.names, dtype=object)
        culprits = shortened(names[wrong])
        chinese = f"{text.zh}: {culprits}"
        with_names = Text(chinese, f"{text.en}: {culprits}")
        raise RankingError(code, with_names, hint=NOT_RANKED)


def is_covariance(cov: Floats) -> bool:
    """Whether a covariance is symmetric, complete and of no negative variance in any direction, up to rounding."""
    se = np.sqrt(np.maximum(np.diag(cov), 0))
    asymmetry = np.abs(cov - cov.T)
    tolerated = 1e-9 * se[:, None] * se
    if not np.all(asymmetry <= tolerated):
        return False
    largest = (se**2).max(initial=0.0)
    if largest == 0:
        return True
    try:  # where no eigenvalue lies below the tolerance: a twentieth of the time of finding them
        np.linalg.cholesky(cov + 1e-9 * largest * np.eye(len(cov)))
    except np.linalg.LinAlgError:
        return False
    return True


def shaped(
    values: object, argument: str, shape: tuple[int, ...], *, scalar: bool = False
) -> Floats:
    """Read numbers of a given shape; a scalar may stand for all."""
    array = numbers(values, argument)
    if scalar and array.ndim == 0:
        return np.full(shape, float(array))
    if array.shape != shape:
        raise _misshapen(argument, array.shape, shape)
    return array


def numbers(values: object, argument: str) -> Floats:
    """Copy numbers into a float array."""
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise RankingError(
            "K101", _("{argument} must be numeric.", argument=argument), where=argument
        ) from error


def _misshapen(
    argument: str, got: tuple[int, ...], wanted: tuple[int, ...], *, kind: str = ""
) -> RankingError:
    """Say which shape was given and which is needed."""
    needed = f"{kind} {wanted}".strip()
    return RankingError(
        "K101",
        _(
            "{argument} has shape {got}; needed: {needed}.",
            argument=argument,
            got=got,
            needed=needed,
        ),
        where=argument,
    )
