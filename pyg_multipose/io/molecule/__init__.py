"""Molecules, whatever format they were read from."""
