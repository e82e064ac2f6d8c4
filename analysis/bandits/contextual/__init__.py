"""Who gets which arm by context: reward models, a policy tree and what it is worth, all from sums of cells."""
