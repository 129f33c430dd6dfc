"""Relations as tables write them, and as pose sets carry them."""

import pytest
import torch

from pyg_multipose.io import read_labels
from pyg_multipose.io.labels.join import RELATIONS as OF_LABELS
from pyg_multipose.nn.loss import RELATIONS, MSELoss, relation_codes


def test_the_codes_of_labels():
    assert RELATIONS == OF_LABELS
    codes = relation_codes(list(RELATIONS))
    assert codes.dtype == torch.int64
    assert codes.tolist() == list(OF_LABELS.values())
    assert relation_codes([]).shape == (0,)


@pytest.mark.parametrize('sign', ['', '==', '<<', '\u2264', 'below', None, 0])
def test_unknown(sign):
    with pytest.raises(ValueError, match=r'at 1, expected one of \['):
        relation_codes(['<', sign])


@pytest.mark.parametrize('relations', ['<>', 0, None])
def test_no_list(relations):
    with pytest.raises(ValueError, match='a relation for each label'):
        relation_codes(relations)


def test_read_once():
    assert relation_codes(iter('<>=')).tolist() == [-1, 1, 0]


@pytest.mark.parametrize('unit, sign', [('pK', '<'), ('kT', '>')])
def test_a_table(tmp_path, unit, sign):
    """IC50 > 100 uM: a pIC50 below 4, and a free energy above that."""
    path = tmp_path / 'a.csv'
    path.write_text('ligand_id,target_id,value,unit,kind\nA,T,>100,uM,IC50\n')
    (label,) = read_labels(path)
    relation = [label.relation_in(unit)]
    assert relation == [sign]
    y = torch.tensor([label.value(unit)])
    weaker, stronger = (y - 1, y + 1) if sign == '<' else (y + 1, y - 1)
    assert MSELoss()(weaker, y, relation) == 0
    assert MSELoss()(stronger, y, relation) == 1
