import logging
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from tiny import (
    CLASSES,
    COUNTS,
    EMOTIONS,
    GENDERS,
    SPEAKERS,
    TASK_SUBSETS,
    TOKENS,
    batch,
    ser_model,
)

from sermtl.model import ser_model as module
from sermtl.model.ser_model import Outputs, SERModel

CONF = Path(__file__).parents[3] / "conf" / "train.yaml"


def names(tasks):
    return "+".join(["emotion", *tasks])


@pytest.mark.parametrize("tasks", TASK_SUBSETS, ids=names)
@pytest.mark.parametrize("beta", [0.0, 0.3])
@pytest.mark.parametrize("co_attention", [False, True])
def test_every_trainable_parameter_receives_a_gradient(tasks, beta, co_attention):
    torch.manual_seed(0)
    model = ser_model(tasks=tasks, beta=beta, co_attention=co_attention).train()
    loss, _, _ = model(**batch(8))
    loss.backward()
    without = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []
    dead = [n for n, p in model.named_parameters() if p.requires_grad and not p.grad.any()]
    assert dead == []


def test_layers_side_by_side_widen_what_the_branches_see():
    torch.manual_seed(0)
    narrow, wide = ser_model(), ser_model(layer_mixing="concat").train()
    states = wide.frontend.num_states
    data = batch(8)
    pooled = [
        model.outputs(data["speech"], data["speech_lengths"]).pooled for model in (narrow, wide)
    ]
    assert pooled[1].shape == (8, states * pooled[0].shape[1])
    wide(**data)[0].backward()
    assert all(p.grad.any() for p in wide.parameters() if p.requires_grad)


@pytest.mark.parametrize("tasks", TASK_SUBSETS, ids=names)
def test_loss_weights_add_up(tasks):
    model = ser_model(tasks=tasks, alpha=0.2, beta=0.3)
    weights = dict(model.loss_weights)
    assert weights.pop("swfc") == 0.3
    assert set(weights) == {"emotion", *tasks}
    assert sum(weights.values()) == pytest.approx(1.0)
    assert all(weights[task] == 0.2 for task in tasks)


@pytest.mark.parametrize("tasks", TASK_SUBSETS, ids=names)
def test_loss_is_equation_one_over_the_labelled_utterances(tasks):
    torch.manual_seed(0)
    model = ser_model(tasks=tasks, alpha=0.2, beta=0.3).train()
    data = batch(6)
    loss, stats, weight = model(**data)

    outputs = model.outputs(data["speech"], data["speech_lengths"])
    parts = {"emotion": F.cross_entropy(outputs.logits["emotion"], data["emotion"])}
    for task in ("gender", "speaker"):
        if task in tasks:
            known = data[task] >= 0
            parts[task] = F.cross_entropy(outputs.logits[task][known], data[task][known])
    if "asr" in tasks:
        spoken = [i for i in range(6) if data["text_lengths"][i]]
        losses = []
        for i in spoken:
            frames, tokens = int(outputs.lengths[i]), int(data["text_lengths"][i])
            log_p = outputs.logits["asr"][i, :frames].log_softmax(-1)
            losses.append(
                F.ctc_loss(
                    log_p[:, None],
                    data["text"][i : i + 1, :tokens],
                    torch.tensor([frames]),
                    torch.tensor([tokens]),
                    reduction="sum",
                )
                / tokens
            )
        parts["asr"] = sum(losses) / len(losses)
    model.swfc.queue_labels.fill_(-1)  # the first forward pass filled it
    parts["swfc"] = model.swfc(outputs.pooled, data["emotion"])
    expected = (1 - 0.2 * len(tasks)) * parts["emotion"] + 0.3 * parts["swfc"]
    expected = expected + 0.2 * sum(parts[task] for task in tasks)
    torch.testing.assert_close(loss, expected)
    assert weight == 1 and stats["loss"] == loss
    for task, value in parts.items():
        torch.testing.assert_close(stats[f"loss_{task}"], value.detach().reshape(1))


def test_a_batch_without_a_tasks_labels_keeps_its_head_in_the_graph():
    model = ser_model().train()
    data = batch(4)
    data["gender"].fill_(-1)
    data["text_lengths"].fill_(0)
    loss, stats, _ = model(**data)
    loss.backward()
    assert loss.isfinite()
    assert stats["loss_gender"].isnan() and stats["loss_asr"].isnan()
    assert all(p.grad is not None for p in model.branches["gender"].classifier.parameters())
    assert not model.branches["gender"].classifier.weight.grad.any()


def test_a_single_label_counts_whole():
    model, data = ser_model(tasks=["gender"], alpha=0.2, beta=0.0), batch(4)
    data["gender"][:3], data["gender"][3] = -1, 1
    loss, stats, _ = model(**data)
    logits = model.outputs(data["speech"], data["speech_lengths"]).logits["gender"]
    expected = F.cross_entropy(logits[3:], data["gender"][3:])
    torch.testing.assert_close(stats["loss_gender"], expected.detach().reshape(1))
    torch.testing.assert_close(loss, 0.8 * stats["loss_emotion"][0] + 0.2 * expected)


def test_transcripts_with_too_few_frames_are_masked_and_counted():
    model = ser_model().train()
    data = batch(3)
    data["speech_lengths"][2] = 800  # two frames
    data["text"] = torch.tensor([[2, 3, -1], [-1, -1, -1], [4, 4, 3]])
    data["text_lengths"] = torch.tensor([2, 0, 3])
    loss, stats, _ = model(**data)
    assert loss.isfinite()
    assert stats["ctc_skipped"] == 1
    # Two equal tokens need a blank between: three frames, not two.
    data["text"], data["text_lengths"] = (
        torch.tensor([[2, 2]]).repeat(3, 1),
        torch.tensor([2, 2, 2]),
    )
    assert model(**data)[1]["ctc_skipped"] == 1


def test_one_at_a_time_equals_a_padded_batch():
    model = ser_model().eval()
    data = batch(4)
    together = model.outputs(data["speech"], data["speech_lengths"])
    for i, length in enumerate(data["speech_lengths"].tolist()):
        alone = model.outputs(data["speech"][i : i + 1, :length], torch.tensor([length]))
        torch.testing.assert_close(alone.pooled[0], together.pooled[i], atol=1e-5, rtol=1e-4)
        frames = int(alone.lengths[0])
        for task, logits in alone.logits.items():
            other = together.logits[task][i]
            if task == "asr":
                other = other[:frames]
            torch.testing.assert_close(logits[0], other, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(
            alone.task_weights[0], together.task_weights[i], atol=1e-5, rtol=1e-4
        )


def test_output_shapes():
    model = ser_model().eval()
    outputs = model.outputs(batch(4)["speech"], batch(4)["speech_lengths"])
    frames = int(outputs.lengths.max())
    assert outputs.pooled.shape == (4, 32)
    assert outputs.speaker_embedding.shape == (4, 8)
    assert outputs.task_weights.shape == (4, 3)
    torch.testing.assert_close(outputs.task_weights.sum(1), torch.ones(4))
    shapes = {task: tuple(logits.shape) for task, logits in outputs.logits.items()}
    assert shapes == {
        "emotion": (4, len(EMOTIONS)),
        "gender": (4, len(GENDERS)),
        "speaker": (4, len(SPEAKERS)),
        "asr": (4, frames, len(TOKENS)),
    }


def test_balanced_weighting_is_that_of_scikit_learn():
    from sklearn.utils.class_weight import compute_class_weight

    labels = [i for i, count in enumerate(COUNTS) for _ in range(count)]
    expected = compute_class_weight("balanced", classes=np.arange(len(COUNTS)), y=labels)
    balanced = {"class_weighting": "balanced"}
    model = ser_model(**balanced)
    assert model.emotion_weights.tolist() == pytest.approx(expected.tolist())
    assert ser_model().emotion_weights.tolist() == [1] * len(COUNTS)
    assert "emotion_weights" not in model.state_dict()
    with torch.device("meta"):
        weights = ser_model().emotion_weights
    torch.testing.assert_close(weights, torch.ones(len(COUNTS)))  # of the same type, too
    rare = SERModel(model.frontend, {"emotion": list("ab")}, [0, 6], tasks=[], **balanced)
    assert rare.emotion_weights.tolist() == [3.0, 0.5]


def test_bfloat16_keeps_losses_in_float32_and_near():
    torch.manual_seed(0)
    model = ser_model().train()
    data = batch(4)
    exact = model.outputs(data["speech"], data["speech_lengths"]).logits
    full, _, _ = model(**data)
    model.swfc.queue_labels.fill_(-1)
    model.dtype = torch.bfloat16
    logits = model.outputs(data["speech"], data["speech_lengths"]).logits
    for task, value in logits.items():
        assert value.dtype == torch.float32 and not torch.equal(value, exact[task])
    half, stats, _ = model(**data)
    half.backward()
    assert half.dtype == torch.float32
    assert all(value.dtype == torch.float32 for value in stats.values())
    assert half.item() == pytest.approx(full.item(), rel=0.05)


def test_ser_only_has_nothing_else():
    model = ser_model(tasks=[], beta=0.0)
    assert set(model.branches) == {"emotion"}
    assert model.co_attention is None and model.swfc is None
    outputs = model.outputs(batch(2)["speech"], batch(2)["speech_lengths"])
    assert outputs.task_weights is None and outputs.speaker_embedding is None


@pytest.mark.parametrize(
    "options",
    [
        {"tasks": ["age"]},
        {"alpha": 0.4},
        {"alpha": 0.5, "tasks": ["asr", "gender"]},
        {"alpha": -0.1},
        {"class_weighting": "some"},
    ],
)
def test_refuses_options_without_sense(options):
    with pytest.raises(ValueError, match=r"tasks|alpha|class_weighting"):
        ser_model(**options)


def test_accuracies_are_over_labelled_utterances():
    model = ser_model().eval()
    data = batch(6)
    _, stats, _ = model(**data)
    logits = model.outputs(data["speech"], data["speech_lengths"]).logits["gender"]
    known = data["gender"] >= 0
    right = (logits.argmax(-1) == data["gender"])[known].float().mean()
    assert math.isclose(float(stats["acc_gender"]), float(right), rel_tol=1e-6)


def test_smoothing_does_not_teach_rare_classes():
    """With `weight=`, torch's smoothed loss would be least where a rare class is answered."""
    model = ser_model(class_weighting="balanced", label_smoothing=0.1)
    logits = torch.randn(4, 3)
    labels = torch.tensor([0, 1, 2, -1])
    data = batch(4)
    outputs = model.outputs(data["speech"], data["speech_lengths"])
    outputs = replace(outputs, logits={"emotion": logits})
    losses, counted = model.task_losses(outputs, {"emotion": labels}, torch.zeros(4))["emotion"]
    assert counted.tolist() == [True, True, True, False]
    log_p = logits.log_softmax(-1)
    for i, label in enumerate([0, 1, 2]):
        weight = sum(COUNTS) / (3 * COUNTS[label])
        target = [0.1 / 3 + 0.9 * (c == label) for c in range(3)]
        expected = -weight * sum(t * p for t, p in zip(target, log_p[i].tolist(), strict=True))
        assert losses[i].item() == pytest.approx(expected, rel=1e-5)
    assert losses[3] == 0


def test_smoothing_is_of_emotion_alone():
    data = batch(4)
    labels = {task: data[task] for task in ("emotion", "gender", "speaker")} | {"asr": data["text"]}
    losses = []
    for smoothing in (0.0, 0.1):
        torch.manual_seed(0)
        model = ser_model(label_smoothing=smoothing).eval()
        outputs = model.outputs(data["speech"], data["speech_lengths"])
        losses.append(model.task_losses(outputs, labels, data["text_lengths"]))
    changed = {
        task for task in losses[0] if not torch.equal(losses[0][task][0], losses[1][task][0])
    }
    assert changed == {"emotion"}


def test_hidden_states_computed_before_take_the_encoders_place():
    model, data = ser_model().eval(), batch(3)
    expected = model.outputs(data["speech"], data["speech_lengths"])
    states, frames = model.frontend.encode(data["speech"], data["speech_lengths"])
    outputs = model.outputs(states.permute(1, 2, 0, 3), frames)
    assert torch.equal(outputs.pooled, expected.pooled)
    assert torch.equal(outputs.lengths, frames)
    for task, logits in outputs.logits.items():
        assert torch.equal(logits, expected.logits[task])


def test_the_global_batch_counts_in_training_only(monkeypatch):
    """Of five ranks, all of them together with ten times as many labels as this one."""
    model, data = ser_model(beta=0.0).eval(), batch(6)
    data["speech_lengths"][2:4], data["text_lengths"][2:4] = 400, 3  # one frame
    loss, stats, _ = model(**data)
    monkeypatch.setattr(module, "sum_over_ranks", lambda counts: 10 * counts)
    monkeypatch.setattr(module, "world_size", lambda: 5)
    again, same, _ = model(**data)
    torch.testing.assert_close((again, same), (loss, stats))
    share, shares, _ = model.train()(**data)
    torch.testing.assert_close(share, loss / 2)
    assert shares.keys() == stats.keys()
    assert shares.pop("ctc_skipped") == 5 * stats["ctc_skipped"] == 10
    torch.testing.assert_close(shares, {name: stats[name] / 2 for name in shares})


def test_utterances_without_numbers_are_named(caplog):
    model, data = ser_model().eval(), batch(3)
    data["speech"][1, :100] = math.nan
    model(**data, utt_id=["a", "b", "c"])
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR] == [
        "infinite or undefined numbers come of b"
    ]


def test_finite_are_outputs_of_which_all_numbers_are():
    pooled, logits = torch.ones(3, 4), {"asr": torch.ones(3, 2, 5), "emotion": torch.ones(3, 2)}
    outputs = Outputs(pooled, logits, torch.tensor([2, 2, 2]), None, None)
    assert outputs.finite().tolist() == [True] * 3
    pooled[0, 1] = logits["asr"][2, 1, 3] = math.inf
    assert outputs.finite().tolist() == [False, True, False]


def test_options_reach_what_they_are_of():
    options = {"pooled_dropout": 0.2, "dropout": 0.3, "attention_size": 5, "layer_norm": True}
    options |= {"num_heads": 1, "swfc": {"queue_size": 3}, "standardize_pooled": True}
    model = ser_model(**options, extract_feats_in_collect_stats=True)
    assert model.pooled_dropout.p == 0.2
    for branch in model.branches.values():
        assert [m.p for m in branch.modules() if isinstance(m, torch.nn.Dropout)] == [0.3]
    assert any(p.shape[0] == 5 for p in model.pooling.parameters())
    assert model.layer_mixing.normalize
    assert model.standardize_pooled and model.extract_feats_in_collect_stats
    assert model.co_attention.num_heads == 1
    assert model.swfc.queue_feats.shape == (3, 32)


def test_what_is_left_out_is_as_in_the_shipped_configuration_or_off():
    told = yaml.safe_load(CONF.read_text())["model_conf"] | {
        "swfc": None,
        "pooled_dropout": 0.0,
        "standardize_pooled": False,
        "layer_norm": False,
        "attention_size": 128,
        "label_smoothing": 0.0,
        "extract_feats_in_collect_stats": False,
    }
    frontend = ser_model().frontend
    models = [SERModel(frontend, CLASSES, COUNTS, TOKENS, **o) for o in ({}, told)]
    assert str(models[0]) == str(models[1])
    plain = bool, int, float, str, list, dict, torch.dtype
    for one, other in zip(*(model.modules() for model in models), strict=True):
        values = [
            {
                name: value
                for name, value in vars(part).items()
                if name[0] != "_" and isinstance(value, plain)
            }
            for part in (one, other)
        ]
        assert values[0] == values[1]


def test_espnet_sees_the_waveform_as_features():
    speech, lengths = torch.randn(2, 5), torch.tensor([5, 3])
    feats = ser_model().collect_feats(speech, lengths, text=torch.zeros(2, 1))
    assert torch.equal(feats["feats"], speech[:, :, None])
    assert feats["feats_lengths"] is lengths
