"""Greedy decoding against grouping by hand."""

from itertools import groupby

import torch

from sermtl.model.ctc import greedy_tokens


def test_repeats_are_merged_and_blanks_dropped():
    torch.manual_seed(0)
    logits, lengths = torch.randn(20, 30, 4), torch.randint(0, 31, (20,))
    expected = [
        [token for token, _ in groupby(frames[:length].argmax(-1).tolist()) if token != 0]
        for frames, length in zip(logits, lengths.tolist(), strict=True)
    ]
    assert greedy_tokens(logits, lengths) == expected
    assert max(map(len, expected)) > 10


def test_a_blank_parts_repeats():
    path = torch.tensor([[0, 2, 2, 0, 2, 3, 3, 1, 1]])
    logits = torch.nn.functional.one_hot(path, 4)
    assert greedy_tokens(logits, torch.tensor([9])) == [[2, 2, 3, 1]]
    assert greedy_tokens(logits, torch.tensor([4])) == [[2]]
