r"""Work in shards: each is written once, whoever does it, and whenever."""

from pyg_multipose.campaign.atomic_file import (
    atomic_file,
    atomic_path,
    checksum,
    remove_leftovers,
)
from pyg_multipose.campaign.manifest import Manifest
from pyg_multipose.campaign.ranges import ranges_of
from pyg_multipose.campaign.run_shards import run_shards
from pyg_multipose.campaign.shard import Shard

__all__ = [
    'Manifest',
    'Shard',
    'atomic_file',
    'atomic_path',
    'checksum',
    'ranges_of',
    'remove_leftovers',
    'run_shards',
]
