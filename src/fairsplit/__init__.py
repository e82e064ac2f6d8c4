"""Experiments as code, in batch: raw events in; trustworthy scorecards and traffic-allocation configs out."""
