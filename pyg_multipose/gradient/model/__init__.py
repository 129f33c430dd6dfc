"""The single-pose model: what it must be, what it is, what it returns."""
