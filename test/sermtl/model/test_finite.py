import logging
import math

import pytest
import torch

from sermtl.model.finite import finite_rows, name_odd, not_finite


def test_a_row_is_finite_where_all_of_its_numbers_are():
    vectors, frames = torch.ones(4, 3), torch.ones(4, 2, 5)
    vectors[1, 2], frames[2, 0, 4], frames[2, 1, 1] = math.nan, math.inf, -math.inf
    assert finite_rows(vectors, frames).tolist() == [True, False, False, True]
    assert finite_rows(vectors[:0]).tolist() == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_tensors_with_odd_numbers_are_named(dtype):
    tensors = {str(value): torch.ones(3, dtype=dtype) for value in (math.nan, math.inf, -math.inf)}
    for name, tensor in tensors.items():
        tensor[1] = float(name)
    fine = {"largest": torch.tensor([torch.finfo(dtype).max] * 3, dtype=dtype)}
    fine |= {"none": torch.zeros(0, 4, dtype=dtype), "whole": torch.tensor(7)}
    assert not_finite(tensors | fine) == list(tensors)


@pytest.mark.parametrize(
    ("finite", "told"),
    [
        ([True, False, False], "come of b c"),
        ([True, True, False], "come of c"),
        ([True] * 3, None),
        ([False] * 3, None),
    ],
)
def test_utterances_are_named_where_others_are_sound(caplog, finite, told):
    name_odd(["a", "b", "c"], torch.tensor(finite))
    messages = [(r.levelno, r.getMessage()) for r in caplog.records]
    expected = (
        logging.ERROR,
        f"infinite or undefined numbers {told}",
    )  # other ranks log errors only
    assert messages == ([expected] if told else [])
