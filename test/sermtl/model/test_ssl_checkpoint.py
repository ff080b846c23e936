"""Functions that read checkpoints, one by one."""

import json

import huggingface_hub
import pytest
import torch
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from torch import nn

from sermtl.errors import UserError
from sermtl.model import ssl_checkpoint
from sermtl.model.ssl_checkpoint import (
    build_config,
    check_known,
    find_file,
    load_weights,
    read_config,
    read_normalize,
    read_weights,
)


def test_the_first_file_that_a_folder_has(tmp_path, monkeypatch):
    for name in ("b", "c"):
        (tmp_path / name).touch()
    (tmp_path / "a").mkdir()
    assert find_file(str(tmp_path), ["a", "b", "c"]) == tmp_path / "b"
    assert find_file(str(tmp_path), ["a"]) is None
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    assert find_file(f"~/{tmp_path.name}", ["c"]) == tmp_path / "c"


@pytest.mark.parametrize("model", ["/nowhere", "./nowhere", "../nowhere", "~/nowhere", "a/b/c"])
def test_names_of_folders_are_not_asked_for_on_the_hub(model, monkeypatch):
    monkeypatch.setattr(ssl_checkpoint, "_find_on_hub", lambda *_: pytest.fail("asked"))
    with pytest.raises(UserError, match=f"{model}: no such folder"):
        find_file(model, ["config.json"])


@pytest.fixture
def hub(monkeypatch):
    """Names of files in the cache and on the hub, and what was asked for; no hub if it's None."""

    class Hub:
        cached: tuple[str, ...] = ()
        online: tuple[str, ...] | None = ()

        def __init__(self) -> None:
            self.asked: list[tuple[str, str, bool]] = []

        def download(self, model, name, local_files_only=False):
            self.asked.append((model, name, local_files_only))
            if name in self.cached:
                return f"/cache/{name}"
            if local_files_only or self.online is None:
                raise LocalEntryNotFoundError("no connection\nand more")
            if name not in self.online:
                raise EntryNotFoundError("no entry")
            return f"/cache/{name}"

    hub = Hub()
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub.download)
    return hub


def test_the_cache_comes_before_the_hub(hub):
    hub.cached, hub.online = ("b",), ("a",)
    assert str(find_file("some/model", ["a", "b"])) == "/cache/b"
    assert hub.asked == [("some/model", "a", True), ("some/model", "b", True)]


def test_the_hub_has_it(hub):
    hub.online = ("b", "c")
    assert str(find_file("some/model", ["a", "b", "c"])) == "/cache/b"
    assert hub.asked[3:] == [("some/model", "a", False), ("some/model", "b", False)]


def test_the_hub_does_not_have_it(hub):
    assert find_file("model", ["a", "b"]) is None
    with pytest.raises(UserError, match=r"model: no config\.json"):
        read_config("model")
    with pytest.raises(UserError, match="model: no weights"):
        read_weights("model")
    assert read_normalize("model") is None


def test_no_hub(hub):
    hub.online = None
    with pytest.raises(UserError, match=r"a or b can't .*\(no connection\).*hf download model"):
        find_file("model", ["a", "b"])


def test_json_that_is_no_object(tmp_path):
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(UserError, match=r"config\.json: expected a JSON object"):
        read_config(str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match="fetch it again"):
        read_config(str(tmp_path))


def test_how_to_compute_is_not_taken_from_a_checkpoint():
    values = {"model_type": "hubert", "_secret": 1, "attn_implementation": "some/code"}
    values |= {"layerdrop": 0.5, "hidden_size": 24, "num_attention_heads": 2}
    config = build_config(values, "x")
    assert (config.hidden_size, config.layerdrop) == (24, 0.0)
    assert not hasattr(config, "_secret")
    assert config._attn_implementation != "some/code"
    assert values["model_type"] == "hubert"
    assert build_config({"model_type": "wav2vec2", "add_adapter": True}, "x").add_adapter is False
    whisper = build_config({"model_type": "whisper", "encoder_layerdrop": 0.5}, "x")
    assert whisper.encoder_layerdrop == 0.0
    assert not hasattr(whisper, "add_adapter")


@pytest.mark.parametrize(
    ("name", "most"), [("num_hidden_layers", 1000), ("intermediate_size", 1_000_000)]
)
def test_sizes_that_no_encoder_has(name, most):
    assert getattr(build_config({"model_type": "wavlm", name: most}, "x"), name) == most
    with pytest.raises(UserError, match=f"x: {name} is {most + 1}"):
        build_config({"model_type": "wavlm", name: most + 1}, "x")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"model_type": "unispeech"}, "x: model_type is 'unispeech'; supported are wavlm, "),
        ({"hidden_size": 32}, "x: model_type is None"),
        ({"model_type": "wavlm", "attention_dropout": 1}, "x: attention_dropout is 1,"),
        ({"model_type": "wavlm", "hidden_dropout": 1.5}, "x: hidden_dropout is 1.5,"),
        ({"model_type": "whisper", "dropout": -0.1}, "x: dropout is -0.1,"),
        ({"model_type": "whisper", "dropout": "much"}, "x: .*dropout"),
    ],
)
def test_values_that_make_no_encoder(values, told):
    with pytest.raises(UserError, match=told):
        build_config(values, "x")


def test_settings_that_there_are_not():
    check_known({"model_type": "wavlm", "hidden_size": 32}, "x")
    with pytest.raises(UserError, match=r"^x: wavlm has no setting depth, hiden_size"):
        check_known({"model_type": "wavlm", "hiden_size": 32, "depth": 1}, "x")


@pytest.mark.parametrize(
    "index", [{}, {"weight_map": ["a"]}, {"weight_map": {"a": 1}}, {"weight_map": {"a": "../x"}}]
)
def test_an_index_of_what_is_not_beside_it(index, tmp_path):
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match=r"pytorch_model\.bin\.index\.json: "):
        read_weights(str(tmp_path))


def test_damaged_weights(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(UserError, match=r"fetch it again$"):
        read_weights(str(tmp_path))
    (tmp_path / "pytorch_model.bin").rename(tmp_path / "1.bin")
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "1.bin"}}))
    with pytest.raises(UserError, match=r"fetch it again$"):
        read_weights(str(tmp_path))


def encoder() -> nn.Module:
    with torch.device("meta"):
        module = nn.BatchNorm1d(2)
        module.register_parameter("masked_spec_embed", nn.Parameter(torch.empty(3)))
    return module


def checkpoint() -> dict[str, torch.Tensor]:
    return {
        "weight": torch.tensor([1.0, 2.0]).half(),
        "bias": torch.tensor([3.0, 4.0]),
        "running_mean": torch.zeros(2),
        "running_var": torch.ones(2),
        "num_batches_tracked": torch.tensor(7),
    }


@pytest.mark.parametrize("prefix", ["a.", "b.c."])
def test_tensors_under_the_first_prefix_that_occurs(prefix):
    tensors = {prefix + name: value for name, value in checkpoint().items()} | {"other": None}
    if prefix == "a.":
        tensors |= {f"b.c.{name}": None for name in checkpoint()}
    tensors["other"] = torch.zeros(1)
    module = encoder()
    load_weights(module, tensors, ["a.", "b.c."], "x", ["masked_spec_embed", "no such"])
    assert module.weight.tolist() == [1.0, 2.0]
    assert module.weight.dtype == torch.float32
    assert module.num_batches_tracked.dtype == torch.long
    assert module.num_batches_tracked == 7
    assert module.masked_spec_embed.tolist() == [0.0] * 3


def test_what_a_checkpoint_lacks():
    with pytest.raises(UserError, match=r"^x: .*missing: masked_spec_embed$"):
        load_weights(encoder(), checkpoint(), ["a."], "x")
    with pytest.raises(UserError, match="missing: weight, bias, masked_spec_embed and 3 more"):
        load_weights(encoder(), {}, ["a."], "x")


def test_a_tensor_that_never_acts_is_taken_where_there_is_one():
    module, tensors = encoder(), checkpoint() | {"masked_spec_embed": torch.ones(3)}
    load_weights(module, tensors, [], "x", ["masked_spec_embed"])
    assert module.masked_spec_embed.tolist() == [1.0] * 3
