"""Labels from tables, and their units."""
