"""Records of PDB files, and what a receptor says of them."""


def atom(
    name, residue='ALA', number=1, x=0.0, y=0.0, chain='A', alt=' ', occ=1.0,
    element=None, het=False, code=' ',
):  # fmt: skip
    """One record; the name with or without its alignment."""
    field = name if len(name) == 4 else f' {name:<3}'
    if element is None:
        element = name.strip().lstrip('0123456789')[0]
    return (
        f'{"HETATM" if het else "ATOM  "}    1 {field}{alt}{residue:>3} '
        f'{chain}{number:>4}{code}   {x:8.3f}{y:8.3f}{0:8.3f}{occ:6.2f}'
        f' 20.00          {element:>2}\n'
    )


def backbone(residue='ALA', number=1, x=0.0, **kwargs):
    """N, CA, C and O; that of the next residue begins 3.8 Angstrom on."""
    places = (('N', 0.0), ('CA', 1.46), ('C', 2.5), ('O', 2.6))
    return ''.join(
        atom(name, residue, number, x + dx, float(name == 'O'), **kwargs)
        for name, dx in places
    )


def chain(*residues, **kwargs):
    return ''.join(
        backbone(name, number, 3.8 * number, **kwargs)
        for number, name in enumerate(residues, start=1)
    )


def ids(receptor):
    return [str(residue) for residue in receptor.residues]


def left_out(receptor):
    rows = receptor.report.dropped
    return [(row.title, row.reason, row.atoms) for row in rows]


def flagged(receptor):
    return [row.reason for row in receptor.report.flagged]
