"""What makes a second pass find what the first one found."""
