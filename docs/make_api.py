"""Write docs/api.md: every public name of the package, in the order of the method, from its docstring."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from pathlib import Path

import satisfaction

PAGE = Path(__file__).with_name("api.md")
WIDTH = 100
HEAD = """# The Python interface

Everything that `import satisfaction as sat` offers, in the order of the method. This page is written
by `make api` from the docstrings; change it there.

The examples run in the tests. They take `sat`, `numpy as np` and `pandas as pd` as imported, and write
their files into an empty folder. Those that read a survey read the simulated one of the tests: 120
respondents in four counties, `surveys/wave`, with the instrument `questionnaires/small/1.yaml`.
"""


@dataclass(frozen=True)
class Chapter:
    """A step of the method and the names that belong to it."""

    title: str
    names: tuple[str, ...]


def chapters(contents: str) -> list[Chapter]:
    """Read the table of contents at the head of the package: a title, then a name a line."""
    paragraphs = contents.split("\n\n")
    read = []
    for paragraph in paragraphs:
        names = re.findall(r"^    sat\.(\w+) ", paragraph, flags=re.MULTILINE)
        if names:
            title = paragraph.splitlines()[0]
            read.append(Chapter(title, tuple(names)))
    return read


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    steps = chapters(inspect.getdoc(satisfaction) or "")
    for chapter in steps:
        links = ", ".join(f"[`{name}`](#sat{name.lower()})" for name in chapter.names)
        parts.append(f"- {chapter.title}: {links}")
    for chapter in steps:
        parts.append(f"\n## {chapter.title}")
        for name in chapter.names:
            parts.append(f"\n### sat.{name}\n")
            parts.append(entry(name, getattr(satisfaction, name)))
    return "\n".join(parts) + "\n"


def entry(name: str, public: object) -> str:
    """Return signature, docstring and, of a class, what it can do."""
    parts = []
    if inspect.isfunction(public):
        parts.append(f"```python\n{call(name, public)}\n```\n")
    parts.append(prose(inspect.getdoc(public) or ""))
    if inspect.isclass(public):
        listed = members(public)
        if listed:
            parts.append("**Methods and properties**\n")
        parts += [f"- {line}" for line in listed]
    return "\n".join(parts).rstrip()


def call(name: str, function: object) -> str:
    """Write a call with its defaults; types stand in the docstring."""
    signature = inspect.signature(function)  # type: ignore[arg-type]
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    plain = str(inspect.Signature(bare))
    line = f"sat.{name}{plain}"
    if len(line) <= WIDTH:
        return line
    arguments = ",\n".join(f"    {argument}" for argument in split_arguments(plain[1:-1]))
    return f"sat.{name}(\n{arguments},\n)"


def split_arguments(arguments: str) -> list[str]:
    """Split at the commas outside brackets."""
    return re.split(r", (?![^()\[\]]*[)\]])", arguments)


def prose(docstring: str) -> str:
    """Turn a numpydoc docstring into Markdown: sections as bold words, fields as items, examples as code."""
    blocks = re.split(r"\n(?=\w+\n-{3,}\n)", docstring)
    parts = [f"{blocks[0].strip()}\n"]
    for block in blocks[1:]:
        title, _, body = block.split("\n", 2)
        if title == "Examples":
            parts.append(f"```python\n{body.strip()}\n```\n")
        elif title == "Notes":
            parts.append(f"{body.strip()}\n")
        else:
            parts.append(f"**{title}**\n\n{fields(body)}\n")
    return "\n".join(parts)


def fields(body: str) -> str:
    """Turn `name : type` lines and the indented text below each into items."""
    items: list[str] = []
    for line in body.strip("\n").splitlines():
        text = line.strip()
        if not text:
            continue
        if line.startswith(" "):
            items.append(f"  {text}")
        else:
            field, colon, kind = text.partition(" : ")
            items.append(f"- `{field}`{colon and f': {kind}'}")
    return "\n".join(items)


def members(record: type) -> list[str]:
    """Name the public methods and properties that a class states itself, with their first line."""
    lines = []
    for name, member in vars(record).items():
        function = member.fget if isinstance(member, property) else member
        if name.startswith("_") or not inspect.isfunction(function) or not function.__doc__:
            continue
        ending = "" if isinstance(member, property) else "()"
        first = function.__doc__.strip().splitlines()[0]
        lines.append(f"`.{name}{ending}`: {first}")
    return lines


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
