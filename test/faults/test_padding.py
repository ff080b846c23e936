"""Neither padding nor the rest of a batch changes a prediction by more than 1e-4."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import CLASSES, COUNTS, TOKENS, WAVLM, WHISPER

from sermtl import EmotionRecognizer
from sermtl.data.audio import padded
from sermtl.model.ser_model import SERModel
from sermtl.model.ssl_frontend import SSLFrontend

LIMIT = 1e-4
LIMIT_BF16 = 0.02  # of probabilities; its numbers have three digits
BASE = {**WAVLM, "feat_extract_norm": "group", "do_stable_layer_norm": False}
ENCODERS = {
    "wavlm-large": WAVLM,
    "wavlm-base": BASE,
    "hubert-large": {**WAVLM, "model_type": "hubert"},
    "hubert-base": {**BASE, "model_type": "hubert"},
    "wav2vec2-large": {**WAVLM, "model_type": "wav2vec2"},
    "wav2vec2-base": {**BASE, "model_type": "wav2vec2"},
    "whisper": WHISPER,
}
SOUNDS = {
    "noise": lambda random, n: random.standard_normal(n) * 0.1,
    "loud noise": lambda random, n: random.uniform(-1, 1, n),
    "faint noise": lambda random, n: random.standard_normal(n) * 1e-4,
    "silence": lambda random, n: np.zeros(n),
    "constant": lambda random, n: np.full(n, 0.3),
    "tone": lambda random, n: 0.5 * np.sin(2 * np.pi * 220 / 16000 * np.arange(n)),
    "click": lambda random, n: np.eye(1, n, n // 2)[0],
    "silence and noise": lambda random, n: random.standard_normal(n) * (np.arange(n) > n // 2),
}
CLIP = st.tuples(st.sampled_from(sorted(SOUNDS)), st.integers(400, 80_000), st.integers(0, 99))
EXAMPLES = settings.default.max_examples


def samples_of(clip: tuple[str, int, int]) -> np.ndarray:
    kind, length, seed = clip
    return SOUNDS[kind](np.random.default_rng(seed), length).astype(np.float32)


def model_of(encoder: str, dtype: str = "float32") -> SERModel:
    """Random, norms and biases too: nothing hides behind ones and zeros."""
    torch.manual_seed(0)
    options = {"hidden_size": 8, "num_heads": 2, "dropout": 0.0, "dtype": dtype}
    model = SERModel(SSLFrontend(ENCODERS[encoder]), CLASSES, COUNTS, TOKENS, **options)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1 and "embed_positions" not in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def answers(model: SERModel, clips: list[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """All that the network says about each clip of a batch."""
    speech, lengths = padded(clips)
    with torch.inference_mode():
        outputs = model.outputs(speech, lengths)
    result = []
    for i, frames in enumerate(outputs.lengths.tolist()):
        said = {task: v[i].softmax(-1) for task, v in outputs.logits.items() if task != "asr"}
        said["asr"] = outputs.logits["asr"][i, :frames].log_softmax(-1)
        said["speaker embedding"] = outputs.speaker_embedding[i].float()
        said["task weights"] = outputs.task_weights[i].float()
        result.append({name: value.numpy() for name, value in said.items()})
    return result


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_batch_changes_nothing(encoder):
    model = model_of(encoder)

    @settings(max_examples=max(10, EXAMPLES // 5))
    @given(st.lists(CLIP, min_size=2, max_size=5), st.randoms(use_true_random=False))
    def check(clips, random):
        alone = [answers(model, [samples_of(clip)])[0] for clip in clips]
        order = list(range(len(clips)))
        random.shuffle(order)
        together = answers(model, [samples_of(clips[i]) for i in order])
        for i, said in zip(order, together, strict=True):
            for name, value in alone[i].items():
                np.testing.assert_allclose(said[name], value, atol=LIMIT, rtol=0, err_msg=name)

    check()


def test_bfloat16_has_a_bound_of_its_own():
    model = model_of("wavlm-large", "bfloat16")

    @settings(max_examples=max(10, EXAMPLES // 5))
    @given(st.lists(CLIP, min_size=2, max_size=5))
    def check(clips):
        together = answers(model, [samples_of(clip) for clip in clips])
        for clip, said in zip(clips, together, strict=True):
            alone = answers(model, [samples_of(clip)])[0]
            for task in ("emotion", "gender", "speaker"):
                np.testing.assert_allclose(said[task], alone[task], atol=LIMIT_BF16, rtol=0)

    check()


def test_batches_of_the_recognizer_change_nothing():
    """However many seconds they hold, and however many recordings are read ahead."""
    recognizer = EmotionRecognizer(model_of("wavlm-base"))

    @settings(max_examples=max(10, EXAMPLES // 5))
    @given(st.lists(CLIP, min_size=2, max_size=8), st.floats(0.1, 30), st.integers(1, 8))
    def check(clips, batch_seconds, pool):
        audios = [(samples_of(clip), 16000) for clip in clips]
        alone = [recognizer(audio) for audio in audios]
        together = recognizer.stream(audios, batch_seconds, pool=pool)
        for one, other in zip(alone, together, strict=True):
            assert other.scores == pytest.approx(one.scores, abs=LIMIT)
            assert other.gender_score == pytest.approx(one.gender_score, abs=LIMIT)
            assert other.task_weights == pytest.approx(one.task_weights, abs=LIMIT)
            np.testing.assert_allclose(
                other.speaker_embedding, one.speaker_embedding, atol=LIMIT, rtol=0
            )

    check()
