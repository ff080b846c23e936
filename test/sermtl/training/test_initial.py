"""--init_param, against ESPnet's own way to read it."""

import pytest
import torch
from espnet2.torch_utils.load_pretrained_model import load_pretrained_model
from torch import nn

from sermtl import UserError
from sermtl.training.initial import initialise


def model(seed: int, width: int = 2) -> nn.Module:
    torch.manual_seed(seed)
    return nn.ModuleDict(
        {"a": nn.Linear(2, width), "b": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, width))}
    )


@pytest.mark.parametrize("spec", ["", ":a:b.0", ":b:b:b.1", "::", ":::a", ":b.0:a"])
def test_parts_go_where_espnet_puts_them(spec, tmp_path):
    torch.save(model(1).state_dict(), tmp_path / "w.pth")
    ours, theirs, untouched = model(2), model(2), model(2)
    initialise(f"{tmp_path}/w.pth{spec}", ours)
    load_pretrained_model(f"{tmp_path}/w.pth{spec}", theirs, ignore_init_mismatch=False)
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)
    assert any(
        not torch.equal(value, untouched.state_dict()[name])
        for name, value in theirs.state_dict().items()
    )


def test_what_does_not_fit_is_told_or_left_out(tmp_path):
    torch.save(model(1, width=3).state_dict(), tmp_path / "w.pth")
    ours = model(2)
    with pytest.raises(UserError, match=r"w\.pth doesn't fit the model"):
        initialise(f"{tmp_path}/w.pth", ours)
    with pytest.raises(UserError, match=r"w\.pth::c doesn't fit the model"):
        initialise(f"{tmp_path}/w.pth::c", ours)
    initialise(f"{tmp_path}/w.pth", ours, ignore_init_mismatch=True)
    assert torch.equal(ours["b"][0].weight, model(1, width=3)["b"][0].weight)
    assert torch.equal(ours["a"].weight, model(2)["a"].weight)
