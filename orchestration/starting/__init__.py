"""Starting a project: a folder of a team's own, with an experiment and a metric to begin from."""
