"""Weights of MTENN's models, against its algorithm on its inputs.

The algorithm is written here from the documentation of MTENN: a gradient of
all parameters for every pose, which the combination weights.
"""

import doctest
import math

import pytest
import torch
from torch import nn
from torch_geometric.nn import SchNet

from pyg_multipose.nn import (
    ComplexOnlyStrategy,
    ConcatStrategy,
    DeltaStrategy,
    MaxCombination,
    MeanCombination,
    MultiPoseReadout,
    RadiusInteractionGraph,
    mtenn,
)
from pyg_multipose.nn import models as ours
from pyg_multipose.nn.mtenn import convert_state_dict

SIZES = (8, 6, 2, 5)


def test_example():
    result = doctest.testmod(mtenn)
    assert result.attempted and not result.failed


# MTENN, in small #############################################################


class Representation(SchNet):
    """A dict in, a vector out: sums of features of atoms."""

    def __init__(self, cutoff):
        near = RadiusInteractionGraph(cutoff)
        super().__init__(*SIZES, cutoff, interaction_graph=near)
        self.lin2 = nn.Identity()

    def forward(self, data):
        return super().forward(data['z'], data['pos'])


class Delta(nn.Module):
    def __init__(self, width, layer_norm):
        super().__init__()
        self.energy_func = head(width, layer_norm)

    def forward(self, whole, *parts):
        return self.energy_func(whole) - sum(map(self.energy_func, parts))


class SplitDelta(nn.Module):
    def __init__(self, width, layer_norm):
        super().__init__()
        self.complex_energy_func = head(width, layer_norm)
        self.ligand_energy_func = head(width, layer_norm)
        self.protein_energy_func = self.complex_energy_func

    def forward(self, whole, protein, ligand):
        out = self.complex_energy_func(whole)
        out = out - self.ligand_energy_func(ligand)
        return out - self.protein_energy_func(protein)


class Concat(nn.Module):
    def __init__(self, width, layer_norm):
        super().__init__()
        self.reduce_nn = head(3 * width, layer_norm)

    def forward(self, whole, protein, ligand):
        whole, protein, ligand = (
            x.flatten() for x in (whole, protein, ligand)
        )
        parts = torch.cat([protein, ligand]) + torch.cat([ligand, protein])
        return self.reduce_nn(torch.cat([whole, parts]))


class ComplexOnly(nn.Module):
    def __init__(self, width, layer_norm):
        super().__init__()
        self.energy_func = head(width, layer_norm)

    def forward(self, whole, *parts):
        return self.energy_func(whole)


def head(width, layer_norm):
    last = nn.Linear(width, 1)
    return nn.Sequential(nn.LayerNorm(width), last) if layer_norm else last


class Combine(torch.autograd.Function):
    """Equations (1) to (9) of the documentation, on stored gradients."""

    @staticmethod
    def forward(ctx, poses, stored, sign, scale, *parameters):
        ctx.stored = stored
        if scale is None:
            ctx.weights = torch.full_like(poses, 1 / len(poses))
            return poses.mean(), poses.clone()
        scaled = sign * scale * poses
        total = scaled.logsumexp(0)
        ctx.weights = (scaled - total).exp()
        return sign * total / scale, poses.clone()

    @staticmethod
    def backward(ctx, of_combined, of_poses):
        weights = of_combined * ctx.weights + of_poses
        grads = [
            sum(w * g for w, g in zip(weights, column, strict=True))
            for column in zip(*ctx.stored, strict=True)
        ]
        return None, None, None, None, *grads


class Grouped(nn.Module):
    """Poses one by one, then the combination."""

    def __init__(self, strategy, sign, scale, unit, cutoff, layer_norm):
        super().__init__()
        self.representation = Representation(cutoff)
        self.strategy = strategy(SIZES[0] // 2, layer_norm)
        self.sign, self.scale, self.unit = sign, scale, unit

    def one(self, pose):
        mask = pose['lig']
        protein = {key: value[~mask] for key, value in pose.items()}
        ligand = {key: value[mask] for key, value in pose.items()}
        found = [self.representation(one) for one in (pose, protein, ligand)]
        return self.unit(self.strategy(*found))

    def forward(self, poses):
        parameters = list(self.parameters())
        predictions, stored = [], []
        for pose in poses:
            out = self.one(pose).flatten()
            stored.append(torch.autograd.grad(out, parameters))
            predictions.append(out.detach())
        predictions = torch.cat(predictions)
        return Combine.apply(
            predictions, stored, self.sign, self.scale, *parameters
        )


def kt(energy):
    """No readout: units of kT."""
    return energy


def pic50(energy):
    """A readout before combining, with Cheng and Prusoff's correction."""
    return -energy / math.log(10) - math.log10(1 + 2.0 / 0.5)


# Ours, with its weights ######################################################


def shared(cutoff):
    """Our SchNet, called with a batch."""
    model = ours.SchNet(*SIZES, cutoff)
    model.lin2 = nn.Identity()
    return model, None


def by_attributes(cutoff):
    """PyG's SchNet."""
    near = RadiusInteractionGraph(cutoff)
    model = SchNet(*SIZES, cutoff, interaction_graph=near)
    model.lin2 = nn.Identity()
    return model, 'z, pos, batch'


STRATEGIES = {
    'delta': (
        Delta,
        lambda model, width, norm, inputs: DeltaStrategy(
            model, head=head(width, norm), inputs=inputs
        ),
    ),
    'split delta': (
        SplitDelta,
        lambda model, width, norm, inputs: DeltaStrategy(
            model,
            head=head(width, norm),
            ligand_head=head(width, norm),
            inputs=inputs,
        ),
    ),
    'concat': (
        Concat,
        lambda model, width, norm, inputs: ConcatStrategy(
            model, head(3 * width, norm), symmetric=True, inputs=inputs
        ),
    ),
    'complex': (
        ComplexOnly,
        lambda model, width, norm, inputs: ComplexOnlyStrategy(
            model, head(width, norm), inputs
        ),
    ),
}


def pair(name, cutoff, combination, make=shared, norm=False, unit=kt):
    """A model of each kind, with other weights."""
    torch.manual_seed(0)
    theirs, strategy = STRATEGIES[name]
    sign, scale = None, None
    if isinstance(combination, MaxCombination):
        sign = -1 if combination.negate else 1
        scale = combination.scale
    grouped = Grouped(theirs, sign, scale, unit, cutoff, norm).double()
    model, inputs = make(cutoff)
    strategy = strategy(model, SIZES[0] // 2, norm, inputs)
    readout = MultiPoseReadout(strategy, combination, share_receptor='auto')
    return grouped, readout.double()


def inputs_of(batch):
    """The poses of every set as MTENN takes them."""
    for of_set in batch.to_data_list():
        yield [
            {'z': pose.z, 'pos': pose.pos, 'lig': pose.is_ligand}
            for pose in of_set.to_poses()
        ]


def gradients(module):
    """By name, as a state dict has them; of what has none, zeros."""
    parameters = dict(module.named_parameters(remove_duplicate=False))
    return {
        key: parameters[key].grad if key in parameters else 0 * value
        for key, value in module.state_dict().items()
    }


def check(got, expected):
    """Gradients by name; some are zero but for rounding."""
    assert got.keys() == expected.keys()
    largest = max(value.abs().max() for value in expected.values())
    assert largest > 0
    for name, value in expected.items():
        scale = value.abs().max() + 1e-4 * largest
        assert (got[name] - value).abs().max() <= 1e-10 * scale, name


def loss_of(combined, poses):
    """On the combined prediction and on poses."""
    return ((combined - 0.3) ** 2).sum() + poses.sin().sum()


SHARP, SOFT = MaxCombination(), MaxCombination(scale=1.0, negate=False)


@pytest.mark.parametrize(
    'name, combination, make, norm',
    [
        *((name, SHARP, shared, False) for name in STRATEGIES),
        *((name, SOFT, by_attributes, True) for name in ('delta', 'concat')),
        *((name, MeanCombination(), shared, True) for name in ('delta',)),
    ],
)
def test_outputs_and_gradients(kit, name, combination, make, norm):
    grouped, readout = pair(name, kit.CUTOFF, combination, make, norm)
    converted = convert_state_dict(grouped.state_dict(), readout)
    assert str(readout.load_state_dict(converted)).startswith('<All keys')
    batch = kit.make_batch(20, 1.5)
    results = [grouped(poses) for poses in inputs_of(batch)]
    y = torch.stack([combined for combined, _ in results])
    y_poses = torch.cat([poses for _, poses in results])
    loss_of(y, y_poses).backward()
    out, poses = readout(batch, return_poses=True)
    loss_of(out, poses).backward()
    assert torch.allclose(out, y, rtol=1e-10)
    assert torch.allclose(poses, y_poses, rtol=1e-10)
    expected = convert_state_dict(gradients(grouped), readout)
    got = gradients(readout)
    check(got, expected)


def test_a_readout_before_combining(kit):
    """Equation (eq-pose-units): the other extremum, of energies."""
    scale = 2.0
    here = MaxCombination(scale=scale / math.log(10), negate=False)
    grouped, readout = pair('delta', kit.CUTOFF, here, unit=pic50)
    grouped.sign, grouped.scale = -1, scale  # negate_preds=True
    readout.load_state_dict(convert_state_dict(grouped.state_dict(), readout))
    batch = kit.make_batch(20, 1.5)
    y = torch.stack([grouped(poses)[0] for poses in inputs_of(batch)])
    assert torch.allclose(pic50(readout(batch)), y, rtol=1e-10)


def test_split_models(kit):
    """Representations of their own for the parts."""
    torch.manual_seed(0)
    models = [shared(kit.CUTOFF)[0] for _ in range(3)]
    width = SIZES[0] // 2
    readout = MultiPoseReadout(
        DeltaStrategy(*models[:2], head=nn.Linear(width, 1))
    )
    weights = {
        'complex_representation': models[0],
        'ligand_representation': models[1],
        'protein_representation': models[0],  # the same
        'strategy.energy_func': nn.Linear(width, 1),
    }
    weights = {
        f'{name}.{key}': value
        for name, module in weights.items()
        for key, value in module.state_dict().items()
    }
    out = convert_state_dict(weights, readout)
    assert out.keys() == readout.state_dict().keys()
    key = 'embedding.weight'
    assert (
        out[f'model.ligand_model.{key}']
        is (weights[f'ligand_representation.{key}'])
    )
    weights[f'protein_representation.{key}'] = torch.zeros(100, SIZES[0])
    with pytest.raises(ValueError, match='are different, but the readout'):
        convert_state_dict(weights, readout)


def test_weights_of_something_else(kit):
    combination = MeanCombination()
    grouped, readout = pair('delta', kit.CUTOFF, combination)
    weights = grouped.state_dict()

    def refused(changed, message, readout=readout):
        with pytest.raises(ValueError, match=message):
            convert_state_dict(changed, readout)

    refused(
        {f'module.{key}': value for key, value in weights.items()},
        r"Nothing here is for \['module.representation.*such as 'module.'",
    )
    key = 'strategy.energy_func.weight'
    refused(
        {k: v for k, v in weights.items() if k != key},
        r"for \[\]; nothing there is for \['model.head.weight'\]",
    )
    refused(
        {**weights, key: torch.ones(1, 9)},
        r"'strategy.energy_func.weight' has shape \[1, 9\], but 'model.head",
    )
    refused(
        {**weights, 'representation.lin2.weight': torch.ones(1, 4)},
        r"Nothing here is for \['representation.lin2.weight'\]",
    )
    refused({}, 'nothing there is for')
    refused(
        weights,
        "The readout's model is a SchNet, expected a strategy",
        MultiPoseReadout(ours.SchNet(*SIZES, kit.CUTOFF)),
    )
    other = pair('concat', kit.CUTOFF, combination)[1]
    refused(
        weights, r"'model.head.weight' of the readout has \[1, 12\]", other
    )
