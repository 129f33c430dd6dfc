r"""An E(3)-equivariant graph neural network."""

from collections.abc import Sequence
from typing import Any

import torch
from e3nn import o3
from torch import Tensor
from torch.nn import Embedding, Linear, ModuleList, Sequential, SiLU

from pyg_multipose.nn.messages._checks import check_batch, check_choice
from pyg_multipose.nn.messages.pooling import pool_atoms
from pyg_multipose.nn.models._checks import (
    check_int,
    check_positive,
    parse_irreps,
    parse_target,
)
from pyg_multipose.nn.models.equivariant_conv import EquivariantConv
from pyg_multipose.nn.models.equivariant_filters import EquivariantFilters
from pyg_multipose.nn.models.radial_basis import (
    RADIAL_BASES,
    PolynomialEnvelope,
)


class EquivariantGNN(EquivariantFilters):
    r"""An E(3)-equivariant graph neural network with invariant predictions.

    It follows the `"Tensor Field Networks"
    <https://arxiv.org/abs/1802.08219>`_ and `"E(3)-Equivariant Graph Neural
    Networks for Data-Efficient and Accurate Interatomic Potentials"
    <https://arxiv.org/abs/2101.03164>`_ (NequIP) papers: each atom starts
    from an embedding of its element, :obj:`num_layers` convolutions
    (:class:`~pyg_multipose.nn.models.equivariant_conv.EquivariantConv`) mix
    neighbors, and the scalars of every atom are read out and pooled over the
    graph:

    .. math::
        y = \mu + \sigma \sum_i \mathrm{MLP} \left( \mathbf{x}_i^{(L)} \right)

    Predictions do not change with rotations, reflections or translations.
    Of the last convolution only scalars (:obj:`0e`) are read, so it computes
    nothing else; :meth:`node_features` returns the features before it.

    The model is called as :obj:`model(batch)` and reads

    * :obj:`z`: atomic numbers :math:`(n)`,
    * :obj:`pos`: positions in Angstrom :math:`(n, 3)`,
    * :obj:`edge_index`: sources and targets :math:`(2, E)`, in both
      directions, with every pair closer than :obj:`cutoff`. Pairs that are
      not in it are not seen; those beyond the cutoff contribute exactly
      nothing,
    * :obj:`batch`: the graph of every atom :math:`(n)`; a single
      :class:`~torch_geometric.data.Data` needs none,
    * :obj:`is_ligand`: boolean :math:`(n)`, if :obj:`atoms="ligand"`

    of a :class:`~torch_geometric.data.Data` or
    :class:`~torch_geometric.data.Batch`.
    Distances and directions are computed in the type of the positions or of
    the parameters, whichever is wider, and at least in float32.
    Atoms at one place exchange messages that carry no direction.

    Args:
        hidden_irreps: Irreps of the hidden features, with at least one
            :obj:`0e`. (default: :obj:`"32x0e+16x1o+8x2e"`)
        num_layers: The number of convolutions. (default: :obj:`3`)
        cutoff: Distance in Angstrom at which messages have fallen to zero,
            with zero first and second derivative. (default: :obj:`5.0`)
        lmax: Highest degree of the spherical harmonics of edges.
            (default: :obj:`2`)
        num_radial: The number of radial basis functions. (default: :obj:`8`)
        radial_basis: The radial basis (:obj:`"bessel"` or
            :obj:`"gaussian"`). (default: :obj:`"bessel"`)
        radial_channels: Hidden width of the radial networks.
            (default: :obj:`64`)
        out_channels: The number of predicted values. (default: :obj:`1`)
        pool: Whether the contributions of atoms are summed (:obj:`"sum"`) or
            averaged (:obj:`"mean"`). (default: :obj:`"sum"`)
        atoms: The atoms that contribute (:obj:`"all"` or :obj:`"ligand"`).
            Messages are exchanged by all. (default: :obj:`"all"`)
        num_neighbors: A typical number of neighbors. Messages are divided by
            its square root: a constant, so that they stay sums.
            (default: :obj:`16.0`)
        num_elements: Atomic numbers are smaller than this.
            (default: :obj:`100`)
        mean: The mean :math:`\mu` of the target, in its unit, or one for each
            of :obj:`out_channels`. (default: :obj:`0.0`)
        std: The standard deviation :math:`\sigma` of the target, in its unit,
            or one for each of :obj:`out_channels`. Both are applied once per
            graph and belong to the state dict. (default: :obj:`1.0`)

    Shapes:
        - **input:** a batch of :math:`P` graphs
        - **output:** :math:`(P)` if :obj:`out_channels=1`, else
          :math:`(P, \mathrm{out\_channels})`, in the unit of :obj:`std`;
          sums and means over atoms are taken in float32 or wider

    Raises:
        ValueError: If an argument is invalid; in a call, if a key is missing
            or has a wrong type or shape, if an atomic number is not in
            :math:`[0, \mathrm{num\_elements})`, or if a graph has no atoms
            to average.
        TypeError: If the model is called with a pose set instead of a batch
            whose graphs are poses.

    Example:
        >>> import torch
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.nn.models import EquivariantGNN
        >>> from pyg_multipose.transforms import RadiusGraph
        >>> pose = RadiusGraph(4.5)(MproMoonshot('test')[0].pose(0))
        >>> model = EquivariantGNN('4x0e+2x1o', cutoff=4.5, lmax=1)
        >>> energy = model(pose)
        >>> energy.shape, model.node_features(pose).shape
        (torch.Size([1]), torch.Size([519, 10]))
        >>> pose.pos = -pose.pos[:, [1, 2, 0]]  # turned and mirrored
        >>> torch.allclose(model(pose), energy, rtol=1e-3, atol=1e-3)
        True
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        hidden_irreps: Any = '32x0e+16x1o+8x2e',
        num_layers: int = 3,
        cutoff: float = 5.0,
        lmax: int = 2,
        num_radial: int = 8,
        radial_basis: str = 'bessel',
        radial_channels: int = 64,
        out_channels: int = 1,
        pool: str = 'sum',
        atoms: str = 'all',
        num_neighbors: float = 16.0,
        num_elements: int = 100,
        mean: float | Sequence[float] | Tensor = 0.0,
        std: float | Sequence[float] | Tensor = 1.0,
    ):
        super().__init__()
        irreps = parse_irreps(hidden_irreps)
        check_int('num_layers', num_layers, 1)
        check_positive('cutoff', cutoff)
        check_int('lmax', lmax, 0)
        check_int('num_radial', num_radial, 1)
        check_choice('radial_basis', radial_basis, RADIAL_BASES)
        check_int('radial_channels', radial_channels, 1)
        check_int('out_channels', out_channels, 1)
        check_choice('pool', pool, ['sum', 'mean'])
        check_choice('atoms', atoms, ['all', 'ligand'])
        check_positive('num_neighbors', num_neighbors)
        check_int('num_elements', num_elements, 1)

        self.hidden_irreps = irreps
        self.num_layers = num_layers
        self.cutoff = float(cutoff)
        self.lmax = lmax
        self.num_radial = num_radial
        self.radial_basis = radial_basis
        self.radial_channels = radial_channels
        self.out_channels = out_channels
        self.pool = pool
        self.atoms = atoms
        self.num_neighbors = float(num_neighbors)
        self.num_elements = num_elements

        # Equal irreps side by side are one block for every layer:
        irreps_layer = irreps.regroup()
        num_scalars = irreps_layer.count('0e')
        irreps_scalar = o3.Irreps([(num_scalars, '0e')])
        irreps_edge = o3.Irreps.spherical_harmonics(lmax)

        self.embedding = Embedding(num_elements, num_scalars)
        self.basis = RADIAL_BASES[radial_basis](num_radial, self.cutoff)
        self.envelope = PolynomialEnvelope(self.cutoff)
        self.harmonics = o3.SphericalHarmonics(
            irreps_edge, normalize=False, normalization='component'
        )
        self.convs = ModuleList()
        irreps_in = irreps_scalar
        for i in range(num_layers):
            last = i == num_layers - 1
            conv = EquivariantConv(
                irreps_in,
                irreps_scalar if last else irreps_layer,
                irreps_edge,
                num_radial=num_radial,
                radial_channels=radial_channels,
                num_neighbors=self.num_neighbors,
            )
            self.convs.append(conv)
            irreps_in = conv.irreps_out
        self.head = Sequential(
            Linear(num_scalars, num_scalars),
            SiLU(),
            Linear(num_scalars, out_channels),
        )
        self.register_buffer('mean', parse_target('mean', mean, out_channels))
        self.register_buffer('std', parse_target('std', std, out_channels))
        if not bool((self.std > 0).all()):
            raise ValueError(f"'std' must be positive (got {std!r})")

        self._feature_slices = _match_slices(irreps, self.convs[-1].irreps_in)

        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        self.embedding.reset_parameters()
        for conv in self.convs:
            conv.reset_parameters()  # type: ignore[operator]
        for lin in self.head:
            if isinstance(lin, Linear):
                torch.nn.init.xavier_uniform_(lin.weight)
                torch.nn.init.zeros_(lin.bias)

    @property
    def layers(self) -> Sequence[EquivariantConv]:
        r"""The convolutions."""
        return list(self.convs)  # type: ignore[arg-type]

    def embed(self, z: Tensor) -> Tensor:
        r"""Returns the initial features of atoms.

        Args:
            z: Atomic numbers :math:`(n)`.

        Returns:
            Scalars (:obj:`0e`), atom by atom.
        """
        return self.embedding(z)

    def readout(self, x: Tensor, z: Tensor | None = None) -> Tensor:
        r"""Returns the contribution of every atom to the prediction.

        Args:
            x: Scalars after the last layer.
            z: Not needed. (default: :obj:`None`)

        Returns:
            Contributions :math:`(n, \mathrm{out\_channels})`, atom by atom,
            before :obj:`mean` and :obj:`std`.
        """
        return self.head(x)

    def pool_atoms(
        self,
        contribution: Tensor,
        index: Tensor,
        dim_size: int,
        is_ligand: Tensor | None = None,
    ) -> Tensor:
        r"""Pools contributions and applies :obj:`mean` and :obj:`std`.

        Args:
            contribution: Output of :meth:`readout`.
            index: The graph of every atom :math:`(n)`.
            dim_size: The number of graphs :math:`P`.
            is_ligand: The atoms that contribute :math:`(n)`; :obj:`None`:
                all. (default: :obj:`None`)

        Returns:
            Predictions :math:`(P, \mathrm{out\_channels})`.
        """
        out = pool_atoms(contribution, index, dim_size, self.pool, is_ligand)
        return self.mean + self.std * out

    def node_features(self, batch: Any) -> Tensor:
        r"""Returns the features of atoms before the last convolution.

        Args:
            batch: A :class:`~torch_geometric.data.Data` or
                :class:`~torch_geometric.data.Batch`.

        Returns:
            Features of :obj:`hidden_irreps` (in the order given) after
            :obj:`num_layers - 1` convolutions, zero for irreps that so many
            convolutions cannot fill (with :obj:`num_layers=1`: all but the
            :obj:`0e` of the embedding).
        """
        self._check(batch)
        x = self.interact(
            batch.z, batch.pos, batch.edge_index, self.num_layers - 1
        )
        return torch.cat(
            [
                x.new_zeros(x.size(0), end)
                if start is None
                else x[:, start:end]
                for start, end in self._feature_slices
            ],
            dim=-1,
        )

    def forward(self, batch: Any) -> Tensor:
        r"""Returns the prediction of every graph."""
        out = self.predict(batch, self._check(batch))
        return out.squeeze(-1) if self.out_channels == 1 else out

    def _check(self, batch: Any) -> int:
        return check_batch(
            batch,
            self.__class__.__name__,
            self.num_elements,
            self.cutoff,
            is_ligand=self.atoms == 'ligand',
        )

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}('
            f'hidden_irreps={self.hidden_irreps}, '
            f'num_layers={self.num_layers}, '
            f'cutoff={self.cutoff}, '
            f'lmax={self.lmax}, '
            f'out_channels={self.out_channels}, '
            f"pool='{self.pool}', "
            f"atoms='{self.atoms}')"
        )


def _match_slices(
    irreps: o3.Irreps, irreps_have: o3.Irreps
) -> list[tuple[int | None, int]]:
    # Where the features of `irreps` lie in a row of `irreps_have`, in which
    # equal irreps are side by side; (None, dim) for those that are missing.
    offset = {
        ir: s.start
        for (_, ir), s in zip(irreps_have, irreps_have.slices(), strict=True)
    }
    out: list[tuple[int | None, int]] = []
    for mul, ir in irreps:
        start = offset.get(ir)
        if start is None:
            out.append((None, mul * ir.dim))
        else:
            offset[ir] = start + mul * ir.dim
            out.append((start, offset[ir]))
    return out
