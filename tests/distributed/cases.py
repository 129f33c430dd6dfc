"""What one process does, and what each of several does."""

import copy
import logging
import math
import os
import signal
import warnings
from datetime import timedelta

import torch
from torch.nn.parallel import DistributedDataParallel
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader

from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import PoseSetDataset
from pyg_multipose.distributed import (
    GlobalMean,
    ShardedReadout,
    process_group,
)
from pyg_multipose.distributed.ranks import num_ranks, this_rank
from pyg_multipose.gradient import LiveBytes
from pyg_multipose.loader import DealtSets, PoseSetSampler
from pyg_multipose.nn import (
    GatedAttentionCombination,
    MaxCombination,
    MultiPoseReadout,
)
from pyg_multipose.nn.loss import (
    GaussianNLLLoss,
    HuberLoss,
    MSELoss,
    PoseCrossEntropyLoss,
)
from pyg_multipose.nn.models import EquivariantGNN, SchNet
from pyg_multipose.transforms import RadiusGraph

CUTOFF = 4.5


def pose_set(number, num_poses, num_atoms=4, y=5.0, relation=0):
    """A compound beside a receptor that all have."""
    generator = torch.Generator().manual_seed(number)

    def atoms(count, spread, rng=generator):
        pos = spread * torch.randn(count, 3, generator=rng).double()
        return Data(z=torch.randint(6, 9, (count,), generator=rng), pos=pos)

    pocket = atoms(9, 3.0, torch.Generator().manual_seed(1000))
    ligand = atoms(num_atoms, 1.2)
    poses = [
        Data(
            z=ligand.z,
            pos=ligand.pos + atoms(1, 1.0).pos,
            prior=torch.tensor([math.log(1.0 + n)]).double(),
        )
        for n in range(num_poses)
    ]
    out = PoseSet.from_complex(
        pocket,
        poses,
        y=torch.tensor([y]).double(),
        name=f'CPD-{number}',
        receptor_name='site',
        pose_attrs=['prior'],
    )
    out.put('y_relation', torch.tensor([relation]), 'set')
    out.put('right', torch.tensor([number % num_poses]), 'set')
    return RadiusGraph(CUTOFF)(out)


def sets():
    """Unequal ones, with bounds, and labels that are missing."""
    nan = float('nan')
    rows = [
        (5, 4, 5.0, 0), (1, 9, 6.5, 0), (2, 4, nan, 0), (3, 6, 4.0, -1),
        (4, 3, 7.0, 1), (2, 8, 5.5, 0), (3, 3, nan, 0),
    ]  # fmt: skip
    return [
        pose_set(number, poses, atoms, y, relation)
        for number, (poses, atoms, y, relation) in enumerate(rows)
    ]


_MODELS = {}


def model(name):
    """A fresh one, always the same; made once, for e3nn takes its time."""
    if name not in _MODELS:
        torch.manual_seed(0)
        if name == 'SchNet':
            made = SchNet(4, 4, num_interactions=2, cutoff=CUTOFF)
        else:
            made = EquivariantGNN(
                '2x0e+1x1o', num_layers=1, lmax=1, cutoff=CUTOFF
            )
        _MODELS[name] = made.double()
    return copy.deepcopy(_MODELS[name])


def gradients(module):
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in module.named_parameters()
    }


# Sets over ranks #############################################################

LOSSES = {
    'mse': MSELoss,
    'huber': lambda: HuberLoss(delta=0.5),
    'gaussian': GaussianNLLLoss,
    'poses': PoseCrossEntropyLoss,
}
#: Model, loss, with weights of sets, the budget of a batch.
OVER_SETS = [
    ('SchNet', 'mse', False, 9),
    ('SchNet', 'huber', True, 9),
    ('SchNet', 'gaussian', True, 60),
    ('SchNet', 'poses', False, 9),
    ('EquivariantGNN', 'mse', False, 60),
    ('EquivariantGNN', 'gaussian', False, 4),
]


class Losses(torch.nn.Module):
    """A readout and its loss, as one module for DDP."""

    def __init__(self, name, loss, weights):
        super().__init__()
        self.readout = MultiPoseReadout(model(name), 'max')
        self.loss = GlobalMean(LOSSES[loss]())
        self.kind, self.weights = loss, weights
        #: Some add up labels before there are predictions.
        self.early = loss != 'mse'

    def forward(self, batch):
        weight = None
        if self.weights:
            weight = 1.0 + batch.y.nan_to_num(0.0) / 10
        args, more = (batch.y,), {'relation': batch.y_relation}
        if self.kind == 'poses':
            args, more = (batch.right, batch.set_size), {}
        elif self.kind == 'gaussian':
            args = (*args, 0.7)
        more['weight'] = weight
        if self.early:
            pred = batch.y
            if self.kind == 'poses':
                pred = torch.zeros(int(batch.set_size.sum())).to(pred)
            self.loss.count(torch.zeros_like(pred), *args, **more)
        combined, poses = self.readout(batch, return_poses=True)
        pred = poses if self.kind == 'poses' else combined
        return self.loss(pred, *args, **more)


def over_sets(case):
    """The gradient of each batch, and what a loader gave."""
    name, loss, weights, most = case
    module = Losses(name, loss, weights)
    ddp = DistributedDataParallel(module) if num_ranks() > 1 else module
    every = sets()
    sampler = PoseSetSampler(every, max_poses=most, shuffle=True, deal='sets')
    loader = DataLoader(
        DealtSets(every, labels=('y', 'right')), batch_sampler=sampler
    )
    found, names, values = [], [], []
    for batch in loader:
        module.zero_grad(set_to_none=True)
        value = ddp(batch)
        value.backward()
        found.append(gradients(module))
        names.append([
            one for one, y in zip(batch.name, batch.right, strict=True)
            if y >= 0
        ])  # fmt: skip
        values.append(value.detach())
    return {'gradients': found, 'names': names, 'values': values}


# Poses over ranks ############################################################

COMBINATIONS = {
    'max': lambda: MaxCombination(scale=2.0),
    'learned': lambda: MaxCombination(scale=2.0, learn=True),
    'prior': lambda: MaxCombination(scale=2.0, prior='prior'),
    'mean': lambda: 'mean',
    'hard_max': lambda: 'hard_max',
    'boltzmann_mean': lambda: 'boltzmann_mean',
    'attention': lambda: GatedAttentionCombination(1, 4).double(),
}
#: Model, combination, gradient, whether receptors are shared, drawn poses.
OVER_POSES = [
    ('SchNet', 'max', 'full', False, None),
    ('SchNet', 'max', 'auto', 'auto', None),
    ('SchNet', 'max', 'store', False, None),
    ('SchNet', 'max', 'stream', True, None),
    ('EquivariantGNN', 'max', 'auto', 'auto', None),
    ('SchNet', 'max', 'recompute', True, None),
    ('SchNet', 'mean', 'stream', False, None),
    ('SchNet', 'hard_max', 'stream', False, None),
    ('SchNet', 'learned', 'recompute', False, None),
    ('SchNet', 'prior', 'auto', False, None),
    ('SchNet', 'attention', 'recompute', False, None),
    ('SchNet', 'max', 'recompute', False, 2),
    ('EquivariantGNN', 'max', 'recompute', False, None),
]


def batches():
    """Of several sets, one of which has one pose; and that one alone."""
    every = sets()
    return [
        Batch.from_data_list([every[0], every[1], every[3]]),
        Batch.from_data_list([every[1]]),
        every[0],
    ]


def own_poses(batch):
    """How many poses this rank has, by their numbers: costs are alike."""
    return num_ranks() == 1 or this_rank() < batch.num_poses


def over_poses(case):
    """Values and gradients of each batch, and what ran on this rank."""
    torch.manual_seed(1)  # of a combination that learns
    name, combination, gradient, share, drawn = case
    readout = MultiPoseReadout(
        model(name),
        COMBINATIONS[combination](),
        gradient,
        share_receptor=share,
        backward_poses=drawn,
    ).double()
    sharded = ShardedReadout(readout)
    ddp = sharded
    if num_ranks() > 1:
        ddp = DistributedDataParallel(sharded)
    found = []
    for batch, more in zip(batches(), (True, False, True), strict=True):
        readout.zero_grad(set_to_none=True)
        with LiveBytes() as live:
            out = ddp(batch, return_poses=more, return_weights=more)
            held = live.held()
        combined = out[0] if more else out
        loss = (combined - batch.y).square().mean()
        if more and gradient != 'stream':
            loss = loss + 0.1 * out[1].tanh().sum()
        loss.backward()
        plan = sharded.last_plan
        found.append(
            {
                'out': [one.detach() for one in (out if more else [out])],
                'gradients': gradients(readout),
                'poses': plan.counts.poses if own_poses(batch) else 0,
                'held': held,
            }
        )
    return found


# By Lightning ################################################################

#: What is dealt, batches whose gradients make a step, average of weights.
BY_LIGHTNING = [('sets', 2, True), ('poses', 1, False)]


def by_lightning(case, root):
    """A training: weights, what was logged, when it stopped."""
    from lightning.pytorch import Trainer, callbacks
    from lightning.pytorch.plugins.environments import LightningEnvironment

    from pyg_multipose.train import MultiPoseModule, PoseSetDataModule

    deal, accumulate, average = case
    torch.manual_seed(0)
    made = {
        'hidden_channels': 4, 'num_filters': 4, 'num_interactions': 1,
        'num_gaussians': 6, 'cutoff': CUTOFF,
    }  # fmt: skip
    module = MultiPoseModule(
        {'class_path': 'SchNet', 'init_args': made},
        {'class_path': 'max', 'init_args': {'scale': 2.0}},
        affinity='PIC50',
        optimizer='SGD',
        lr=0.05,
    ).double()
    valid = [pose_set(20 + n, 2 + n, y=4.0 + n) for n in range(3)]
    data = PoseSetDataModule(
        train=sets(), valid=valid, cutoff=CUTOFF, max_poses=9, deal=deal
    )
    more = [callbacks.EarlyStopping('valid_loss', patience=1)]
    if average and hasattr(callbacks, 'EMAWeightAveraging'):  # of 2.6
        more.append(callbacks.EMAWeightAveraging(decay=0.5))
    several = {}
    if num_ranks() > 1:
        several = {'strategy': 'ddp', 'plugins': [LightningEnvironment()]}
    trainer = Trainer(
        max_epochs=2,
        accelerator='cpu',
        devices=num_ranks(),
        gradient_clip_val=0.5,
        accumulate_grad_batches=accumulate,
        callbacks=more,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        default_root_dir=root,
        **several,
    )
    environment = dict(os.environ)
    trainer.fit(module, datamodule=data)
    logged = {k: v.double() for k, v in trainer.callback_metrics.items()}
    os.environ.update(environment)  # which Lightning has cleared
    return {
        'weights': dict(module.state_dict()),
        'logged': logged,
        'epochs': trainer.current_epoch,
    }


# From disk, by workers #######################################################


def from_disk(root):
    """The names of all sets that this rank got, epoch by epoch."""
    dataset = PoseSetDataset(root)
    found = {}
    for deal in ('sets', 'batches'):
        for shuffle in (True, False):
            sampler = PoseSetSampler(
                dataset, max_poses=9, shuffle=shuffle, deal=deal
            )
            loader = DataLoader(
                DealtSets(dataset), batch_sampler=sampler, num_workers=2
            )
            for epoch in range(2 if shuffle else 1):
                sampler.set_epoch(epoch)
                found[f'{deal} {shuffle} {epoch}'] = [
                    name
                    for batch in loader
                    for name, y in zip(batch.name, batch.y, strict=True)
                    if not y.isnan()  # those stand in
                ]
    return found


# What is refused #############################################################


def refused():
    """What each rank says of what is wrong."""
    rank = num_ranks() > 1 and torch.distributed.get_rank()
    readout = MultiPoseReadout(model('SchNet'), 'max')
    sharded = ShardedReadout(readout)
    batch = sets()[0]

    def message(call):
        try:
            call()
        except Exception as error:
            return f'{type(error).__name__}: {error}'
        return 'nothing'

    other = sets()[rank]
    spoiled = copy.copy(batch)
    spoiled.pos = batch.pos.clone()
    spoiled.pos[-1] = float('nan')  # of the last pose
    asking = copy.copy(batch)
    asking.pos = batch.pos.clone().requires_grad_()
    energy = sharded(batch).sum()
    weights = list(readout.parameters())
    masked = ShardedReadout(MultiPoseReadout(readout.model, nonfinite='mask'))
    prior = ShardedReadout(
        MultiPoseReadout(
            readout.model, MaxCombination(prior='prior'), gradient='stream'
        )
    )
    return {
        'other': message(lambda: sharded(other)),
        'spoiled': message(lambda: sharded(spoiled)),
        'asking': message(lambda: sharded(asking)),
        'masked': message(lambda: masked(batch)),
        'prior': message(lambda: prior(batch)),
        'twice': message(
            lambda: torch.autograd.grad(energy, weights, create_graph=True)
        ),
        'loss': message(
            lambda: GlobalMean(torch.nn.MSELoss())(energy, energy.detach())
        ),
        'labels': message(lambda: other_labels()),
        'data': message(lambda: other_data(rank)),
        'after': message(lambda: sharded(batch)),
    }


def other_labels():
    y = torch.zeros(3)
    loss = GlobalMean(MSELoss())
    loss.count(y, y)
    loss(y[:2], y[:2])


def other_data(rank):
    from pyg_multipose.train import PoseSetDataModule
    from pyg_multipose.train.same_data import check_same_data

    data = PoseSetDataModule(train=sets(), cutoff=CUTOFF, seed=rank)
    data.setup()
    check_same_data(data)


# All of it ###################################################################


def everything(root, some=False):
    """All of it, on this rank; in one process, without a group."""
    logging.getLogger('lightning.pytorch').setLevel(logging.ERROR)
    return {
        'sets': [over_sets(case) for case in OVER_SETS[some and -2 :]],
        'poses': [
            over_poses(case) for case in OVER_POSES[: 5 if some else None]
        ],
        'lightning': []
        if some
        else [by_lightning(case, root) for case in BY_LIGHTNING],
    }


def on_ranks(root):
    """All by two, some by four."""
    warnings.simplefilter('ignore')
    with process_group(timeout=timedelta(minutes=5)):
        some = num_ranks() == 4
        found = everything(root, some)
        if not some:
            found['refused'] = refused()
            found['disk'] = from_disk(root)
    return found


def killed():
    """One rank is ended, while the other one waits for it."""
    with process_group():
        if torch.distributed.get_rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        torch.distributed.barrier()


def at_fault():
    raise FileNotFoundError("'x.sdf' does not exist")


def broken():
    raise KeyError('a bug')


def told():
    """What a process knows of the others."""
    return [os.environ['RANK'], os.environ['WORLD_SIZE'],
            torch.get_num_threads()]  # fmt: skip
