"""Continuous A/A certification: re-randomise real units many times and see whether the analysis keeps its word."""
