"""Every way gives the gradient of plain autograd."""

import pytest
import torch

from benchmarks.cases import PYG_MODELS
from benchmarks.losses import LOSSES
from benchmarks.problem import Runner, Unavailable
from benchmarks.ways import (
    BARE,
    COMPILED,
    ENGINE,
    MODES,
    PLAIN,
    RIVALS,
    SHARED,
    WAYS,
)
from pyg_multipose.gradient import LiveBytes

TRAINING = [way.name for way in (*RIVALS, BARE, *ENGINE, *MODES)]


def poses(kit, model='schnet', loss='max1', data='generated-20'):
    return kit.problem(kit.Case(data, model, loss, 6, 3))


@pytest.mark.parametrize('loss', LOSSES)
@pytest.mark.parametrize('model', ['schnet', 'e3nn'])
def test_same_gradient(kit, model, loss):
    made = poses(kit, model, loss)
    value, expected = kit.step(made, PLAIN)
    ran = 0
    for way in TRAINING:
        if WAYS[way].fits(loss):
            same, got = kit.step(made, way)
            torch.testing.assert_close(same, value, rtol=1e-11, atol=0)
            assert kit.relative_error(got, expected) < 1e-10, way
            ran += 1
    left_out = {'attention': 3, 'poses': 1}  # scalars only; combined only
    assert ran == len(TRAINING) - left_out.get(loss, 0)


@pytest.mark.parametrize('loss', ['mean', 'max1000'])
@pytest.mark.parametrize('model', ['schnet', 'e3nn'])
def test_same_gradient_in_a_shared_receptor(kit, model, loss):
    made = kit.problem(kit.Case('pocket', model, loss, 4, 2))
    value, expected = kit.step(made, PLAIN)
    for way in SHARED:
        try:
            same, got = kit.step(made, way.name)
        except Unavailable as reason:
            assert 'has no encode_receptor' in str(reason)
            continue
        torch.testing.assert_close(same, value, rtol=1e-10, atol=0)
        assert kit.relative_error(got, expected) < 1e-10, way.name


@pytest.mark.parametrize('model', PYG_MODELS)
def test_models_of_pyg_share_as_they_are(kit, model):
    made = kit.problem(kit.Case('pocket', model, 'mean', 2, 2))
    value, expected = kit.step(made, PLAIN)
    for name in ('auto', 'auto, shared'):
        runner = Runner(WAYS[name], made)
        batch = runner.collate(runner.prepare())
        shared = runner.readout.plan(batch).receptor
        assert ('encoded' in shared) == (name == 'auto, shared')
        same, got = kit.step(made, name)
        torch.testing.assert_close(same, value, rtol=1e-10, atol=0)
        assert kit.relative_error(got, expected) < 1e-10, name


def test_one_pose_of_a_set_matters_where_it_is_meant_to(kit):
    made = poses(kit, loss='max1000')
    runner = Runner(WAYS['recompute'], made)
    runner.run(runner.collate(runner.prepare()))
    assert runner.readout.last_plan.counts.mattered == 2  # sets
    made = poses(kit, loss='max1')
    runner = Runner(WAYS['recompute'], made)
    runner.run(runner.collate(runner.prepare()))
    assert runner.readout.last_plan.counts.mattered == 6


def test_inference_predicts_the_same(kit):
    made = poses(kit)
    outs = []
    for name in ('plain, inference', 'auto, inference'):
        runner = Runner(WAYS[name], made)
        with torch.no_grad():
            outs.append(runner.predict(runner.collate(runner.prepare()))[0])
        runner.run(runner.collate(runner.prepare()))
        assert all(p.grad is None for p in runner.parameters)
    torch.testing.assert_close(*outs, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    'way, calls',
    [
        (PLAIN, 6),
        ('plain, batched', 1),
        ('checkpoint per pose', 12),
        ('checkpoint per chunk', 4),  # 4 poses and 2, twice
        ('gradient caching', 12),
        ('seed (MTENN)', 6),
    ],
)
def test_rivals_call_the_model_as_they_say(kit, way, calls):
    made = poses(kit)
    seen = []
    # A checkpoint leaves the second pass as soon as it can: no hook after.
    made.plain.register_forward_pre_hook(lambda *_: seen.append(1))
    kit.step(made, way)
    assert len(seen) == calls


def test_what_rivals_hold(kit):
    held = {}
    made = poses(kit)
    size = sum(p.numel() * 8 for p in made.plain.parameters())
    for way in (PLAIN, 'gradient caching', 'seed (MTENN)'):
        runner = Runner(WAYS[way], made)
        batch = runner.collate(runner.prepare())
        with LiveBytes() as live:
            loss = runner.forward(batch)
        held[way] = live.held()
        del loss
    assert held['gradient caching'] < 0.01 * held[PLAIN]
    assert 6 * size <= held['seed (MTENN)'] < 6.5 * size


def test_a_way_that_does_not_serve_a_loss_says_so(kit):
    with pytest.raises(Unavailable, match='stream does not serve'):
        Runner(WAYS['stream'], poses(kit, loss='attention'))


def test_a_nan_is_no_gradient(kit):
    good, bad = torch.ones(2), torch.tensor([1.0, torch.nan])
    with pytest.raises(AssertionError):
        kit.relative_error([bad, good], [good, good])


def test_without_a_compiler_a_reason_is_given(kit, monkeypatch):
    monkeypatch.setattr('shutil.which', lambda name: None)
    with pytest.raises(Unavailable, match=r'needs a C\+\+ compiler'):
        Runner(COMPILED, poses(kit))


def test_a_compiled_model_gives_the_gradient(kit, monkeypatch):
    """Traced only: inductor would take minutes."""
    compile_ = torch.compile
    monkeypatch.setattr(
        'torch.compile',
        lambda model, **options: compile_(model, backend='eager', **options),
    )
    monkeypatch.setattr('benchmarks.rivals.shutil.which', lambda name: name)
    made = poses(kit)
    value, expected = kit.step(made, PLAIN)
    same, got = kit.step(made, COMPILED.name)
    torch.testing.assert_close(same, value, rtol=1e-10, atol=0)
    assert kit.relative_error(got, expected) < 1e-10
