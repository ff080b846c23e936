import pytest
import torch

from sermtl.model.ragged import Ragged

CPU = torch.device("cpu")


@pytest.mark.parametrize("lengths", [[3, 5, 1], [5, 5], [4]])
def test_packing_and_unpacking(lengths):
    ragged = Ragged(lengths, 5, CPU)
    padded = torch.randn(len(lengths), 5, 2, 3, requires_grad=True)
    assert ragged.mask.tolist() == [[t < length for t in range(5)] for length in lengths]
    packed = ragged.pack(padded)
    rows = [clip[:length] for clip, length in zip(padded, lengths, strict=True)]
    assert torch.equal(packed, torch.cat(rows))
    for (first, last), row in zip(ragged.clips(), rows, strict=True):
        assert torch.equal(packed[first:last], row)

    back = ragged.unpack(packed)
    assert back.shape == padded.shape
    for clip, row, length in zip(back, rows, lengths, strict=True):
        assert torch.equal(clip[:length], row)
        assert (clip[length:] == 0).all()
    stacked = ragged.unpack(torch.stack([packed, 2 * packed]), dim=1)
    assert torch.equal(stacked, torch.stack([back, 2 * back]))

    back.square().sum().backward()
    assert torch.equal(padded.grad, 2 * back.detach())
