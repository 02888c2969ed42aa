"""vcrpy's cassettes (YAML)."""
