"""The hand-over run by real R: survey.R of every kind of design, estimates and standard errors beside ours.

Skipped without Rscript and its package survey; SATISFACTION_REQUIRE_R=1 makes that a failure. R starts once for all designs.
"""

from __future__ import annotations

import os
import subprocess

import numpy as np
import pandas as pd
import pytest
from tests.publication.test_handover import (
    AGE,
    CLUSTERED,
    DESIGNS,
    R_STOPS,
    SEX,
    design,
    handed,
    largest_differences,
)

from rscript import r_is_here
from satisfaction import calibrate, trim
from system_packages import NEEDS_R

SAME = 1e-9  # closed forms, other order of additions
RESTS_ON_R = 1e-6  # R's calibrate stops at 1e-10 of every total, and a se rests on its weights
REQUIRED = os.environ.get("SATISFACTION_REQUIRE_R") == "1"
STEPS = {
    "several steps": lambda: trim(
        calibrate(design(**CLUSTERED), {"sex": SEX, "age": AGE}), upper=2, relative_to="mean"
    )
}
RUN = """
for (folder in commandArgs(trailingOnly = TRUE)) {
  setwd(folder)
  own <- new.env()
  printed <- capture.output(source("survey.R", local = own, encoding = "UTF-8"))
  writeLines(printed, "printed.txt")
  write.csv(format(own$compared, digits = 17), "compared.csv", row.names = FALSE, fileEncoding = "UTF-8")
}
"""


@pytest.fixture(scope="module")
def by_r(tmp_path_factory):
    """Hand every design over and let R run all the scripts; return their folders."""
    if not r_is_here():
        assert not REQUIRED, NEEDS_R
        pytest.skip(NEEDS_R)
    root = tmp_path_factory.mktemp("by_r")
    folders = {name: root / str(i) for i, name in enumerate(DESIGNS | STEPS)}
    for name, folder in folders.items():
        handed(folder, (DESIGNS | STEPS)[name]())
    script = root / "run.R"
    script.write_text(RUN, encoding="utf-8")
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["Rscript", str(script), *map(str, folders.values())],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folders


@pytest.mark.parametrize("name", DESIGNS | STEPS)
def test_real_r_gives_our_estimates_and_standard_errors(name, by_r):
    found = pd.read_csv(by_r[name] / "compared.csv", skipinitialspace=True)
    tolerance = RESTS_ON_R if (DESIGNS | STEPS)[name]().weighting else SAME
    ours = "se_fixed" if name in STEPS else "se"
    assert len(found) == 7  # four areas, two sexes, all
    np.testing.assert_allclose(found["r_estimate"], found["estimate"], rtol=tolerance)
    np.testing.assert_allclose(found["r_se"], found[ours], rtol=tolerance, atol=1e-12)


@pytest.mark.parametrize("name", DESIGNS)
def test_the_script_itself_says_that_r_agrees(name, by_r):
    found = largest_differences((by_r[name] / "printed.txt").read_text(encoding="utf-8"))
    assert {"estimates", "standard errors"} <= set(found)
    assert max(found.values()) < R_STOPS
