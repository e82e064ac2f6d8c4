"""Custom parts for Fairsplit: means without the outermost fifths."""
