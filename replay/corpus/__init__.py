"""Many cassettes as one table: `rows` reads the events of one, `index` writes them to Parquet, `query` asks DuckDB.

Needs the `corpus` extra (pyarrow, duckdb); nothing else here imports them.
"""
