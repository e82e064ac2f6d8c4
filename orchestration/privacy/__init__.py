"""What leaves the home for good: erased people, retired assignments."""
