"""Receptors of texts."""

import pytest


@pytest.fixture
def read(tmp_path):
    """Writes a text to a file, reads it, and looks at what is always so."""
    from pyg_multipose.io.receptor.read_receptor import read_receptor

    def read_text(text, name='r.pdb', **kwargs):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        receptor = read_receptor(path, **kwargs)
        receptor.report.check()
        assert receptor.pos.isfinite().all() and receptor.z.min() > 0
        assert len(receptor.atom_names) == receptor.num_nodes
        return receptor

    return read_text
