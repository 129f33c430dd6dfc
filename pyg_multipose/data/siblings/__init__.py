"""Whether a transform lets a pose know the other poses of its set."""
