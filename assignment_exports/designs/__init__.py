"""Designs for a known population: every unit gets its arm at once, so that the arms are equal where it matters.

A design is a function from a population (a row a unit, in the order of the ids) and a random generator to the position
of each unit's arm. `assigning` chooses one, seeds it from the experiment's id and makes the table of it.
"""
