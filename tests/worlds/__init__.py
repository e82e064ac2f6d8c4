"""Whole demo worlds through the whole pipeline, held against what they hide.

`python -m tests.worlds --seeds 1 2 3 --output FOLDER` simulates, runs and judges each seed's world in a home of its
own, writes what was seen to the folder, one JSON file a seed (seeds that are there already are not run again), and then
checks every claim.
"""
