"""Models from configurations as training writes them."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import save_file
from tiny import COUNTS, EMOTIONS, GENDERS, SPEAKERS, TOKENS, WAVLM, batch

from sermtl.errors import UserError
from sermtl.model.build import build_model, load_trained

CONFIG = {
    "frontend_conf": {"model": {**WAVLM, "normalize": True}},
    "model_conf": {
        "tasks": ["gender", "speaker", "asr"],
        "hidden_size": 8,
        "num_heads": 2,
        "swfc": {"queue_size": 3},
        "class_weighting": "balanced",
    },
    "labels": {
        "emotions": EMOTIONS,
        "genders": GENDERS,
        "speakers": SPEAKERS,
        "counts": {"emotion": dict(zip(EMOTIONS, COUNTS, strict=True))},
        "tasks": {"emotion": 17, "gender": 9, "speaker": 1, "asr": 4},
    },
    "token_list": TOKENS,
}


def changed(**parts: dict[str, Any]) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    for part, values in parts.items():
        config[part].update(values)
    return config


def test_what_the_configuration_says():
    config = changed()
    model = build_model(config)
    assert config == CONFIG
    assert model.classes == {"emotion": EMOTIONS, "gender": GENDERS, "speaker": SPEAKERS}
    assert (model.tokens, model.tasks) == (TOKENS, ["gender", "speaker", "asr"])
    assert model.branches["emotion"].first[0].out_features == 8
    assert len(model.swfc.queue_labels) == 3
    assert model.emotion_weights.tolist() == pytest.approx([17 / (3 * n) for n in COUNTS])
    assert all(p.isfinite().all() for p in model.parameters())
    blank = build_model(config, pretrained=False).frontend
    assert all(p.isnan().all() for p in blank.parameters())


def test_tasks_without_a_label_are_off():
    counts = {**CONFIG["labels"]["tasks"], "gender": 0}
    model = build_model(changed(labels={"tasks": counts}))
    assert model.tasks == ["speaker", "asr"]


def test_an_emotion_that_training_lacks():
    model = build_model(changed(labels={"counts": {"emotion": {"A": 4, "N": 4}}}))
    assert model.emotion_weights.tolist() == pytest.approx([8 / 12, 8 / 3, 8 / 12])


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"frontend_conf": {"trim": 35.0}}, "^frontend_conf: there is no 'trim'"),
        ({"model_conf": {"hiden_size": 8}}, "^model_conf: there is no 'hiden_size'"),
        ({"model_conf": {"alpha": 0.5}}, "^model_conf: .*alpha"),
        ({"model_conf": {"swfc": {"queue": 8}}}, "^model_conf swfc: there is no 'queue'"),
    ],
)
def test_options_that_there_are_not(parts, told):
    with pytest.raises(UserError, match=told):
        build_model(changed(**parts))


@pytest.fixture
def trained(tmp_path) -> tuple[Path, Path]:
    """``config.json`` and weights of a model that was never trained."""
    torch.manual_seed(0)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    torch.save(build_model(CONFIG).state_dict(), tmp_path / "w.pth")
    return tmp_path / "config.json", tmp_path / "w.pth"


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_a_trained_model_answers_as_before(kind, trained, tmp_path):
    state = torch.load(trained[1], weights_only=True)
    original = build_model(CONFIG).eval()
    original.load_state_dict(state)
    config, weights = str(tmp_path / "config.yaml"), str(tmp_path / f"other.{kind}")
    Path(config).write_text(yaml.safe_dump(CONFIG))
    (save_file if kind == "safetensors" else torch.save)(state, weights)
    model, read = load_trained(config, weights)
    assert read == CONFIG
    assert not any(module.training for module in model.modules())
    data = batch(2)
    with torch.no_grad():
        ours, theirs = (
            m.outputs(data["speech"], data["speech_lengths"]) for m in (model, original)
        )
    assert ours.logits.keys() == theirs.logits.keys()
    for task, logits in ours.logits.items():
        assert torch.equal(logits, theirs.logits[task])
    Path(weights).write_bytes(b"")  # which the model must not depend on
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_weights_take_the_models_types(trained):
    config, weights = trained
    state = torch.load(weights, weights_only=True)
    floats = {n: v.bfloat16() if v.is_floating_point() else v for n, v in state.items()}
    torch.save(floats, weights)
    model, _ = load_trained(config, weights)
    assert {n: v.dtype for n, v in model.state_dict().items()} == {
        n: v.dtype for n, v in state.items()
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda state: state.pop("pooled_norm.bias"), r"missing: pooled_norm\.bias$"),
        (lambda state: state.update(more=torch.zeros(1)), "superfluous: more$"),
        (lambda state: state.update({"pooled_norm.bias": torch.zeros(3)}), r"bias \(3,\) instead"),
        (
            lambda state: state["pooled_norm.bias"].fill_(torch.nan),
            r"1 of \d+ .* pooled_norm\.bias",
        ),
    ],
)
def test_weights_that_do_not_fit(change, told, trained):
    config, weights = trained
    state = torch.load(weights, weights_only=True)
    change(state)
    torch.save(state, weights)
    with pytest.raises(UserError, match=rf"w\.pth.*{told}") as error:
        load_trained(config, weights)
    assert "superfluous" in told or "superfluous" not in str(error.value)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"model_conf": {"alpha": 0.5}}, "model_conf: .*alpha"),
        ({"labels": {"genders": None}}, "genders"),
        ({"model_conf": {"hidden_size": -8}}, r"no model .*\(RuntimeError: .*-8"),
    ],
)
def test_configurations_of_no_model(parts, told, trained):
    config, weights = trained
    config.write_text(json.dumps(changed(**parts)))
    with pytest.raises(UserError, match=rf"config\.json: .*{told}"):
        load_trained(config, weights)


def test_keys_of_a_checkpoint_that_transformers_has_none_of(trained):
    config, weights = trained
    older = changed()
    older["frontend_conf"]["model"]["freeze_feat_extract_train"] = True
    with pytest.raises(UserError, match="freeze_feat_extract_train"):  # as if written by hand
        build_model(older)
    config.write_text(json.dumps(older))
    load_trained(config, weights)


def test_no_memory_is_taken_before_weights_are_known_to_fit(trained):
    config, weights = trained
    huge = {"model_conf": {"hidden_size": 2**20, "num_heads": 1}}  # terabytes
    config.write_text(json.dumps(changed(**huge)))
    with pytest.raises(UserError, match="of another shape"):
        load_trained(config, weights)
