"""Loading: old and new layouts, missing and foreign tensors, where models come from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import save_file

from sermtl.errors import UserError
from sermtl.model.ssl_frontend import SSLFrontend

TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "conv_dim": [16] * 7,
    "num_conv_pos_embedding_groups": 4,
}
STYLES = {
    "base": {**TINY, "feat_extract_norm": "group", "do_stable_layer_norm": False},
    "large": {**TINY, "feat_extract_norm": "layer", "do_stable_layer_norm": True},
}
KINDS = ("wavlm", "hubert", "wav2vec2")


def reference(kind: str, style: str = "large"):
    """transformers' own model with random weights, positional convolution's norm included."""
    torch.manual_seed(0)
    name = {"wavlm": "WavLM", "hubert": "Hubert", "wav2vec2": "Wav2Vec2"}[kind]
    config = getattr(transformers, f"{name}Config")(**STYLES[style])
    model = getattr(transformers, f"{name}Model")(config).eval()
    gain = model.encoder.pos_conv_embed.conv.parametrizations.weight.original0
    gain.data.mul_(1 + torch.rand_like(gain))
    return model


def old_layout(tensors: dict) -> dict:
    """Names of torch's former weight norm, as in the ``.bin`` files of WavLM and others."""
    for new, old in (("original0", "weight_g"), ("original1", "weight_v")):
        tensors = {
            name.replace(f"parametrizations.weight.{new}", old): value
            for name, value in tensors.items()
        }
    return tensors


def write(folder, model, tensors: dict, suffix: str = "safetensors", normalize: bool | None = True):
    folder.mkdir(exist_ok=True)
    model.config.save_pretrained(folder)
    if suffix == "safetensors":
        save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "model.safetensors")
    else:
        torch.save(tensors, folder / "pytorch_model.bin")
    if normalize is not None:
        processor = {
            "feature_extractor_type": "Wav2Vec2FeatureExtractor",
            "do_normalize": normalize,
        }
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return str(folder)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", KINDS)
def test_old_and_new_layout_load_exactly_and_silently(kind, style, tmp_path, caplog, capfd):
    model = reference(kind, style)
    new = {name: value.clone() for name, value in model.state_dict().items()}
    old = old_layout({f"{kind}.{name}": value for name, value in new.items()})
    assert any(name.endswith("conv.weight_g") for name in old)
    old["lm_head.weight"] = old["quantizer.codevectors"] = torch.zeros(3)
    first = SSLFrontend(write(tmp_path / "new", model, new)).eval()
    second = SSLFrontend(write(tmp_path / "old", model, old, "bin")).eval()

    for name, value in model.state_dict().items():
        assert torch.equal(first.encoder.model.state_dict()[name], value), name
        assert torch.equal(second.encoder.model.state_dict()[name], value), name
    speech, lengths = 0.1 * torch.randn(2, 5000), torch.tensor([5000, 3000])
    states, _ = first.encode(speech, lengths)
    assert torch.equal(states, second.encode(speech, lengths)[0])
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    values = extractor(speech[0].numpy(), sampling_rate=16000, return_tensors="pt").input_values
    torch.testing.assert_close(states[-1, :1], model(values).last_hidden_state, atol=1e-5, rtol=0)

    assert not any(p.requires_grad for p in first.encoder.model.feature_extractor.parameters())
    printed = "".join(capfd.readouterr()) + caplog.text
    assert "newly initialized" not in printed and "MISSING" not in printed


def test_keys_of_a_hub_config_that_transformers_has_none_of_survive(tmp_path):
    """WavLM's own config.json has some; a model trained from it must build again without it."""
    model = reference("wavlm")
    folder = Path(write(tmp_path / "a", model, model.state_dict()))
    config = json.loads((folder / "config.json").read_text())
    historical = {"freeze_feat_extract_train": True, "mask_channel_length": 10, "replace_prob": 0.5}
    (folder / "config.json").write_text(json.dumps(config | historical))
    frontend = SSLFrontend(str(folder))
    rebuilt = SSLFrontend(frontend.describe(), init=False)
    rebuilt.load_state_dict(frontend.state_dict())
    speech = 0.1 * torch.randn(1, 5000), torch.tensor([5000])
    assert torch.equal(rebuilt.eval().encode(*speech)[0], frontend.eval().encode(*speech)[0])


def test_missing_tensors_are_an_error(tmp_path):
    model = reference("wavlm")
    tensors = model.state_dict()
    del tensors["encoder.layers.0.attention.rel_attn_embed.weight"], tensors["masked_spec_embed"]
    folder = write(tmp_path / "a", model, tensors)
    with pytest.raises(UserError) as error:
        SSLFrontend(folder)
    assert str(error.value).startswith(f"SSL model {folder}: ")
    assert "missing: encoder.layers.0.attention.rel_attn_embed.weight" in str(error.value)
    assert "masked_spec_embed" not in str(error.value)  # never used without SpecAugment
    with pytest.raises(UserError, match="masked_spec_embed"):
        SSLFrontend(folder, spec_augment=True)
    SSLFrontend(folder, init=False)


def test_tensors_of_another_shape_are_an_error(tmp_path):
    model = reference("hubert")
    tensors = {**model.state_dict(), "encoder.layer_norm.weight": torch.ones(8)}
    with pytest.raises(UserError, match=r"layer_norm.weight \(8,\) instead of \(32,\)"):
        SSLFrontend(write(tmp_path / "a", model, tensors))


def test_half_precision_weights_become_fp32(tmp_path):
    model = reference("wavlm")
    halves = {name: value.half() for name, value in model.state_dict().items()}
    model.config.dtype = torch.float16
    frontend = SSLFrontend(write(tmp_path / "a", model, halves))
    assert {p.dtype for p in frontend.parameters()} == {torch.float32}


def test_shards(tmp_path):
    model = reference("wav2vec2")
    folder = write(tmp_path / "a", model, {})
    (tmp_path / "a" / "model.safetensors").unlink()
    tensors = model.state_dict()
    names, where = sorted(tensors), {}
    for number, part in enumerate((names[::2], names[1::2])):
        save_file(
            {n: tensors[n].contiguous() for n in part}, tmp_path / "a" / f"{number}.safetensors"
        )
        where |= dict.fromkeys(part, f"{number}.safetensors")
    index = tmp_path / "a" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": where}))
    frontend = SSLFrontend(folder)
    assert all(torch.equal(frontend.encoder.model.state_dict()[n], v) for n, v in tensors.items())
    (tmp_path / "a" / "1.safetensors").unlink()
    with pytest.raises(UserError, match=r"shard 1.safetensors is missing"):
        SSLFrontend(folder)


def test_normalisation_follows_the_checkpoint(tmp_path):
    model = reference("wavlm")
    assert SSLFrontend(write(tmp_path / "a", model, model.state_dict())).normalize is True
    folder = write(tmp_path / "b", model, model.state_dict(), normalize=False)
    assert SSLFrontend(folder).normalize is False
    assert SSLFrontend(folder, normalize=True).normalize is True
    folder = write(tmp_path / "c", model, model.state_dict(), normalize=None)
    with pytest.raises(UserError, match="give normalize: true or false"):
        SSLFrontend(folder)
    # transformers 5 saves a processor's feature extractor inside processor_config.json.
    processor = {"feature_extractor": {"do_normalize": False}, "processor_class": "x"}
    (tmp_path / "c" / "processor_config.json").write_text(json.dumps(processor))
    assert SSLFrontend(folder).normalize is False


def test_incomplete_folders_name_what_is_wrong(tmp_path):
    model = reference("wavlm")
    with pytest.raises(UserError, match="no such folder"):
        SSLFrontend(str(tmp_path / "nothing"))
    with pytest.raises(UserError, match=r"no config.json"):
        SSLFrontend(str(tmp_path))
    folder = write(tmp_path / "a", model, model.state_dict())
    weights = tmp_path / "a" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"model.safetensors: damaged, or no weights"):
        SSLFrontend(folder)
    weights.unlink()
    with pytest.raises(UserError, match=r"no weights in it \(model.safetensors or"):
        SSLFrontend(folder)
    (tmp_path / "a" / "pytorch_model.bin").write_bytes(b"version https://git-lfs.github.com/spec")
    with pytest.raises(UserError, match=r"pytorch_model.bin: damaged, or no weights"):
        SSLFrontend(folder)
    (tmp_path / "a" / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config.json:1: no JSON"):
        SSLFrontend(folder)


def test_pickled_code_is_never_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").write_text, ("x",))

    model = reference("wavlm")
    folder = write(tmp_path / "a", model, {"x": Evil()}, "bin")
    with pytest.raises(UserError, match="damaged, or no weights"):
        SSLFrontend(folder)
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """An empty hub cache, offline."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_a_name_that_cannot_be_had(hub_cache):
    with pytest.raises(UserError) as error:
        SSLFrontend("someone/wavlm-tiny")
    for part in ("someone/wavlm-tiny", "config.json", "pass the folder", "HF_HOME"):
        assert part in str(error.value)
    with pytest.raises(UserError, match="no folder of this name here"):
        SSLFrontend("not a name")


def test_a_name_from_the_cache(hub_cache):
    commit = "0" * 40
    repo = hub_cache / "models--someone--wavlm-tiny"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(commit)
    (repo / "snapshots").mkdir()
    model = reference("wavlm")
    write(repo / "snapshots" / commit, model, old_layout(model.state_dict()), "bin", False)
    frontend = SSLFrontend("someone/wavlm-tiny")
    assert frontend.normalize is False
    layer_norm = frontend.encoder.model.encoder.layer_norm.weight
    assert torch.equal(layer_norm, model.encoder.layer_norm.weight)
