import pytest
import torch

from pyg_multipose.nn.messages.pooling import pool_atoms

CONTRIBUTION = torch.tensor([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
INDEX = torch.tensor([1, 0, 1])


@pytest.mark.parametrize(
    'pool, expected', [('sum', [2.0, 5.0]), ('mean', [2.0, 2.5])]
)
def test_pool_atoms(pool, expected):
    out = pool_atoms(CONTRIBUTION, INDEX, 2, pool)
    expected = torch.tensor(expected)
    assert torch.equal(out, torch.stack([expected, 10 * expected], dim=1))


def test_ligand():
    is_ligand = torch.tensor([False, True, True])
    for pool in ['sum', 'mean']:
        out = pool_atoms(CONTRIBUTION, INDEX, 2, pool, is_ligand)
        assert out.tolist() == [[2.0, 20.0], [4.0, 40.0]]

    # What does not contribute leaves no trace, not even NaN:
    contribution = CONTRIBUTION.clone()
    contribution[0] = torch.nan
    contribution.requires_grad_()
    out = pool_atoms(contribution, INDEX, 2, 'sum', is_ligand)
    assert out.tolist() == [[2.0, 20.0], [4.0, 40.0]]
    out.sum().backward()
    assert contribution.grad.tolist() == [[0, 0], [1, 1], [1, 1]]


def test_graphs_without_atoms():
    out = pool_atoms(CONTRIBUTION, INDEX, 4, 'sum')
    assert out[2:].tolist() == [[0.0, 0.0], [0.0, 0.0]]
    with pytest.raises(ValueError, match=r'needs atoms .* graphs \[2, 3\]'):
        pool_atoms(CONTRIBUTION, INDEX, 4, 'mean')
    is_ligand = torch.tensor([True, False, True])
    with pytest.raises(ValueError, match=r'ligand atoms .* graphs \[0\]'):
        pool_atoms(CONTRIBUTION, INDEX, 2, 'mean', is_ligand)


def test_half_precision():
    contribution = torch.full((4096, 1), 1.0, dtype=torch.bfloat16)
    index = torch.zeros(4096, dtype=torch.long)
    out = pool_atoms(contribution, index, 1, 'sum')
    assert out.dtype == torch.float32 and out.item() == 4096.0
