"""For tests that compare a shared receptor with whole complexes anyhow."""

from pyg_multipose.gradient.receptors.verdict import Verdict


class Trusting(Verdict):
    """It looks at nothing."""

    def _look(self, *args):
        pass


def trusting(readout):
    """The same readout, which shares without a look."""
    readout._verdict = Trusting()
    return readout
