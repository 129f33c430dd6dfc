"""Flexible side chains that docking has moved."""
