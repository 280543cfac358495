"""Filling the package's page templates: every value is escaped, and one that is missing is a fault."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup


def fill(template: str, values: Mapping[str, object], *, filters: Mapping[str, Callable[..., Any]] | None = None) -> str:
    """Fill a template of the package: same values, same text."""
    environment = _environment()
    environment.filters.update(filters or {})
    return environment.get_template(template).render(values)


@functools.cache
def _environment() -> jinja2.Environment:
    loader = jinja2.PackageLoader("satisfaction", "templates")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["css_text"] = css_text
    return environment


def css_text(text: str) -> Markup:
    """Return a text as a string of a style sheet, where HTML's escapes mean nothing."""
    escaped = re.sub(r"[^\w .,;:·()（）【】，；、-]", lambda found: f"\\{ord(found[0]):x} ", str(text))
    return Markup(f'"{escaped}"')


MOST_ROWS = 100  # of a table in a card: a card is for looking, not a substitute for the table
DIGITS = 5


def card(
    title: str,
    *,
    facts: Mapping[str, object] | None = None,
    tables: Mapping[str, pd.DataFrame] | None = None,
    mark: str = "",
    note: str = "",
) -> str:
    """Return how an object shows itself in a notebook: facts, tables (the first one open), everything escaped.

    Long tables are cut, and say so; figures have five significant digits.
    """
    cut = {name: len(table) - MOST_ROWS for name, table in (tables or {}).items()}
    named = {name: f"{name}（另有 {more} 行 {more} more rows）" if more > 0 else name for name, more in cut.items()}
    shown = {named[name]: Markup(_html(table.head(MOST_ROWS))) for name, table in (tables or {}).items() if len(table)}
    kept = {name: value for name, value in (facts or {}).items() if value not in (None, "", ())}
    return fill("card.html", {"title": title, "facts": kept, "tables": shown, "mark": mark, "note": note})


def _html(table: pd.DataFrame) -> str:
    return str(table.to_html(index=False, escape=True, border=0, na_rep="", float_format=f"{{:.{DIGITS}g}}".format))
