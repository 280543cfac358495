"""Plain data as YAML 1.2 text that `io.yaml` reads back as the same data."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

LONGEST_LINE = 120
NO_FOLDING = 10_000  # characters a line: a line of a person's own file stays one line


def yaml_text(data: dict[str, Any]) -> str:
    """Return data as YAML: one key a line, the innermost mappings and lists in brackets, Chinese as it is."""
    yaml = YAML()
    yaml.default_flow_style = None
    yaml.width = LONGEST_LINE
    yaml.allow_unicode = True
    top = _ordered(data)
    top.fa.set_block_style()
    stream = io.StringIO()
    yaml.dump(top, stream)
    return stream.getvalue()


def node_text(node: CommentedMap) -> str:
    """Return the node tree of a YAML file as text, with its comments."""
    yaml = YAML()
    yaml.width = NO_FOLDING
    yaml.allow_unicode = True
    stream = io.StringIO()
    yaml.dump(node, stream)
    return stream.getvalue()


def _ordered(value: Any) -> Any:
    """Put mappings into ruamel's own type: the innermost in one line, unless that would be longer than a line."""
    if isinstance(value, dict):
        mapping = CommentedMap((key, _ordered(one)) for key, one in value.items())
        nested = any(isinstance(one, dict) for one in value.values())
        if value and not nested and len(str(value)) < LONGEST_LINE:
            mapping.fa.set_flow_style()
        else:
            mapping.fa.set_block_style()
        return mapping
    if isinstance(value, str) and (not value.isprintable() or value.startswith("?")):
        return DoubleQuotedScalarString(value)  # plain, ruamel folds line breaks that are not "\n" and misreads "[?"
    return [_ordered(one) for one in value] if isinstance(value, list | tuple) else value
