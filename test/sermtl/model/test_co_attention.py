import itertools
import math

import pytest
import torch

from sermtl.model.co_attention import CoAttention

SUBSETS = [
    list(tasks)
    for size in (1, 2, 3)
    for tasks in itertools.combinations(["gender", "speaker", "asr"], size)
]


def softmax(scores):
    total = sum(math.exp(score) for score in scores)
    return [math.exp(score) / total for score in scores]


def plain_co_attention(module, emotion, features, length):
    """The design's formulas for one utterance, one head and one frame at a time."""
    size = len(emotion) // module.num_heads
    heads = [slice(h * size, (h + 1) * size) for h in range(module.num_heads)]
    query = module.query(emotion) if module.query is not None else None
    contexts = {}
    for task in module.tasks:
        if features[task].dim() == 1:
            contexts[task] = module.value[task](features[task])
            continue
        keys = module.key[task](features[task][:length])
        values = module.value[task](features[task][:length])
        parts = []
        for head in heads:
            scores = [float(query[head] @ key[head]) / math.sqrt(size) for key in keys]
            weights = softmax(scores)
            parts.append(sum(w * v[head] for w, v in zip(weights, values, strict=True)))
        contexts[task] = torch.cat(parts)
    fused, omegas = [], []
    for head in heads:
        if len(module.tasks) == 1:
            omega = [1.0]
        else:
            omega = softmax(
                [
                    float(query[head] @ module.relate(contexts[task])[head]) / math.sqrt(size)
                    for task in module.tasks
                ]
            )
        omegas.append(omega)
        fused.append(sum(w * contexts[t][head] for w, t in zip(omega, module.tasks, strict=True)))
    return module.norm(emotion + module.output(torch.cat(fused))), torch.tensor(omegas)


@pytest.mark.parametrize("tasks", SUBSETS, ids="+".join)
def test_equals_a_plain_loop(tasks):
    torch.manual_seed(0)
    module = CoAttention(8, tasks, ["asr"], num_heads=2)
    emotion, lengths = torch.randn(3, 8), torch.tensor([5, 3, 1])
    features = {"gender": torch.randn(3, 8), "speaker": torch.randn(3, 8)}
    features["asr"] = torch.randn(3, 5, 8)
    output, weights = module(emotion, features, lengths)
    assert weights.shape == (3, 2, len(tasks))
    for i in range(3):
        row = {task: value[i] for task, value in features.items()}
        expected, omega = plain_co_attention(module, emotion[i], row, int(lengths[i]))
        torch.testing.assert_close(output[i], expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(weights[i], omega, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("tasks", SUBSETS, ids="+".join)
def test_has_only_parameters_that_act(tasks):
    module = CoAttention(8, tasks, ["asr"], num_heads=2)
    features = {"gender": torch.randn(3, 8), "speaker": torch.randn(3, 8)}
    features["asr"] = torch.randn(3, 5, 8)
    output, _ = module(torch.randn(3, 8), features, torch.tensor([5, 3, 2]))
    (output * torch.randn(3, 8)).sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 1e-7, name


def test_only_keys_and_relations_have_no_bias():
    module = CoAttention(8, ["gender", "asr"], ["asr"])
    assert module.num_heads == 4
    with_bias = {"query", "value.gender", "value.asr", "output", "norm"}
    without = {"key.asr", "relate"}
    names = {f"{name}.weight" for name in with_bias | without} | {f"{n}.bias" for n in with_bias}
    assert set(module.state_dict()) == names


def test_half_precision_stays_what_it_is():
    module = CoAttention(8, ["gender", "asr"], ["asr"]).bfloat16()
    features = {"gender": torch.randn(3, 8).bfloat16(), "asr": torch.randn(3, 5, 8).bfloat16()}
    output, weights = module(torch.randn(3, 8).bfloat16(), features, torch.tensor([5, 3, 1]))
    assert output.dtype == torch.bfloat16 and weights.dtype == torch.float  # of a softmax


def test_needs_a_task_and_a_fitting_number_of_heads():
    with pytest.raises(ValueError, match="at least one"):
        CoAttention(8, [], ["asr"])
    with pytest.raises(ValueError, match="heads"):
        CoAttention(8, ["asr"], ["asr"], num_heads=3)
