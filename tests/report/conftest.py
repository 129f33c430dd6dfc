"""A page as a browser would take it apart."""

import json
from html.parser import HTMLParser

import numpy as np
import pytest

from pyg_multipose.report import Compounds, PoseView

VOID = {'meta', 'input', 'br', 'img', 'link', 'hr'}
#: What must not become part of a page.
HOSTILE = '<script>alert(1)</script>"\'&$title ${x}</title><!-- \ud800\x00'


class Page(HTMLParser):
    """Elements, texts and whether tags match."""

    def __init__(self, html):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else '', data))

    @property
    def text(self):
        return ' '.join(
            text for tag, text in self.texts if tag not in ('script', 'style')
        )

    @property
    def scripts(self):
        return [text for tag, text in self.texts if tag == 'script']

    @property
    def scenes(self):
        return json.loads(self.scripts[0])

    def all(self, tag, **attributes):
        return [
            given
            for name, given in self.elements
            if name == tag
            and all(given.get(k) == v for k, v in attributes.items())
        ]


def compounds(count, seed=0, error=0.5, **more):
    """Compounds whose predictions are off by some error."""
    rng = np.random.default_rng(seed)
    measured = rng.normal(6, 1, size=count)
    predicted = measured + error * rng.normal(size=count)
    names = [f'compound {k}' for k in range(count)]
    return Compounds(names, predicted, measured, **more)


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    """200 of 60 compounds."""
    monkeypatch.setattr('pyg_multipose.uncertainty.bootstrap.LARGEST', 12_000)


@pytest.fixture
def view():
    molecule = {'z': [6, 8], 'xyz': [0, 0, 0, 120, 0, 0], 'bonds': [0, 1]}
    scene = {
        'pocket': molecule,
        'poses': [{'pose': k, **molecule} for k in range(2)],
    }
    return PoseView('a', 'largest error', [0.9, 0.1], [6.1, 5.0], [1, 2],
                    [-7.0, -8.0], scene)  # fmt: skip
