"""Rows from tables are those of sets."""

import pytest
import torch

from pyg_multipose.data import Layout
from pyg_multipose.datasets.packer import Packer
from pyg_multipose.datasets.pose_set_schema import Schema


def row_of(pose_set):
    layout = Layout(pose_set)
    schema = Schema.of(pose_set, layout.levels)
    return schema, schema.pack(pose_set, layout)


def writable(row):
    return row._replace(tables=bytearray(row.tables))


def test_rows(make):
    sets = [make.small(name, 1 + number) for number, name in enumerate('ABC')]
    packer = Packer(sets[0])
    assert packer.first == row_of(sets[0])[1]
    for pose_set in sets:
        schema, row = row_of(pose_set)
        assert packer.schema == schema
        assert packer.row(pose_set.name, schema.tables(writable(row))) == row


def test_tables_of_another_kind(make):
    pose_set = make.small('A', 2)
    schema, row = row_of(pose_set)
    tables = schema.tables(writable(row))
    with pytest.raises(ValueError, match="'pos' is torch.float64"):
        Packer(pose_set).row('A', {**tables, 'pos': tables['pos'].double()})
    del tables['z']
    with pytest.raises(KeyError, match='z'):
        Packer(pose_set).row('A', tables)
    assert torch.is_tensor(pose_set.z)
