"""Complexes that co-folding programs predict, as pose sets."""
