"""A synthetic province for reference results.

usage: python province.py OUT_DIR SEED      the committed files: seed 20261122

9 prefectures, 88 counties, strata = county x urban/rural, PSU = community or village
drawn with probability proportional to size, a fixed take of adults per PSU.
Writes sample.csv (one row per respondent) and margins.csv (population totals).
"""

import sys

import numpy as np
import pandas as pd


def make(seed=20261122, psus=6, take=6, counties=88, prefectures=9, overlap=None):
    rng = np.random.default_rng(seed)
    pref = np.sort(
        np.r_[np.arange(prefectures), rng.integers(0, prefectures, counties - prefectures)]
    )
    rows, marg = [], []
    mu = rng.normal(0, 0.45, prefectures)[pref] + rng.normal(0, 0.35, counties)
    for c in range(counties):
        pop_c = int(rng.lognormal(12.5, 0.5))
        ushare = rng.beta(4, 5)
        for u in (0, 1):
            Nh = int(pop_c * (ushare if u else 1 - ushare))
            age_p = rng.dirichlet(np.array([12, 16, 20, 20, 18, 14]) * 30)
            for s in (0, 1):
                for a in range(6):
                    marg.append(
                        (c, u, s, a, max(int(Nh * age_p[a] * (0.5 + (0.02 if s else -0.02))), 30))
                    )
            M = rng.integers(40, 160)  # PSUs in the frame of this stratum
            size = rng.lognormal(0, 0.6, M)
            size = size / size.sum() * Nh
            pi = np.minimum(psus * size / size.sum(), 0.95)
            pi *= psus / pi.sum()
            drawn = rng.choice(M, psus, replace=False, p=pi / pi.sum())
            for k, j in enumerate(drawn):
                eff = rng.normal(0, 0.35)
                n = take
                sex = rng.random(n) < 0.56
                age = np.minimum(
                    rng.choice(6, n, p=rng.dirichlet(np.array([8, 12, 20, 24, 22, 14]) * 10)), 5
                )
                base = 1 / pi[j] * size[j] / n
                lat = mu[c] + eff + 0.15 * u + 0.12 * sex + 0.06 * (age - 2.5)
                y = {}
                for q in range(1, 9):  # 8 five-point satisfaction items
                    z = lat + rng.normal(0, 1, n) + (q - 4.5) * 0.07
                    y[f"s{q}"] = np.digitize(z, [-1.6, -0.9, 0.1, 1.1]) + 1
                y["aware"] = (lat + rng.normal(0, 1, n) > -0.6).astype(int)
                y["part"] = (lat + rng.normal(0, 1, n) > 0.5).astype(int)
                y["support"] = (lat + rng.normal(0, 1, n) > -1.2).astype(int)
                d = pd.DataFrame(y).astype(float)
                miss = rng.random(d.shape) < 0.04
                d = d.mask(miss)
                d.insert(0, "prefecture", pref[c])
                d.insert(1, "county", c)
                d.insert(2, "urban", u)
                d.insert(3, "stratum", c * 2 + u)
                d.insert(4, "psu", (c * 2 + u) * 1000 + k)
                d.insert(5, "sex", sex.astype(int))
                d.insert(6, "age", age)
                d.insert(7, "base_weight", base)
                d.insert(8, "M", M)
                rows.append(d)
    return pd.concat(rows, ignore_index=True), pd.DataFrame(
        marg, columns=["county", "urban", "sex", "age", "population"]
    )


if __name__ == "__main__":
    out, seed = sys.argv[1], int(sys.argv[2])
    kw = dict(a.split("=") for a in sys.argv[3:])
    s, m = make(seed, **{k: int(v) for k, v in kw.items()})
    s.round({"base_weight": 6}).to_csv(f"{out}/sample.csv", index=False)
    m.to_csv(f"{out}/margins.csv", index=False)
    print(s.shape, m.shape, m.population.sum())
