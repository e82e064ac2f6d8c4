"""What people are told: digests, alerts, and their delivery to hooks."""
