"""Settings of all tests, and what is printed after them."""

import gc
import os
import sys
from contextlib import suppress
from pathlib import Path

import torch
from _pytest.assertion import rewrite
from e3nn.o3 import _linear
from e3nn.o3._tensor_product import _tensor_product

# The tensors of tests are small: more threads only wait for each other, also
# in the processes that tests start.
os.environ['OMP_NUM_THREADS'] = '1'
torch.set_num_threads(1)


def generated_once(generate):
    """A generator of code of e3nn, which is most of the work of a model.

    Modules for the same arguments differ in nothing but their buffers, so the
    second one shares the class, and with it the code, of the first.
    """
    made = {}

    def twin(module):
        if not isinstance(module, torch.fx.GraphModule):
            return module
        new = object.__new__(type(module))
        for name, value in vars(module).items():
            value = value.copy() if isinstance(value, dict) else value
            object.__setattr__(new, name, value)
        for name, buffer in module._buffers.items():
            new._buffers[name] = buffer.clone()
        return new

    def call(*args, **kwargs):
        key = repr((args, kwargs, torch.get_default_dtype()))
        if key not in made:
            made[key] = generate(*args, **kwargs)
        if isinstance(made[key], tuple):
            return tuple(map(twin, made[key]))
        return twin(made[key])

    return call


_linear._codegen_linear = generated_once(_linear._codegen_linear)
_providers = _tensor_product._CODEGEN_PROVIDERS_LEFT_RIGHT
_providers[:] = map(generated_once, _providers)

#: The property of a test that holds relative errors by gradient mode.
WORST = 'worst relative error of '


def pytest_collection(session):
    """Each worker compiles some of the files of tests for all.

    The first time, pytest rewrites every assertion, which takes longer than
    all else before the first test; workers would do that at the same time.
    """
    config = session.config
    if not hasattr(config, 'workerinput') or sys.dont_write_bytecode:
        return
    number = int(config.workerinput['workerid'].removeprefix('gw'))
    files = sorted(Path(__file__).parent.rglob('test_*.py'))
    for path in files[number :: config.workerinput['workercount']]:
        # Of no public name: without it, each compiles all, as ever.
        with suppress(AttributeError, TypeError):
            compile_once(path, config)


def compile_once(path, config):
    """Writes what pytest makes of a file, where it is not there yet."""
    folder = rewrite.get_cache_dir(path)
    compiled = folder / (path.stem + rewrite.PYC_TAIL)
    if rewrite.try_makedirs(folder) and not rewrite._read_pyc(path, compiled):
        stat, code = rewrite._rewrite_test(path, config)
        state = config.stash[rewrite.assertstate_key]
        rewrite._write_pyc(state, code, stat, compiled)


def pytest_collection_finish(session):
    """Leaves what is there by now to no garbage collection any more.

    Else each one that a test asks for goes through all of torch. Those that
    come by themselves are rarer than usual.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


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
