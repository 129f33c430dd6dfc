"""Small models that are called as those of other libraries are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.utils import scatter

#: Atomic numbers of the poses, in the order of models that count types.
ELEMENTS = [1, 6, 7, 8, 9, 16, 17, 35, 53]


class Mace(nn.Module):
    r"""Called as MACE: a dictionary in, a dictionary out.

    Args:
        width: Channels.
    """

    atomic_numbers: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer('atomic_numbers', torch.tensor(ELEMENTS))
        self.embedding = nn.Linear(len(ELEMENTS), width, bias=False)
        self.message = nn.Linear(width, width)
        self.head = nn.Linear(width, 1)

    def forward(
        self,
        data: dict[str, Tensor],
        training: bool = False,
        compute_force: bool = True,
    ) -> dict[str, Tensor | None]:
        r"""Energies, and forces if asked for.

        Args:
            data: The dictionary.
            training: Whether forces have a graph. (default: :obj:`False`)
            compute_force: Whether they are computed. (default: :obj:`True`)
        """
        data['positions'].requires_grad_(True)
        sender, receiver = data['edge_index']
        vector = data['positions'][receiver] - data['positions'][sender]
        length = (vector + data['shifts']).norm(dim=1, keepdim=True)
        x = self.embedding(data['node_attrs'])
        for _ in range(2):
            sent = self.message(x)[sender] * (-length).exp()
            x = x + scatter(sent, receiver, 0, len(x)).tanh()
        number = data['ptr'].numel() - 1
        energy = scatter(self.head(x).squeeze(1), data['batch'], 0, number)
        forces = None
        if compute_force:
            (forces,) = torch.autograd.grad(
                energy.sum(), data['positions'], create_graph=training
            )
            forces = -forces
        return {'energy': energy, 'forces': forces}


class NequIP(nn.Module):
    r"""Called as NequIP: it writes into the dictionary that it is given.

    Args:
        width: Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(ELEMENTS), width)
        self.message = nn.Linear(width, width)
        self.head = nn.Linear(width, 1)

    def forward(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        r"""Energies.

        Args:
            data: The dictionary.
        """
        center, neighbor = data['edge_index']
        vector = data['pos'][neighbor] - data['pos'][center]
        data['edge_lengths'] = vector.norm(dim=1, keepdim=True)
        x = self.embedding(data['atom_types'])
        for _ in range(2):
            sent = self.message(x)[neighbor] * (-data['edge_lengths']).exp()
            x = x + scatter(sent, center, 0, len(x)).tanh()
        number = data['num_atoms'].numel()
        data['total_energy'] = scatter(self.head(x), data['batch'], 0, number)
        return data


class TorchMD(nn.Module):
    r"""Called as torchmd-net: positions in, energies and forces out.

    Args:
        width: Channels.
        cutoff: In Angstrom.
        derivative: Whether forces are computed too.
    """

    def __init__(
        self, width: int, cutoff: float, derivative: bool = True
    ) -> None:
        super().__init__()
        self.cutoff, self.derivative = cutoff, derivative
        self.embedding = nn.Embedding(100, width)
        self.message = nn.Linear(width, width)
        self.head = nn.Linear(width, 1)

    def forward(
        self,
        z: Tensor,
        pos: Tensor,
        batch: Tensor | None = None,
        box: Tensor | None = None,
        q: Tensor | None = None,
        s: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        r"""Energies, and forces.

        Args:
            z: Atomic numbers.
            pos: Positions.
            batch: The graph of each atom. (default: :obj:`None`)
            box: Unused, as below. (default: :obj:`None`)
            q: Charges. (default: :obj:`None`)
            s: Spins. (default: :obj:`None`)
        """
        batch = torch.zeros_like(z) if batch is None else batch
        if self.derivative:
            pos.requires_grad_(True)
        # Its search for pairs is compiled code of its own.
        near = torch.cdist(pos.detach(), pos.detach()) < self.cutoff
        near &= batch[:, None] == batch
        source, target = near.fill_diagonal_(False).nonzero().T
        length = (pos[source] - pos[target]).norm(dim=1, keepdim=True)
        x = self.embedding(z)
        for _ in range(2):
            sent = self.message(x)[source] * (-length).exp()
            x = x + scatter(sent, target, 0, len(x)).tanh()
        y = scatter(self.head(x), batch, 0)
        if not self.derivative:
            return y, None
        (dy,) = torch.autograd.grad(
            [y], [pos], [torch.ones_like(y)], create_graph=True
        )
        return y, -dy


class System:
    r"""An item of metatomic's lists, as far as models read it.

    Args:
        types: Atomic numbers, as int32.
        positions: Positions.
        cell: Zeros for what is not periodic.
        pbc: Whether it is periodic, by axis.
    """

    def __init__(
        self, types: Tensor, positions: Tensor, cell: Tensor, pbc: Tensor
    ) -> None:
        self.types, self.positions = types, positions
        self.cell, self.pbc = cell, pbc


def system(pose: Data) -> System:
    r"""A pose as an item of metatomic's lists.

    Args:
        pose: The pose.
    """
    return System(
        types=pose.z.int(),
        positions=pose.pos,
        cell=pose.pos.new_zeros(3, 3),
        pbc=torch.zeros(3, dtype=torch.bool),
    )


class Metatomic(nn.Module):
    r"""Called as models of metatomic: a list of systems in, blocks out.

    Args:
        width: Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(100, width)
        self.head = nn.Sequential(
            nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)
        )

    def forward(
        self,
        systems: list[System],
        outputs: dict[str, Any],
        selected_atoms: Any = None,
    ) -> dict[str, Any]:
        r"""Energies, in a block.

        Args:
            systems: The systems.
            outputs: What is asked for.
            selected_atoms: Unused. (default: :obj:`None`)
        """
        rows = []
        for one in systems:
            x = self.embedding(one.types.long())
            near = (-torch.cdist(one.positions, one.positions)).exp()
            rows.append(self.head(near @ x).sum())
        values = torch.stack(rows).unsqueeze(1)
        return {name: _Map(values) for name in outputs}


class _Map:
    """What has one block."""

    def __init__(self, values: Tensor) -> None:
        self.values = values

    def block(self) -> SimpleNamespace:
        return SimpleNamespace(values=self.values)


def energy(model: nn.Module, systems: list[System]) -> Tensor:
    r"""Calls a model of metatomic.

    Args:
        model: The model.
        systems: What it is called with.
    """
    out = model(systems, {'energy': None}, None)
    return out['energy'].block().values


def contacts(pose: Data) -> float:
    r"""A scorer of single poses: minus the number of contacts.

    Args:
        pose: The pose.
    """
    ligand, pocket = pose.pos[pose.is_ligand], pose.pos[~pose.is_ligand]
    return -float((torch.cdist(ligand, pocket) < 4).sum())
