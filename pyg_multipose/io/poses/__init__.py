"""From records to poses, and from poses to sets."""
