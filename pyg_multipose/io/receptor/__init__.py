"""Receptors from structure files."""
