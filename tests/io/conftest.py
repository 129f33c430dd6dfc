"""Records in the formats of docking programs, made by RDKit."""

import gzip
import random
from types import SimpleNamespace

import pytest

Chem = pytest.importorskip('rdkit.Chem')

from rdkit.Chem import AllChem  # noqa: E402


def embedded(smiles, seed=1, hydrogens=False):
    """A molecule with a 3-D conformer; atoms in the order of the SMILES."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(mol, randomSeed=seed) == 0
    return mol if hydrogens else Chem.RemoveHs(mol)


def shuffled(mol, seed=0):
    order = list(range(mol.GetNumAtoms()))
    random.Random(seed).shuffle(order)
    return Chem.RenumberAtoms(mol, order)


def sdf(mol, title='A', items=(), end='$$$$\n', **kwargs):
    """One record. Items are pairs, so that a name can be there twice."""
    block = mol if isinstance(mol, str) else Chem.MolToMolBlock(mol, **kwargs)
    block = block.split('\n', 1)[1].rstrip('\n') + '\n'
    fields = ''.join(f'> <{name}>\n{value}\n\n' for name, value in items)
    return f'{title}\n{block}{fields}{end}'


def pdbqt(mol, smiles=None, index_map=True, score=-7.0, polar=True, skip=()):
    """One model as Vina writes it, with or without Meeko's remarks.

    Args:
        mol: With all hydrogens; heavy atoms in the order of the SMILES.
        smiles: For the remark.
        index_map: Whether the remark has a map.
        score: None for no result line.
        polar: Whether polar hydrogens are written.
        skip: Heavy atoms that are left out.
    """
    types = {'N': 'NA', 'O': 'OA', 'S': 'SA'}
    xyz = mol.GetConformer().GetPositions()
    atoms, idx, parents = [], [], []
    for atom in mol.GetAtoms():
        symbol = atom.GetSymbol()
        if symbol == 'H':
            (parent,) = atom.GetNeighbors()
            if not polar or parent.GetSymbol() == 'C':
                continue
            kind = 'HD'
            parents += [parent.GetIdx() + 1, len(atoms) + 1]
        elif atom.GetIdx() in skip:
            continue
        else:
            kind = types.get(symbol, symbol)
            if symbol == 'C' and atom.GetIsAromatic():
                kind = 'A'
            idx += [atom.GetIdx() + 1, len(atoms) + 1]
        x, y, z = xyz[atom.GetIdx()]
        atoms.append(
            f'ATOM  {len(atoms) + 1:5d}  {symbol:<3} UNL     1    '
            f'{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00    +0.000 {kind}'
        )
    lines = []
    if score is not None:
        lines.append(f'REMARK VINA RESULT: {score:9.3f}      0.000      0.000')
    if smiles is not None:
        lines.append(f'REMARK SMILES {smiles}')
        if index_map:
            lines.append('REMARK SMILES IDX ' + ' '.join(map(str, idx)))
            lines.append('REMARK H PARENT ' + ' '.join(map(str, parents)))
    lines += ['ROOT', *atoms, 'ENDROOT', 'TORSDOF 0']
    return '\n'.join(lines) + '\n'


#: Types that Sybyl gives atoms: by element, then what makes them special.
ORDERS = {
    Chem.BondType.SINGLE: '1',
    Chem.BondType.DOUBLE: '2',
    Chem.BondType.TRIPLE: '3',
    Chem.BondType.AROMATIC: 'ar',
}
SUFFIX = {'SP3': '.3', 'SP2': '.2', 'SP': '.1'}


def mol2(
    mol, title='A', hydrogens=True, comments=(), charges=False, plain=False
):
    """One record, its atom types as far as RDKit needs them.

    Args:
        mol: With all hydrogens.
        title: Its title.
        hydrogens: Whether they are written.
        comments: Lines before it.
        charges: Whether charges have a section of their own.
        plain: Whether the bonds of acids are written as single and double.
    """
    acid = Chem.MolFromSmarts('C(=O)[O-]')
    ends = {i for match in mol.GetSubstructMatches(acid) for i in match[1:]}
    keep = [a.GetIdx() for a in mol.GetAtoms()
            if hydrogens or a.GetSymbol() != 'H']  # fmt: skip
    row = {index: number for number, index in enumerate(keep, start=1)}
    atoms, bonds = [], []
    for index in keep:
        atom = mol.GetAtomWithIdx(index)
        kind = atom.GetSymbol()
        if index in ends:
            kind = 'O.co2'
        elif kind == 'N' and atom.GetFormalCharge() == 1:
            kind = 'N.4'
        elif atom.GetIsAromatic() and kind in 'CN':
            kind += '.ar'
            if atom.GetTotalNumHs(includeNeighbors=True) and kind == 'N.ar':
                kind = 'N.pl3'
        elif kind in ('C', 'N', 'O'):
            kind += SUFFIX[str(atom.GetHybridization())]
        x, y, z = mol.GetConformer().GetPositions()[index]
        atoms.append(
            f'{row[index]:7d} {atom.GetSymbol()}{row[index]} {x:9.4f} '
            f'{y:9.4f} {z:9.4f} {kind} 1 LIG 0.0'
        )
    for bond in mol.GetBonds():
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if i in row and j in row:
            kind = ORDERS[bond.GetBondType()]
            kind = 'ar' if {i, j} & ends and not plain else kind
            bonds.append(f'{len(bonds) + 1} {row[i]} {row[j]} {kind}')
    attributes = ['@<TRIPOS>UNITY_ATOM_ATTR']
    for index in keep:
        if charge := mol.GetAtomWithIdx(index).GetFormalCharge():
            attributes += [f'{row[index]} 1', f'charge {charge}']
    return '\n'.join(
        [
            *comments,
            '@<TRIPOS>MOLECULE',
            title,
            f' {len(atoms)} {len(bonds)} 1 0 0',
            'SMALL',
            'USER_CHARGES',
            '',
            '@<TRIPOS>ATOM',
            *atoms,
            '@<TRIPOS>BOND',
            *bonds,
            *(attributes if charges else []),
            '',
        ]
    )


def models(*texts):
    return ''.join(
        f'MODEL {number}\n{text}ENDMDL\n'
        for number, text in enumerate(texts, start=1)
    )


def dlg(*texts, remarks=True, program='AutoDock-GPU'):
    """A docking log of AutoDock, from models without MODEL lines.

    Args:
        texts: Pairs of a free energy (None for no line) and a model.
        remarks: Whether remarks are repeated in the models; else they are
            those of the input alone, and are taken from the first model.
        program: Whose log.
    """
    out = [f'{program} version: made up', '']
    for line in texts[0][1].splitlines():
        out.append(f'INPUT-LIGAND-PDBQT: {line}')
    for run, (energy, text) in enumerate(texts, start=1):
        lines = [f'MODEL     {run:4d}', f'USER    Run = {run}', 'USER']
        if energy is not None:
            lines += [
                f'USER    Estimated Free Energy of Binding    ={energy:9.2f} '
                f'kcal/mol  [=(1)+(2)+(3)-(4)]',
                f'USER    (1) Final Intermolecular Energy     ='
                f'{energy - 1:9.2f} kcal/mol',
            ]
        for line in text.splitlines():
            if remarks or not line.startswith('REMARK'):
                lines.append(line)
        lines += ['TER', 'ENDMDL']
        out += [*(f'DOCKED: {line}' for line in lines), '_' * 80, '', '']
    # AutoDock 4 writes the best of each cluster once more.
    out += ['    LOWEST ENERGY DOCKED CONFORMATION from EACH CLUSTER', '']
    out += ['MODEL        1', *texts[0][1].splitlines(), 'ENDMDL', '']
    out += ['   1      1      1     -7.30      0.00     80.00     RANKING']
    return '\n'.join(out) + '\n'


MAESTRO_HEAD = '{\n  s_m_m2io_version\n  :::\n  2.0.0\n}\n\n'


def mae(mol, title='A', values=(), kind='f', only=None):
    """One structure of a Maestro file.

    Args:
        mol: Kekulized here; hydrogens as it has them.
        title: None for no title.
        values: Pairs of a name and a value, e.g., ('r_i_docking_score', -7).
        kind: 'p' for a part, without bonds.
        only: The columns of atoms, all if None.
    """
    mol = Chem.Mol(mol)
    Chem.Kekulize(mol, clearAromaticFlags=True)
    pairs = [] if title is None else [('s_m_title', f'"{title}"')]
    pairs += values
    names = ''.join(f'  {name}\n' for name, _ in pairs)
    texts = ''.join(f'  {value}\n' for _, value in pairs)
    xyz = mol.GetConformer().GetPositions()
    atoms = [
        {
            'i_m_mmod_type': 3,
            'r_m_x_coord': f'{x:.6f}',
            'r_m_y_coord': f'{y:.6f}',
            'r_m_z_coord': f'{z:.6f}',
            's_m_pdb_atom_name': f'" {atom.GetSymbol()} "',
            'i_m_atomic_number': atom.GetAtomicNum(),
            'i_m_formal_charge': atom.GetFormalCharge(),
            'r_m_charge1': '<>',
        }
        for atom, (x, y, z) in zip(mol.GetAtoms(), xyz, strict=True)
    ]
    bonds = [
        {
            'i_m_from': bond.GetBeginAtomIdx() + 1,
            'i_m_to': bond.GetEndAtomIdx() + 1,
            'i_m_order': int(bond.GetBondTypeAsDouble()),
        }
        for bond in mol.GetBonds()
    ]
    blocks = _maestro_table('m_atom', atoms, only)
    if kind == 'f':
        blocks += _maestro_table('m_bond', bonds)
    return f'{kind}_m_ct {{\n{names}  :::\n{texts}{blocks}}}\n\n'


def _maestro_table(name, rows, only=None):
    columns = only or list(rows[0])
    lines = [f'{name}[{len(rows)}] {{', '  # First column is Index #']
    lines += [f'  {column}' for column in columns] + ['  :::']
    for number, row in enumerate(rows, start=1):
        values = ' '.join(str(row[column]) for column in columns)
        lines.append(f'  {number} {values}')
    return ''.join(f'  {line}\n' for line in [*lines, '  :::', '}'])


@pytest.fixture
def make():
    return SimpleNamespace(
        dlg=dlg,
        embedded=embedded,
        mae=mae,
        mae_head=MAESTRO_HEAD,
        mol2=mol2,
        models=models,
        pdbqt=pdbqt,
        sdf=sdf,
        shuffled=shuffled,
    )


@pytest.fixture
def read(tmp_path):
    """Writes texts to files, and reads these."""
    from pyg_multipose.io import read_poses

    def read_texts(texts, **kwargs):
        if isinstance(texts, str | bytes):
            texts = {'poses.sdf': texts}
        paths = []
        for name, text in texts.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            content = text if isinstance(text, bytes) else text.encode()
            if name.endswith('.gz') and not content.startswith(b'\x1f\x8b'):
                content = gzip.compress(content)
            path.write_bytes(content)
            paths.append(path)
        poses = read_poses(kwargs.pop('paths', paths), **kwargs)
        poses.report.check()
        return poses

    return read_texts


@pytest.fixture
def why():
    """The rows of a report, as (record, reason)."""

    def rows(poses, kind='dropped'):
        return [
            (row.record, row.reason) for row in getattr(poses.report, kind)
        ]

    return rows
