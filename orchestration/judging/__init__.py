"""From marts to judged tables: which cut-offs are recomputed, and what is judged beside the statistics."""
