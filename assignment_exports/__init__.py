"""Bucketing, targeting and allocation compiled to the payloads that feature-flag SDKs evaluate."""
