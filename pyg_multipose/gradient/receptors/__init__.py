"""Receptors that are evaluated once for all of their poses."""
