"""Tables that are built in shards and brought together equal those that one machine builds, byte for byte."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.oracle import sharded
from tests.oracle.checks import rebuild
from tests.oracle.dbt_runs import model_meta
from tests.oracle.homes import DERIVED, DrivenHome
from tests.oracle.kinds import LAST_DAY, kinds_home, large_rows
from tests.oracle.sharded import build_in_shards
from tests.oracle.worlds import EXPERIMENTS, make_events, split
from tests.oracle.worlds import LAST_DAY as LAST_ORACLE_DAY

from fairsplit.orchestration.sharding.routing import Routing

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration
#: What bandits by context leave; this world has none.
CONTEXTUAL = {"fct_context_sums", "results.policies", "results.policy_leaves", "results.policy_coefficients"}


@pytest.fixture
def kept() -> set[str]:
    """Tables whose rows stay in the shards."""
    return {name for name, said in model_meta().items() if said.get("shards") == "kept"}


def differing(whole: DrivenHome, home: DrivenHome, kept: set[str]) -> set[str]:
    left, right = (
        {table: sorted(map(repr, one.query(f"from {table}"))) for table in DERIVED if table not in kept}
        for one in (whole, home)
    )
    return {table for table in left if left[table] != right[table]}


def both(
    folder: Path, shards: int, more: list[dict] | None = None, without: tuple[str, ...] = ()
) -> tuple[DrivenHome, DrivenHome]:
    whole, home = (kinds_home(folder / name, 5, more, without) for name in ("whole", "sharded"))
    whole.build(LAST_DAY)
    whole.judge()
    build_in_shards(home.home, LAST_DAY, shards, folder / "shards")
    home.judge()
    return whole, home


def test_two_shards_of_each_kind_of_unit_add_up_to_one_home(tmp_path: Path, kept: set[str]) -> None:
    """The sample of this folder: four shards are four runs of dbt."""
    whole, home = both(tmp_path, 2, without=("devices",))
    assert differing(whole, home, kept) == set()
    filled = {table for table in DERIVED if whole.query(f"select exists (from {table})") == [(True,)]}
    assert set(DERIVED) - filled <= {"landing.quarantine", "results.allocations"} | CONTEXTUAL


@pytest.mark.slow
@pytest.mark.parametrize("shards", [1, 7])
def test_any_number_of_shards_adds_up(tmp_path: Path, kept: set[str], shards: int) -> None:
    assert differing(*both(tmp_path, shards), kept) == set()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_worlds_of_the_oracle_add_up(tmp_path: Path, kept: set[str], seed: int) -> None:
    files = split(seed, make_events(seed))
    whole = rebuild(tmp_path / "whole", files)
    home = DrivenHome(tmp_path / "sharded", EXPERIMENTS)
    for file in files:
        home.land(file)
    home.ingest()
    build_in_shards(home.home, LAST_ORACLE_DAY, 1 + seed, tmp_path / "shards")
    home.judge()
    assert differing(whole, home, kept) == set()


@pytest.mark.slow
def test_sums_that_fit_in_each_shard_and_not_together_are_refused_in_all(
    tmp_path: Path, kept: set[str]
) -> None:
    whole, home = both(tmp_path, 2, large_rows(units=4, each=400))
    assert whole.query("select exists (from int_out_of_range)") == [(True,)]
    assert differing(whole, home, kept) == set()


@pytest.mark.slow
def test_the_next_run_of_one_machine_builds_everything_anew(tmp_path: Path) -> None:
    whole, home = both(tmp_path, 2)
    home.build(LAST_DAY)
    home.judge()
    assert home.hashes() == whole.hashes()


#: What goes wrong → the text in the routing that is right, the text that is wrong, and a table that tells.
FAULTS = {
    "routed by the raw id": (
        "coalesce(user_id, linked_user_id, anonymous_id)",
        "coalesce(user_id, anonymous_id)",
    ),
    "exposures of nobody in several shards": (
        "case when experiment_id is null then event_id else '' end",
        "event_id",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_the_routing_is_seen(
    tmp_path: Path, kept: set[str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, wrong = FAULTS[name]
    select = Routing.select

    def faulty(routing: Routing, linked: str) -> str:
        text = select(routing, linked)
        assert right in text
        return text.replace(right, wrong)

    monkeypatch.setattr(Routing, "select", faulty)
    assert differing(*both(tmp_path, 3), kept) != set()


@pytest.mark.slow
def test_the_latest_link_in_place_of_the_earliest_is_seen(
    tmp_path: Path, kept: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    earliest = sharded.earliest_links
    monkeypatch.setattr(
        sharded, "earliest_links", lambda links: earliest(links).replace("arg_min", "arg_max")
    )
    assert differing(*both(tmp_path, 3), kept) != set()


#: What goes wrong in a model → the file, the text that is right, the text that is wrong.
MODEL_FAULTS = {
    "event quality is counted in every kind of shard": (
        "models/marts/fct_event_quality.sql",
        """ and {{ of_this_shard("'user'") }}""",
        "",
    ),
    "a shard tells the exposures of other kinds of unit": (
        "models/intermediate/int_exposure_events.sql",
        """{{ of_this_shard("coalesce(experiments.unit_type, 'user')") }}""",
        "true",
    ),
    "a shard believes its own links": (
        "models/intermediate/int_identity_links.sql",
        "from {{ source('work', 'links_of_all_shards') }}",
        "from {{ source('work', 'links_of_all_shards') }} where false",
    ),
    "caps are those of each shard": (
        "models/marts/fct_sufficient_statistics.sql",
        "'finished'",
        "'added', 'sums': ['n', 'n_open'] + moments()",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODEL_FAULTS)
def test_a_fault_in_a_model_is_seen(tmp_path: Path, kept: set[str], name: str) -> None:
    from fairsplit.orchestration.project import DBT_PROJECT_DIR  # noqa: PLC0415

    file, right, wrong = MODEL_FAULTS[name]
    project = tmp_path / "dbt_project"
    shutil.copytree(DBT_PROJECT_DIR, project, ignore=shutil.ignore_patterns("target", "logs"))
    text = (project / file).read_text()
    assert right in text
    (project / file).write_text(re.sub(re.escape(right), lambda _: wrong, text))
    whole, home = (kinds_home(tmp_path / one, 5) for one in ("whole", "sharded"))
    whole.build(LAST_DAY)
    build_in_shards(home.home, LAST_DAY, 3, tmp_path / "shards", project)
    assert (
        differing(whole, home, kept | {table for table in DERIVED if table.startswith("results.")}) != set()
    )
