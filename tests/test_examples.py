"""Every public name has an example in its docstring, and examples run."""

import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest
import torch

import pyg_multipose
from tests.trusting import Trusting

ROOT = Path(pyg_multipose.__file__).parent
API = ROOT.parent / 'docs' / 'api.md'
READOUT = 'pyg_multipose.nn.multi_pose_readout'
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
#: What rooms need that may not be installed.
NEEDS = {
    'cli': ('jsonargparse',),
    'explain': ('gemmi', 'matplotlib', 'rdkit'),
    'io': ('gemmi', 'rdkit'),
    'train': ('lightning', 'torchmetrics'),
    'uncertainty': ('matplotlib',),
}
#: Methods with an example of their own; others may be shown by their class.
CALLED = {
    'PoseSet': ('from_poses', 'from_complex', 'pose', 'select', 'to_poses'),
    'MultiPoseReadout': ('forward', 'plan'),
}
#: Methods, or all those of a class, that no example shows, and why.
EXCUSED = {
    'CombinationContract': 'a test runner calls its tests',
    'ModelContract': 'a test runner calls its tests',
    'ReaderContract': 'a test runner calls its tests',
    'Strategy.read': 'DeltaStrategy overrides it',
    'Strategy.sharers': 'the readout calls it',
    'Strategy.sharing_cost': 'the readout calls it',
    'Strategy.encode_receptor': 'the readout calls it',
    'Strategy.forward_poses': 'the readout calls it',
    'AtomContributions.joined': 'Attribution.join calls it',
    'AtomContributions.rows_of': 'attribution[0] calls it',
    'Combination.check_values': 'the readout calls it; priors show it',
    'Counts.note_backward': 'a hook of autograd',
    'DockedPoses.tables': 'multipose prepare calls it',
    'InteractionLayer.add_messages': 'a shared receptor calls it',
    'EquivariantGNN.reset_parameters': 'as of any layer of PyG',
    'Evaluation': 'the gradient modes call them',
    'SchNet.reset_parameters': 'as of any layer of PyG',
    'SharedLayers': 'the readout calls them; SharedReceptor shows them',
}


def modules(pattern):
    """Names of the modules whose text has a pattern."""
    found = []
    for path in sorted(ROOT.rglob('*.py')):
        if re.search(pattern, path.read_text(encoding='utf-8'), re.MULTILINE):
            parts = path.relative_to(ROOT.parent).with_suffix('').parts
            found.append('.'.join(parts).removesuffix('.__init__'))
    return found


PUBLIC = [name for name in modules('^__all__ = ') if '._' not in name]
DOCUMENTED = re.findall(
    r'auto(?:class|function):: (\S+)', API.read_text(encoding='utf-8')
)


def load(name):
    """A module, unless what its room needs is not installed."""
    for other in NEEDS.get(name.split('.')[1], ()):
        pytest.importorskip(other)
    return importlib.import_module(name)


def is_ours(found):
    """Whether it is a class or a function of the package; not a constant."""
    return (
        isinstance(found, type) or inspect.isfunction(found)
    ) and found.__module__.startswith('pyg_multipose.')


def examples(found):
    """The code of the examples in a docstring."""
    parsed = doctest.DocTestParser().get_examples(inspect.getdoc(found) or '')
    return ''.join(example.source for example in parsed)


def methods(cls):
    """The public methods in the text of a class."""
    found = {
        name: getattr(value, '__func__', value)
        for name, value in vars(cls).items()
        if not name.startswith('_')
    }
    return {
        name: value
        for name, value in found.items()
        if inspect.isfunction(value)
    }


def lacking(found):
    """What of a class or a function no example shows."""
    if not examples(found):
        yield found.__qualname__
    if not isinstance(found, type):
        return
    own = {name: examples(value) for name, value in methods(found).items()}
    shown = examples(found) + ''.join(own.values())
    for name in own:
        is_new = not any(hasattr(base, name) for base in found.__mro__[1:])
        if name in CALLED.get(found.__name__, ()):
            is_shown = bool(own[name])
        else:
            is_shown = re.search(rf'\b{name}\(', shown) or not is_new
        method = f'{found.__name__}.{name}'
        if not is_shown and EXCUSED.keys().isdisjoint(
            (found.__name__, method)
        ):
            yield method


@pytest.mark.parametrize('name', PUBLIC)
def test_public_names_have_examples(name):
    module = load(name)
    public = [getattr(module, key) for key in module.__all__]
    without = [one for key in public if is_ours(key) for one in lacking(key)]
    assert not without, f'no Example: shows {without}'


@pytest.mark.parametrize('name', DOCUMENTED)
def test_documented_names_have_examples(name):
    module, _, key = name.rpartition('.')
    without = list(lacking(getattr(load(module), key)))
    assert not without, f'no Example: shows {without}'


def test_what_no_example_shows_is_noticed():
    class Bare:
        def score(self):
            """Scores."""

    class Shown:
        """Shows its method.

        Example:
            >>> Shown().score()
        """

        def score(self):
            """Scores."""

    assert [name.rpartition('.')[2] for name in lacking(Bare)] == [
        'Bare',
        'score',
    ]
    assert not list(lacking(Shown))


@pytest.mark.filterwarnings('error::UserWarning')
@pytest.mark.parametrize('name', modules('^ *>>> '))
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = load(name)
    if name.startswith('pyg_multipose.train.'):
        # They predict with models as wide as in use, and compare no ways.
        monkeypatch.setattr(f'{READOUT}.Verdict', Trusting)
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    printed = []
    # Each example imports what it needs, and leaves the random state alone.
    with torch.random.fork_rng(devices=[]):
        for test in doctest.DocTestFinder().find(module, name, globs={}):
            runner.run(test, out=printed.append)
    assert runner.tries > 0
    assert runner.failures == 0, ''.join(printed)
    assert not list(tmp_path.iterdir()), 'an example left files behind'
