"""Dagster's webserver and daemon as processes of this machine: who may ask, and how they end."""
