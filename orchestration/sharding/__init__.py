"""The tables built in shards of units: events routed, each shard built by the same models, rows brought together."""
