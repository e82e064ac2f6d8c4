"""Pure judgement: catalogue, statistics, validity, decisions, scorecards. No Dagster, no files of its own, no clock."""
