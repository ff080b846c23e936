"""The branches' layers, written out."""

import torch
import torch.nn.functional as F

from sermtl.model.branches import ASRBranch, UtteranceBranch


def first(layers, feats):
    linear, norm, *_ = layers
    feats = F.linear(feats, linear.weight, linear.bias)
    return F.layer_norm(feats, norm.normalized_shape, norm.weight, norm.bias).relu()


def test_first_layer_then_classes():
    branch = UtteranceBranch(6, 4, num_classes=3, dropout=0.5).eval()
    torch.nn.init.normal_(branch.first[1].weight)
    feats = torch.randn(5, 6)
    torch.testing.assert_close(branch.first(feats), first(branch.first, feats))
    assert branch.classifier.weight.shape == (3, 4)


def test_the_first_layers_answers_are_dropped_in_training():
    torch.manual_seed(0)
    branch = UtteranceBranch(6, 400, num_classes=3, dropout=0.25).train()
    feats = torch.randn(50, 6)
    whole, dropped = first(branch.first, feats), branch.first(feats)
    assert abs(float((dropped[whole > 0] == 0).float().mean()) - 0.25) < 0.02
    kept = dropped > 0
    torch.testing.assert_close(dropped[kept], whole[kept] / 0.75)


def test_frames_pass_an_lstm_before():
    branch = ASRBranch(6, 4, num_tokens=7, dropout=0.5).eval()
    feats = torch.randn(2, 9, 6)
    hidden = torch.stack([branch.lstm(clip)[0] for clip in feats])
    torch.testing.assert_close(branch.features(feats), first(branch.first, hidden))
    assert branch.classifier.weight.shape == (7, 4)


def test_the_lstm_stays_in_single_precision():
    branch, precisions = ASRBranch(6, 4, num_tokens=7, dropout=0.0), []

    def look(lstm, arguments):
        precisions.append((arguments[0].dtype, torch.is_autocast_enabled("cpu")))

    branch.lstm.register_forward_pre_hook(look)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        branch.features(torch.randn(2, 9, 6).bfloat16())
    assert precisions == [(torch.float, False)]
