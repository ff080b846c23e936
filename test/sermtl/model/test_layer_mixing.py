import pytest
import torch

from sermtl.model.layer_mixing import LayerMixing


@pytest.mark.parametrize("normalize", [False, True])
def test_is_the_weighted_sum_of_the_states(normalize):
    states = torch.randn(4, 2, 5, 6)
    mixing = LayerMixing(4, 6, normalize=normalize)
    torch.nn.init.normal_(mixing.logits)
    shares = mixing.logits.exp() / mixing.logits.exp().sum()
    expected = torch.zeros(2, 5, 6)
    for share, state in zip(shares, states, strict=True):
        if normalize:
            mean, var = state.mean(-1, keepdim=True), state.var(-1, keepdim=True, correction=0)
            state = (state - mean) / (var + 1e-5).sqrt()
        expected = expected + share * state
    torch.testing.assert_close(mixing(states), expected)
    torch.testing.assert_close(mixing.weights(), shares)


def test_last_is_the_last_state_and_has_no_parameters():
    states = torch.randn(4, 2, 5, 6)
    mixing = LayerMixing(4, 6, mode="last")
    assert torch.equal(mixing(states), states[-1])
    assert list(mixing.parameters()) == []
    assert mixing.weights().tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("normalize", [False, True])
def test_concat_puts_the_scaled_states_side_by_side(normalize):
    states = torch.randn(4, 2, 5, 6)
    mixing = LayerMixing(4, 6, mode="concat", normalize=normalize)
    torch.nn.init.normal_(mixing.logits)
    normed = torch.nn.functional.layer_norm(states, [6]) if normalize else states
    expected = torch.cat(
        [4 * share * state for share, state in zip(mixing.weights(), normed, strict=True)], -1
    )
    torch.testing.assert_close(mixing(states), expected)
    assert mixing.output_size() == expected.shape[-1] == 24


@pytest.mark.parametrize("mode", ["learnable", "last"])
def test_the_others_keep_the_width(mode):
    mixing = LayerMixing(4, 6, mode)
    assert mixing.output_size() == mixing(torch.randn(4, 2, 5, 6)).shape[-1] == 6


@pytest.mark.parametrize("mode", ["learnable", "last", "concat"])
def test_half_precision_stays_what_it_is(mode):
    assert LayerMixing(4, 6, mode)(torch.randn(4, 2, 5, 6).bfloat16()).dtype == torch.bfloat16


def test_refuses_other_modes():
    with pytest.raises(ValueError, match="learnable, last or concat"):
        LayerMixing(4, 6, mode="first")
