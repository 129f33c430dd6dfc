"""The code on the page about PyG's transforms runs."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / 'docs' / 'pyg_transforms.md'


def test_code_blocks(capsys):
    names = {}
    text = PAGE.read_text(encoding='utf-8')
    for block in re.findall(r'```python\n(.*?)```', text, re.DOTALL):
        exec(block, names)
    told, form, mine = capsys.readouterr().out.strip().split('\n')
    shown = re.search(r'```text\n(.*?) \.\.\.\n```', text, re.DOTALL)[1]
    assert told.startswith(' '.join(shown.split()))
    assert form == 'True'
    assert mine.startswith('buried lets a pose know the other poses of its')
    assert mine.count('PerPose(buried)') == 1
