"""Filling the package's page templates: every value is escaped, and one that is missing is a fault."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jinja2


def fill(template: str, values: Mapping[str, object], *, filters: Mapping[str, Callable[..., Any]] | None = None) -> str:
    """Fill a template of the package: same values, same text."""
    environment = _environment()
    environment.filters.update(filters or {})
    return environment.get_template(template).render(values)


@functools.cache
def _environment() -> jinja2.Environment:
    loader = jinja2.PackageLoader("satisfaction", "templates")
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
