import math
from collections import deque

import pytest
import torch

from sermtl.model.swfc import SWFCLoss

COUNTS = [50, 20, 0, 1]


def plain_weights(counts, delta):
    raw = [(sum(counts) / n) ** delta if n else 0.0 for n in counts]
    mean = sum(raw) / sum(n > 0 for n in counts)
    return [w / mean for w in raw]


def plain_swfc(features, labels, counts, gamma, tau, delta, variant):
    """Both variants a pair at a time."""
    unit = [f / math.sqrt(float(f @ f)) for f in features.double()]
    weights = plain_weights(counts, delta)
    total = 0.0
    for i, anchor in enumerate(unit):
        others = [j for j in range(len(unit)) if j != i]
        exps = {j: math.exp(float(anchor @ unit[j]) / tau) for j in others}
        p = {j: exps[j] / sum(exps.values()) for j in others}
        if variant == "printed":
            inner = sum(p[j] * (1 - p[j]) ** gamma for j in others)
        else:
            positives = [j for j in others if labels[j] == labels[i]]
            terms = [(1 - p[j]) ** gamma * math.log(p[j]) for j in positives]
            inner = sum(terms) / len(terms) if terms else 0.0
        total += weights[int(labels[i])] * inner
    return -total / len(unit)


@pytest.mark.parametrize("variant", ["focal", "printed"])
@pytest.mark.parametrize(
    ("gamma", "tau", "delta"), [(2.0, 0.1, 0.5), (0.5, 1.0, 0.0), (0.0, 0.5, 1.0)]
)
def test_equals_a_plain_loop(variant, gamma, tau, delta):
    features, labels = torch.randn(9, 6), torch.tensor([0, 0, 1, 3, 0, 1, 0, 1, 0])
    loss = SWFCLoss(COUNTS, gamma, tau, delta, variant)(features, labels)
    expected = plain_swfc(features, labels, COUNTS, gamma, tau, delta, variant)
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_class_weights_have_mean_one_over_the_classes_that_occur():
    weights = SWFCLoss(COUNTS, delta=0.5).class_weights
    assert weights.tolist() == pytest.approx(plain_weights(COUNTS, 0.5))
    assert weights[2] == 0
    assert weights.sum() / 3 == pytest.approx(1.0)
    assert SWFCLoss([0, 7]).class_weights.tolist() == [0, 1]


def test_class_weights_are_there_before_the_weights_have_memory():
    with torch.device("meta"):
        weights = SWFCLoss(COUNTS).class_weights
    assert torch.equal(weights, SWFCLoss(COUNTS).class_weights)


def test_utterances_without_a_label_take_no_part():
    features, labels = torch.randn(6, 4), torch.tensor([0, 0, 1, 1, 3, 0])
    loss = SWFCLoss(COUNTS)
    padded = torch.cat([features, torch.randn(3, 4)])
    with_unknown = torch.cat([labels, torch.tensor([-1, -1, -1])])
    torch.testing.assert_close(loss(padded, with_unknown), loss(features, labels))


@pytest.mark.parametrize("labels", [[-1, -1], [0, -1], [0], [0, 1, 3]])
def test_without_positives_it_is_zero_with_a_finite_gradient(labels):
    features = torch.randn(len(labels), 4, requires_grad=True)
    loss = SWFCLoss(COUNTS)(features, torch.tensor(labels))
    loss.backward()
    assert float(loss) == 0
    assert features.grad.isfinite().all()


def clusters(labels):
    return torch.nn.functional.one_hot(torch.tensor(labels), 4).float()


def test_focal_prefers_right_clusters_and_printed_prefers_collapse():
    labels = torch.tensor([0, 0, 1, 1])
    right, wrong = clusters([0, 0, 1, 1]), clusters([0, 1, 0, 1])
    collapsed = torch.ones(4, 4)
    focal = SWFCLoss([1, 1], tau=0.1, delta=0.0)
    assert focal(right, labels) < focal(collapsed, labels) < focal(wrong, labels)
    printed = SWFCLoss([1, 1], tau=0.1, delta=0.0, variant="printed")
    assert float(printed(right, labels)) == pytest.approx(float(printed(wrong, labels)))
    assert printed(collapsed, labels) < printed(right, labels)


def test_the_queue_supplies_past_features_in_training_only():
    loss = SWFCLoss(COUNTS, queue_size=3, feature_size=4).train()
    past, now = torch.randn(2, 4), torch.randn(2, 4)
    loss(past, torch.tensor([0, 1]))
    queued = loss(now, torch.tensor([1, 0]))
    together = torch.cat([now, past])
    unit = torch.nn.functional.normalize(together, dim=-1)
    p = (unit[:2] @ unit.T / 0.1).masked_fill(torch.eye(2, 4).bool(), -torch.inf).softmax(1)
    weights = plain_weights(COUNTS, 0.5)
    expected = (
        sum(
            -weights[label] * (1 - p[i, j]) ** 2 * p[i, j].log()
            for i, (label, j) in enumerate([(1, 3), (0, 2)])
        )
        / 2
    )
    torch.testing.assert_close(queued, expected)
    assert float(loss.eval()(now, torch.tensor([1, 0]))) == 0


def test_a_single_utterance_has_its_positives_in_the_queue():
    loss = SWFCLoss([1, 1], gamma=0.0, queue_size=2, feature_size=2).train()
    loss(torch.eye(2), torch.tensor([0, 1]))
    expected = -torch.tensor([10.0, 0.0]).log_softmax(0)[1]  # τ is .1; the other is the positive
    torch.testing.assert_close(loss(torch.tensor([[1.0, 0.0]]), torch.tensor([1])), expected)


def test_the_queue_is_a_ring_without_gradients():
    loss = SWFCLoss(COUNTS, queue_size=5, feature_size=2).train()
    latest = deque([-1] * 5, maxlen=5)
    for step in range(4):
        features, labels = torch.randn(3, 2, requires_grad=True), [step % 2, -1, 3]
        loss(features, torch.tensor(labels)).backward()
        latest.extend(label for label in labels if label != -1)
        assert sorted(loss.queue_labels.tolist()) == sorted(latest)
    assert not loss.queue_feats.requires_grad
    assert int(loss.queue_next) == 8 % 5
    assert set(loss.state_dict()) == {"queue_feats", "queue_labels", "queue_next"}


def test_a_batch_larger_than_the_queue_leaves_its_end():
    loss = SWFCLoss(COUNTS, queue_size=2, feature_size=2).train()
    loss(torch.randn(5, 2), torch.tensor([0, 0, 0, 1, 3]))
    assert sorted(loss.queue_labels.tolist()) == [1, 3]


@pytest.mark.parametrize("options", [{"variant": "other"}, {"tau": 0.0}, {"queue_size": 4}])
def test_refuses_options_without_sense(options):
    with pytest.raises(ValueError, match=r"variant|tau|feature_size"):
        SWFCLoss(COUNTS, **options)
