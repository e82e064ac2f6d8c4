"""Calling `fairsplit analyze`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from fairsplit.orchestration.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def analyze(capsys, monkeypatch):
    """Call the command: its exit code, what it printed as JSON where it succeeded, and its messages."""

    def call(path: Path, *options: object) -> tuple[int, dict[str, Any], str]:
        if not path.exists():
            pytest.skip(f"{path} is not there")
        words = ["fairsplit", "analyze", str(path), *map(str, options), "--format", "json"]
        monkeypatch.setattr(sys, "argv", words)
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else {}, err

    return call
