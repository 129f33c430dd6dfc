"""Settings of all tests."""

import torch

# The tensors of tests are small: more threads only wait for each other.
torch.set_num_threads(1)
