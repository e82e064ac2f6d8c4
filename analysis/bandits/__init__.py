"""Bandit mathematics: who gets how much traffic, and what adaptively collected data say. No policy, no state."""
