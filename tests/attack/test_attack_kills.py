"""A few of the kills that `python -m tests.attack.kills` does by the hundred."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="each kill forks")
@pytest.mark.filterwarnings(
    "ignore:This process:DeprecationWarning"
)  # later Pythons warn of forks beside threads
def test_six_kills_leave_nothing_half_written_and_nothing_behind(tmp_path):
    found = importlib.util.spec_from_file_location("kills", Path(__file__).with_name("kills.py"))
    kills = sys.modules["kills"] = importlib.util.module_from_spec(found)
    found.loader.exec_module(kills)
    told = kills.kill_all(6, tmp_path, names=("check", "corrections", "fieldwork"))
    assert (told.kills, told.faults) == (6, [])
    assert told.died
