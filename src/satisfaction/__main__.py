"""`python -m satisfaction`."""

from __future__ import annotations

from satisfaction.cli import main

main()
