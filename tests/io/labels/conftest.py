"""Labels of texts."""

import warnings

import pytest


@pytest.fixture
def read(tmp_path):
    """Writes a text to a file, and reads it."""
    from pyg_multipose.io.labels.labels import read_labels

    def read_text(text, name='a.csv', **kwargs):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        kwargs.setdefault('target_id', 'T')
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', message='No labels were read')
            labels = read_labels(path, **kwargs)
        labels.report.check()
        return labels

    return read_text
