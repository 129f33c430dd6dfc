"""What a readout learns from running out of memory, by itself."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pyg_multipose.gradient.plan.counts import Counts
from pyg_multipose.gradient.plan.out_of_memory import (
    Limits,
    first_pass,
    smaller,
)
from pyg_multipose.gradient.plan.plan import Plan

ERROR = torch.OutOfMemoryError('none left')


def call(chunks=((0, 1), (2, 3)), whole=False, training=True):
    rewound = []
    return SimpleNamespace(
        model=SimpleNamespace(training=training),
        replay=SimpleNamespace(
            autocast_dtype='',
            whole_chunks=whole,
            chunk=0,
            rewind=lambda: rewound.append(1),
            rewound=rewound,
        ),
        differentiable_keys=[],
        receptors=None,
        whole_poses=True,
        edges_per_node=0.0,
        layout=SimpleNamespace(pose_name='pose {}'.format),
        chunks=[np.array(chunk) for chunk in chunks],
        pose_nodes=np.full(8, 10),
        counts=Counts(),
    )


def plan_of(**kwargs):
    return Plan('auto', '', 1, 2, 100, '', **kwargs)


def test_chunks_are_halved_until_one_is_cut():
    assert smaller(call(), [0, 1], 100, ERROR) == 12
    assert smaller(call(), [0, 1], 20, ERROR) == 10
    assert smaller(call(), [0, 1, 2], 16, ERROR) == 16
    with pytest.raises(torch.OutOfMemoryError, match='with one pose, pose 3'):
        smaller(call(), [3], 100, ERROR)
    words = 'since it may not.*max_nodes_per_chunk=12 .or memory_budget=25.'
    with pytest.raises(torch.OutOfMemoryError, match=words):
        smaller(call(), [0, 1], 100, ERROR, 'it may not', None, 2.0)


def test_the_next_calls_of_the_kind_take_less():
    limits = Limits()
    assert limits.most_nodes(call()) is None
    assert limits.most_nodes(call(), 50) == 50
    with pytest.warns(UserWarning, match='at most 12 atoms .before: 100'):
        limits.shrink(call(), plan_of(), ERROR)
    assert limits.most_nodes(call()) == 12
    assert limits.most_nodes(call(), 50) == 12
    assert limits.most_nodes(call(), 5) == 5
    assert limits.most_nodes(call(training=False)) is None
    assert limits.most_nodes(call(whole=True), 50) == 50


def test_graphs_that_are_held_are_halved_first():
    limits = Limits()
    assert limits.most_bytes(call()) == float('inf')
    one = call(chunks=((0,), (1,)))
    with pytest.warns(UserWarning, match='graphs of at most 500 bytes'):
        limits.shrink(one, plan_of(keep=1, bytes=1000), ERROR)
    assert limits.most_bytes(one) == 500
    assert limits.most_nodes(one) is None
    many = call(training=False)
    with pytest.warns(UserWarning, match='500 bytes and chunks of at most 12'):
        limits.shrink(many, plan_of(keep=1, bytes=1000), ERROR)
    assert limits.most_bytes(many) == 500 and limits.most_nodes(many) == 12


@pytest.mark.parametrize('case', ['whole', 'asked for'])
def test_chunks_that_must_stay(case):
    one, limits = call(whole=case == 'whole'), Limits()
    words = 'draws random numbers' if case == 'whole' else 'was asked for'
    with pytest.raises(torch.OutOfMemoryError, match=words):
        limits.shrink(one, plan_of(), ERROR, may_cut=case == 'whole')


def test_a_second_pass_tells_the_next_call():
    limits, one = Limits(), call()
    assert not limits.learn(one)
    one.counts.most_nodes = 7
    assert limits.most_nodes(call()) == 7


def test_what_may_not_be_cut_is_news_once():
    limits = Limits()
    assert not limits.whole(call())
    assert limits.learn(call(whole=True))
    assert not limits.learn(call(whole=True))
    assert limits.whole(call()) and not limits.whole(call(training=False))


def test_a_pass_starts_again_as_if_nothing_had_been_drawn():
    generator = torch.Generator().manual_seed(3)
    drawn, shrunk = [], []

    def run(plan, evaluation):
        drawn.append(torch.rand(2, generator=generator).tolist())
        if len(drawn) == 1:
            raise ERROR
        return 'out' if len(drawn) > 2 else None

    out = first_pass(
        lambda: (plan_of(), call()),
        run,
        lambda *args: shrunk.append(args),
        Limits(),
        generator,
    )
    assert out[1] == 'out' and len(shrunk) == 1
    assert drawn[0] == drawn[1]


def test_other_errors_leave_no_trace():
    generator = torch.Generator().manual_seed(3)
    state = generator.get_state()

    def run(plan, evaluation):
        torch.rand(2, generator=generator)
        raise KeyError

    with pytest.raises(KeyError):
        first_pass(lambda: (plan_of(), call()), run, None, Limits(), generator)
    assert torch.equal(generator.get_state(), state)


@pytest.mark.parametrize('other', [False, True])
def test_a_model_that_turns_out_to_draw(other):
    """It runs again, if its chunks would have been others."""
    chunks = iter(
        [((0, 1), (2,)), ((0,), (1, 2)) if other else ((3, 4), (5,))]
    )
    calls, runs = [], []

    def prepare():
        calls.append(call(next(chunks, ((0,), (1, 2))), whole=True))
        return plan_of(), calls[-1]

    evaluation, _ = first_pass(
        prepare, lambda *args: runs.append(1) or 'out', None, Limits()
    )
    assert len(runs) == 1 + other
    assert len(calls[0].replay.rewound) == other
    assert (evaluation is calls[0]) is not other
