"""The code on the page about models of others runs."""

import re
import warnings
from pathlib import Path

PAGE = Path(__file__).parents[1] / 'docs' / 'bring_your_own_gnn.md'


def test_code_blocks():
    names = {'__name__': 'page'}
    blocks = re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 7
    with warnings.catch_warnings():
        warnings.simplefilter('error', UserWarning)
        for block in blocks:
            exec(compile(block, str(PAGE), 'exec'), names)
    assert names['pairs'].charge.weight.grad.any()
    assert names['best'] == names['each'].max() > 0
    schnet = names['schnet']
    trained = {
        name.rpartition('.')[2]
        for name, parameter in schnet.named_parameters()
        if parameter.requires_grad
    }
    assert trained == {'up', 'down'}
    assert all(
        parameter.grad is not None
        for parameter in schnet.parameters()
        if parameter.requires_grad
    )
