"""Docking output as pose sets."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch_geometric.data import Data

from pyg_multipose.data import PoseSet
from pyg_multipose.io.flexible.flexible_residues import FlexibleFiles
from pyg_multipose.io.ligand.format import Format
from pyg_multipose.io.molecule.features import FEATURES
from pyg_multipose.io.poses.docked_poses import DockedPoses
from pyg_multipose.io.poses.reading import Reading
from pyg_multipose.io.poses.scores import Score


def read_poses(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    group_by: str | None = None,
    pattern: str | None = None,
    template: Mapping[str, str] | str | os.PathLike[str] | None = None,
    scores: Iterable[str | Score] | None = None,
    receptor: Data | None = None,
    receptor_name: str | None = None,
    flexible: FlexibleFiles | None = None,
    may_differ: str | Iterable[str] | None = None,
    hydrogens: bool = False,
    features: Sequence[str] = FEATURES,
    transform: Callable[[PoseSet], Any] | None = None,
    progress: bool | None = None,
    formats: Iterable[type[Format]] = (),
) -> DockedPoses:
    r"""Reads the poses that docking programs write.

    Formats are told by the end of a name, each also with :obj:`.gz` (or
    :obj:`.sdfgz`):
    multi-record SDF (gnina, smina, Glide, OpenEye, rDock, DiffDock), PDBQT
    with models (Vina), docking logs (AutoDock 4, AutoDock-GPU), MOL2 (DOCK,
    GOLD), and Maestro files (Glide).
    A folder is read with all that is below it; in a folder of DiffDock each
    file is a pose and each subfolder a set.

    Nothing is guessed. A record that is no sound pose of its set's molecule
    is dropped, and all others are read; :attr:`DockedPoses.report` says what
    and why.
    Bonds and charges are those that the file states, or those of a template.

    An item is a :class:`~pyg_multipose.data.PoseSet` with :obj:`z`,
    :obj:`pos` (Angstrom), :obj:`bond_index`, :obj:`bond_type`, the
    :obj:`features`, and one key for each score, NaN where a pose has none.
    All sets have the same keys.

    Args:
        paths: A file, a folder, or several of them.
        group_by: What the poses of a set have in common: :obj:`"title"`,
            :obj:`"file"` (its name without the end), :obj:`"folder"`, or the
            name of a data item.
            If :obj:`None`, the folder for DiffDock, the file for PDBQT, and
            the title for all others. (default: :obj:`None`)
        pattern: A regular expression for the whole of that text; the id is
            its first group, e.g., :obj:`r"(.+)_pose\d+"`.
            (default: :obj:`None`)
        template: The molecule of each ligand id: a mapping to SMILES, a file
            with lines :obj:`SMILES id`, or one SMILES for all ligands.
            It gives PDBQT its bonds, repairs records with impossible or open
            valences, and refuses other molecules. (default: :obj:`None`)
        scores: The scores to read: names of known ones, and
            :class:`~pyg_multipose.io.Score` objects for your own, which also
            say where a number is that is no data item.
            If :obj:`None`, all known ones that are met.
            (default: :obj:`None`)
        receptor: The receptor of all poses; sets without one hold ligands
            alone. Keys that only the receptor has are 0 for ligand atoms,
            and the reverse. Residues that overlap with poses, see
            :func:`~pyg_multipose.io.check_overlap`, and poses more than 10
            Angstrom away from it are flagged and warned of.
            (default: :obj:`None`)
        receptor_name: What to call it. (default: :obj:`None`)
        flexible: The file of flexible side chains that :obj:`--out_flex` of
            smina or gnina names (PDB, PDBQT or SDF, one model for each
            record), or such files by files of poses. With a receptor of
            :func:`~pyg_multipose.io.read_receptor`, these atoms, and those
            of flexible residues in PDBQT models, are moved in their pose.
            (default: :obj:`None`)
        may_differ: What the molecules of a set may differ in:
            :obj:`"stereo"` (any stereoisomer), :obj:`"protonation"` (any
            protomer or tautomer), both, or nothing, :obj:`()`. It is so for
            records and their template, too.
            If :obj:`None`, nothing, but for stereochemistry that the template
            of an id leaves open. (default: :obj:`None`)
        hydrogens: Whether to keep the hydrogens that records hold as atoms;
            else sets have heavy atoms only, as the bundled dataset.
            None are ever added. (default: :obj:`False`)
        features: Keys of atoms besides :obj:`z` and :obj:`pos`, see
            :mod:`pyg_multipose.io.molecule.features`. (default: all four)
        transform: Applied to a set at every access. (default: :obj:`None`)
        progress: Whether to show a progress bar on stderr; if :obj:`None`,
            on a terminal, after a few seconds. (default: :obj:`None`)
        formats: Formats of your own, subclasses of
            :class:`~pyg_multipose.io.Format`; one that claims the end of a
            name takes it from those of the package. (default: :obj:`()`)

    Raises:
        FileNotFoundError: If a path does not exist.
        ValueError: If an argument is wrong. A bad record, or a bad file
            among others, is no error but a row of the report.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from pyg_multipose.io import read_poses
        >>> record = '''methanol
        ...
        ...
        ...   2  1  0  0  0  0            999 V2000
        ...     0.0000    0.0000    0.0000 C   0  0
        ...     1.4300    0.0000    0.0000 O   0  0
        ...   1  2  1  0
        ... M  END
        ... > <minimizedAffinity>
        ... -2.5
        ...
        ... $$$$
        ... '''
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, 'docked.sdf')
        ...     _ = path.write_text(2 * record)
        ...     poses = read_poses(path)
        >>> poses
        DockedPoses(1 sets, 2 poses, scores=['minimizedAffinity'])
        >>> pose_set = poses[0]
        >>> pose_set.name, pose_set.z, pose_set.minimizedAffinity
        ('methanol', tensor([6, 8, 6, 8]), tensor([-2.5000, -2.5000]))
    """
    reading = Reading(
        group_by,
        pattern,
        template,
        scores,
        receptor,
        receptor_name,
        flexible,
        may_differ,
        hydrogens,
        features,
        transform,
        formats,
    )
    poses, texts = reading.read(paths, progress)
    for text in texts:
        warnings.warn(text, UserWarning, stacklevel=2)
    return poses
