"""Planning: what an experiment would need, from given numbers or from what the warehouse has measured."""
