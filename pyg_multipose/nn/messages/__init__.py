r"""Messages between atoms, in pieces that may be called on their own."""
