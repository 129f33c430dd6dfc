"""Step time and memory of every gradient mode beside its rivals.

``python -m benchmarks`` (or ``make bench``) runs everything;
``docs/benchmarks.md`` says how it is measured.
"""
