"""The code blocks of the README run."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / 'README.md'


def test_code_blocks():
    blocks = re.findall(r'```python\n(.*?)```', README.read_text(), re.S)
    assert len(blocks) == 2
    scope = {}
    for block in blocks:
        exec(compile(block, str(README), 'exec'), scope)
    assert scope['loss'].isfinite()
    one = scope['dataset'][0].select([0, 1])
    assert scope['readout'](one).shape == (1,)
