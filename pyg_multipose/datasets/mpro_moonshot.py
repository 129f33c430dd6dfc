"""COVID Moonshot: docked poses in SARS-CoV-2 Mpro with measured pIC50."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data, Dataset

from pyg_multipose.data import PoseSet
from pyg_multipose.datasets.mpro_file import RULES, SPLITS, load

RECEPTORS = ('pocket', 'chain')


class MproMoonshot(Dataset):
    r"""Docked poses of 240 COVID Moonshot compounds in SARS-CoV-2 Mpro.

    The COVID Moonshot was an open effort to find non-covalent inhibitors of
    the main protease (Mpro) of SARS-CoV-2, described in `"Open Science
    Discovery of Potent Non-Covalent SARS-CoV-2 Main Protease Inhibitors"
    <https://doi.org/10.1101/2020.10.29.339317>`_.
    An item is the :class:`~pyg_multipose.data.PoseSet` of one compound: one
    rigid receptor, 3 to 9 poses of the ligand from AutoDock Vina, best score
    first, and one label.
    **The labels are experimental, the poses are computed.**
    The data is part of the package: nothing is downloaded, and RDKit is not
    needed.

    **What an item holds.**
    All atoms are heavy atoms (no hydrogens, no water), and all coordinates
    are in one frame.

    * :obj:`z`: atomic number, :obj:`int64`;
    * :obj:`pos`: position in Angstrom, :obj:`float32`;
    * :obj:`residue`: residue number (1 to 302) of a receptor atom, 0 for a
      ligand atom, :obj:`int64`, so that you can cut a pocket of your own;
    * :obj:`bond_index`, :obj:`bond_type`: bonds of the ligands, in both
      directions, sorted by source, then target; the type is 1 for a single,
      2 for a double, 3 for a triple and 4 for an aromatic bond (RDKit's
      aromaticity).
      Bonds of the receptor are left out;
    * :obj:`vina_score`: Vina score of each pose in kcal/mol, :obj:`float32`;
      **low is good**;
    * :obj:`y`: pIC50 of the compound (minus the decimal logarithm of the
      IC50 in mol/L, the mean over its measurements), :obj:`float32` of shape
      :obj:`[1]`; **high is good**;
    * :obj:`name`: PostEra's canonical compound id.

    There is no :obj:`edge_index`: the neighbours are yours to choose, e.g.,
    by :class:`~pyg_multipose.transforms.RadiusGraph`.
    Ligand atoms are in the order of the SMILES, so the molecule of
    :obj:`rdkit.Chem.MolFromSmiles(smiles)` takes :obj:`pos` as a conformer
    as it stands.

    **The receptor** is chain A, residues 1 to 302 (:obj:`"chain"`, 2333
    atoms), or its 64 residues with an atom within 8 Angstrom of an atom of
    any pose, or of the crystal ligand (:obj:`"pocket"`, 487 atoms).
    All items share one receptor.
    Since the pocket was cut around the poses of *all* compounds, its outline
    holds a trace of the test poses, but nothing of their labels.

    **Splits**, 160 / 40 / 40 compounds each:

    * :obj:`by="date"`: compounds shipped first are for training.
      Train ends on 2021-03-31, valid on 2021-09-24 and test on 2021-12-29;
      9 compounds share a boundary date across two parts.
      The date is the earliest shipment of a compound, not that of its assay.
      Later compounds bind better, since the project made progress: the
      mean pIC50 rises from 5.35 to 5.71 to 6.15, so the parts differ in
      their labels, too.
      They also share Bemis-Murcko scaffolds, two of them train and test;
    * :obj:`by="scaffold"`: no scaffold is in two parts; the largest groups
      went into train first.
      The mean pIC50 is 5.60, 5.25 and 5.61.

    In 21 pairs the two compounds differ in stereochemistry alone, with pIC50
    up to 2.7 apart; no split divides a pair.

    **How the compounds were chosen.**
    All measurements quantitative; stereocentres defined, no racemates; no
    common covalent warhead; 200 to 550 g/mol; at most 10 rotatable bonds; a
    known shipment date.
    Of the 381 left, 240 were drawn as evenly over pIC50 (4.00 to 7.18,
    median 5.54) as the sparse ends allow.
    35 were measured more than once, with a median standard deviation of 0.12.

    **How the poses were made.**
    AutoDock Vina 1.2.7 with its own scoring function, exhaustiveness 2, a
    20 Angstrom box around the crystal ligand, up to 9 poses at least 1.0
    Angstrom apart and within 2.0 kcal/mol of the best.
    Receptor: PDB2PQR / PROPKA at pH 7.4, His163 protonated at the epsilon
    nitrogen, Meeko.
    Ligands: neutral, lowest-MMFF94-energy of 20 ETKDGv3 conformers, rigid
    rings.

    .. warning::
        This is a small set, for examples, tests and comparisons of methods;
        it does not tell how good a model of binding is.

        * **The poses are not validated.**
          They come from a quick docking into one rigid crystal structure,
          and only one compound (:attr:`crystal_ligand`) has its own crystal
          pose here.
          Its best-scored pose is 1.56 Angstrom from the crystal, but that is
          self-docking, the easiest case, and it depends on the starting
          conformer: others end more than 6 Angstrom away, and the rule that
          picks the conformer was adopted after one had failed.
          The crystal ligand binds to a nitrogen (NE2) of His163; 26 % of the
          best-scored poses have a N or O within 3.6 Angstrom of it, and 59 %
          of the sets have such a pose.
        * **Trivial baselines are strong.**
          Over all compounds the best Vina score has a Spearman correlation
          of -0.30 with pIC50 (low scores are good), but the mere number of
          heavy atoms has +0.28; with size taken out, -0.15 of the score is
          left.
          The number of poses has -0.21, so a model that can count poses may
          live on that.
          On the test part by date all of these vanish or change sign (score
          +0.10, size +0.07, poses +0.09).
          Compare with :attr:`vina_best`, :attr:`num_heavy_atoms` and
          :attr:`num_poses`, and with :obj:`dataset.y.mean()` of train.
        * **The range is selected.**
          Compounds too weak to measure (IC50 above about 99 micromolar) are
          missing and the distribution was flattened, so enrichment cannot be
          read from this set.
          Partial dose-response curves are included.
        * **Parts of the site are missing**: water, and chain B, whose first
          two residues come within 8 Angstrom of the ligand.
          All ligands are neutral, basic amines too.

    **Sources and licences.**
    SMILES and IC50 (fluorescence assay): `COVID_moonshot_data_clean
    <https://github.com/asapdiscovery/COVID_moonshot_data_clean>`_, commit
    :obj:`bb7317c5`, MIT.
    Shipment dates: `postera-ai/COVID_moonshot_submissions
    <https://github.com/postera-ai/COVID_moonshot_submissions>`_, commit
    :obj:`06c1a333`, CC0-1.0.
    Structure: `asapdiscovery/asapdiscovery
    <https://github.com/asapdiscovery/asapdiscovery>`_, commit
    :obj:`1366514b`, MIT; the file carries no PDB id (its ligand is that of
    the Fragalysis entries Mpro-x12659 and Mpro-P0012, but which of the two it
    is was not established).
    The poses were computed for this package.
    The licence texts are in :obj:`mpro_moonshot.LICENSE.txt`, next to the
    data.

    Args:
        split: The part: :obj:`"train"`, :obj:`"valid"`, :obj:`"test"`, or
            :obj:`"all"` for all 240 compounds, sorted by name.
            (default: :obj:`"train"`)
        by: The rule of the split, :obj:`"date"` or :obj:`"scaffold"`.
            (default: :obj:`"date"`)
        receptor: How much of the protein, :obj:`"pocket"` or
            :obj:`"chain"`. (default: :obj:`"pocket"`)
        transform: A function that takes a
            :class:`~pyg_multipose.data.PoseSet` and returns another; applied
            at every access. (default: :obj:`None`)

    Raises:
        ValueError: If :obj:`split`, :obj:`by` or :obj:`receptor` is none of
            the above.

    **STATS:**

    .. list-table::
        :widths: 20 10 10 15 15 15 15 10
        :header-rows: 1

        * - split
          - #compounds
          - #poses
          - poses per compound
          - ligand atoms
          - mean #nodes (pocket)
          - pIC50
          - mean pIC50
        * - all
          - 240
          - 1901
          - 3 to 9
          - 16 to 37
          - 689.0
          - 4.00 to 7.18
          - 5.54
        * - train, date
          - 160
          - 1303
          - 4 to 9
          - 16 to 37
          - 688.0
          - 4.03 to 7.08
          - 5.35
        * - valid, date
          - 40
          - 302
          - 3 to 9
          - 20 to 32
          - 674.2
          - 4.00 to 7.13
          - 5.71
        * - test, date
          - 40
          - 296
          - 3 to 9
          - 23 to 36
          - 707.7
          - 4.52 to 7.18
          - 6.15
        * - train, scaffold
          - 160
          - 1247
          - 3 to 9
          - 17 to 36
          - 682.6
          - 4.00 to 7.18
          - 5.60
        * - valid, scaffold
          - 40
          - 334
          - 4 to 9
          - 17 to 37
          - 704.6
          - 4.11 to 6.92
          - 5.25
        * - test, scaffold
          - 40
          - 320
          - 5 to 9
          - 16 to 36
          - 698.6
          - 4.09 to 7.16
          - 5.61

    A pose set has all of its poses and one receptor; of the chain it has
    1846 nodes more.

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> dataset = MproMoonshot('test')
        >>> dataset
        MproMoonshot(40, split='test', by='date', receptor='pocket')
        >>> pose_set = dataset[0]
        >>> pose_set.num_poses, pose_set.receptor.num_nodes
        (8, 487)
        >>> pose_set.name, pose_set.y
        ('ALP-POS-6479a3a9-1', tensor([6.8760]))
        >>> pose_set.vina_score[:3]
        tensor([-7.3350, -7.2760, -7.0630])
        >>> dataset.dates[0], dataset.num_heavy_atoms[:3]
        ('2021-11-10', tensor([32, 23, 31]))
    """

    #: Whether a set is the same whenever it is read, but for a transform.
    constant_sets = True

    def __init__(
        self,
        split: str = 'train',
        by: str = 'date',
        receptor: str = 'pocket',
        transform: Callable[[PoseSet], Any] | None = None,
    ) -> None:
        _check_choice('split', split, (*SPLITS, 'all'))
        _check_choice('by', by, RULES)
        _check_choice('receptor', receptor, RECEPTORS)
        super().__init__(transform=transform)
        self.split = split
        self.by = by
        self._receptor = receptor
        # Numbers only: a worker process loads the file itself.
        self._rows = load().rows(split, by)

    def len(self) -> int:
        r"""The number of compounds."""
        return len(self._rows)

    def get(self, idx: int) -> PoseSet:
        r"""Builds one pose set, without the transform.

        Args:
            idx: The place in the split.

        Returns:
            A new pose set; it shares no memory with others.
        """
        file = load()
        row = self._rows[idx]
        return PoseSet.from_complex(
            file.receptors[self._receptor],
            file.poses(row),
            y=file.pic50[row : row + 1].clone(),
            name=file.names[row],
            pose_attrs=('vina_score',),
            receptor_name=f'mpro_{self._receptor}',
        )

    # The compounds, aligned with the items ###################################

    @property
    def names(self) -> list[str]:
        r"""The canonical PostEra id of each compound."""
        return self._strings(load().names)

    @property
    def smiles(self) -> list[str]:
        r"""The SMILES of each compound, in the order of its atoms."""
        return self._strings(load().smiles)

    @property
    def scaffolds(self) -> list[str]:
        r"""The SMILES of each compound's Bemis-Murcko scaffold."""
        return self._strings(load().scaffolds)

    @property
    def dates(self) -> list[str]:
        r"""The first shipment of each compound, as :obj:`YYYY-MM-DD`."""
        return self._strings(load().dates)

    @property
    def y(self) -> Tensor:
        r"""The pIC50 of each compound, shape :obj:`[num_compounds]`."""
        return self._numbers(load().pic50)

    @property
    def y_std(self) -> Tensor:
        r"""The standard deviation of pIC50 over a compound's measurements.

        It is NaN for a single measurement.
        """
        return self._numbers(load().pic50_std)

    @property
    def num_measurements(self) -> Tensor:
        r"""How often each compound was measured."""
        return self._numbers(load().num_measurements)

    @property
    def num_heavy_atoms(self) -> Tensor:
        r"""The number of atoms of each ligand."""
        return self._numbers(load().num_atoms)

    @property
    def num_poses(self) -> Tensor:
        r"""The number of poses of each compound."""
        return self._numbers(load().num_poses)

    @property
    def vina_best(self) -> Tensor:
        r"""The best (lowest) Vina score of each compound in kcal/mol."""
        return self._numbers(load().vina_best)

    # The protein #############################################################

    @property
    def receptor(self) -> Data:
        r"""A copy of the receptor: :obj:`z`, :obj:`pos`, :obj:`residue`."""
        return load().receptors[self._receptor].clone()

    @property
    def crystal_ligand(self) -> Data:
        r"""The ligand of the crystal structure, in the frame of the poses.

        It is one of the 240 compounds (its :obj:`name` tells which), with its
        atoms in the same order, so the root mean square distance of a pose
        is that of the rows of :obj:`pos`.
        """
        return load().crystal_ligand.clone()

    # Inside ##################################################################

    def _strings(self, column: Sequence[str]) -> list[str]:
        return [column[self._rows[index]] for index in self.indices()]

    def _numbers(self, column: Tensor) -> Tensor:
        rows = [self._rows[index] for index in self.indices()]
        return column[torch.tensor(rows, dtype=torch.long)]

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({len(self)}, split='{self.split}', "
            f"by='{self.by}', receptor='{self._receptor}')"
        )


def _check_choice(
    argument: str, value: object, choices: Sequence[str]
) -> None:
    if value not in choices:
        raise ValueError(
            f"Unknown '{argument}' {value!r}, choose one of {list(choices)}"
        )
