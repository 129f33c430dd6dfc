"""Configuration of the Sphinx site. It is built by `make docs`."""

import shutil
from pathlib import Path

from docutils import nodes

import pyg_multipose

project = 'pyg_multipose'
author = 'pyg_multipose authors'
copyright = f'2026, {author}'
version = release = pyg_multipose.__version__

extensions = [
    'myst_nb',
    'sphinx.ext.autodoc',
    'sphinx.ext.mathjax',
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
]
exclude_patterns = ['_build']

html_theme = 'furo'
html_title = 'pyg_multipose'

math_eqref_format = '({number})'
myst_enable_extensions = ['amsmath', 'colon_fence', 'dollarmath']
myst_heading_anchors = 3

# `make tutorials` is what executes the notebooks. The site shows the executed
# copies where there are any, else the notebooks as they are.
nb_execution_mode = 'off'
nb_output_stderr = 'remove'
_here = Path(__file__).parent
_shown = _here / 'tutorials'
shutil.rmtree(_shown, ignore_errors=True)
_shown.mkdir()
for _notebook in sorted((_here.parent / 'tutorials').glob('*.ipynb')):
    _executed = _here.parent / 'build' / 'tutorials' / _notebook.name
    shutil.copy(_executed if _executed.exists() else _notebook, _shown)

autodoc_default_options = {
    'members': True,
    'show-inheritance': True,
}
autodoc_class_signature = 'mixed'
autodoc_member_order = 'bysource'
autodoc_typehints = 'description'
autodoc_typehints_description_target = 'documented_params'
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ['Shapes', 'Stats']


def setup(app):
    # The roles that PyG's own site defines, and its docstrings use.
    for role in ('pyg', 'pytorch'):
        app.add_generic_role(role, nodes.inline)
