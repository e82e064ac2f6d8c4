"""Reading the warehouse for people: results as they stand, a number walked back, a publication replayed."""
