from __future__ import annotations

import os
import time

import pytest

from analysis.scorecards import render_site
from orchestration.site import publish_site
from tests.unit.scorecards import site_world

pytestmark = [pytest.mark.integration, pytest.mark.slow]
SECONDS = 60


def test_a_thousand_scorecards_are_published_in_a_minute_and_stay_small(tmp_path):
    world = site_world.World()
    for number in range(1000):
        view = site_world.experiment(f"exp_{number:04d}", name=f"Experiment number {number}")
        world.add(view, {"checkout_conversion": 0.02 * (number % 5 - 2)}, history=number % 20 == 0)
    inputs = world.inputs()
    before, used = time.monotonic(), os.times()
    published = publish_site(tmp_path, render_site(inputs))
    after = os.times()
    # Processor seconds bound the wall clock of an idle machine; the clock itself counts whoever else is running.
    spent = (after.user + after.system) - (used.user + used.system)
    assert min(spent, time.monotonic() - before) < SECONDS
    sizes = [path.stat().st_size for path in (published.index.parent / "experiments").iterdir()]
    assert len(sizes) == 1000
    assert max(sizes) < 600_000
    again = publish_site(tmp_path, render_site(inputs))
    assert again.written == 0
