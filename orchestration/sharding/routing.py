"""Which shards an event belongs to: one for each kind of unit in use, by the hash of the unit that it stands for.

Every kind of unit has shards of its own. Every event has one of users, so what counts events is counted there.
Exposures that name no unit count as one, so all of them have the same shard.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fairsplit.orchestration.landing.sql import EVENT_COLUMNS, identifier

if TYPE_CHECKING:
    from datetime import date

    import duckdb

#: Of every event with an anonymous id, beside its own columns: the earliest link of that id.
LINK_COLUMNS: Final = ("linked_user_id", "linked_at", "linked_event_id")
_UNITS: Final = {
    # As the models' `raw_id` and `linked_unit`.
    "user": "coalesce(user_id, linked_user_id, anonymous_id)",
    "anonymous": "anonymous_id",
    "session": "session_id",
}


@dataclass(frozen=True, slots=True)
class Routing:
    """How many shards there are, of which kinds of unit.

    Attributes:
        unit_types: Kinds of unit in use, `user` first: an experiment that nobody declared is of users.
        shards: Shards of each kind.
    """

    unit_types: tuple[str, ...]
    shards: int

    @classmethod
    def of(cls, connection: duckdb.DuckDBPyConnection, shards: int) -> Routing:
        """By what the catalogue's tables ask for.

        Args:
            connection: On the warehouse.
            shards: Shards of each kind of unit, 1 or more.
        """
        rows = connection.execute(
            """select unit_type from catalog.experiments union select unit_type from catalog.segment_rules
               order by all"""
        ).fetchall()
        return cls(("user", *(kind for (kind,) in rows if kind != "user")), shards)

    @property
    def total(self) -> int:
        """Shards of all kinds."""
        return self.shards * len(self.unit_types)

    def unit_type(self, shard: int) -> str:
        """The kind of unit of a shard, numbered from 0."""
        return self.unit_types[shard // self.shards]

    def select(self, linked: str) -> str:
        """The shards of events as a SELECT: `shard`, the event's columns and those of its link.

        Args:
            linked: A relation of the events with `LINK_COLUMNS`.
        """
        units = ", ".join(
            f"{{'place': {place}, 'unit': {_UNITS[kind]}}}" for place, kind in enumerate(self.unit_types)
        )
        columns = ", ".join(map(identifier, (*EVENT_COLUMNS, *LINK_COLUMNS)))
        # Whoever counts units counts the exposures without one as one, and nobody asks for other events without one.
        key = "coalesce(one.unit, case when experiment_id is null then event_id else '' end)"
        return f"""
            select
                cast(one.place * {self.shards}
                    + cast('0x' || substr(md5({key}), 1, 8) as bigint) % {self.shards} as integer) as shard,
                {columns}
            from (select *, unnest([{units}]) as one from {linked})
            where one.place = 0 or one.unit is not null or experiment_id is not null"""


def link_events(to: date) -> str:
    """The events that link an anonymous id to a user, of the days that are built, as a SELECT for `earliest_links`."""
    return f"""
        select anonymous_id, user_id, occurred_at, event_id from stg_events
        where user_id is not null and anonymous_id is not null and event_day <= date '{to}'"""


def earliest_links(links: str) -> str:
    """The earliest of some links of each anonymous id, as a SELECT; of the earliest of parts it is the earliest of all.

    Args:
        links: A relation (anonymous_id, user_id, occurred_at, event_id).
    """
    return f"""
        select anonymous_id, unnest(arg_min(
            {{'user_id': user_id, 'occurred_at': occurred_at, 'event_id': event_id}}, (occurred_at, event_id)))
        from ({links}) group by anonymous_id"""


def linked_events(events: str, links: str, to: date) -> str:
    """Events of the days that are built with the earliest link of their anonymous id, as a SELECT for `Routing.select`.

    Args:
        events: A relation of accepted events.
        links: A relation as `earliest_links` gives it.
        to: The last day, included.
    """
    return f"""
        select events.*, links.user_id as linked_user_id, links.occurred_at as linked_at,
            links.event_id as linked_event_id
        from {events} as events left join {links} as links on events.anonymous_id = links.anonymous_id
        where events.event_day <= date '{to}'"""
