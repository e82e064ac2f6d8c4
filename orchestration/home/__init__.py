"""The home as a whole: its schema version, its soundness, and copies of it."""
