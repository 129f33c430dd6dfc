"""Today's build beside an earlier one, both in turn on one core."""
