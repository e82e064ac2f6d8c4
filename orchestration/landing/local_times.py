"""Times without an offset, read in a declared zone: those that do not exist, and those that come twice."""

from __future__ import annotations

from fairsplit.orchestration.landing.sql import literal

_DAY_US = 86_400_000_000


def utc_of(wall: str, zone: str) -> tuple[str, str]:
    """A wall clock's time as an instant.

    A time that the clock skipped (put forward in spring) has no instant. One that it showed twice (put back in
    autumn) is the first of the two, as `datetime` reads it with ``fold=0``: it is read with the offset that was in
    force a day before.

    Args:
        wall: SQL of a TIMESTAMP.
        zone: IANA name.

    Returns:
        SQL of the instant as naive TIMESTAMP in UTC, null where there is none; and SQL of whether the time came twice.
    """
    late = f"epoch_us(timezone({literal(zone)}, {wall}))"
    early = f"(epoch_us({wall}) - ({_wall_of(f'{late} - {_DAY_US}', zone)} - ({late} - {_DAY_US})))"
    exists = f"{_wall_of(late, zone)} = epoch_us({wall})"
    twice = f"({early} < {late} and {_wall_of(early, zone)} = epoch_us({wall}))"
    return (
        f"case when {exists} then make_timestamp(case when {twice} then {early} else {late} end) end",
        twice,
    )


def _wall_of(instant_us: str, zone: str) -> str:
    """What the clock shows at an instant, both in microseconds."""
    return f"epoch_us(timezone({literal(zone)}, make_timestamptz({instant_us})))"
