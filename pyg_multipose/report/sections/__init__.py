"""The sections of the page, each made of what a run has left."""
