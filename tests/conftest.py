"""Settings of all tests, and what is printed after them."""

import os

import torch

# The tensors of tests are small: more threads only wait for each other, also
# in the processes that tests start.
os.environ['OMP_NUM_THREADS'] = '1'
torch.set_num_threads(1)

#: The property of a test that holds relative errors by gradient mode.
WORST = 'worst relative error of '


def pytest_terminal_summary(terminalreporter):
    """Prints the worst relative error of each gradient mode.

    They come with the reports of tests, from whichever process ran them.
    """
    worst = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, 'user_properties', ()):
                if name.startswith(WORST):
                    worst[name] = max(worst.get(name, 0.0), value)
    for name, value in sorted(worst.items()):
        terminalreporter.write_line(f'parity, {name}: {value:.1e}')
