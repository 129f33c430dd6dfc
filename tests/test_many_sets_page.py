"""The code on the page about many sets runs."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / 'docs' / 'many_sets.md'


def test_code_blocks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    blocks = re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL)
    for block in blocks:
        exec(block.replace('num_workers=2', 'num_workers=0'), names)
    chosen = names['Compose'](names['augment'] + names['prepare'])
    pose_set = chosen(names['sets'][0])
    assert 1 <= pose_set.num_poses <= 4 and pose_set.num_edges
    assert len(names['dataset']) == 161
