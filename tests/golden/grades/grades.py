"""Report-card grades from pairwise posterior probabilities (Kline, Rose and Walters), solved exactly.

usage: python grades.py SEED OUTDIR
Writes units_*.csv (estimate, standard error, posterior mean) and grades.json. The integer programme is
solved from both sides: a feasible grading (dynamic programme over an ordering, then moves of single units),
and a lower bound (linear relaxation, transitivity added where violated; branch and bound where it stays
fractional). `gap` is their difference; the solution is optimal where it is zero.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_matrix, vstack
from scipy.stats import norm

LAMBDAS = (0.1, 0.25, 0.5, 0.8)


def simulate(rng, n, shape):
    se = np.round(rng.uniform(0.12, 0.35, n), 4)
    if shape == "normal":
        theta = rng.normal(0, 0.4, n)
    else:
        theta = np.where(rng.random(n) < 0.75, rng.normal(-0.3, 0.2, n), rng.normal(0.9, 0.45, n))
    return np.round(theta + se * rng.normal(size=n), 4), se


def probabilities(estimate, se, shape):
    """P(theta_i > theta_j); ties on the grid count one half. Priors are known, not estimated."""
    if shape == "normal":
        shrink = 0.16 / (0.16 + se**2)
        mean, var = shrink * estimate, shrink * se**2
        p = norm.cdf((mean[:, None] - mean) / np.sqrt(var[:, None] + var))
    else:
        grid = np.linspace(-3, 4, 7001)
        prior = 0.75 * norm.pdf(grid, -0.3, 0.2) + 0.25 * norm.pdf(grid, 0.9, 0.45)
        post = prior * norm.pdf(estimate[:, None], grid, se[:, None])
        post /= post.sum(1, keepdims=True)
        mean = post @ (1 / (1 + np.exp(-grid)))
        below = np.cumsum(post, 1) - post / 2
        p = post @ below.T
    np.fill_diagonal(p, 0.5)
    return mean, p


def cost(p, lam):
    """Loss of placing i above j; its optimum per pair is p > 1 / (1 + lambda)."""
    c = (1 - p) - lam * p
    np.fill_diagonal(c, 0)
    return c


def value(grade, c):
    return c[grade[:, None] < grade].sum()


def heuristic(c, p):
    n = len(c)
    best, best_value = None, np.inf
    for key in (p.sum(1), -(c - c.T).sum(1)):
        order = np.argsort(-key, kind="stable")
        s = c[np.ix_(order, order)]
        upto = np.zeros((n + 1, n + 1))
        upto[1:, 1:] = np.cumsum(np.cumsum(s, 0), 1)
        best_to, back = np.full(n + 1, np.inf), np.zeros(n + 1, int)
        best_to[0] = 0
        for j in range(1, n + 1):
            for i in range(j):  # units i..j-1 form the last grade; all before are above them
                v = best_to[i] + upto[i, j] - upto[i, i]
                if v < best_to[j] - 1e-14:
                    best_to[j], back[j] = v, i
        grade, j, g = np.zeros(n, int), n, n
        while j:
            grade[order[back[j] : j]] = g
            j, g = back[j], g - 1
        grade = 2 * grade
        now, improved = value(grade, c), True
        while improved:
            improved = False
            for u in range(n):
                for t in range(grade.min() - 1, grade.max() + 2):
                    trial = grade.copy()
                    trial[u] = t
                    v = value(trial, c)
                    if v < now - 1e-12:
                        grade, now, improved = 2 * np.unique(trial, return_inverse=True)[1], v, True
                        break
        if now < best_value - 1e-12:
            best, best_value = grade, now
    return np.unique(best, return_inverse=True)[1] + 1, best_value


def bound(c, incumbent):
    """Lower bound, and the exact optimum where the relaxation is fractional."""
    n = len(c)
    index = np.full((n, n), -1)
    off = ~np.eye(n, dtype=bool)
    index[off] = np.arange(n * (n - 1))
    rows = [(index[i, j], index[j, i]) for i in range(n) for j in range(i)]
    r = np.repeat(np.arange(len(rows)), 2)
    a = [coo_matrix((np.ones(2 * len(rows)), (r, np.ravel(rows))), (len(rows), n * (n - 1)))]
    top = [np.ones(len(rows))]
    integral = 0
    while True:
        fit = milp(
            c[off],
            constraints=LinearConstraint(vstack(a).tocsr(), -np.inf, np.concatenate(top)),
            bounds=Bounds(0, 1),
            integrality=integral,
            options={"mip_rel_gap": 0},
        )
        d = np.zeros((n, n))
        d[off] = fit.x
        # negative transitivity: above(i,k) <= above(i,j) + above(j,k)
        slack = d[:, None, :] - d[:, :, None] - d[None, :, :]
        i, j, k = np.nonzero(slack > 1e-7)
        keep = (i != j) & (j != k) & (i != k)
        i, j, k = i[keep], j[keep], k[keep]
        if len(i) == 0:
            fractional = np.abs(d - np.round(d)).max() > 1e-6
            if fractional and not integral and fit.fun < incumbent - 1e-9:
                integral = 1
                continue
            return (
                fit.fun,
                bool(integral),
                None if fractional else np.unique(-np.round(d).sum(1), return_inverse=True)[1] + 1,
            )
        if len(i) > 20000:
            pick = np.argsort(-slack[i, j, k])[:20000]
            i, j, k = i[pick], j[pick], k[pick]
        m = len(i)
        r = np.repeat(np.arange(m), 3)
        cols = np.column_stack([index[i, k], index[i, j], index[j, k]]).ravel()
        a.append(coo_matrix((np.tile([1.0, -1.0, -1.0], m), (r, cols)), (m, n * (n - 1))))
        top.append(np.zeros(m))


def brute(c):
    """Smallest loss over every weak order: every set of units is tried as the top grade of every remainder."""
    n = len(c)
    full = (1 << n) - 1
    members = [[i for i in range(n) if s >> i & 1] for s in range(full + 1)]
    best = np.zeros(full + 1)
    for s in range(1, full + 1):
        sum_to = c[:, members[s]].sum(1)
        low, t = np.inf, s
        while t:  # the top grade t of s: cost of t above the rest
            rest = s ^ t
            top = members[t]
            low = min(low, sum_to[top].sum() - c[np.ix_(top, top)].sum() + best[rest])
            t = (t - 1) & s
        best[s] = low
    return best[full]


def describe(p, lam):
    c, n = cost(p, lam), len(p)
    grade, upper = heuristic(c, p)
    lower, branched, solved = bound(c, upper)
    if (
        solved is not None and value(solved, c) < upper - 1e-12
    ):  # the relaxation itself is a better grading
        grade, upper = solved, value(solved, c)
    above = grade[:, None] < grade
    graded, pairs = above.sum(), n * (n - 1) / 2
    wrong = (p.T * above).sum()
    return {
        "lambda": lam,
        "threshold": 1 / (1 + lam),
        "grade": grade.tolist(),
        "grades": int(grade.max()),
        "loss": upper / pairs,
        "lower_bound": lower / pairs,
        "gap": (upper - lower) / pairs,
        "branch_and_bound": branched,
        "pairs_graded": int(graded),
        "share_graded": graded / pairs,
        "discordance": wrong / pairs,
        "discordance_of_graded": wrong / graded if graded else None,
        "tau": ((p - p.T) * above).sum() / pairs,
    }


def main(seed, out):
    rng, out = np.random.default_rng(seed), Path(out)
    result = {"seed": seed}
    for n in (8, 12, 88):
        for shape in ("normal", "skewed"):
            estimate, se = simulate(rng, n, shape)
            mean, p = probabilities(estimate, se, shape)
            name = f"{shape}{n}"
            with open(out / f"units_{name}.csv", "w", newline="") as f:
                w = csv.writer(f)
                w.writerow(["estimate", "se", "posterior_mean"])
                w.writerows(zip(estimate, se, mean, strict=True))
            case = {"grades": [describe(p, lam) for lam in LAMBDAS]}
            if n < 88:
                case["probability"] = p.tolist()
            else:
                case["probability_first_rows"] = p[:3].tolist()
            if n == 8:
                case["brute_force_loss"] = [brute(cost(p, lam)) / 28 for lam in LAMBDAS]
            result[name] = case
            print(
                name,
                [(g["grades"], f"{g['gap']:.1e}", g["branch_and_bound"]) for g in case["grades"]],
                flush=True,
            )
    cycle = np.full(
        (5, 5), 0.5
    )  # a cycle above the threshold: i beats i+1 and i+2 (mod 5), as dice can
    for i in range(5):
        for s in (1, 2):
            cycle[i, (i + s) % 5], cycle[(i + s) % 5, i] = (
                0.9 - 0.1 * s + 0.01 * i,
                0.1 + 0.1 * s - 0.01 * i,
            )
    result["cycle5"] = {
        "probability": cycle.tolist(),
        "grades": [describe(cycle, lam) for lam in LAMBDAS],
        "brute_force_loss": [brute(cost(cycle, lam)) / 10 for lam in LAMBDAS],
    }
    print(
        "cycle5",
        [
            (g["grades"], f"{g['gap']:.1e}", g["branch_and_bound"])
            for g in result["cycle5"]["grades"]
        ],
        result["cycle5"]["brute_force_loss"],
        [g["loss"] for g in result["cycle5"]["grades"]],
    )
    (out / "grades.json").write_text(json.dumps(result))


main(int(sys.argv[1]), sys.argv[2])
