import copy
import warnings
from functools import partial
from inspect import signature

import pytest
import torch
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from pyg_multipose.loader import PoseSetSampler
from pyg_multipose.nn import MaxCombination, MultiPoseReadout
from pyg_multipose.nn.affinity import PIC50
from pyg_multipose.nn.loss import HuberLoss, MSELoss
from pyg_multipose.nn.models import SchNet
from pyg_multipose.train import MultiPoseModule, PoseSetDataModule
from pyg_multipose.transforms import RadiusGraph

from .conftest import TINY, pose_set

pytestmark = [
    pytest.mark.filterwarnings('ignore:.*does not have many workers'),
    pytest.mark.filterwarnings('ignore:.*LeafSpec'),
]


def module(**kwargs):
    torch.manual_seed(0)
    return MultiPoseModule(TINY, 'mean', **{'affinity': 'PIC50', **kwargs})


def state(of):
    return {name: value.clone() for name, value in of.state_dict().items()}


# Parity ######################################################################


@pytest.mark.parametrize('accumulate', [1, 2])
def test_an_epoch_is_that_of_a_plain_loop(
    sets, connected, trainer, accumulate
):
    ours = module(lr=1e-2, optimizer='SGD')
    plain = copy.deepcopy(ours)
    data = PoseSetDataModule(train=sets, max_poses=12, seed=3)
    trainer(
        gradient_clip_val=0.5, accumulate_grad_batches=accumulate, max_epochs=2
    ).fit(ours, datamodule=data)

    sampler = PoseSetSampler(connected, max_poses=12, shuffle=True, seed=3)
    readout, convert, loss = plain.readout, PIC50(), HuberLoss()
    optimizer = torch.optim.SGD(readout.parameters(), lr=1e-2)
    before = state(readout)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        loader = DataLoader(connected, batch_sampler=sampler)
        for number, batch in enumerate(loader, start=1):
            value = loss(convert(readout(batch)), batch.y)
            (value / accumulate).backward()
            if number % accumulate == 0 or number == len(loader):
                torch.nn.utils.clip_grad_norm_(readout.parameters(), 0.5)
                optimizer.step()
                optimizer.zero_grad()
    assert len(loader) > 3
    moved = 0
    for name, value in state(ours.readout).items():
        torch.testing.assert_close(value, state(readout)[name], rtol=0, atol=0)
        moved += int((value != before[name]).any())
    assert moved > 5


def test_schedule_goes_step_by_step(sets, trainer):
    ours = module(schedule='cosine', lr=0.1)
    train = trainer(max_epochs=2)
    train.fit(ours, datamodule=PoseSetDataModule(train=sets, max_poses=20))
    (group,) = train.optimizers[0].param_groups
    assert group['lr'] == pytest.approx(0.0, abs=1e-6)


def test_averaged_weights(sets, trainer, tmp_path):
    callbacks = pytest.importorskip('lightning.pytorch.callbacks')
    if not hasattr(callbacks, 'EMAWeightAveraging'):
        pytest.skip('of Lightning 2.6')
    weights = []

    class Record(callbacks.Callback):
        def on_train_batch_end(self, trainer, pl_module, *args):
            name = 'readout.model.lin2.weight'
            weights.append(state(pl_module)[name])

    ours = module(lr=1e-2)
    train = trainer(
        callbacks=[Record(), callbacks.EMAWeightAveraging(decay=0.5)]
    )
    train.fit(ours, datamodule=PoseSetDataModule(train=sets, max_poses=20))
    average = weights[0]
    for weight in weights[1:]:
        average = 0.5 * average + 0.5 * weight
    torch.testing.assert_close(ours.readout.model.lin2.weight, average)
    assert not average.equal(weights[-1])


# What is logged ##############################################################


def test_logged_means_are_over_sets(sets, connected, trainer):
    """Atoms would weigh large sets more."""
    ours = module(loss='MSELoss')
    data = PoseSetDataModule(train=sets, valid=None, max_nodes=60)
    data.setup()
    batches = [batch.num_graphs for batch in data.loader('train')]
    assert len(set(batches)) > 1  # else there is nothing to weigh
    tester = trainer()
    tester.validate(ours, dataloaders=data.loader('train'), verbose=False)
    with torch.no_grad():
        pred = torch.cat([PIC50()(ours.readout(one)) for one in connected])
    y = torch.cat([one.y for one in connected])
    expected = {
        'valid_loss': (pred - y).square().mean(),
        'valid_mae': (pred - y).abs().mean(),
        'valid_rmse': (pred - y).square().mean().sqrt(),
    }
    atoms = torch.tensor([float(one.num_nodes) for one in connected])
    by_atoms = (atoms * (pred - y).square()).sum() / atoms.sum()
    assert abs(by_atoms - expected['valid_loss']) > 1e-2
    for name, value in expected.items():
        torch.testing.assert_close(
            tester.callback_metrics[name], value, rtol=1e-5, atol=1e-6
        )


def test_training_loss_is_over_sets_too(sets, trainer):
    ours = module(loss='MSELoss', optimizer='SGD', lr=1e-12)
    data = PoseSetDataModule(train=sets, max_nodes=60)
    train = trainer()
    train.fit(ours, datamodule=data)
    logged = train.callback_metrics['train_loss']
    train.validate(ours, dataloaders=data.loader('train'), verbose=False)
    torch.testing.assert_close(logged, train.callback_metrics['valid_loss'])


def test_missing_labels_and_bounds_count_for_what_they_say(trainer):
    """NaN counts nothing; a bound that is met costs nothing."""
    sets = []
    for number, (y, code) in enumerate(
        [(5.0, 0), (float('nan'), 0), (1e3, -1), (6.0, 0)]
    ):
        one = RadiusGraph(4.5)(pose_set(number, y=y))
        sets.append(one.put('y_relation', torch.tensor([code]), 'set'))
    ours = module(loss='MSELoss').eval()
    loader = DataLoader(sets, batch_size=1)
    tester = trainer()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # a batch without any label
        tester.test(ours, dataloaders=loader, verbose=False)
    pred = ours(Batch.from_data_list(sets)).detach()
    error = (pred[[0, 3]] - torch.tensor([5.0, 6.0])).square()
    logged = tester.callback_metrics
    torch.testing.assert_close(logged['test_loss'], error.sum() / 3)
    torch.testing.assert_close(logged['test_rmse'], error.mean().sqrt())


def test_gaussian_likelihood_takes_the_noise(connected, trainer):
    ours = module(loss='GaussianNLLLoss', noise=0.5)
    batch = Batch.from_data_list(connected[:4])
    tester = trainer()
    loader = DataLoader(connected[:4], batch_size=4)
    tester.validate(ours, loader, verbose=False)
    pred = ours.eval()(batch)
    expected = torch.nn.GaussianNLLLoss(full=True)(
        pred, batch.y, torch.full_like(pred, 0.25)
    )
    torch.testing.assert_close(
        tester.callback_metrics['valid_loss'], expected.detach()
    )


# Checkpoints #################################################################


@pytest.fixture
def trained(sets, trainer, tmp_path):
    """A checkpoint of a training, and its module."""
    ours = module(readout={'gradient': 'recompute'}, lr=1e-2)
    train = trainer()
    data = PoseSetDataModule(
        train=sets[:10], unit='pIC50', max_poses=12, cutoff=4.5
    )
    train.fit(ours, datamodule=data)
    train.save_checkpoint(tmp_path / 'a.ckpt')
    return tmp_path / 'a.ckpt', ours


def test_round_trip(trained, connected):
    path, ours = trained
    again = MultiPoseModule.load_from_checkpoint(path)
    assert not again.training
    batch = Batch.from_data_list(connected)
    assert torch.equal(again(batch), ours.eval()(batch))
    assert again.unit == 'pIC50'
    assert again.inputs == ours.inputs
    assert again.readout.gradient == 'recompute'
    assert repr(again.readout) == repr(ours.readout)
    assert dict(again.hparams) == dict(ours.hparams)


def test_a_checkpoint_is_plain_data(trained):
    path, _ = trained
    saved = torch.load(path, weights_only=True)
    assert saved['pyg_multipose']['inputs']['cutoff'] == 4.5
    assert saved['pyg_multipose']['inputs']['keys']['z'] == ['node', 'int64']
    assert saved['hyper_parameters']['model'] == {
        'class_path': 'pyg_multipose.nn.models.SchNet',
        'init_args': TINY['init_args'],
    }


def test_lightning_predicts(trained, sets, trainer):
    module = MultiPoseModule.load_from_checkpoint(trained[0])
    data = PoseSetDataModule(train=sets[:8], test=sets[8:], max_poses=8)
    parts = trainer().predict(module, datamodule=data)
    data.setup()
    for part, batch in zip(parts, data.test_dataloader(), strict=True):
        for got, expected in zip(
            part, module.predict_poses(batch), strict=True
        ):
            assert torch.equal(got, expected)
    combined, poses, weights = parts[0]
    assert len(poses) == len(weights) > len(combined) > 0


def test_lightning_goes_on_from_it(trained, sets, trainer):
    path, ours = trained
    again = module(readout={'gradient': 'recompute'}, lr=1e-2)
    train = trainer(max_epochs=2)
    fit = partial(train.fit, ckpt_path=path)
    if 'weights_only' in signature(train.fit).parameters:  # Lightning 2.6
        fit = partial(fit, weights_only=True)
    fit(again, datamodule=PoseSetDataModule(train=sets[:10]))
    assert train.current_epoch == 2
    assert not torch.equal(
        again.readout.model.lin2.weight, ours.readout.model.lin2.weight
    )


@pytest.mark.parametrize('cutoff', [4.0, 5.0])
def test_other_edges_are_refused(trained, sets, cutoff):
    """Silent without this: a model takes any edges."""
    again = MultiPoseModule.load_from_checkpoint(trained[0])
    other = RadiusGraph(cutoff)(sets[0])
    for call in (again, again.predict_poses):
        with pytest.raises(ValueError, match='edges are not.*4.5 Å'):
            call(other)
    with pytest.raises(ValueError, match="'CPD-0' has no edges"):
        again(sets[0])


def test_longer_edges_are_refused_in_any_set(trained, sets):
    again = MultiPoseModule.load_from_checkpoint(trained[0])
    pair = [RadiusGraph(4.5)(sets[0]), RadiusGraph(5.5)(sets[1])]
    with pytest.raises(ValueError, match='longest of the batch has 5'):
        again(Batch.from_data_list(pair))


def test_other_features_are_refused(trained, sets):
    again = MultiPoseModule.load_from_checkpoint(trained[0])
    right = RadiusGraph(4.5)(sets[0])
    bare = RadiusGraph(4.5)(pose_set(0, receptor=False))
    with pytest.raises(ValueError, match=r'is_ligand|without.*receptor'):
        again(bare)
    wide = copy.copy(right)
    wide.z = right.z.float()
    with pytest.raises(ValueError, match="'z' is float32 of each node"):
        again(wide)
    hydrogens = copy.copy(right)
    hydrogens.z = torch.where(right.z == 6, 1, right.z)
    with pytest.raises(ValueError, match='without hydrogens'):
        again(hydrogens)


def test_another_receptor_is_warned_of(trained, sets):
    again = MultiPoseModule.load_from_checkpoint(trained[0])
    other = copy.copy(sets[0])
    other.pos = sets[0].pos + 1.0
    with pytest.warns(UserWarning, match='none of those'):
        again(RadiusGraph(4.5)(other))


def test_a_finished_model_has_to_be_given_again(connected, trainer, tmp_path):
    model = SchNet(**TINY['init_args'])
    ours = MultiPoseModule(model, MaxCombination(scale=3.0), loss=MSELoss())
    train = trainer()
    train.strategy.connect(ours)
    train.save_checkpoint(tmp_path / 'b.ckpt')
    with pytest.raises(ValueError, match='finished .*SchNet.*model=...'):
        MultiPoseModule.load_from_checkpoint(tmp_path / 'b.ckpt')
    again = MultiPoseModule.load_from_checkpoint(
        tmp_path / 'b.ckpt', model=SchNet(**TINY['init_args'])
    )
    batch = Batch.from_data_list(connected[:3])
    assert torch.equal(again(batch), ours.eval()(batch))
    assert again.readout.combination.scale == 3.0


def test_modules_in_modules_are_plain_data(connected, trainer, tmp_path):
    """As PyG's SchNet, which takes its graph from a module."""
    graph = {
        'class_path': 'pyg_multipose.nn.RadiusInteractionGraph',
        'init_args': {'cutoff': 4.5},
    }
    arguments = {**TINY['init_args'], 'interaction_graph': graph}
    model = {
        'class_path': 'torch_geometric.nn.SchNet',
        'init_args': arguments,
    }
    ours = MultiPoseModule(model, 'mean', readout={'inputs': 'z, pos, batch'})
    train = trainer()
    train.strategy.connect(ours)
    train.save_checkpoint(tmp_path / 'c.ckpt')
    again = MultiPoseModule.load_from_checkpoint(tmp_path / 'c.ckpt')
    batch = Batch.from_data_list(connected[:3])
    assert torch.equal(again(batch), ours.eval()(batch))
    graph['class_path'] = 'collections.OrderedDict'
    with pytest.raises(ValueError, match="interaction_graph' is .* no subcla"):
        MultiPoseModule(model)
    graph['args'] = {}
    with pytest.raises(ValueError, match="interaction_graph' has the keys"):
        MultiPoseModule(model)


def test_other_weights_are_refused(trained):
    wider = {**TINY['init_args'], 'hidden_channels': 6}
    with pytest.raises(ValueError, match='weights are those of another'):
        MultiPoseModule.load_from_checkpoint(
            trained[0], model={'class_path': 'SchNet', 'init_args': wider}
        )
    with pytest.raises(ValueError, match="model in 'pIC50'"):
        MultiPoseModule.load_from_checkpoint(trained[0], affinity='PKi')


def test_what_is_no_checkpoint_is_refused(tmp_path):
    (tmp_path / 'text.ckpt').write_text('no')
    with pytest.raises(ValueError, match='text.ckpt.* no checkpoint'):
        MultiPoseModule.load_from_checkpoint(tmp_path / 'text.ckpt')
    torch.save({'model': MSELoss()}, tmp_path / 'code.ckpt')
    with pytest.raises(ValueError, match='holds code') as caught:
        MultiPoseModule.load_from_checkpoint(tmp_path / 'code.ckpt')
    assert 'weights_only' not in str(caught.value)
    torch.save({'state_dict': {}}, tmp_path / 'other.ckpt')
    with pytest.raises(ValueError, match='not of a MultiPoseModule'):
        MultiPoseModule.load_from_checkpoint(tmp_path / 'other.ckpt')
    with pytest.raises(FileNotFoundError):
        MultiPoseModule.load_from_checkpoint(tmp_path / 'none.ckpt')


def test_going_on_with_other_sets_is_refused(trained, sets, trainer):
    again = MultiPoseModule.load_from_checkpoint(trained[0])
    data = PoseSetDataModule(train=sets, cutoff=5.0)
    with pytest.raises(ValueError, match='is to go on with'):
        trainer().fit(again, datamodule=data)


# Arguments ###################################################################


def test_units_have_to_agree(sets, trainer):
    data = PoseSetDataModule(train=sets, unit='kcal/mol')
    with pytest.raises(ValueError, match="'kcal/mol' and predictions in"):
        trainer().fit(module(), datamodule=data)
    assert module(affinity=None).unit == 'kT'
    assert module(affinity='PKi', unit='pK').unit == 'pK'
    with pytest.raises(ValueError, match="gives 'pIC50'"):
        module(unit='kJ/mol')
    with pytest.raises(ValueError, match='unit of Linear is not known'):
        module(affinity=torch.nn.Linear(1, 1))


@pytest.mark.parametrize(
    'kwargs, message',
    [
        ({'model': 'Schnett'}, "did you mean 'SchNet'"),
        ({'model': 'no.such.Model'}, 'No module named'),
        ({'model': 'collections.OrderedDict'}, 'no subclass of Module'),
        ({'model': {'class_path': 'SchNet', 'args': {}}}, "'class_path'"),
        (
            {'model': {'class_path': 'SchNet', 'init_args': {'depth': 3}}},
            'unexpected keyword.*It takes',
        ),
        (
            {'loss': {'class_path': 'MSELoss', 'init_args': {'a': MSELoss}}},
            "'loss.init_args.a' is a type",
        ),
        ({'combination': 'maxx'}, 'Unknown combination'),
        ({'loss': 'HuberLos'}, "did you mean 'HuberLoss'"),
        ({'loss': 'GaussianNLLLoss'}, "needs 'noise'"),
        ({'noise': 0.3}, 'together with GaussianNLLLoss'),
        ({'optimizer': 'Addam'}, "did you mean 'Adam'"),
        ({'schedule': 'cosinus'}, 'expected one of'),
        ({'lr': 0.0}, "'lr' has to be positive"),
        ({'readout': {'combination': 'mean'}}, 'arguments of the module'),
    ],
)  # fmt: skip
def test_wrong_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        MultiPoseModule(**{'model': TINY, **kwargs})


def test_labels_are_needed(connected, trainer):
    bare = copy.copy(connected[0])
    del bare['y']
    loader = DataLoader([bare], batch_size=1)
    with pytest.raises(ValueError, match="no label 'y'"):
        trainer().fit(module(), train_dataloaders=loader)


def test_plain_loaders_are_recorded_too(connected, trainer):
    """Edges of sets whose cutoff nobody says are compared with nothing."""
    ours = module()
    loader = DataLoader(connected, batch_size=4)
    trainer().fit(ours, train_dataloaders=loader)
    assert ours.inputs.cutoff is None
    assert set(ours.inputs.keys) == {'edge_index', 'is_ligand', 'pos', 'z'}
    readout = MultiPoseReadout(SchNet(**TINY['init_args']), 'mean')
    assert type(ours.readout) is type(readout)
