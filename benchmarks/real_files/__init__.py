"""Files that nobody here wrote, read here and by others, record by record."""
