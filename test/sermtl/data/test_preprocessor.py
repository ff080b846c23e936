import numpy as np
import pytest
import torch

from sermtl.data.augmentation import Augmentation
from sermtl.data.preprocessor import SERPreprocessor, collate, finish
from sermtl.data.tokens import Tokenizer

INVENTORIES = {"emotion": ["A", "N"], "gender": ["female", "male"], "speaker": ["s1"]}
ROW = {
    "speech": np.array([0, 16384, -32768], dtype=np.int16),
    "emotion": "N",
    "gender": "<unk>",
    "speaker": "someone new",
    "text": "ab",
}


@pytest.fixture
def tokenizer():
    return Tokenizer.train(["abc"], 10, "char")


def batch_of(*samples):
    ids, batch = collate([(str(i), sample) for i, sample in enumerate(samples)])
    return ids, finish(batch, "cpu")


def test_labels_become_numbers_and_samples_fractions(tokenizer):
    sample = SERPreprocessor(INVENTORIES, tokenizer)("u", ROW)
    assert sample["speech"].dtype == np.int16  # as it goes from process to process
    _, batch = batch_of(sample)
    assert batch["speech"].tolist() == [[0.0, 0.5, -1.0]]
    assert batch["speech"].dtype == torch.float32
    assert (int(sample["emotion"]), int(sample["gender"]), int(sample["speaker"])) == (1, -1, -1)
    assert tokenizer.decode(sample["text"].tolist()) == "ab"


def test_unknown_transcripts_have_no_tokens(tokenizer):
    preprocess = SERPreprocessor(INVENTORIES, tokenizer)
    assert len(preprocess("u", {**ROW, "text": "<unk>"})["text"]) == 0
    assert len(SERPreprocessor(INVENTORIES)("u", ROW)["text"]) == 0
    assert preprocess("u", {**ROW, "text": "<unk>"})["text"].dtype == np.int64


def test_augmentation_differs_between_epochs_and_repeats_within(tokenizer):
    noise = Augmentation(noise_snr=[10, 20], noise_prob=1.0)
    row = {**ROW, "speech": np.ones(500, np.float32)}
    preprocess = SERPreprocessor(INVENTORIES, tokenizer, noise, seed=3)
    first, again = preprocess("u", row)["speech"], preprocess("u", row)["speech"]
    other = preprocess("v", row)["speech"]
    assert first.dtype == np.float32
    preprocess.epoch = 1
    later = preprocess("u", row)["speech"]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, later)
    assert not np.array_equal(first, other)


def test_what_is_augmented_are_fractions_of_full_scale():
    class Nothing(Augmentation):
        def __call__(self, speech, random):
            assert speech.dtype == np.float32
            return speech

    preprocess = SERPreprocessor(INVENTORIES, augmentation=Nothing())
    assert preprocess("u", ROW)["speech"].tolist() == [0.0, 0.5, -1.0]
    double = {**ROW, "speech": np.array([0.5, -1.0])}
    assert preprocess("u", double)["speech"].tolist() == [0.5, -1.0]


def test_a_set_may_have_no_transcripts(tokenizer):
    row = {key: value for key, value in ROW.items() if key != "text"}
    assert len(SERPreprocessor(INVENTORIES, tokenizer)("u", row)["text"]) == 0


def test_every_stretch_of_a_long_clip_is_as_likely():
    row = {**ROW, "speech": np.arange(102, dtype=np.int16)}
    preprocess = SERPreprocessor(INVENTORIES, longest=100, anywhere=True)
    starts = []
    for epoch in range(300):
        preprocess.epoch = epoch
        sample = preprocess("u", row)
        assert len(sample["speech"]) == 100
        starts.append(int(sample["speech"][0]))
    assert min(map(starts.count, range(3))) > 60


def test_of_a_long_clip_training_takes_another_stretch_in_every_epoch(tokenizer):
    row = {**ROW, "speech": np.arange(500, dtype=np.int16)}
    preprocess = SERPreprocessor(INVENTORIES, tokenizer, seed=3, longest=100, anywhere=True)
    starts = []
    for epoch in range(200):
        preprocess.epoch = epoch
        sample = preprocess("u", row)
        starts.append(int(sample["speech"][0]))
        assert sample["speech"].tolist() == list(range(starts[-1], starts[-1] + 100))
        assert len(sample["text"]) == 0  # which of the words is unknown
        assert np.array_equal(preprocess("u", row)["speech"], sample["speech"])
    assert len(set(starts)) > 100 and min(starts) < 20 and max(starts) > 380
    assert int(preprocess("v", row)["speech"][0]) != starts[-1]
    whole = preprocess("u", {**ROW, "speech": row["speech"][:100]})
    assert len(whole["speech"]) == 100 and len(whole["text"]) == 2


def test_of_a_long_clip_validation_takes_the_middle(tokenizer):
    preprocess = SERPreprocessor(INVENTORIES, tokenizer, longest=100)
    for epoch in range(2):
        preprocess.epoch = epoch
        sample = preprocess("u", {**ROW, "speech": np.arange(500, dtype=np.int16)})
        assert sample["speech"].tolist() == list(range(200, 300))
        assert len(sample["text"]) == 0


def test_hidden_states_are_taken_as_they_are(tokenizer):
    """Longer clips than training takes have none."""
    states = np.zeros((500, 3, 4), np.float16)
    sample = SERPreprocessor(INVENTORIES, tokenizer, longest=100)("u", {**ROW, "speech": states})
    assert sample["speech"].shape == states.shape and len(sample["text"]) == 2


def test_batches_are_padded_with_zeros_and_minus_ones(tokenizer):
    preprocess = SERPreprocessor(INVENTORIES, tokenizer)
    short = {**ROW, "speech": ROW["speech"][:1], "text": "a"}
    samples = preprocess("u", ROW), preprocess("v", short)
    assert samples[0]["text"].dtype == samples[0]["emotion"].dtype == np.int64
    _, made = collate([("u", samples[0]), ("v", samples[1])])
    tensors = {name for name, value in made.items() if isinstance(value, torch.Tensor)}
    assert tensors == {"speech"}  # a tensor's shared memory takes long, and samples are many
    ids, batch = batch_of(*samples)
    assert ids == ["0", "1"]
    assert batch["speech"].tolist() == [[0.0, 0.5, -1.0], [0.0, 0.0, 0.0]]
    assert batch["speech_lengths"].tolist() == [3, 1]
    assert batch["text_lengths"].tolist() == [2, 1]
    assert batch["text"][1, 1] == -1
    assert batch["emotion"].tolist() == [1, 1]


def test_hidden_states_are_padded_over_time():
    states = [np.ones((t, 3, 4), np.float16) for t in (2, 5)]
    preprocess = SERPreprocessor(INVENTORIES)
    _, batch = batch_of(*(preprocess("u", {**ROW, "speech": s}) for s in states))
    assert batch["speech"].dtype == torch.float32
    assert batch["speech"].shape == (2, 5, 3, 4)
    assert batch["speech_lengths"].tolist() == [2, 5]
    assert batch["speech"][0, 2:].abs().max() == 0


@pytest.mark.parametrize("snr", [5.0, 20.0])
def test_noise_has_the_asked_for_ratio(snr):
    speech = np.sin(np.arange(32000) / 5).astype(np.float32)
    noisy = Augmentation(noise_snr=[snr, snr], noise_prob=1.0)(speech, np.random.default_rng(0))
    ratio = 10 * np.log10(np.square(speech).mean() / np.square(noisy - speech).mean())
    assert ratio == pytest.approx(snr, abs=0.2)
    assert noisy.dtype == np.float32


def test_half_of_the_utterances_get_noise():
    speech, random = np.ones(400, np.float32), np.random.default_rng(0)
    noise = Augmentation(noise_snr=[5, 10])
    changed = [not np.array_equal(noise(speech, random), speech) for _ in range(200)]
    assert 70 < sum(changed) < 130
    never = Augmentation(noise_snr=[5, 10], noise_prob=0.0)
    assert np.array_equal(never(speech, random), speech)
    assert np.array_equal(Augmentation(noise_prob=1.0)(speech, random), speech)


def test_speed_changes_the_length_and_pitch():
    speech = np.sin(2 * np.pi * 200 * np.arange(16000) / 16000).astype(np.float32)
    fast = Augmentation(speeds=[1.25])(speech, np.random.default_rng(0))
    assert len(fast) == pytest.approx(16000 / 1.25, abs=2)
    spectrum = np.abs(np.fft.rfft(fast))
    assert np.argmax(spectrum) * 16000 / len(fast) == pytest.approx(250, abs=2)


def test_speeds_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        Augmentation(speeds=[0.0])
