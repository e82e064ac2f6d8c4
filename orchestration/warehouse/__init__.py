"""The DuckDB file and the dbt project that builds it."""
