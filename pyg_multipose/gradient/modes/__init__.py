"""Gradient modes: how the gradient of many poses is obtained."""
