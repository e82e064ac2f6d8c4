"""Content schedules: their weeks planned from the judged results."""
