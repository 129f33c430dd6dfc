"""The plain models of the bars are ours, by value and by gradient."""

import pytest
import torch

from benchmarks import reference
from benchmarks.settings import Settings
from benchmarks.ways import BARE


@pytest.mark.parametrize('loss', ['mean', 'attention'])
@pytest.mark.parametrize('model', ['schnet', 'e3nn'])
def test_same_values_and_gradients(kit, model, loss):
    """At full width, on poses in the pocket, edge by edge of real ones."""
    case = kit.Case('pocket', model, loss, 2, 2)
    made = kit.problem(case, Settings())
    assert type(made.plain) is not type(made.ours)
    value, expected = kit.step(made, 'plain, pose by pose')
    same, got = kit.step(made, BARE.name)
    torch.testing.assert_close(same, value, rtol=1e-12, atol=0)
    names = [name for name, _ in made.plain.named_parameters()]
    assert names == [name for name, _ in made.ours.named_parameters()]
    # Of the model: a saturated attention has hardly a gradient of its own.
    count = len(names)
    assert kit.relative_error(got[:count], expected[:count]) < 1e-10


def test_the_plain_models_take_nothing_from_this_package(kit):
    for name in ('schnet', 'e3nn'):
        made = kit.problem(kit.Case('generated-20', name, 'mean', 1, 1))
        own = {
            type(module).__name__
            for module in made.plain.modules()
            if type(module).__module__.startswith('pyg_multipose')
        }
        # The search for neighbours, since PyG's needs an extension.
        assert own == (
            {'RadiusInteractionGraph'} if name == 'schnet' else set()
        )


def test_the_tensor_product_is_that_of_e3nn(kit):
    made = kit.problem(kit.Case('generated-20', 'e3nn', 'mean', 1, 1))
    for conv in made.plain.convs:
        product = type(conv.tensor_product)
        assert product.__module__.startswith('e3nn')


def test_other_weights_are_refused():
    with pytest.raises(ValueError, match='different parameters.*bias'):
        reference.load(
            torch.nn.Linear(2, 2), torch.nn.Linear(2, 2, bias=False)
        )
