"""The model on a GPU: the CPU's answers, and steps that never wait for the device."""

import os
from contextlib import contextmanager

import numpy as np
import pytest
import test_gated_attention as formula
import tiny
import torch
import transformers
from test_wavlm import SIZES

from sermtl.model.ragged import Ragged
from sermtl.model.speech_encoder import attention_kernels
from sermtl.model.ssl_frontend import SSLFrontend
from sermtl.recognizer import EmotionRecognizer

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read once, for deterministic steps

# WavLM-large, of fewer layers
LARGE = {"model_type": "wavlm", **SIZES["large"], **tiny.NO_DROPOUT, "num_hidden_layers": 4}
SECONDS = [5.0, 2.1, 3.7]
TYPES = [torch.float32, torch.bfloat16]


def random_frontend(**options):
    torch.manual_seed(0)
    frontend = SSLFrontend(LARGE, normalize=False, **options)
    with torch.no_grad():  # new modules have a bias of nothing and gates of nearly nothing
        for name, parameter in frontend.named_parameters():
            if "rel_attn_embed" in name or "gru_rel_pos" in name:
                parameter.normal_()
    return frontend


def speech():
    lengths = torch.tensor([round(16000 * s) for s in SECONDS])
    signal = torch.randn(len(lengths), int(lengths.max()))
    return signal, lengths


def distance(ours, theirs):
    """Share of a tensor's norm that differs."""
    ours, theirs = ours.detach().double().cpu(), theirs.detach().double().cpu()
    return float((ours - theirs).norm() / theirs.norm())


def graph(tensor):
    """Names of the functions that made a tensor."""
    names, rest = {}, [tensor.grad_fn]
    while rest:
        if (node := rest.pop()) is not None and node not in names:
            names[node] = node.name()
            rest += [function for function, _ in node.next_functions]
    return names.values()


@contextmanager
def computed_in(dtype):
    with torch.autocast("cuda", torch.bfloat16, enabled=dtype == torch.bfloat16):
        yield


@pytest.mark.parametrize("dtype", TYPES)
def test_attention_and_its_gradients(dtype, monkeypatch):
    monkeypatch.setattr(formula, "SIZE", 8)
    tensors = formula.inputs()
    expected = formula.plain_loop(*tensors)
    theirs = torch.autograd.grad(expected.sin().sum(), tensors)
    moved = [x.detach().cuda().to(dtype).requires_grad_() for x in tensors]
    moved[4] = moved[4].detach().float().requires_grad_()
    with attention_kernels():
        ragged = Ragged(formula.LENGTHS, formula.FRAMES, torch.device("cuda"))
        actual = formula.fused(*moved, ragged, 0.0)
    assert "EfficientAttention" in " ".join(graph(actual))
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    assert distance(actual, expected) < tolerance
    for gradient, reference in zip(
        torch.autograd.grad(actual.float().sin().sum(), moved), theirs, strict=True
    ):
        assert distance(gradient, reference) < tolerance


@pytest.mark.parametrize("dtype", TYPES)
def test_every_state_equals_transformers_on_the_cpu(dtype):
    frontend = random_frontend().eval()
    reference = transformers.WavLMModel(frontend.encoder.model.config).eval()
    reference.load_state_dict(frontend.encoder.model.state_dict())
    signal, lengths = speech()
    frontend.cuda()
    with torch.inference_mode(), computed_in(dtype):
        states, frames = frontend.encode(signal.cuda(), lengths.cuda())
    for clip, length in enumerate(lengths):
        with torch.inference_mode():
            output = reference(signal[clip : clip + 1, :length], output_hidden_states=True)
        expected = torch.cat([*output.hidden_states[:-1], output.last_hidden_state])
        ours = states[:, clip, : frames[clip]]
        assert distance(ours, expected) < (1e-4 if dtype == torch.float32 else 3e-2)
        assert (states[:, clip, frames[clip] :] == 0).all()


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("dtype", TYPES)
def test_gradients_equal_the_cpus(dtype, checkpointing):
    signal, lengths = speech()
    gradients = {}
    for device in ("cpu", "cuda"):
        frontend = random_frontend(gradient_checkpointing=checkpointing).train().to(device)
        with computed_in(dtype if device == "cuda" else torch.float32):
            states, _ = frontend.encode(signal.to(device), lengths.to(device))
        torch.manual_seed(1)
        directions = torch.randn(states.shape)
        (states.float() * directions.to(device)).sum().backward()
        gradients[device] = {
            name: p.grad for name, p in frontend.named_parameters() if p.grad is not None
        }
    assert gradients["cuda"].keys() == gradients["cpu"].keys()
    # Keys' bias gets a gradient of nothing: it adds the same to all of a query's scores.
    names = [name for name in gradients["cpu"] if not name.endswith("k_proj.bias")]
    ours, theirs = ([gradients[device][name] for name in names] for device in ("cuda", "cpu"))
    if dtype == torch.float32:
        for name, gradient, expected in zip(names, ours, theirs, strict=True):
            assert distance(gradient, expected) < 1e-3, name
    whole = [torch.cat([x.flatten().cpu() for x in gradients]) for gradients in (ours, theirs)]
    assert distance(*whole) < (1e-3 if dtype == torch.float32 else 5e-2)  # of a CPU: 3e-2


@pytest.mark.parametrize("options", [{}, {"gradient_checkpointing": True}])
def test_the_encoder_never_waits_for_the_device(options):
    """Once the clips' lengths are on the host, forwards and backwards only queue work."""
    config = LARGE | {"attention_dropout": 0.1, "hidden_dropout": 0.1, "num_hidden_layers": 2}
    frontend = SSLFrontend(config, normalize=False, **options).train().cuda()
    signal, lengths = (x.cuda() for x in speech())

    def step():
        with torch.autocast("cuda", torch.bfloat16):
            states, _ = frontend.encode(signal, lengths)
        states.sum().backward()

    step()
    waits = []
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with pytest.warns(UserWarning) as waits:  # of which the lengths are one
            step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    places = [str(wait.message) for wait in waits if "synchroniz" in str(wait.message)]
    assert len(places) <= 1, [(wait.filename, wait.lineno) for wait in waits]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_whole_model_learns(dtype):
    """All tasks, SWFC, co-attention and dropout, until a batch is known by heart."""
    torch.manual_seed(0)
    model = tiny.ser_model(dropout=0.1, dtype=dtype).cuda().train()
    data = {name: value.cuda() for name, value in tiny.batch(8).items()}
    adam = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=3e-3, fused=True)
    losses = []
    for _ in range(150):
        loss, _, _ = model(**data)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(float(loss.detach()))
    assert np.isfinite(losses).all()
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_deterministic_step_is_the_same_again(dtype):
    torch.manual_seed(0)
    model = tiny.ser_model(dropout=0.1, dtype=dtype).cuda().train()
    data = {name: value.cuda() for name, value in tiny.batch(8).items()}

    def gradients():
        torch.manual_seed(1)
        model.zero_grad()
        model(**data)[0].backward()
        return [p.grad.clone() for p in model.parameters() if p.grad is not None]

    torch.use_deterministic_algorithms(True)
    try:
        first = gradients()
        for _ in range(20):
            assert all(map(torch.equal, gradients(), first))
    finally:
        torch.use_deterministic_algorithms(False)


def test_a_recognizer_answers_as_on_the_cpu():
    torch.manual_seed(0)
    model = tiny.ser_model().eval()
    random = np.random.default_rng(0)
    clips = [random.normal(0, 0.1, size).astype(np.float32) for size in (16000, 5000, 33000)]
    expected = EmotionRecognizer(model).recognize(clips)
    answers = EmotionRecognizer(model.cuda()).recognize(clips)
    for ours, theirs in zip(answers, expected, strict=True):
        assert ours.scores == pytest.approx(theirs.scores, abs=1e-5)
        assert ours.task_weights == pytest.approx(theirs.task_weights, abs=1e-5)
        np.testing.assert_allclose(ours.speaker_embedding, theirs.speaker_embedding, atol=1e-4)
