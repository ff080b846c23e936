"""Both implementations against the formula, written out for one query at a time."""

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils.checkpoint import checkpoint

from sermtl.model import clip_attention, gated_attention
from sermtl.model.clip_attention import ClipAttention
from sermtl.model.gated_attention import FusedAttention
from sermtl.model.gated_attention import gated_attention as attention_for
from sermtl.model.ragged import Ragged

LENGTHS = [7, 5, 9, 1]
FRAMES, HEADS, SIZE = max(LENGTHS), 2, 4


def inputs():
    torch.manual_seed(0)
    count = sum(LENGTHS)
    shapes = [(count, HEADS, SIZE)] * 3 + [(count, HEADS), (HEADS, 2 * FRAMES - 1)]
    return [torch.randn(shape, dtype=torch.double, requires_grad=True) for shape in shapes]


def plain_loop(query, key, value, gate, table):
    outputs, first = [], 0
    for length in LENGTHS:
        for i in range(length):
            at = first + i
            for head in range(HEADS):
                scores = [
                    query[at, head] @ key[first + j, head] / SIZE**0.5
                    + gate[at, head] * table[head, FRAMES - 1 + j - i]
                    for j in range(length)
                ]
                weights = torch.stack(scores).softmax(0)
                outputs.append(weights @ value[first : first + length, head])
        first += length
    return torch.stack(outputs).view(-1, HEADS, SIZE)


def fused(query, key, value, gate, table, ragged, dropout):
    projected = torch.stack([query, key, value], 1)
    return FusedAttention(table, ragged)(projected, gate, dropout)


@pytest.fixture(params=["whole", "pieces"])
def ragged(request, monkeypatch):
    """Clips taken whole, and in pieces of two or three queries."""
    if request.param == "pieces":
        monkeypatch.setattr(clip_attention, "SCORES", 2 * 3 * HEADS * FRAMES // 2)
        monkeypatch.setattr(gated_attention, "MASK", 2 * len(LENGTHS) * HEADS * FRAMES)
    return Ragged(LENGTHS, FRAMES, torch.device("cpu"))


@pytest.mark.parametrize("attention", [ClipAttention.apply, fused])
def test_values_and_gradients(attention, ragged):
    tensors = inputs()
    expected, actual = plain_loop(*tensors), attention(*tensors, ragged, 0.0)
    torch.testing.assert_close(actual, expected, atol=1e-12, rtol=0)
    for ours, theirs in zip(
        torch.autograd.grad(actual.sin().sum(), tensors),
        torch.autograd.grad(expected.sin().sum(), tensors),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)  # the table's are in fp32


def test_cpus_go_clip_by_clip(ragged):
    *_, gate, table = tensors = inputs()
    attend, projected = attention_for(table, ragged), torch.stack(tensors[:3], 1)
    assert not isinstance(attend, FusedAttention)
    torch.testing.assert_close(attend(projected, gate, 0.0), plain_loop(*tensors))
    torch.manual_seed(1)
    dropped = attend(projected, gate, 0.4)
    torch.manual_seed(1)
    torch.testing.assert_close(dropped, ClipAttention.apply(*tensors, ragged, 0.4))


def test_other_devices_take_fused_kernels():
    ragged = Ragged(LENGTHS, FRAMES, torch.device("meta"))
    table = torch.empty(HEADS, 2 * FRAMES - 1, device="meta")
    for options, recomputed in ((), False), ((True,), True):
        attend = attention_for(table, ragged, *options)
        assert isinstance(attend, FusedAttention)
        assert attend.table is table and attend.ragged is ragged
        assert attend.recomputed is recomputed


def test_fused_kernels_drop_weights():
    torch.manual_seed(0)
    tensors = [tensor.detach() for tensor in inputs()]
    ragged = Ragged(LENGTHS, FRAMES, torch.device("cpu"))
    draws = torch.stack([fused(*tensors, ragged, 0.4) for _ in range(400)])
    difference = draws.mean(0) - plain_loop(*tensors)
    assert (difference.abs() <= 6 * draws.std(0) / 400**0.5 + 1e-9).all()
    assert draws.std(0).max() > 0.1


def test_layers_share_the_bias_of_a_single_piece(ragged):
    attention = FusedAttention(inputs()[4].detach(), ragged)
    first, again = (attention.bias(attention.pieces[0], torch.bfloat16) for _ in range(2))
    assert (first is again) == (len(attention.pieces) == 1)
    assert first.dtype == torch.bfloat16


def test_the_backward_pass_draws_the_same_dropout(ragged):
    tensors = inputs()

    def attend(*tensors):
        torch.manual_seed(1)
        return ClipAttention.apply(*tensors, ragged, 0.4)

    assert not torch.allclose(attend(*tensors), plain_loop(*tensors))
    assert torch.autograd.gradcheck(attend, tensors, atol=1e-5, rtol=1e-3)


def test_clips_that_fit_are_taken_whole(monkeypatch):
    ragged = Ragged(LENGTHS, FRAMES, torch.device("cpu"))
    monkeypatch.setattr(clip_attention, "SCORES", HEADS * FRAMES**2)
    assert [piece.queries for piece in clip_attention.pieces(ragged, HEADS)] == [
        slice(first, last) for first, last in ragged.clips()
    ]


def test_dropout_keeps_the_mean(ragged):
    tensors = [tensor.detach() for tensor in inputs()]
    torch.manual_seed(0)
    draws = torch.stack([ClipAttention.apply(*tensors, ragged, 0.4) for _ in range(4000)])
    error = draws.std(0) / len(draws) ** 0.5
    difference = draws.mean(0) - plain_loop(*tensors)
    assert (difference.abs() <= 5 * error + 1e-9).all()


def test_no_matrix_is_kept():
    """What autograd holds on to grows with the frames, not with their square."""

    def kept(frames):
        ragged = Ragged([frames], frames, torch.device("cpu"))
        tensors = [torch.randn(frames, 4, 8, requires_grad=True) for _ in range(3)]
        tensors.append(torch.rand(frames, 4, requires_grad=True))
        tensors.append(torch.randn(4, 2 * frames - 1, requires_grad=True))
        sizes = {}

        def pack(tensor):
            sizes[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            ClipAttention.apply(*tensors, ragged, 0.1)
        return sum(sizes.values())

    assert 0 < kept(400) < 2.2 * kept(200)


def test_a_mask_is_forgotten_and_computed_again(ragged, monkeypatch):
    tensors = inputs()
    for tensor in tensors[3:]:  # else torch's fused attention for CPUs steps aside
        tensor.requires_grad_(False)
    masks = []
    addcmul = torch.addcmul

    def watched(*arguments):
        mask = addcmul(*arguments)
        masks.append(StorageWeakRef(mask.untyped_storage()))
        return mask

    monkeypatch.setattr(torch, "addcmul", watched)
    attended = fused(*tensors, ragged, 0.0)
    count = len(masks)
    assert count > 0 and all(mask.expired() for mask in masks)
    ours = torch.autograd.grad(attended.sin().sum(), tensors[:3])
    assert len(masks) == 2 * count
    theirs = torch.autograd.grad(plain_loop(*tensors).sin().sum(), tensors[:3])
    for gradient, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(gradient, expected, atol=1e-12, rtol=0)


def test_the_masks_rows_are_what_fused_kernels_take(ragged):
    """Others make torch write out all scores, or copy the mask."""
    *_, gate, table = inputs()
    attention = FusedAttention(table, ragged)
    padded = ragged.unpack(gate).transpose(1, 2)[..., None]
    for rows in attention.pieces:
        mask = attention.mask(padded[:, :, rows].bfloat16(), rows)
        assert mask.dtype == torch.bfloat16
        *strides, last = mask.stride()
        assert last == 1 and not any(stride % 8 for stride in strides)


@pytest.mark.parametrize("recomputed", [False, True])
def test_checkpointing_drops_what_attention_keeps(recomputed, monkeypatch):
    tensors = inputs()
    for tensor in tensors[3:]:  # else torch's fused attention for CPUs steps aside
        tensor.requires_grad_(False)
    queries = []
    sdpa = torch.nn.functional.scaled_dot_product_attention

    def watched(query, *others, **options):
        queries.append(StorageWeakRef(query.untyped_storage()))
        return sdpa(query, *others, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", watched)
    attend = FusedAttention(tensors[4], Ragged(LENGTHS, FRAMES, torch.device("cpu")), recomputed)
    projected = torch.stack(tensors[:3], 1)
    attended = checkpoint(attend, projected, tensors[3], 0.0, use_reentrant=False)
    assert [query.expired() for query in queries] == [recomputed]
    ours = torch.autograd.grad(attended.sin().sum(), tensors[:3])
    theirs = torch.autograd.grad(plain_loop(*tensors).sin().sum(), tensors[:3])
    for gradient, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(gradient, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("attention", [ClipAttention.apply, fused])
def test_the_tables_gradient_is_summed_in_fp32(attention):
    """In bf16 a sum of hundreds stops growing once an addend is less than half of its last bit."""
    torch.manual_seed(0)
    frames = 900
    shapes = [(frames, 1, 4)] * 3 + [(frames, 1), (1, 2 * frames - 1)]
    tensors = [torch.randn(shape) for shape in shapes]
    tensors[2][:, 0, 0] = torch.linspace(0, 4, frames)  # later is better, so signs are alike
    tensors = [tensor.bfloat16() for tensor in tensors]
    ragged = Ragged([frames], frames, torch.device("cpu"))

    def gradient(dtype, of_table):
        table = tensors[4].to(of_table).requires_grad_()
        attended = attention(*(x.to(dtype) for x in tensors[:4]), table, ragged, 0.0)
        return torch.autograd.grad(attended[..., 0].sum(), table)[0].double()

    expected = gradient(torch.double, torch.double)
    difference = gradient(torch.bfloat16, torch.float) - expected
    assert difference.norm() < 0.01 * expected.norm()
