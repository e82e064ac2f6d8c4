"""The user's catalogue as every step reads it, and the SQL of its measures."""
