"""Dagster's runs from this process: launched, watched, cleared away."""
