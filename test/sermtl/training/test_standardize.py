import torch
from tiny import batch, ser_model

from sermtl.training.standardize import standardize_pooled


def batches() -> list:
    return [(["unused"] * size, batch(size, seed=size)) for size in (6, 3)]


def test_components_become_standard_over_the_data():
    model = ser_model(pooled_dropout=0.5, dropout=0.5)
    standardize_pooled(model, batches(), "cpu")
    with torch.no_grad():
        normed = torch.cat(
            [
                model.pooled_norm(model.outputs(b["speech"], b["speech_lengths"]).pooled)
                for _, b in batches()
            ]
        )
    torch.testing.assert_close(normed.mean(0), torch.zeros(normed.shape[1]), atol=1e-4, rtol=0)
    deviation = normed.std(0, correction=0)
    torch.testing.assert_close(deviation, torch.ones_like(deviation), atol=1e-3, rtol=0)


def test_a_trained_norm_is_left_alone():
    model = ser_model()
    with torch.no_grad():
        model.pooled_norm.bias[3] = 0.5
    before = model.pooled_norm.bias.clone()
    standardize_pooled(model, batches(), "cpu")
    assert torch.equal(model.pooled_norm.bias, before)
    assert (model.pooled_norm.weight == 1).all()
