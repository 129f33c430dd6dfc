"""RDKit, or an error that says how to get it."""

try:
    from rdkit import Chem, RDLogger, rdBase
    from rdkit.Chem.Scaffolds import MurckoScaffold
except ImportError as error:
    raise ImportError(
        "Reading poses needs RDKit: pip install 'pyg_multipose[io]'"
    ) from error

__all__ = ['Chem', 'MurckoScaffold', 'RDLogger', 'rdBase']
