"""On which poses a model is looked at."""

import numpy as np
import torch
from torch_geometric.data import Batch, Data

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.gradient.receptors import witnesses
from pyg_multipose.gradient.receptors.witnesses import by_contacts, kinds


def atoms(elements, place=0.0):
    z = torch.tensor(elements)
    first = torch.tensor([[place, 0.0, 0.0]])
    return Data(z=z, pos=first + 0.1 * torch.arange(len(z)).view(-1, 1))


def complexes(receptor, *ligands, edges=()):
    poses = [atoms(*ligand) for ligand in ligands]
    out = PoseSet.from_complex(atoms(receptor), poses)
    out.put('flag', torch.arange(len(poses)) % 3, 'pose')
    out.put('score', torch.rand(len(poses)), 'pose')
    return out


def tables_of(poses):
    layout = Layout(poses)
    values = poses.stores[0]
    keys = [key for key, level in layout.levels.items() if level != 'set']
    return layout, {key: values[key] for key in keys}


def of(key, found):
    return {(part, kind) for name, part, kind in found if name == key}


def test_kinds():
    layout, tables = tables_of(complexes([6, 7], ([8, 99],), ([9],)))
    found = kinds(layout, tables)
    expected = {('receptor', 6), ('receptor', 7)}
    expected |= {('ligand', 8), ('ligand', 99), ('ligand', 9)}
    assert of('z', found) == expected
    assert of('flag', found) == {('pose', 0), ('pose', 1)}
    assert not of('score', found) and not of('pos', found)


def test_kinds_of_some():
    layout, tables = tables_of(complexes([6, 7], ([8, 99],), ([9],)))
    found = kinds(layout, tables, [1])
    assert of('z', found) == {('receptor', 6), ('receptor', 7), ('ligand', 9)}
    assert of('flag', found) == {('pose', 1)}


def test_numbers_of_atoms_are_no_kinds():
    poses = complexes([6] * 300, ([8] * 3,))
    poses.put('number', torch.arange(303), 'node')
    layout, tables = tables_of(poses)
    found = kinds(layout, tables)
    assert of('number', found) == {('ligand', n) for n in (300, 301, 302)}


def test_by_contacts_by_distance():
    """Not those of the ligand, nor of another receptor."""
    one = complexes([6] * 9, ([8] * 9, 9.0), ([8] * 3, 1.0), ([8], 1.0))
    layout, tables = tables_of(one)
    assert by_contacts(layout, tables, np.arange(3))[0] == 1
    assert by_contacts(layout, tables, np.array([0, 2]))[0] == 1
    two = Batch.from_data_list([complexes([6], ([8], 20.0)), one])
    layout, tables = tables_of(two)
    assert by_contacts(layout, tables, np.arange(1, 4))[0] == 1


def test_by_contacts_by_edges():
    """The atom that a ligand touches once has more edges."""
    poses = complexes([6] * 3, ([8] * 3, 0.0), ([8], 0.0))
    edges = [(0, 1), (0, 2), (1, 0), (2, 0)]
    edges += [(3, 4), (4, 3), (4, 5), (5, 4), (3, 1), (4, 1), (1, 3)]
    edges += [(6, 0), (0, 6)]
    poses.put('edge_index', torch.tensor(edges).t().contiguous(), 'edge')
    layout, tables = tables_of(poses)
    assert by_contacts(layout, tables, np.arange(2)) == [1, 0]


def test_names_of_poses_are_no_kinds():
    poses = complexes([6], *[([8],)] * 9)
    poses.put('rank', torch.arange(9), 'pose')
    poses.put('kind', torch.arange(9) % 2, 'pose')
    poses.put('good', torch.arange(9) > 3, 'pose')
    layout, tables = tables_of(poses)
    found = kinds(layout, tables)
    assert not of('rank', found)
    assert of('kind', found) == of('good', found) == {('pose', 0), ('pose', 1)}


def test_by_contacts_of_many(monkeypatch):
    """Those that are looked at lie all along."""
    monkeypatch.setattr(witnesses, '_SAMPLE', 3)
    ligands = [([8], 20.0)] * 6 + [([8], 1.0)]
    layout, tables = tables_of(complexes([6], *ligands))
    assert by_contacts(layout, tables, np.arange(7))[0] == 6
    del tables['pos']
    assert by_contacts(layout, tables, np.arange(7)) == []
