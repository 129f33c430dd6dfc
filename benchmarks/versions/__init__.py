"""Versions of what this is built on: the tests, over a matrix of them."""
