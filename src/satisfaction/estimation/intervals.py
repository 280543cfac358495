"""Confidence limits of an estimate, and the degrees of freedom of combinations of estimates.

Which confidence limits an estimate gets, and what replaces them where an estimate shows no variance at all.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from scipy import special
from scipy.sparse.csgraph import connected_components

from satisfaction.foundation.errors import EstimatesError, SatisfactionError
from satisfaction.foundation.language import _
from satisfaction.sampling.variance import Array, Members, summing

if TYPE_CHECKING:  # a ranking of plain numbers needs degrees of freedom, but no design
    from satisfaction.estimation.domains import Options
    from satisfaction.sampling.measures import Measure

NO_ERROR = 1e-12  # a share's se under this is rounding
LARGEST = (
    1e12  # effective size: more than there are people, less than where the beta quantile fails
)
HALVINGS = 60  # of a bracket inside 0-1: more than a float can tell apart


def check_level(
    level: float,
    *,
    above: float = 0.0,
    error: type[SatisfactionError] = EstimatesError,
    code: str = "E104",
) -> None:
    """Refuse a confidence level that is no number between `above` and 1 (E104)."""
    if isinstance(level, Real) and above < level < 1:
        return
    raise error(
        code,
        _(
            "A confidence level of {level!r} is not a number between {above:g} and 1.",
            level=level,
            above=above,
        ),
        where="level",
        hint=_("Write 0.95, for instance."),
    )


def standard_errors(cov: Array) -> Array:
    """Return the roots of the variances of a covariance; rounding below 0 counts as 0."""
    variance = np.maximum(np.diag(cov), 0)
    return np.asarray(np.sqrt(variance))


def fixed(cov: Array, at: Array) -> Array:
    """Return a covariance (Q, Q) without errors of the quantities `at`, (Q,) bool."""
    return np.where(at[:, None] | at, 0.0, cov)


def quotient(
    numerator: Array, denominator: Array, *, where: Array, otherwise: float = np.nan
) -> Array:
    """Divide where told; `otherwise` elsewhere."""
    shape = np.broadcast_shapes(np.shape(numerator), np.shape(denominator))
    out = np.full(shape, otherwise)
    return np.asarray(np.divide(numerator, denominator, out=out, where=where))


def t_quantile(df: Array | float, level: float) -> Array:
    """Return the t of two-sided limits; df below 1 count as 1."""
    at_least_one = np.maximum(df, 1)
    return np.asarray(special.stdtrit(at_least_one, (1 + level) / 2))


def t_interval(estimate: Array, se: Array, df: Array, *, level: float) -> tuple[Array, Array]:
    """Return estimate -/+ t se; unbounded where df < 1."""
    t = t_quantile(df, level)
    t = np.where(df >= 1, t, np.inf)
    with np.errstate(invalid="ignore"):
        half = t * se
    return estimate - half, estimate + half


def logit_interval(share: Array, se: Array, df: Array, *, level: float) -> tuple[Array, Array]:
    """Return the interval of a share 0-1 that is symmetric on the logit scale (R's svyciprop method "logit")."""
    inside = (share > 0) & (share < 1)
    safe = np.where(inside, share, 0.5)
    logit = np.log(safe / (1 - safe))
    logit_se = se / (safe * (1 - safe))
    low, high = t_interval(logit, logit_se, df, level=level)
    with np.errstate(over="ignore"):
        low_share = 1 / (1 + np.exp(-low))
        high_share = 1 / (1 + np.exp(-high))
    low = np.where(inside, low_share, share)
    high = np.where(inside, high_share, share)
    return low, high


def korn_graubard_interval(
    share: Array, n_effective: Array, *, n: Array, df: Array, level: float
) -> tuple[Array, Array]:
    """Return Clopper-Pearson limits at the effective sample size, corrected for df (Korn and Graubard 1998)."""
    tail = (1 - level) / 2
    at_n = special.stdtrit(np.maximum(n - 1, 1), tail)
    at_df = special.stdtrit(np.maximum(df, 1), tail)
    size = np.minimum(n_effective * (at_n / at_df) ** 2, LARGEST)
    x = share * size
    low = special.betaincinv(np.maximum(x, 1e-12), size - x + 1, tail)
    high = special.betaincinv(x + 1, np.maximum(size - x, 1e-12), 1 - tail)
    return np.where(share <= 0, 0.0, low), np.where(share >= 1, 1.0, high)


def wilson_interval(
    share: Array, n_effective: Array, *, n: Array, df: Array, level: float
) -> tuple[Array, Array]:
    """Return Wilson's score limits of a share 0-1 at the effective sample size, with t^2 of df in place of z^2.

    So an effective size from few PSUs counts less: the limits are Wilson's at n_effective (z / t)^2. `n` does not enter.

    References
    ----------
    Wilson (1927), JASA 22, 209-212; Kott and Carr (1997), Journal of Official Statistics 13, 123-137, for the effective size.
    """
    quantile = t_quantile(df, level) ** 2
    to_half = quantile / (n_effective + quantile)  # how far the centre moves from the share to 1/2
    centre = share + to_half * (0.5 - share)
    remaining = to_half * (1 - to_half)
    variance = remaining * share * (1 - share)
    half = np.sqrt(variance + to_half**2 / 4)
    return centre - half, centre + half


def likelihood_interval(
    share: Array, n_effective: Array, *, n: Array, df: Array, level: float
) -> tuple[Array, Array]:
    """Return the limits of a share 0-1 where the log likelihood, scaled to the effective size, has fallen to F(1, df).

    They solve 2 m [p log(p / x) + (1 - p) log((1 - p) / (1 - x))] = F(level; 1, df) for x, by bisection. m is n_effective
    (n - 1) / n: the deviance is divided by the dispersion n / (n - 1) of a share, as R's svyciprop method "likelihood" does.
    """
    with np.errstate(divide="ignore", over="ignore"):
        quantile = t_quantile(df, level) ** 2
        size = n_effective * np.maximum(n - 1, 0)
        size = size / np.maximum(n, 1)
        fall = quantile / 2 / size
    return _where_fallen(share, fall, end=0.0), _where_fallen(share, fall, end=1.0)


def _where_fallen(share: Array, fall: Array, *, end: float) -> Array:
    """Find x between share and end where the log likelihood of one observation has fallen by `fall`, or the end."""
    share, fall = np.broadcast_arrays(share, fall)
    inner = share
    outer = np.full(share.shape, end)
    for _unused in range(HALVINGS):
        middle = (inner + outer) / 2
        fallen = special.kl_div(share, middle)
        fallen = fallen + special.kl_div(1 - share, 1 - middle)
        beyond = fallen > fall
        inner = np.where(beyond, inner, middle)
        outer = np.where(beyond, middle, outer)
    return outer


# R's "logit" fits a logistic model and "xlogit" transforms the mean: the same limits but for where the fit stops; under
# replicate weights R fits it anew with each, while here both are R's "xlogit"
_FROM_ERROR = {"logit": logit_interval, "xlogit": logit_interval, "mean": t_interval}
_FROM_SIZE = {
    "beta": korn_graubard_interval,
    "wilson": wilson_interval,
    "likelihood": likelihood_interval,
}


def share_interval(
    method: str,
    share: Array,
    se: Array,
    *,
    n: Array,
    df: Array,
    level: float,
    n_effective: Array | None = None,
) -> tuple[Array, Array]:
    """Return limits of shares, within 0-1, around the share; arrays of any shape that broadcast.

    Parameters
    ----------
    method : str
        "logit", "xlogit" or "mean", of the se; "beta", "wilson" or "likelihood", of the effective size.
    share : float
        0-1; nan where there is none, and then both limits are nan.
    se : float
        Standard error under the design. Where it is 0, "logit", "xlogit" and "mean" collapse to the share: use "beta",
        "wilson" or "likelihood" there.
    n : float
        Respondents.
    df : float
        Degrees of freedom of the se: the domain's PSUs minus its strata. Under 1 the se says nothing and the limits are 0
        and 1.
    level : float
        Confidence level.
    n_effective : float, optional
        For "beta", "wilson" and "likelihood" where the se is 0: the effective sample size to use, for instance n over the
        deff of a larger area; n itself unless given. df under 1 count as 1 there, because the size does not come from the se.
    """
    share = np.clip(np.asarray(share, dtype=float), 0, 1)
    se = np.asarray(se, dtype=float)
    df = np.asarray(df)
    if method in _FROM_ERROR:
        known = se > NO_ERROR
        with np.errstate(over="ignore"):  # the logit of a share next to 0
            low, high = _FROM_ERROR[method](share, se, df, level=level)
        low = np.where(known, low, share)
        high = np.where(known, high, share)
    else:
        n = np.asarray(n, dtype=float)
        size, known = effective_size(share, se, n=n, n_effective=n_effective)
        low, high = _FROM_SIZE[method](share, size, n=n, df=df, level=level)
    unbounded = known & (df < 1)
    low = np.where(unbounded, 0.0, np.maximum(low, 0.0))
    high = np.where(unbounded, 1.0, np.minimum(high, 1.0))
    return np.minimum(low, share), np.maximum(high, share)


def effective_size(
    share: Array, se: Array, *, n: Array, n_effective: Array | None = None
) -> tuple[Array, Array]:
    """Respondents of a simple random sample with the same se.

    Returns
    -------
    size : float
        share (1 - share) / se^2; where share or se leave it open, n_effective, or n unless that is given.
    known : bool
        Whether the se gave it.
    """
    inside = (share > 0) & (share < 1)
    known = inside & (se > NO_ERROR)
    safe_se = np.where(known, se, 1.0)
    from_se = share * (1 - share) / safe_se**2
    otherwise = n if n_effective is None else n_effective
    size = np.where(known, from_se, otherwise)
    return np.minimum(size, LARGEST), known


def usable(value: Array, se: Array, df: Array) -> Array:
    """Tell which estimates can be tested: known, with a spread and at least one degree of freedom."""
    rounding = 1e-12 * np.maximum(np.abs(value), 1)
    with_spread = np.isfinite(value) & (se > rounding)
    return with_spread & (df >= 1)


def satterthwaite(variance: Array, df: Array) -> Array:
    """Degrees of freedom of a sum of independent variances: (sum v)^2 / sum(v^2 / df), over the last axis.

    inf where the variances are known or 0.
    """
    total = variance.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = variance**2 / df
    error = np.where(variance > 0, errors, 0.0).sum(axis=-1)
    return quotient(total**2, error, where=error > 0, otherwise=np.inf)


def satterthwaite_of_blocks(
    matrix: sp.csr_array, cov: Array, *, domain: Array, df: Array, members: Members
) -> Array:
    """Degrees of freedom of linear combinations: Satterthwaite's over the blocks they use.

    The variances of two blocks are independent. So domains (or waves) that share a PSU are one block, whose df are the
    PSUs minus the strata of their union; a domain that shares no PSU with the others is a block with its own df.

    Parameters
    ----------
    matrix : (K, Q) sparse
    cov : (Q, Q)
    domain : (Q,) int
        Domain of each quantity.
    df : (Q,) float
    members : Members
    """
    linked = _linked(domain, members)
    combined_df = np.empty(matrix.shape[0])
    for i in range(matrix.shape[0]):
        used = slice(matrix.indptr[i], matrix.indptr[i + 1])
        at = matrix.indices[used]
        coefficient = matrix.data[used]
        block_of = _blocks(linked, domain, at)
        variances = []
        block_dfs = []
        for block in np.unique(block_of):
            inside = block_of == block
            quantities = at[inside]
            block_cov = cov[np.ix_(quantities, quantities)]
            with np.errstate(invalid="ignore"):  # of what is not known the df are not known either
                variance = float(coefficient[inside] @ block_cov @ coefficient[inside])
            variances.append(max(variance, 0.0))
            block_dfs.append(_block_df(quantities, domain, df, members=members))
        over_blocks = satterthwaite(np.array(variances), np.maximum(block_dfs, 0.0))
        combined_df[i] = over_blocks if np.isfinite(over_blocks) else min(block_dfs)
    return combined_df


def summed_df(at: Array, *, domain: Array, df: Array, members: Members) -> float:
    """Add up the df of the blocks (see `satterthwaite_of_blocks`) that the quantities numbered `at` form."""
    block_of = _blocks(_linked(domain, members), domain, at)
    total = 0.0
    for block in np.unique(block_of):
        quantities = at[block_of == block]
        total += _block_df(quantities, domain, df, members=members)
    return total


def _linked(domain: Array, members: Members) -> sp.csr_array | None:
    """Link the quantities that share a PSU or a domain: (Q, Q), or None where no two domains share a PSU."""
    sharing = members.sharing().tocoo()
    if (domain[sharing.row] == domain[sharing.col]).all():
        return None
    by_domain = summing(domain)
    return sp.csr_array(sharing + by_domain.T @ by_domain)


def _blocks(linked: sp.csr_array | None, domain: Array, at: Array) -> Array:
    """Number the blocks of the quantities `at` by the first domain of each."""
    if linked is None:
        return domain[at]
    among = linked[at][:, at]
    parts, part = connected_components(among, directed=False)
    first = np.full(parts, domain.max(initial=0))
    np.minimum.at(first, part, domain[at])
    return np.asarray(first[part])


def _block_df(at: Array, domain: Array, df: Array, *, members: Members) -> float:
    """Return the df of one block: the domain's own, or those of the union; never below the largest of its domains."""
    of_domains = df[at]
    if (domain[at] == domain[at[0]]).all():
        return float(of_domains.min())
    return float(max(members.df(at), of_domains.max()))


def limits(
    measures: list[Measure],
    options: Options,
    *,
    value: Array,
    se: Array,
    df: Array,
    n: Array,
    overall_deff: Callable[[], Array],
) -> tuple[Array, Array, Array]:
    """Return confidence limits: of the method asked for where measures are shares, t for the others; and a note.

    Bounded measures whose se is 0 get Korn and Graubard's limits.

    Parameters
    ----------
    value, se, df, n : (D, M)
    overall_deff : callable
        Returns the measures' design effects over all domains (M,); called only where an estimate shows no variance.

    Raises
    ------
    EstimatesError
        E103 where a share is asked for and the values are none.
    """
    low, high = t_interval(value, se, df, level=options.level)
    note = np.full(value.shape, "", dtype=object)
    if options.kind in ("total", "ratio") or options.interval == "t":
        return low, high, note
    proportion = options.kind == "proportion"
    rate = np.array([proportion or measure.kind == "rate" for measure in measures])
    is_share = rate if options.interval == "default" else np.ones_like(rate)
    shares = value[:, is_share]
    outside = shares[(shares < -1e-12) | (shares > 1 + 1e-12)]
    if outside.size:
        raise EstimatesError(
            "E103",
            _("This is no share of 0-1 (for instance {outside:g}).", outside=outside[0]),
            where="statistic='proportion'",
            available=("mean", "proportion", "total"),
            hint=_('Use statistic="mean".'),
        )
    if is_share.any():
        method = "logit" if options.interval == "default" else options.interval
        columns = np.flatnonzero(is_share)
        share = value[:, columns]
        share_se = se[:, columns]
        share_df = df[:, columns]
        low[:, columns], high[:, columns] = share_interval(
            method, share, share_se, n=n[:, columns], df=share_df, level=options.level
        )
    top = np.where(rate, 1.0, 100.0)
    bounded = np.array([proportion or measure.kind != "column" for measure in measures])
    without_variance = (n > 0) & bounded & (se <= 1e-12 * top)
    if without_variance.any():
        share = np.clip(np.nan_to_num(value / top), 0, 1)
        size = n / overall_deff()
        lower, upper = korn_graubard_interval(share, size, n=n, df=df, level=options.level)
        low = np.where(without_variance, lower * top, low)
        high = np.where(without_variance, upper * top, high)
        note[without_variance] = "Korn-Graubard"
    return low, high, note
