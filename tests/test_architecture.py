"""Dependencies point one way."""

import ast
from pathlib import Path

import pyg_multipose

ROOT = Path(pyg_multipose.__file__).parent
#: What each room must not import.
FORBIDDEN = {
    'data': {'transforms', 'datasets', 'loader', 'gradient', 'nn', 'demo'},
    'transforms': {'datasets', 'loader', 'gradient', 'nn', 'demo'},
    'loader': {'transforms', 'datasets', 'gradient', 'nn', 'io', 'demo'},
    'io': {
        'datasets', 'gradient', 'nn', 'train', 'demo', 'explain', 'uncertainty'
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
    'datasets': {'transforms', 'loader', 'gradient', 'nn', 'demo'},
    'nn': {'datasets', 'demo', 'explain', 'uncertainty'},
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


def test_files_are_small():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in ROOT.rglob('*.py')
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert not long
