r"""The demo: multi-pose models on real docked poses, beside honest baselines.

:obj:`python -m pyg_multipose.demo` trains on
:class:`~pyg_multipose.datasets.MproMoonshot` and writes a table, pictures and
all numbers. It runs :obj:`multipose fit`, and needs matplotlib besides.
"""
