"""Dagster definitions, resources and the command line: declares what exists and calls the other rooms."""
