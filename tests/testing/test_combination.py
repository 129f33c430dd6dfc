"""Each broken combination fails the property that it breaks."""

import pytest
import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch_geometric.nn.aggr import DeepSetsAggregation, MeanAggregation
from torch_geometric.utils import scatter, segment, softmax

from pyg_multipose.nn import Combination, FreeEnergyCombination
from pyg_multipose.nn.combination.running import Running
from pyg_multipose.testing import CombinationContract


class Boltzmann(Combination):
    """A sound one: the Boltzmann mean of energies in kT."""

    scale = 1.0

    def combine(self, x, index, ptr, dim_size):
        weights = softmax(-self.scale * x, index, num_nodes=dim_size)
        return scatter(weights * x, index, 0, dim_size, reduce='sum')


class Mean(Combination):
    """A sound one."""

    def combine(self, x, index, ptr, dim_size):
        return scatter(x, index, 0, dim_size, reduce='mean')


class Shrunk(Combination):
    def combine(self, x, index, ptr, dim_size):
        ones = torch.ones_like(x)
        size = scatter(ones, index, 0, dim_size, reduce='sum')
        return scatter(x, index, 0, dim_size, reduce='sum') / (size + 1)


class FirstCountsMore(Combination):
    def combine(self, x, index, ptr, dim_size):
        out = []
        for group in range(dim_size):
            rows = x[index == group]
            weights = torch.linspace(2, 1, len(rows)).to(x).unsqueeze(1)
            out.append((weights * rows).sum(0) / weights.sum())
        return torch.stack(out)


class Contrast(Mean):
    """Against the average of the batch."""

    def combine(self, x, index, ptr, dim_size):
        out = super().combine(x, index, ptr, dim_size)
        several = index.bincount(minlength=dim_size) > 1
        return out + 0.1 * several.unsqueeze(1) * (out - x.mean(0))


class OtherByPtr(Mean):
    def combine(self, x, index, ptr, dim_size):
        if ptr is not None:
            return segment(x, ptr, reduce='max')
        return super().combine(x, index, ptr, dim_size)


class RowsOnly(Mean):
    def forward(self, x, index=None, ptr=None, dim_size=None, dim=-2):
        return super().forward(x, index, ptr, dim_size, -2)


class ForgetsSize(torch.autograd.Function):
    @staticmethod
    def forward(x, index, dim_size):
        return scatter(x, index, 0, dim_size, reduce='mean')

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx, grad):
        return grad.index_select(0, *ctx.saved_tensors), None, None


class WrongGradient(Combination):
    def combine(self, x, index, ptr, dim_size):
        return ForgetsSize.apply(x, index, dim_size)


class KeepsSlopes(torch.autograd.Function):
    """The first derivative is right, and a constant to autograd."""

    @staticmethod
    def forward(ctx, x, index, dim_size):
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            out = Boltzmann().combine(leaf, index, None, dim_size)
            (ctx.slopes,) = torch.autograd.grad(out.sum(), leaf)
        ctx.index = index
        return out.detach()

    @staticmethod
    def backward(ctx, grad):
        return grad.index_select(0, ctx.index) * ctx.slopes, None, None


class WrongSecond(Combination):
    def combine(self, x, index, ptr, dim_size):
        return KeepsSlopes.apply(x, index, dim_size)


class Detaches(KeepsSlopes):
    """Its gradient is a constant even to what comes after."""

    @staticmethod
    def backward(ctx, grad):
        return KeepsSlopes.backward(ctx, grad.detach())


class NoSecond(Combination):
    def combine(self, x, index, ptr, dim_size):
        return Detaches.apply(x, index, dim_size)


class Refuses(KeepsSlopes):
    backward = staticmethod(once_differentiable(KeepsSlopes.backward))


class Once(Combination):
    """A sound one, as it refuses what it cannot do."""

    def combine(self, x, index, ptr, dim_size):
        return Refuses.apply(x, index, dim_size)


class RunningBoltzmann(Running):
    """As a smooth minimum, which is not the same."""

    def __init__(self):
        super().__init__()
        self._total = 0.0

    def absorb(self, x):
        weights = (-x).exp()
        self._total = self._total + (weights * x).sum()
        return x.new_ones(()), weights

    def value(self):
        return self._total / self.mass


class WrongRunning(Boltzmann):
    has_running_form = True

    def running(self):
        return RunningBoltzmann()


class RunningNaive(Running):
    """Right, as long as nothing overflows."""

    def absorb(self, x):
        return x.new_ones(()), (-x).exp()

    def value(self):
        return -self.mass.log()


class Overflows(FreeEnergyCombination):
    def running(self):
        return RunningNaive()


class OneForm(FreeEnergyCombination):
    """All sets go through one running form, which remembers the last."""

    form = None

    def running(self):
        self.form = self.form or super().running()
        return self.form


class HalfOut(Mean):
    def forward(self, x, *args, **kwargs):
        return super().forward(x, *args, **kwargs).to(x.dtype)


class Naive(Combination):
    def combine(self, x, index, ptr, dim_size):
        return -scatter((-x).exp(), index, 0, dim_size, reduce='sum').log()


class Coarse(Combination):
    """Multiplies before it subtracts: the rounding of 1e7 is 1."""

    spread = 1e-3

    def combine(self, x, index, ptr, dim_size):
        low = scatter(-1e3 * x.detach(), index, 0, dim_size, reduce='max')
        low = low.masked_fill(~low.isfinite(), 0.0)
        mass = (-1e3 * x - low[index]).exp()
        mass = scatter(mass, index, 0, dim_size, reduce='sum')
        return -(low + mass.log()) / 1e3


class ByMatrix(Combination):
    def combine(self, x, index, ptr, dim_size):
        member = nn.functional.one_hot(index, dim_size).t().to(x)
        return member @ x / member.sum(1, keepdim=True)


class HidesNaN(Mean):
    def combine(self, x, index, ptr, dim_size):
        return super().combine(x.nan_to_num(nan=0.0), index, ptr, dim_size)


class HasLambda(Mean):
    def __init__(self):
        super().__init__()
        self.link = lambda y: y


class Unregistered(Boltzmann):
    def __init__(self):
        super().__init__()
        self.scale = torch.rand(1)


class ShiftsIndex(Combination):
    def combine(self, x, index, ptr, dim_size):
        index += 1
        return scatter(x, index, 0, dim_size + 1, reduce='mean')[1:]


class Draws(Mean):
    def combine(self, x, index, ptr, dim_size):
        torch.rand(1)
        return super().combine(x, index, ptr, dim_size)


class Prints(Mean):
    def combine(self, x, index, ptr, dim_size):
        print('combined', dim_size)
        return super().combine(x, index, ptr, dim_size)


class Counts(Mean):
    def __init__(self):
        super().__init__()
        self.register_buffer('calls', torch.tensor(0))

    def combine(self, x, index, ptr, dim_size):
        self.calls += 1
        return super().combine(x, index, ptr, dim_size)


class Drifts(Mean):
    """Better by a little each time, in what is added to several poses."""

    calls = 0

    def combine(self, x, index, ptr, dim_size):
        self.calls += 1
        out = super().combine(x, index, ptr, dim_size)
        return out * (1 + 1e-9 * self.calls)


BROKEN = {
    Shrunk: ('one_pose', '', ['set of one pose', 'one_pose_is_itself']),
    FirstCountsMore: ('order_of_poses', '', ['another order']),
    Contrast: ('other_sets', 'one_pose not_a_number', ['itself alone']),
    OtherByPtr: ('index_and_ptr', '', ["'ptr'"]),
    RowsOnly: ('dimension', '', ['dim=', 'front']),
    WrongGradient: ('gradient', '', ["'index'", 'backward()']),
    WrongSecond: ('second_derivative', '', ['once_differentiable']),
    NoSecond: ('second_derivative', '', ['once_differentiable']),
    WrongRunning: ('running_form', 'gradient_modes', ['the weights']),
    Overflows: ('running_form', '', ['extremum so far', 'inf']),
    OneForm: ('gradient_modes', 'running_form', ["gradient='stream'"]),
    HalfOut: ('half_precision', '', ['torch.float16', 'another dtype']),
    Naive: ('large_predictions', '', ['-10000', 'extremum']),
    Coarse: ('large_predictions', '', ['the gradient', 'extremum']),
    MeanAggregation: ('empty_set', 'half_precision', ['no error but']),
    ByMatrix: ('not_a_number', '', ['prediction that is nan', 'mask']),
    HidesNaN: ('not_a_number', '', ['NaN', 'do not hide it']),
    HasLambda: ('copies', '', ['pickle', 'lambdas']),
    Unregistered: ('state_dict', '', ['load_state_dict', 'buffer']),
    ShiftsIndex: (
        'leaves_inputs_alone',
        'gradient second_derivative gradient_modes',
        ["'index' after a call", 'copy'],
    ),
    Draws: ('leaves_the_rest_alone', '', ['random numbers of torch']),
    Prints: ('leaves_the_rest_alone', '', ['prints', 'combined 3']),
    Counts: ('leaves_the_rest_alone', '', ["buffer 'calls'"]),
}


def contract_of(combination, **settings):
    made = {'combination': lambda self: combination(), **settings}
    return type('TestMine', (CombinationContract,), made)


@pytest.mark.parametrize('combination', BROKEN, ids=lambda c: c.__name__)
def test_broken(kit, combination):
    main, others, words = BROKEN[combination]
    contract = contract_of(combination)
    contract.spread = getattr(combination, 'spread', 1.0)
    kit.check(contract, main, others.split(), words)


@pytest.mark.parametrize('combination', [Boltzmann, Mean, Once])
def test_sound(kit, combination):
    assert not kit.failures(contract_of(combination))


def test_each_property_can_fail():
    names = {
        name.removeprefix('test_')
        for name in dir(CombinationContract)
        if name.startswith('test_')
    }
    tested = {main for main, _, _ in BROKEN.values()}
    assert names - tested == {'same_again'}  # see test_drifts


def test_drifts(kit):
    found = kit.failures(contract_of(Drifts))
    assert 'second call' in str(found['same_again'])
    assert 'difference:' in str(found['same_again'])


class Pooling(Combination):
    """A learned pooling of features, which has no value of a pose."""

    def __init__(self):
        super().__init__()
        self.pool = DeepSetsAggregation(nn.Linear(4, 4), nn.Linear(4, 4))

    def combine(self, x, index, ptr, dim_size):
        return self.pool(x, index, dim_size=dim_size)


def test_features(kit):
    contract = contract_of(Pooling, num_features=4)
    with pytest.raises(AssertionError, match='one_pose_is_itself = False'):
        contract().test_one_pose()
    contract.one_pose_is_itself = False
    assert not kit.failures(contract)


class AnyBinds(Combination):
    """The probability that any of the poses binds."""

    def combine(self, x, index, ptr, dim_size):
        none = scatter((1 - x).log(), index, 0, dim_size, reduce='sum')
        return 1 - none.exp()


def test_probabilities(kit):
    def predictions(self, num_poses, generator):
        return torch.rand(num_poses, 1, generator=generator).double()

    contract = contract_of(AnyBinds, predictions=predictions, offset=0.0)
    assert not kit.failures(contract)


def test_says_what_is_missing():
    with pytest.raises(NotImplementedError, match='Implement combination'):
        CombinationContract().test_one_pose()
    with pytest.raises(TypeError, match="returned 'mean', expected a new"):
        contract_of(lambda: 'mean')().test_one_pose()
