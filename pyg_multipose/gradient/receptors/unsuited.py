"""Why a model, as it is written, cannot compute a receptor once."""


class UnsuitedError(ValueError):
    r"""The reason, as it shows when poses are evaluated."""
