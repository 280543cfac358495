"""Write sample, truth and responses of shipped waves anew: python -m tests.shipped_waves surveys/guizhou-2026q3 ..."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.shipped_waves.folder import simulate_survey

for folder in sys.argv[1:]:
    simulate_survey(Path(folder))
