"""What one process does, and what two and four do, each once."""

import pytest

pytest.importorskip('lightning')

from pyg_multipose.datasets import PoseSetDataset  # noqa: E402
from pyg_multipose.distributed import launch  # noqa: E402

from . import cases  # noqa: E402


@pytest.fixture(scope='session')
def root(tmp_path_factory):
    """A dataset on disk, all of whose sets have a label."""
    folder = tmp_path_factory.mktemp('several') / 'sets'
    dataset = PoseSetDataset(folder)
    dataset.extend(cases.pose_set(n, 1 + 3 * n % 5) for n in range(13))
    return str(folder)


@pytest.fixture(scope='session')
def alone(root):
    return cases.everything(root)


@pytest.fixture(scope='session', params=[2, 4])
def several(request, root):
    return launch(cases.on_ranks, (root,), request.param)
