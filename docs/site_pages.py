"""What mkdocs (`make docs`) does to the pages: those of the project's root join them, links that lead out become words.

A page of docs/ may name a notebook or a module; the site holds neither, so their names stand there without a link.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
ROOT = DOCS.parent
FROM_ROOT = {
    "README.md": "index.md",
    "README.zh.md": "index-zh.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
}
"""Pages of the project's root, by their place in the site."""
LINK = re.compile(
    r"(?P<image>!?)\[(?P<words>[^\]]*)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)"
)


def site_page(text: str, path: str) -> str:
    """Return the text of a page with the links of the site.

    Parameters
    ----------
    text : str
        Markdown, as it stands in the project.
    path : str
        Of the page, from the project's root: docs/en/statistician.md.
    """
    here = posixpath.dirname(place_in_site(path))

    def linked(link: re.Match[str]) -> str:
        target = link["target"]
        if re.match(r"[a-z]+:", target):
            return link[0]
        named = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        place = place_in_site(named)
        if not place:
            return link["words"]
        address = posixpath.relpath(place, here or ".")
        return f"{link['image']}[{link['words']}]({address}{link['anchor'] or ''})"

    parts = re.split(r"(```.*?```)", text, flags=re.DOTALL)
    parts[::2] = [LINK.sub(linked, part) for part in parts[::2]]
    return "".join(parts)


def place_in_site(path: str) -> str:
    """Return the place in the site of a file of the project; empty where the site does not hold it.

    >>> place_in_site("docs/en/statistician.md"), place_in_site("README.zh.md"), place_in_site("setup.py")
    ('en/statistician.md', 'index-zh.md', '')
    """
    if path in FROM_ROOT:
        return FROM_ROOT[path]
    if path.startswith("docs/") and path.endswith((".md", ".png")):
        return path.removeprefix("docs/")
    return ""


def on_files(files: Any, *, config: Any) -> Any:
    """Add the pages of the project's root."""
    from mkdocs.structure.files import File

    for name, place in FROM_ROOT.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, place, content=site_page(text, name)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Let the links of a page of docs/ lead to pages of the site."""
    place = page.file.src_uri
    if place in FROM_ROOT.values():
        return markdown
    return site_page(markdown, f"docs/{place}")
