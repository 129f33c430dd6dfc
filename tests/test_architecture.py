"""Dependencies point one way."""

import ast
import re
from pathlib import Path

import pyg_multipose

ROOT = Path(pyg_multipose.__file__).parent
#: What each room must not import.
FORBIDDEN = {
    'campaign': {
        'data', 'transforms', 'datasets', 'loader', 'gradient', 'nn', 'io',
        'train', 'demo', 'explain', 'uncertainty',
    },
    'data': {'transforms', 'datasets', 'loader', 'gradient', 'nn', 'demo'},
    'transforms': {'datasets', 'loader', 'gradient', 'nn', 'demo'},
    'loader': {'transforms', 'datasets', 'gradient', 'nn', 'io', 'demo'},
    'io': {
        'datasets', 'gradient', 'nn', 'train', 'demo', 'explain', 'uncertainty'
    },
    'io/source': {
        'io.ligand', 'io.molecule', 'io.poses', 'io.receptor', 'io.labels',
        'io.flexible', 'io.cofolding'
    },
    'io/molecule': {
        'io.source', 'io.ligand', 'io.poses', 'io.receptor', 'io.labels',
        'io.flexible', 'io.cofolding'
    },
    'io/ligand': {
        'io.poses', 'io.receptor', 'io.labels', 'io.flexible', 'io.cofolding'
    },
    'io/receptor': {
        'io.ligand', 'io.poses', 'io.labels', 'io.flexible', 'io.cofolding'
    },
    'io/flexible': {'io.poses', 'io.labels', 'io.cofolding'},
    'io/poses': {'io.labels', 'io.cofolding'},
    'io/cofolding': {'io.labels', 'io.flexible'},
    'io/labels': {
        'io.ligand', 'io.molecule', 'io.poses', 'io.receptor', 'io.flexible',
        'io.cofolding'
    },
    'gradient': {
        'transforms', 'datasets', 'nn', 'io', 'train', 'demo', 'explain',
        'uncertainty'
    },
    'explain': {
        'transforms', 'datasets', 'loader', 'gradient', 'train', 'demo',
        'uncertainty'
    },
    'uncertainty': {
        'transforms', 'datasets', 'loader', 'gradient', 'io', 'train', 'demo',
        'explain'
    },
    'nn/combination': {
        'data', 'transforms', 'datasets', 'gradient', 'nn.models', 'demo'
    },
    'nn/messages': {
        'data', 'transforms', 'gradient', 'nn.models', 'nn.sharing', 'io'
    },
    'nn/sharing': {
        'transforms', 'nn.models', 'nn.combination', 'io', 'nn.strategy',
        'nn.multi_pose_readout',
    },
    'nn/affinity': {
        'data', 'transforms', 'datasets', 'loader', 'gradient', 'io', 'demo',
        'nn.combination', 'nn.loss', 'nn.models', 'nn.multi_pose_readout',
        'nn.sharing',
    },
    'nn/loss': {
        'data', 'transforms', 'datasets', 'loader', 'gradient', 'io', 'demo',
        'nn.affinity', 'nn.combination', 'nn.models', 'nn.multi_pose_readout',
        'nn.sharing',
    },
    'nn/adapters': {
        'datasets', 'loader', 'io', 'train', 'demo', 'nn.models',
        'nn.combination', 'nn.sharing', 'nn.multi_pose_readout',
    },
    'nn/strategy': {
        'transforms', 'nn.combination', 'nn.multi_pose_readout', 'nn.mtenn'
    },
    'datasets': {'transforms', 'loader', 'gradient', 'nn', 'demo'},
    'nn': {'datasets', 'demo', 'explain', 'uncertainty'},
    'testing': {'demo'},
    'train': {'datasets', 'io', 'demo', 'explain'},
    'cli': {'demo', 'gradient', 'uncertainty'},
}  # fmt: skip


def imports(path):
    """Modules of the project that a file imports when it runs."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If)
        and getattr(block.test, 'id', '') == 'TYPE_CHECKING'
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or '']
        for name in names:
            if name.startswith('pyg_multipose.'):
                yield name.removeprefix('pyg_multipose.')


def test_dependencies_point_one_way():
    for room, forbidden in FORBIDDEN.items():
        for path in (ROOT / room).rglob('*.py'):
            for name in imports(path):
                bad = [
                    other
                    for other in forbidden
                    if name == other or name.startswith(f'{other}.')
                ]
                assert not bad, f'{path} imports {name}'


def test_nothing_needs_training_or_the_command_line():
    for path in ROOT.rglob('*.py'):
        room = path.relative_to(ROOT).parts[0]
        for name in imports(path):
            top = name.partition('.')[0]
            assert top != 'cli' or room == 'cli', f'{path} imports {name}'
            assert top != 'train' or room in ('cli', 'train'), (
                f'{path} imports {name}'
            )


def length(path):
    """The lines of a file, those of the examples in docstrings aside."""
    text = path.read_text()
    examples = re.finditer(
        r'^\n( *)Example:\n((\1 +\S.*)?\n)+', text, re.MULTILINE
    )
    return text.count('\n') - sum(one[0].count('\n') for one in examples)


def test_nothing_imports_the_contracts():
    for path in ROOT.rglob('*.py'):
        text = path.read_text()
        if re.search(r'pyg_multipose(\.| import )testing', text):
            assert path.parent == ROOT / 'testing', path


def test_files_are_small():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in ROOT.rglob('*.py')
        if (lines := length(path)) > 400
    }
    assert not long
