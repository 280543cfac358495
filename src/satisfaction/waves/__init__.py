"""Several waves of one survey: what changed between two of them, and indices over the last ones, as file sets.

Reading order: `sides` (which waves, by which measure, may they be compared), `changes`, `roll` and `trial` (the tables),
`signs` (of coaching), `words` (what is printed), `folder` (what is written).
"""

from .changes import WaveChange, compare_waves, most_improved, run_change
from .folder import export_change, export_rolling, export_trial
from .roll import WaveRolling, roll_waves, run_rolling
from .sides import read_in_order
from .trial import Trial, compare_trial, run_trial
from .words import change_lines, rolling_lines, trial_lines

__all__ = [
    "Trial",
    "WaveChange",
    "WaveRolling",
    "change_lines",
    "compare_trial",
    "compare_waves",
    "export_change",
    "export_rolling",
    "export_trial",
    "most_improved",
    "read_in_order",
    "roll_waves",
    "rolling_lines",
    "run_change",
    "run_rolling",
    "run_trial",
    "trial_lines",
]
