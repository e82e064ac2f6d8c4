"""Statistics: arrays over comparisons in, frozen arrays out. No files, no clock, no global settings."""
