"""Complexes as co-folding programs write them, each in a frame of its own."""

import json
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

Chem = pytest.importorskip('rdkit.Chem')
pytest.importorskip('gemmi')

from rdkit.Chem import AllChem  # noqa: E402

SEQUENCE = 'GAVSLTKDEFYG'
SMILES = 'C#CC(=O)Nc1cnc2[nH]ccc2c1Cl'
_CIF = (
    'group_PDB id type_symbol label_atom_id label_alt_id label_comp_id '
    'label_seq_id auth_seq_id pdbx_PDB_ins_code label_asym_id Cartn_x '
    'Cartn_y Cartn_z occupancy label_entity_id auth_asym_id auth_comp_id '
    'B_iso_or_equiv pdbx_PDB_model_num'
).split()


class Atom(SimpleNamespace):
    """name, element, residue, number, chain, xyz, is_ligand."""


@cache
def embedded(text, seed, is_sequence=False):
    """With hydrogens and a conformer; made once."""
    made = Chem.MolFromSequence if is_sequence else Chem.MolFromSmiles
    mol = Chem.AddHs(made(text), addResidueInfo=is_sequence)
    assert AllChem.EmbedMolecule(mol, randomSeed=seed) == 0
    return mol


def peptide(sequence=SEQUENCE, chain='A'):
    """The heavy atoms of a chain, from RDKit."""
    mol = embedded(sequence, 7, is_sequence=True)
    xyz = mol.GetConformer().GetPositions()
    out = []
    for atom in mol.GetAtoms():
        info = atom.GetPDBResidueInfo()
        if atom.GetSymbol() != 'H':
            out.append(
                Atom(
                    name=info.GetName().strip(),
                    element=atom.GetSymbol(),
                    residue=info.GetResidueName(),
                    number=info.GetResidueNumber(),
                    chain=chain,
                    xyz=xyz[atom.GetIdx()],
                    is_ligand=False,
                )
            )
    return out


def molecule(smiles=SMILES, seed=1, chain='B', name='LIG', start=(0, 0, 0)):
    """The heavy atoms of a ligand, in the order of its SMILES."""
    mol = embedded(smiles, seed)
    xyz = mol.GetConformer().GetPositions()
    out = []
    for atom in Chem.RemoveHs(mol).GetAtoms():
        out.append(
            Atom(
                name=f'{atom.GetSymbol().upper()}{atom.GetIdx() + 1}',
                element=atom.GetSymbol(),
                residue=name,
                number=1,
                chain=chain,
                xyz=xyz[atom.GetIdx()] + np.asarray(start, dtype=float),
                is_ligand=True,
            )
        )
    return out


def moved(atoms, rotation=None, shift=(0, 0, 0)):
    """The same atoms in another frame."""
    turn = Rotation.identity() if rotation is None else rotation
    return [
        Atom(**{**vars(a), 'xyz': turn.apply(a.xyz) + np.asarray(shift)})
        for a in atoms
    ]


def jiggled(atoms, seed, size=0.15):
    """A little noise on the side chains."""
    random = np.random.default_rng(seed)
    return [
        Atom(
            **{
                **vars(a),
                'xyz': a.xyz
                + size
                * random.normal(size=3)
                * (a.name not in ('N', 'CA', 'C', 'O') and not a.is_ligand),
            }
        )
        for a in atoms
    ]


def cif(atoms, ligand_record='HETATM'):
    lines = ['data_model', '#', 'loop_']
    lines += [f'_atom_site.{key}' for key in _CIF]
    for number, a in enumerate(atoms, start=1):
        record = ligand_record if a.is_ligand else 'ATOM'
        het = record == 'HETATM'
        x, y, z = a.xyz
        name = f'"{a.name}"' if "'" in a.name else a.name
        lines.append(
            f'{record} {number} {a.element.upper()} {name} . {a.residue} '
            f'{"." if het else a.number} {a.number} ? {a.chain} {x:.5f} '
            f'{y:.5f} {z:.5f} 1 {2 if a.is_ligand else 1} {a.chain} '
            f'{a.residue} 80.0 1'
        )
    return '\n'.join([*lines, '#', ''])


def pdb(atoms):
    lines = []
    chain = atoms[0].chain
    for number, a in enumerate(atoms, start=1):
        if a.chain != chain:
            lines.append('TER')
            chain = a.chain
        name = a.name if len(a.name) == 4 else f' {a.name:<3}'
        x, y, z = a.xyz
        lines.append(
            f'{"HETATM" if a.is_ligand else "ATOM":<6}{number:>5} {name} '
            f'{a.residue:>3} {a.chain}{a.number:>4}    {x:8.3f}{y:8.3f}'
            f'{z:8.3f}  1.00 80.00          {a.element.upper():>2}'
        )
    return '\n'.join([*lines, 'END', ''])


def samples(count=3, smiles=SMILES, protein=None, seed=0, **kwargs):
    """Complexes whose side chains and ligands differ, each in its frame."""
    protein = peptide() if protein is None else protein
    centre = np.mean([a.xyz for a in protein], axis=0)
    out = []
    for number in range(count):
        random = np.random.default_rng(100 * seed + number)
        start = centre + [4.0 + 0.3 * number, 5.0, 6.0]
        ligand = molecule(smiles, seed=number + 1, start=start, **kwargs)
        whole = jiggled([*protein, *ligand], 10 * seed + number)
        out.append(
            moved(
                whole,
                Rotation.random(random_state=int(random.integers(1 << 30))),
                20 * random.normal(size=3),
            )
        )
    return out


def write_boltz(folder, name, complexes, scores=None, suffix='cif', **more):
    """As Boltz; the first score of a sample is its confidence."""
    at = folder / 'predictions' / name
    at.mkdir(parents=True)
    write = {'cif': cif, 'pdb': pdb}[suffix]
    for number, atoms in enumerate(complexes):
        (at / f'{name}_model_{number}.{suffix}').write_text(write(atoms))
        value = 0.9 - 0.1 * number if scores is None else scores[number]
        text = json.dumps({'confidence_score': value, 'iptm': 0.5, **more})
        (at / f'confidence_{name}_model_{number}.json').write_text(text)
        (at / f'plddt_{name}_model_{number}.npz').write_bytes(b'')
    return at


def write_chai(folder, complexes, scores=None):
    folder.mkdir(parents=True, exist_ok=True)
    for number, atoms in enumerate(complexes):
        text = cif(atoms, ligand_record='ATOM')
        (folder / f'pred.model_idx_{number}.cif').write_text(text)
        value = 0.9 - 0.1 * number if scores is None else scores[number]
        np.savez(
            folder / f'scores.model_idx_{number}.npz',
            aggregate_score=np.array([value], dtype=np.float32),
            ptm=np.array([0.6], dtype=np.float32),
            iptm=np.array([0.7], dtype=np.float32),
            per_chain_ptm=np.zeros((1, 2), dtype=np.float32),
            has_inter_chain_clashes=np.array([number == 1]),
        )
    return folder


def summary(value, **more):
    return json.dumps(
        {
            'ranking_score': value,
            'ptm': 0.8,
            'iptm': 0.7,
            'has_clash': 0.0,
            'chain_iptm': [0.7, 0.6],
            **more,
        }
    )


def write_alphafold3(folder, name, complexes, prefix=True):
    job = folder / name
    for number, atoms in enumerate(complexes):
        called = f'seed-42_sample-{number}'
        at = job / called
        at.mkdir(parents=True)
        start = f'{name}_{called}_' if prefix else ''
        (at / f'{start}model.cif').write_text(cif(atoms))
        value = 0.9 - 0.1 * number
        (at / f'{start}summary_confidences.json').write_text(summary(value))
        (at / f'{start}confidences.json').write_text('{"pae": []}')
    (job / f'{name}_model.cif').write_text(cif(complexes[0]))
    (job / f'{name}_summary_confidences.json').write_text(summary(0.9))
    (job / 'ranking_scores.csv').write_text('seed,sample,ranking_score\n')
    return job


def write_server(folder, name, complexes):
    at = folder / f'fold_{name}'
    at.mkdir(parents=True)
    for number, atoms in enumerate(complexes):
        (at / f'fold_{name}_model_{number}.cif').write_text(cif(atoms))
        file = f'fold_{name}_summary_confidences_{number}.json'
        (at / file).write_text(summary(0.9 - 0.1 * number))
    return at


def write_protenix(folder, name, complexes, old=False):
    at = folder / name / ('101' if old else 'seed_101/predictions')
    at.mkdir(parents=True)
    start = f'{name}_101' if old else name
    for number, atoms in enumerate(complexes):
        (at / f'{start}_sample_{number}.cif').write_text(cif(atoms))
        text = summary(
            0.9 - 0.1 * number, plddt=81.5, gpde=0.4, has_clash=False
        )
        file = f'{start}_summary_confidence_sample_{number}.json'
        (at / file).write_text(text)
    return at


@pytest.fixture(scope='session')
def fold():
    return SimpleNamespace(
        Atom=Atom,
        SEQUENCE=SEQUENCE,
        SMILES=SMILES,
        cif=cif,
        molecule=molecule,
        moved=moved,
        pdb=pdb,
        peptide=peptide,
        samples=samples,
        summary=summary,
        write_alphafold3=write_alphafold3,
        write_boltz=write_boltz,
        write_chai=write_chai,
        write_protenix=write_protenix,
        write_server=write_server,
    )


@pytest.fixture(scope='session')
def three(fold):
    """Three samples of one complex."""
    return fold.samples(3)
