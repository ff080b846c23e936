"""Where an SSL encoder's config, waveform normalisation and weights come from, checked by hand.

transformers' own loader rebuilds heads that nobody asked for and announces WavLM's positional
convolution as "newly initialized" when a checkpoint has the older ``weight_g``/``weight_v`` names.
Reading the tensors here is exact, silent when all is well and an error when anything is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sermtl import documents
from sermtl.errors import UserError, first_line
from sermtl.model.weights import load_state, misfits

if TYPE_CHECKING:
    from transformers import PretrainedConfig

MODEL_TYPES = ("wavlm", "hubert", "wav2vec2", "whisper")
WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
MAX_LAYERS, MAX_SIZE = 1000, 1_000_000
AGAIN = "fetch it again"
PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
# Names of torch's old and new weight normalisation (of the positional convolution).
WEIGHT_NORM = {
    ".weight_g": ".parametrizations.weight.original0",
    ".weight_v": ".parametrizations.weight.original1",
}


def find_file(model: str, names: Sequence[str]) -> Path | None:
    """First of ``names`` in the folder or hub repository ``model``; None where it has none.

    Raises:
        UserError: ``model`` is no folder and can't be had from the hub.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return next((folder / name for name in names if (folder / name).is_file()), None)
    if folder.is_absolute() or model.startswith((".", "~")) or model.count("/") > 1:
        raise UserError(f"SSL model {model}: no such folder")
    return _find_on_hub(model, names)


def _find_on_hub(model: str, names: Sequence[str]) -> Path | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    def unavailable(error: Exception) -> UserError:
        reason = first_line(error)
        return UserError(
            f"SSL model {model}: no folder of this name here, and {' or '.join(names)} can't be "
            f"had from the Hugging Face hub or its local cache ({reason}). Check the name; without "
            f"internet, run `hf download {model}` on a machine that has it and pass the folder "
            "with config.json and the weights, or copy its cache here and set HF_HOME to it "
            "(HF_HUB_OFFLINE=1 then skips every request)"
        )

    try:
        # The cache first: a job on a machine without internet must not wait for time-outs.
        for name in names:
            try:
                return Path(hf_hub_download(model, name, local_files_only=True))
            except LocalEntryNotFoundError:
                continue
        for name in names:
            try:
                return Path(hf_hub_download(model, name))
            except LocalEntryNotFoundError:
                raise
            except EntryNotFoundError:
                continue
    except (OSError, ValueError) as error:  # no connection, no such repository, not a valid name
        raise unavailable(error) from error
    return None


def read_json(path: Path) -> dict:
    """The object in a JSON file."""
    content = documents.read_json(path, AGAIN)
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a JSON object")
    return content


def read_config(model: str) -> dict:
    """``config.json`` of a folder or hub repository."""
    path = find_file(model, ["config.json"])
    if path is None:
        raise UserError(f"SSL model {model}: no config.json in it")
    return read_json(path)


def read_normalize(model: str) -> bool | None:
    """``do_normalize`` of the checkpoint's feature extractor; None where it doesn't say."""
    path = find_file(model, PROCESSOR_FILES)
    if path is None:
        return None
    content = read_json(path)
    return content.get("feature_extractor", content).get("do_normalize")


def build_config(values: dict, source: str) -> PretrainedConfig:
    """transformers' config object out of plain values.

    Args:
        values: ``model_type`` and whatever differs from that type's defaults.
        source: what error messages call it.
    """
    from transformers import AutoConfig

    # How to compute, not what: some of these transformers would fetch from the hub, as code.
    values = {n: v for n, v in values.items() if n[:1] != "_" and not n.endswith("_implementation")}
    model_type = values.pop("model_type", None)
    if model_type not in MODEL_TYPES:
        raise UserError(
            f"{source}: model_type is {model_type!r}; supported are {', '.join(MODEL_TYPES)}"
        )
    for name, value in values.items():
        limit = MAX_LAYERS if name.endswith("layers") else MAX_SIZE
        if isinstance(value, int) and value > limit:  # before it fills the memory
            raise UserError(f"{source}: {name} is {value}, and no encoder has over {limit}")
        number = isinstance(value, int | float)
        if number and name.endswith("dropout") and not 0 <= value < 1:
            raise UserError(f"{source}: {name} is {value}, not a share from 0 to less than 1")
    try:
        config = AutoConfig.for_model(model_type, **values)
    except Exception as error:  # of many kinds, for values of the wrong one
        raise UserError(f"{source}: {first_line(error)}") from error
    # A sum over all layers can't have layers dropped, and adapters would change the frame rate.
    off = {"layerdrop": 0.0, "encoder_layerdrop": 0.0, "add_adapter": False}
    config.update({name: value for name, value in off.items() if hasattr(config, name)})
    return config


def check_known(values: dict, source: str) -> None:
    """Refuse misspelt names in a config written by hand, which transformers would ignore."""
    from transformers import AutoConfig

    known = AutoConfig.for_model(values["model_type"]).to_dict()
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise UserError(f"{source}: {values['model_type']} has no setting {', '.join(unknown)}")


def read_weights(model: str) -> dict[str, Tensor]:
    """All tensors of a checkpoint (safetensors or ``.bin``, in one file or in shards)."""
    path = find_file(model, WEIGHT_FILES)
    if path is None:
        raise UserError(f"SSL model {model}: no weights in it ({' or '.join(WEIGHT_FILES)})")
    if path.suffix != ".json":
        return load_state(path, advice=AGAIN)
    tensors: dict[str, Tensor] = {}
    for name in _shards(path):
        shard = find_file(model, [name])
        if shard is None:
            raise UserError(f"{path}: shard {name} is missing")
        tensors.update(load_state(shard, advice=AGAIN))
    return tensors


def _shards(index: Path) -> list[str]:
    """Names of the files that an index tells of, all beside it."""
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(v, str) for v in places.values()):
        raise UserError(f"{index}: no `weight_map` of tensor to file")
    for name in places.values():
        if Path(name).name != name:
            raise UserError(f"{index}: {name!r} isn't a file beside it")
    return sorted(set(places.values()))


def load_weights(
    module: nn.Module,
    tensors: dict[str, Tensor],
    prefixes: Sequence[str],
    source: str,
    unused: Sequence[str] = (),
) -> None:
    """Give ``module`` a checkpoint's tensors, as fp32; tensors of other parts are ignored.

    Args:
        module: transformers' encoder; its own tensors may be on the meta device.
        prefixes: of its tensors' names in the checkpoint; the first that occurs is taken, or none.
        source: what error messages call the checkpoint.
        unused: tensors of ``module`` that never act, so that a checkpoint may lack them.

    Raises:
        UserError: a tensor that the encoder uses is missing or has another shape.
    """
    prefix = next((p for p in prefixes if any(name.startswith(p) for name in tensors)), "")
    found = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            name = name[len(prefix) :]
            for old, new in WEIGHT_NORM.items():
                if name.endswith(old):
                    name = name[: -len(old)] + new
            found[name] = tensor

    own = module.state_dict()
    for name in unused:
        if name in own:
            found.setdefault(name, torch.zeros_like(own[name], device="cpu"))
    if misfit := misfits(own, found):
        raise UserError(f"{source}: its weights don't fit its config.json, {misfit}")
    floats = {n: t.float() if t.is_floating_point() else t for n, t in found.items() if n in own}
    module.load_state_dict(floats, assign=True)
