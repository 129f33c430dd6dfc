"""What comes out of the case of a seed."""

from __future__ import annotations

import traceback
import warnings
from typing import NamedTuple

import torch

from tests.random_cases.case import draw_case
from tests.random_cases.compare import Wrong
from tests.random_cases.run import Refused, Run


class Outcome(NamedTuple):
    """What came out; `kind` begins with FAILED if it is wrong."""

    seed: int
    kind: str
    detail: str
    error: float

    @property
    def failed(self) -> bool:
        """Whether the case failed."""
        return self.kind.startswith('FAILED')


def run_case(seed: int) -> Outcome:
    """Runs the case of a seed."""
    run = None
    try:
        with warnings.catch_warnings(), torch.random.fork_rng([]):
            warnings.simplefilter('ignore')
            run = Run(draw_case(seed))
            kind = run.run()
    except Refused as error:
        return Outcome(seed, str(error), '', run.compare.worst if run else 0.0)
    except Wrong as error:
        what = str(error).partition(':')[0]
        return Outcome(seed, f'FAILED {what}', str(error), 0.0)
    except Exception:
        text = traceback.format_exc()
        return Outcome(seed, 'FAILED by the tester', text, 0.0)
    return Outcome(seed, kind, '', run.compare.worst)
