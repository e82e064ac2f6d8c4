"""Search over the parameters of variants: what to try next, from what was measured of what was tried."""
