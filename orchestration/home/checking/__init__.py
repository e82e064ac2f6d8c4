"""What can be damaged in a home, a module a place: each names its damages, and what can give them again."""
