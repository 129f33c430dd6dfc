"""What a call does: chunks, bytes, the mode that is chosen."""
