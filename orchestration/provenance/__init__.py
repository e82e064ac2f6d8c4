"""Which code computed a row."""
