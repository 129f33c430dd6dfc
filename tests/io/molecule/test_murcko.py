"""Scaffolds of molecules."""

import pytest

pytest.importorskip('rdkit')

from pyg_multipose.datasets import MproMoonshot  # noqa: E402
from pyg_multipose.io import scaffolds  # noqa: E402


def test_known_ones():
    smiles = [
        'CCO',
        'Cc1ccccc1',
        'C[C@H]1CCN(c2ccncc2)C1',
        'OC1CCN(C1)c1ccncc1',
    ]
    ring = 'c1cc(N2CCCC2)ccn1'
    assert scaffolds(smiles) == ['', 'c1ccccc1', ring, ring]
    with pytest.raises(ValueError, match="Molecule 1 is no SMILES: 'C1'"):
        scaffolds(['C', 'C1'])


def test_those_of_the_bundled_dataset():
    dataset = MproMoonshot('all')
    assert scaffolds(dataset.smiles) == dataset.scaffolds
