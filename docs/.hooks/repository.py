"""For `make docs`: links that lead out of `docs/` lead to copies of the files, and anchors are those of GitHub."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

_OUT = re.compile(r"\]\(\.\./([^)#\s]+)")
_COPIES = "repository"


def on_config(config: Any) -> Any:
    """Headings get the anchors that they have on GitHub: pages are read there too."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = lambda text, _: re.sub(
        r"[^\w\- ]", "", text.strip().lower()
    ).replace(" ", "-")
    return config


def on_files(files: Files, config: Any) -> Files:
    """Take in every file of the repository that a page links to."""
    root = Path(config.config_file_path).parent
    linked = {
        _file(root, found)
        for page in files.documentation_pages()
        for found in _OUT.findall(Path(str(page.abs_src_path)).read_text(encoding="utf-8"))
    }
    for path in sorted(linked):
        if (root / path).is_file():
            files.append(File.generated(config, f"{_COPIES}/{path}", abs_src_path=str(root / path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Links out of `docs/` become links to the copies; what is no file stays and is refused as a dead link."""
    root = Path(config.config_file_path).parent
    if page.file.src_uri.startswith(f"{_COPIES}/"):
        return re.sub(r"\]\(((?:\.\./)*)docs/", r"](\1../", markdown)
    up = posixpath.relpath(_COPIES, posixpath.dirname(page.file.src_uri) or ".")
    return _OUT.sub(lambda found: f"]({up}/{_file(root, found[1])}", markdown)


def _file(root: Path, path: str) -> str:
    """The file that a link means: of a folder its README."""
    return f"{path.rstrip('/')}/README.md" if (root / path / "README.md").is_file() else path
