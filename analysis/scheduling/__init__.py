"""Content schedules: which experiment posts when, and which arm, so that the posts stay an experiment."""
