import torch

from pyg_multipose.gradient import LiveBytes


def test_counts_what_is_alive_once_each():
    outside = torch.ones(100, requires_grad=True)
    with LiveBytes() as live:
        kept = outside * 2  # 400 bytes
        view = kept[10:]
        gone = torch.ones(1000)
        del gone
    assert live.held() == 400
    del kept
    assert live.held() == 400  # the view holds it
    del view
    assert live.held() == 0


def test_counts_what_autograd_saves():
    weight = torch.ones(50, 50, requires_grad=True)
    with LiveBytes() as live:
        out = (weight.exp() * 3).sum()
    assert live.held() == 50 * 50 * 4 + 4  # exp saves its result
    del out
    assert live.held() == 0
