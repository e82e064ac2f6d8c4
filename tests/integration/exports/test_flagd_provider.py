"""flagd's own provider on the exports of a home goes on with whatever version is in force."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.definitions import NOW, PROJECT, flag
from tests.sdks import flagd_provider

from fairsplit.analysis.catalogue import Catalogue
from fairsplit.assignment_exports.catalogue import export_catalogue
from fairsplit.assignment_exports.publishing import rollback
from fairsplit.orchestration.project import Home


def publish(exports: Path, value: str) -> None:
    theme = flag("theme", sdk="flagd", type="string", default="plain", value=value)
    export_catalogue(exports, Catalogue(PROJECT, {}, {"theme": theme}, {}, {}, (), {}), NOW)


@pytest.mark.integration
def test_a_new_version_and_the_way_back_are_served_without_a_restart(tmp_path: Path) -> None:
    exports = Home(tmp_path).exports
    publish(exports, "dark")
    with flagd_provider(exports / "current" / "flagd.json") as serve_all:

        def becomes(value: str) -> bool:
            end = time.monotonic() + 10
            while serve_all([("string", "theme")], [("user_1", {})]) != [[value]]:
                if time.monotonic() > end:
                    return False
                time.sleep(0.02)
            return True

        assert becomes("dark")
        publish(exports, "light")
        assert becomes("light")
        rollback(exports)
        assert becomes("dark")
        publish(exports, "blue")
        assert becomes("blue")
