r"""Models of other libraries, called in their own way."""

from pyg_multipose.nn.adapters.dict_model import DictModel
from pyg_multipose.nn.adapters.extensions import without_extensions
from pyg_multipose.nn.adapters.hetero_model import HeteroModel
from pyg_multipose.nn.adapters.list_model import ListModel
from pyg_multipose.nn.adapters.mace_model import MACEModel
from pyg_multipose.nn.adapters.nequip_model import NequIPModel
from pyg_multipose.nn.adapters.scorer import Scorer

__all__ = [
    'DictModel',
    'HeteroModel',
    'ListModel',
    'MACEModel',
    'NequIPModel',
    'Scorer',
    'without_extensions',
]
