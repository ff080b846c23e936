"""Files of weights, from wherever, run no code and take no more memory than their size."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import crafted
import numpy as np
import pytest
import torch
from experiment_folders import Experiment
from safetensors.torch import save_file
from tiny import WAVLM
from tiny_corpus import arguments
from tiny_whisper import write_checkpoint

from sermtl import EmotionRecognizer, UserError
from sermtl.model import build, weights
from sermtl.model.ssl_frontend import SSLFrontend
from sermtl.training import checkpoint
from sermtl.training.task import SERTask
from sermtl.transcription.whisper import Transcriber

Reader = Callable[[Path], object]


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """The command that crafted files hold would leave this file."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "pwned"
    yield path
    assert not path.exists(), "the file ran its code"


@pytest.fixture
def experiment(trained, tmp_path):
    """A trained experiment of one's own."""
    return shutil.copytree(trained, tmp_path / "exp", symlinks=True)


def ssl_folder(folder: Path, **changes: object) -> Path:
    """A speech encoder's folder without weights."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(WAVLM | changes))
    (folder / "preprocessor_config.json").write_text('{"do_normalize": true}')
    return folder


def place(name: str, experiment: Path, data: Path, tmp_path: Path) -> tuple[Path, Reader]:
    """Where weights are read: the file, and what reads it."""
    if name == "checkpoint.pth":
        options = arguments(data, experiment, max_epoch=2)
        return experiment / name, lambda _: SERTask.main(cmd=options)
    if name == "init_param":
        options = [*arguments(data, tmp_path / "new", max_epoch=1), "--init_param"]
        return tmp_path / "w.pth", lambda path: SERTask.main(cmd=[*options, str(path)])
    if name == "average":
        return experiment / "1epoch.pth", lambda path: checkpoint.average([path, path])
    if name == "pytorch_model.bin":
        folder = ssl_folder(tmp_path / "ssl")
        return folder / name, lambda _: SSLFrontend(str(folder))
    if name == "shard":
        folder = ssl_folder(tmp_path / "ssl")
        index = {"weight_map": {"a": "one.bin"}}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
        return folder / "one.bin", lambda _: SSLFrontend(str(folder))
    if name == "whisper":
        return tmp_path / "w.pt", lambda path: Transcriber(str(path))
    return experiment / name, lambda _: EmotionRecognizer.from_pretrained(experiment, weights=name)


PLACES = ["final.pth", "1epoch.pth", "checkpoint.pth", "init_param", "average"]
PLACES += ["pytorch_model.bin", "shard", "whisper"]


@pytest.mark.parametrize("form", crafted.FORMATS, ids=lambda form: form.__name__)
@pytest.mark.parametrize("name", PLACES)
def test_pickled_code_is_not_run(name, form, canary, experiment, training_data, tmp_path):
    path, read = place(name, experiment, training_data, tmp_path)
    path.unlink(missing_ok=True)
    form(path, {"model": crafted.Command(f"touch {canary}")})
    with pytest.raises(UserError, match=path.name):
        read(path)


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, {}, None, "text", {1: torch.zeros(1)}])
def test_plain_values_that_are_no_weights(name, content, experiment, training_data, tmp_path):
    path, read = place(name, experiment, training_data, tmp_path)
    path.unlink(missing_ok=True)
    torch.save(content, path)
    with pytest.raises(UserError, match=path.name):
        read(path)


@pytest.mark.parametrize("name", PLACES)
def test_weights_that_grow_in_memory(name, experiment, training_data, tmp_path):
    """A megabyte that would be a gigabyte of zeros."""
    path, read = place(name, experiment, training_data, tmp_path)
    path.unlink(missing_ok=True)
    torch.save({"model": torch.zeros(1 << 22)}, tmp_path / "zeros")
    crafted.deflated(path, tmp_path / "zeros")
    assert path.stat().st_size < 1 << 20
    with pytest.raises(UserError, match=f"{path.name}: .* bytes are packed into"):
        read(path)


def header(**tensors: object) -> bytes:
    """A safetensors file's beginning."""
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text


def tensor(shape: list[int], begin: int, end: int) -> dict[str, object]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}


LIES = {
    "empty": b"",
    "cut": header(a=tensor([4], 0, 16)) + bytes(8),
    "huge tensor": header(a=tensor([1 << 40], 0, 4 << 40)) + bytes(16),
    "overflow": header(a=tensor([1 << 62, 4], 0, 16)) + bytes(16),
    "shape that isn't its bytes": header(a=tensor([1000], 0, 16)) + bytes(16),
    "overlap": header(a=tensor([4], 0, 16), b=tensor([4], 8, 24)) + bytes(24),
    "gap": header(a=tensor([4], 0, 16), b=tensor([4], 32, 48)) + bytes(48),
    "negative offset": header(a=tensor([4], -16, 0)) + bytes(16),
    "backwards": header(a=tensor([4], 16, 0)) + bytes(16),
    "negative shape": header(a=tensor([-4], 0, 16)) + bytes(16),
    "odd type": header(a=tensor([4], 0, 16) | {"dtype": "O"}) + bytes(16),
    "header longer than the file": struct.pack("<Q", 1 << 60) + b"{}",
    "header of zeros": struct.pack("<Q", 1 << 20) + bytes(1 << 20),
    "no object": struct.pack("<Q", 2) + b"[]",
    "nested": struct.pack("<Q", 100_000) + b"[" * 100_000,
    "a pickle": struct.pack("<Q", 8) + b"\x80\x04cos\nsys",
}


@pytest.mark.parametrize("lie", LIES)
def test_safetensors_whose_header_lies(lie, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(LIES[lie])
    with pytest.raises(UserError, match=r"model\.safetensors"):
        weights.load_state(tmp_path / "model.safetensors")


@pytest.mark.parametrize("name", ["wide", "deep", "wide whisper", "deep whisper", "text whisper"])
def test_models_larger_than_their_weights(name, tmp_path):
    """Whose configuration alone would fill the memory."""
    if name.endswith("whisper"):
        path = write_checkpoint(tmp_path / "w.pt")
        content = torch.load(path, weights_only=True)
        size = {"wide": "n_audio_state", "deep": "n_text_layer", "text": "n_text_ctx"}
        content["dims"][size[name.split()[0]]] = 1_000_000
        torch.save(content, path)
        with pytest.raises(UserError, match=r"w\.pt is not a Whisper"):
            Transcriber(str(path))
        return
    size = {"wide": "intermediate_size", "deep": "num_hidden_layers"}[name]
    folder = ssl_folder(tmp_path / "ssl", **{size: 10**9})
    save_file(SSLFrontend(WAVLM).encoder.model.state_dict(), folder / "model.safetensors")
    with pytest.raises(UserError, match="SSL model"):
        SSLFrontend(str(folder))


def test_no_model_takes_memory_before_its_weights_fit(trained, monkeypatch):
    devices = []

    def compare(own: dict[str, torch.Tensor], _: object) -> str:
        devices.append({tensor.device.type for tensor in own.values()})
        return "too large"

    monkeypatch.setattr(build, "misfits", compare)
    with pytest.raises(UserError, match="too large"):
        build.load_trained(trained / "config.yaml", trained / "final.pth")
    assert devices == [{"meta"}]


TRAPS = {
    "code of its own": {"auto_map": {"AutoModel": "code.Model"}, "trust_remote_code": True},
    "a kernel of the hub": {"attn_implementation": "stranger/kernel"},
    "a kernel, by its inner name": {"_attn_implementation": "stranger/kernel"},
    "a quantizer": {"quantization_config": {"quant_method": "bitsandbytes"}},
}


@pytest.mark.parametrize("trap", TRAPS)
def test_encoders_bring_no_code(trap, canary, tmp_path, monkeypatch):
    """They are what their weights are, computed by what is here."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    plain = SSLFrontend(WAVLM)
    folder = ssl_folder(tmp_path / "ssl", **TRAPS[trap])
    (folder / "code.py").write_text(f"open({str(canary)!r}, 'w')\n")
    save_file(plain.encoder.model.state_dict(), folder / "model.safetensors")
    frontend = SSLFrontend(str(folder)).eval()
    speech, lengths = torch.randn(1, 4000), torch.tensor([4000])
    expected, _ = plain.eval()(speech, lengths)
    torch.testing.assert_close(frontend(speech, lengths)[0], expected)
    assert frontend.encoder.model.config._attn_implementation == "eager"


@pytest.mark.parametrize(
    ("weight_map", "reason"),
    [
        ({"a": "../other.bin"}, "isn't a file beside it"),
        ({"a": "/etc/passwd"}, "isn't a file beside it"),
        ({"a": 1}, "no `weight_map`"),
        (["a"], "no `weight_map`"),
        ({"a": "gone.bin"}, "shard gone.bin is missing"),
    ],
)
def test_indices_of_shards_name_files_beside_them(weight_map, reason, tmp_path):
    folder = ssl_folder(tmp_path / "ssl")
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.bin")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(UserError, match=reason):
        SSLFrontend(str(folder))


@pytest.mark.parametrize("kind", ["objects", "zeros"])
def test_speaker_embeddings(kind, canary, tmp_path):
    scored = Experiment(tmp_path)
    scored.add_set("test")
    path = scored.add_predictions(scored.exp, "test").with_name("speaker_embeddings.npz")
    ids = list(scored.references["utt2emo"])
    embeddings = np.zeros((len(ids), 1 << 18), np.float32)
    if kind == "objects":
        embeddings = np.array([crafted.Command(f"touch {canary}")] * len(ids), dtype=object)
    save = np.savez if kind == "objects" else np.savez_compressed
    save(path, ids=np.array(ids), embeddings=embeddings)
    with pytest.raises(UserError, match=r"speaker_embeddings\.npz"):
        scored.score(test_sets="test")
