"""What the speed benchmarks measure with: the formula of operations, and the baseline."""

import importlib

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode


@pytest.fixture(scope="module")
def paper_system(root):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root / "tools" / "benchmark")
        patch.chdir(root)
        yield importlib.import_module("paper_system")


def test_operations_are_what_torch_counts(paper_system):
    """Forwards; backwards torch counts grouped convolutions as if they had no groups."""
    model = paper_system.build(1, "float32", baseline=True).eval()
    data = paper_system.batch([3.0])
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.outputs(data["speech"], data["speech_lengths"])
    assert paper_system.operations(model, 3.0, training=False) == pytest.approx(
        counter.get_total_flops(), rel=0.02
    )


def test_the_baseline_is_the_same_model(paper_system):
    torch.manual_seed(0)
    model = paper_system.build(1, "float32").eval()
    data = paper_system.batch([1.0])
    with torch.no_grad():
        ours = model.outputs(data["speech"], data["speech_lengths"])
        model.frontend.encoder.__class__ = paper_system.TransformersWavLM
        theirs = model.outputs(data["speech"], data["speech_lengths"])
    for task, logits in ours.logits.items():
        torch.testing.assert_close(logits, theirs.logits[task], atol=1e-4, rtol=0)


def test_durations_are_like_the_corpus(paper_system):
    seconds = paper_system.durations(20_000)
    assert seconds.mean() == pytest.approx(5.5, abs=0.05)
    assert seconds.min() >= 2 and seconds.max() <= 12
