"""`python -m satisfaction`."""

from .cli import main

main()
