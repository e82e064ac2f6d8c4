"""What `import fairsplit` gives: a project's tables as frames, any table judged, a plan. The commands call the same."""
