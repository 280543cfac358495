"""What an installed program brings along beside its code: questionnaires, notebooks, facts of the example.

They stand at the head of the repository, where people look for them; the wheel holds copies below
satisfaction/foundation/shipped (src/satisfaction/foundation/shipped.py finds them). All else is in pyproject.toml.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
SHIPPED = (
    "questionnaires/*/*.yaml",
    "notebooks/0*.ipynb",
    "notebooks/en/0*.ipynb",
    "surveys/guizhou-2026q3/areas.csv",
    "surveys/guizhou-2026q3/frame.csv",
    "surveys/guizhou-2026q3/margin_*.csv",
)


class BuildWithShipped(build_py):
    """Copies the shipped files into the wheel; a checkout installed with -e finds them in place."""

    def run(self) -> None:
        """Build the package, then copy the files beside it."""
        super().run()
        if self.editable_mode:
            return
        for pattern in SHIPPED:
            for source in sorted(ROOT.glob(pattern)):
                inside = Path("satisfaction/foundation/shipped", source.relative_to(ROOT))
                target = Path(self.build_lib, inside)
                self.mkpath(str(target.parent))
                self.copy_file(str(source), str(target))


setup(cmdclass={"build_py": BuildWithShipped})
