"""Where records come from: files, folders, and their lines."""
