"""The code on the pages about strategies and MTENN runs."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / 'docs'


def run(page):
    names = {}
    text = (DOCS / page).read_text()
    for block in re.findall(r'```python\n(.*?)```', text, re.DOTALL):
        exec(block, names)
    return names


def test_strategies():
    names = run('strategies.md')
    assert names['energy'].shape == (4,)
    assert 'encoded' in names['readout'].last_plan.receptor


def test_coming_from_mtenn():
    names = run('coming_from_mtenn.md')
    begins = {key.split('.')[1] for key in names['readout'].state_dict()}
    assert begins == {'model', 'head'}
