"""Lightning and torchmetrics, or an error that says how to get them."""

try:
    import lightning.pytorch as pl
    import torchmetrics
    from lightning.pytorch.plugins.environments import LightningEnvironment
except ImportError as error:
    raise ImportError(
        'Training needs Lightning and torchmetrics: pip install '
        "'pyg_multipose[train]'"
    ) from error

__all__ = ['LightningEnvironment', 'pl', 'torchmetrics']
