import pytest
import torch


@pytest.fixture(scope='package', autouse=True)
def one_thread():
    """As in the demo; small tensors are not faster with more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
