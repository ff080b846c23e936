"""What encoders have in common, on one that only counts its calls."""

import pytest
import torch
from torch import Tensor, nn

from sermtl.model.speech_encoder import SpeechEncoder, attention_mask


class Toy(SpeechEncoder):
    """Three linear layers; every sample is a frame, beside its clip's length."""

    def __init__(self) -> None:
        super().__init__()
        self.model = self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
        self.called: list[int] = []
        self.masks: list[Tensor | None] = []

    def cnn_parts(self) -> list[nn.Module]:
        return []

    def embedding_parts(self) -> list[nn.Module]:
        return []

    def frame_lengths(self, lengths: Tensor) -> Tensor:
        return lengths

    def extract(self, speech: Tensor, lengths: Tensor) -> Tensor:
        return torch.stack([speech, lengths.to(speech)[:, None].expand_as(speech)], 2)

    def embed(self, features: Tensor, frames: Tensor) -> Tensor:
        return features / frames.to(features)[:, None, None]

    def run_layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        self.called.append(index)
        self.masks.append(mask)
        return self.layers[index](hidden)

    def finish(self, hidden: Tensor) -> Tensor:
        return -hidden


def test_states_are_of_each_layer_and_zero_on_padding():
    torch.manual_seed(0)
    encoder, speech, lengths = Toy(), torch.randn(3, 4), [4, 2, 3]
    states, frames = encoder(speech, torch.tensor(lengths))
    assert frames.tolist() == lengths
    for clip, length in enumerate(lengths):
        hidden = torch.stack([speech[clip, :length] / length, torch.ones(length)], 1)
        expected = [hidden]
        for layer in encoder.layers:
            expected.append(layer(expected[-1]))
        expected[-1] = -expected[-1]
        torch.testing.assert_close(states[:, clip, :length], torch.stack(expected))
        assert not states[:, clip, length:].any()


@pytest.mark.parametrize(
    ("first", "training", "again"),
    [(None, True, []), (0, True, [2, 1, 0]), (2, True, [2]), (3, True, []), (0, False, [])],
)
def test_layers_from_the_first_wanted_are_recomputed_in_training(first, training, again):
    encoder = Toy().train(training)
    encoder.checkpoint_from = first
    states, _ = encoder(torch.randn(2, 4), torch.tensor([4, 3]))
    assert encoder.called == [0, 1, 2]
    states.sum().backward()
    assert encoder.called[3:] == again


def test_layers_see_a_mask_only_where_there_is_padding():
    encoder = Toy()
    encoder(torch.randn(2, 4), torch.tensor([4, 4]))
    assert encoder.masks == [None] * 3
    encoder(torch.randn(2, 4), torch.tensor([4, 3]))
    for mask in encoder.masks[3:]:
        assert mask.tolist() == [[True] * 4, [True] * 3 + [False]]


def test_all_happens_where_the_speech_is():
    states, frames = Toy().to("meta")(torch.randn(2, 4, device="meta"), torch.tensor([4, 3]))
    assert states.shape == (4, 2, 4, 2)
    assert {states.device.type, frames.device.type} == {"meta"}


def test_heads_and_queries_share_the_mask_over_keys():
    mask = torch.tensor([[True, True, False], [True, True, True]])
    expected = torch.tensor([[[[True, True, False]] * 3], [[[True] * 3] * 3]])
    assert torch.equal(attention_mask(mask), expected)
    assert attention_mask(None) is None
