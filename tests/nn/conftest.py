"""Poses around receptors, and whole complexes as the reference."""

from types import SimpleNamespace

import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_multipose.data import PoseSet
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.transforms import RadiusGraph
from tests.trusting import trusting

CUTOFF = 2.5
MODES = ['full', 'stream', 'recompute', 'auto']


def atoms(count, generator, spread, shift=0.0):
    pos = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    z = torch.randint(1, 10, (count,), generator=generator)
    return Data(z=z, pos=spread * pos + shift)


def make_set(receptor, sizes, seed, shift=0.0, name=None):
    generator = torch.Generator().manual_seed(seed)
    ligands = [atoms(size, generator, 0.8, shift) for size in sizes]
    made = PoseSet.from_complex(receptor, ligands, name=name)
    return RadiusGraph(CUTOFF)(made)


def make_batch(size=40, spread=2.5, shift=0.0):
    """Two receptors; one has the poses of two sets, not side by side."""
    generator = torch.Generator().manual_seed(7)
    first, second = (atoms(size, generator, spread) for _ in range(2))
    return Batch.from_data_list(
        [
            make_set(first, (5, 3, 6), 1, shift, 'a'),
            make_set(second, (4, 4), 2, shift, 'b'),
            make_set(first, (2,), 3, shift, 'c'),
        ]
    )


def one_way(receptor, contacts):
    """Two poses of an atom each, with edges from source to target."""
    generator = torch.Generator().manual_seed(2)
    size = 1 + max(map(max, receptor))
    around = atoms(size, generator, 0.5)
    poses = [atoms(1, generator, 0.5) for _ in range(2)]
    made = PoseSet.from_complex(around, poses)
    edges = list(receptor)
    for ligand in (size, size + 1):
        for source, target in contacts:
            ends = source, target
            edges.append([ligand if end is None else end for end in ends])
    made.put('edge_index', torch.tensor(edges).t().contiguous(), 'edge')
    return Batch.from_data_list([made])


#: Edges of a receptor and of its ligand, None, and how many layers see that an
#: atom is far from the ligand on the way there, and near on the way back.
ONE_WAY = {
    'ligand': (
        [(0, 1), (1, 0), (1, 2), (2, 1)],
        [(None, 0), (2, None)],
        4,
    ),
    'receptor': ([(0, 1), (1, 2), (2, 0)], [(None, 0), (0, None)], 5),
}


def results(model, batch, mode, combination='mean', positions=True, **kwargs):
    """Predictions and all gradients."""
    readout = MultiPoseReadout(model, combination, mode, **kwargs)
    return results_of(readout, batch, positions)


def results_of(readout, batch, positions=True):
    """As above, of a readout that may have seen its model before."""
    batch, model = batch.clone(), readout.model
    if positions and readout.gradient != 'stream':
        batch.pos.requires_grad_()
    model.zero_grad()
    out = readout(batch)
    out.sin().sum().backward()
    grads = {name: p.grad for name, p in model.named_parameters()}
    if batch.pos.grad is not None:
        grads['pos'] = batch.pos.grad
    return readout, out.detach(), grads


def check(got, expected):
    """Gradients by name: those of parameters, and of positions."""
    for name, value in expected.items():
        if value is None:
            assert got[name] is None or not got[name].any(), name
            continue
        error = (got[name] - value).abs().max() if value.numel() else 0
        assert error <= 1e-10 * (value.abs().max() + 1e-8), name


def agree(shared, whole):
    """Results with a receptor that is shared, and of whole complexes."""
    (readout, out, grads), (_, y, expected) = shared, whole
    assert torch.allclose(out, y, rtol=1e-11, atol=1e-12)
    check(grads, expected)
    assert 'encoded' in str(readout.last_plan)


def compare(model, batch, modes, combination='mean', **kwargs):
    """A receptor that is shared against whole complexes, mode by mode."""
    readout = MultiPoseReadout(
        model, combination, share_receptor=True, **kwargs
    )
    trusting(readout)
    whole = {}
    for mode in [modes] if isinstance(modes, str) else modes:
        positions = mode != 'stream'
        if positions not in whole:
            whole[positions] = results(
                *(model, batch, 'full', combination, positions),
                share_receptor=False,
                inputs=kwargs.get('inputs'),
            )
        readout.gradient = mode
        agree(results_of(readout, batch), whole[positions])


@pytest.fixture
def kit():
    """The functions above, for test modules."""
    return SimpleNamespace(
        CUTOFF=CUTOFF,
        ONE_WAY=ONE_WAY,
        RadiusGraph=RadiusGraph,
        agree=agree,
        atoms=atoms,
        check=check,
        compare=compare,
        make_batch=make_batch,
        make_set=make_set,
        one_way=one_way,
        results=results,
        results_of=results_of,
    )
