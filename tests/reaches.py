"""Random receptors and ligands, and all that is known of their reach."""

import torch

from pyg_multipose.nn.sharing.reach import Reach


def reach_of(
    seed,
    num_layers,
    ligand_only=False,
    size=12,
    poses=3,
    moved=lambda x: x,
    **more,
):
    """Random edges of a receptor, and of ligands of two atoms."""
    generator = torch.Generator().manual_seed(seed)

    def some(most, count):
        return torch.randint(most, (count,), generator=generator)

    edges = torch.stack([some(max(size, 1), 2 * size) for _ in range(2)])
    edges = edges[:, edges[0].argsort(stable=True)]
    ligand = size + torch.arange(2 * poses).repeat_interleave(2)
    ends = some(max(size, 1), len(ligand)) if size else ligand
    touching = torch.stack([ligand, ends])
    touching = torch.cat([touching, touching.flip(0)], dim=1)
    tables = torch.full((poses,), 2), touching, edges
    return Reach(*map(moved, tables), size, num_layers, ligand_only, **more)


def everything(reach, num_layers):
    """What models ask for, in order."""
    out = [reach.pairs, reach.edges]
    for layer in range(num_layers):
        out += [reach.atoms(layer), *reach.around_ligand(layer)]
        out += reach.incoming(layer)
        if reach.atoms(layer + 1).numel():
            out += reach.within_receptor(layer)
    return [x for x in out if x is not None]
