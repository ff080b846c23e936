import json
import logging
import math
from unittest import mock

import kaldiio
import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, recall_score
from tiny_corpus import arguments, write

from sermtl.data.datadir import read_column, write_column
from sermtl.errors import UserError
from sermtl.files import exclusive
from sermtl.model.build import load_trained
from sermtl.model.ser_model import SERModel
from sermtl.training import checkpoint, validation
from sermtl.training.task import SERTask


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write(folder)
    return folder


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """Four epochs in one go."""
    output = tmp_path_factory.mktemp("whole")
    SERTask.main(cmd=arguments(data, output))
    return output


def test_leaves_weights_checkpoint_average_and_history(whole):
    epochs = [int(p.name.removesuffix("epoch.pth")) for p in whole.glob("*epoch.pth")]
    assert 4 in epochs and 2 <= len(epochs) <= 3  # the best two and the latest
    history = json.loads((whole / "history.json").read_text())
    assert [entry["epoch"] for entry in history] == [1, 2, 3, 4]
    scores = {entry["epoch"]: entry["valid"]["macro_f1"] for entry in history}
    best = sorted(scores, key=lambda epoch: -scores[epoch])[:2]
    states = [checkpoint.load(whole / f"{epoch}epoch.pth") for epoch in best]
    mean = checkpoint.load(whole / "final.pth")
    assert (whole / "final.pth").resolve() == (whole / "valid.macro_f1.ave_2best.pth").resolve()
    for name, value in mean.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (states[0][name] + states[1][name]) / 2)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"accum_grad": 3},  # four batches: one is left over in each epoch
        {"num_workers": 2, "augment_conf": {"speeds": [0.9, 1.1], "noise_snr": [5, 20]}},
    ],
)
def test_two_and_two_epochs_equal_four(data, tmp_path, changes):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    SERTask.main(cmd=arguments(data, whole, **changes))
    SERTask.main(cmd=arguments(data, parts, max_epoch=2, **changes))
    SERTask.main(cmd=arguments(data, parts, max_epoch=4, **changes))
    one, other = (checkpoint.load(folder / "checkpoint.pth") for folder in (whole, parts))
    assert one["model"].keys() == other["model"].keys()
    for name, value in one["model"].items():
        assert torch.equal(value, other["model"][name]), name
    histories = [json.loads((f / "history.json").read_text()) for f in (whole, parts)]
    for first, second in zip(*histories, strict=True):
        assert first["train"]["loss"] == second["train"]["loss"]
        assert first["valid"]["macro_f1"] == second["valid"]["macro_f1"]


def test_validation_is_over_the_whole_set(data, whole):
    """Against scikit-learn, and whatever the batches."""
    model, _ = load_trained(whole / "config.yaml", whole / "4epoch.pth")
    args = SERTask.get_parser().parse_args(arguments(data, whole))
    factory = SERTask.build_iter_factory(args, _single(), "valid")
    rows = validation.collect(model, factory.build_iter(1), "cpu")
    assert len(rows) == 6
    values = validation.metrics(model, rows)
    pairs = [row.answers["emotion"] for row in rows.values()]
    labels, answers = zip(*pairs, strict=True)
    assert values["macro_f1"] == pytest.approx(f1_score(labels, answers, average="macro"))
    assert values["uar"] == pytest.approx(recall_score(labels, answers, average="macro"))
    history = json.loads((whole / "history.json").read_text())
    assert history[-1]["valid"]["macro_f1"] == pytest.approx(values["macro_f1"])
    args.batch_size = args.valid_batch_size = 1
    factory = SERTask.build_iter_factory(args, _single(), "valid")
    alone = validation.metrics(model, validation.collect(model, factory.build_iter(1), "cpu"))
    assert alone == pytest.approx(values, rel=1e-4)


def test_trained_model_builds_again_from_its_folder_alone(whole):
    model, config = load_trained(whole / "config.yaml", whole / "final.pth")
    assert config["labels"]["emotions"] == model.emotions
    assert not model.training


def test_weights_of_another_model_are_refused(whole, tmp_path):
    state = checkpoint.load(whole / "4epoch.pth")
    state.pop("pooled_norm.weight")
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(UserError, match=r"pooled_norm\.weight"):
        load_trained(whole / "config.yaml", tmp_path / "weights.pth")


def test_early_stopping_stops_and_stays_stopped(data, tmp_path):
    frozen = {"optim_conf": {"lr": 0.0}, "encoder_lr": 0.0}  # nothing improves
    options = {"max_epoch": 9, "patience": 1, **frozen}
    SERTask.main(cmd=arguments(data, tmp_path, **options))
    epochs = len(json.loads((tmp_path / "history.json").read_text()))
    assert epochs == 3  # the first is best; two more without improvement
    SERTask.main(cmd=arguments(data, tmp_path, **options))
    assert len(json.loads((tmp_path / "history.json").read_text())) == epochs


def test_learning_rates_follow_the_training(data, tmp_path):
    schedule = {"scheduler": "warmupcosine", "scheduler_conf": {"warmup": 0.5}}
    schedule["scheduler_conf"]["warmup_steps"] = None
    SERTask.main(cmd=arguments(data, tmp_path, max_epoch=2, **schedule))
    history = json.loads((tmp_path / "history.json").read_text())
    heads = [entry["train"]["optim0_lr0"] for entry in history]
    encoder = [entry["train"]["optim0_lr1"] for entry in history]
    # ESPnet reports what each of the four steps leaves for the next: up to the peak in the first
    # epoch, down the cosine to zero in the second, where the last has no next.
    factors = [2 / 4, 3 / 4, 1, *((1 + math.cos(math.pi * k / 4)) / 2 for k in (1, 2, 3, 4, 4))]
    means = [sum(factors[:4]) / 4, sum(factors[4:]) / 4]
    assert heads == pytest.approx([1e-3 * mean for mean in means])
    assert encoder == pytest.approx([rate / 10 for rate in heads])


def test_the_schedule_ends_with_the_training_when_gradients_are_accumulated(data, tmp_path):
    """Four batches, three to an update: one update in each epoch, not two."""
    options = {"scheduler": "warmupcosine", "scheduler_conf": {"warmup_steps": None}}
    SERTask.main(cmd=arguments(data, tmp_path, max_epoch=2, accum_grad=3, **options))
    states = checkpoint.load(tmp_path / "checkpoint.pth")
    assert states["schedulers"][0]["share"] == 1


def test_options_that_would_be_ignored_are_refused(data, tmp_path):
    with pytest.raises(UserError, match="dtype: bfloat16"):
        SERTask.main(cmd=arguments(data, tmp_path, use_amp=True))


def test_another_criterion_chooses_the_final_weights(data, tmp_path):
    criterion = [["valid", "uar", "max"], ["valid", "macro_f1", "max"]]
    SERTask.main(cmd=arguments(data, tmp_path, max_epoch=1, best_model_criterion=criterion))
    final = (tmp_path / "final.pth").resolve()
    assert final == (tmp_path / "valid.uar.ave_1best.pth").resolve()


def test_clips_that_the_encoder_cannot_take_are_named_before_training(data, tmp_path):
    shapes = read_column(data / "train" / "speech_shape")
    options = arguments(data, tmp_path, augment_conf={"speeds": [1.0, 20.0]})
    with pytest.raises(UserError, match=rf"{min(shapes)} at speed 20: .*needs 400"):
        SERTask.main(cmd=options)
    assert not (tmp_path / "checkpoint.pth").exists()


def test_the_configuration_is_whole_or_as_it_was(data, tmp_path, monkeypatch):
    """ESPnet writes it in place."""
    (tmp_path / "config.yaml").write_text("old: 1\n")

    def dump(values, stream, **options):
        stream.write("max_ep")
        raise KeyboardInterrupt

    monkeypatch.setattr("espnet2.tasks.abs_task.yaml_no_alias_safe_dump", dump)
    with pytest.raises(KeyboardInterrupt):
        SERTask.main(cmd=arguments(data, tmp_path))
    assert (tmp_path / "config.yaml").read_text() == "old: 1\n"


def test_long_clips_are_counted_and_cut(tmp_path, caplog):
    write(tmp_path / "data")
    for part, shortest in (("train", 3), ("valid", 1)):
        folder = tmp_path / "data" / part
        places, shapes = read_column(folder / "wav.scp"), read_column(folder / "speech_shape")
        with open(folder / "long.ark", "wb") as stream:
            for utt_id in list(places)[:shortest]:
                places[utt_id] = f"{folder / 'long.ark'}:{stream.tell() + len(utt_id) + 1}"
                kaldiio.save_ark(stream, {utt_id: (16000, np.ones(20_000, np.int16))})
                shapes[utt_id] = "20000"
        write_column(folder / "wav.scp", places)
        write_column(folder / "speech_shape", shapes)
    longest = 0
    outputs = SERModel.outputs

    def watched(self, speech, lengths):
        nonlocal longest
        longest = max(longest, int(lengths.max()))
        return outputs(self, speech, lengths)

    with caplog.at_level(logging.INFO), mock.patch.object(SERModel, "outputs", watched):
        options = {"max_epoch": 1, "max_clip_seconds": 1.125}
        SERTask.main(cmd=arguments(tmp_path / "data", tmp_path / "exp", **options))
    assert longest == 18_000
    assert (
        "[progress] 3 of 14 train clips are longer than max_clip_seconds (1.125): of each another "
        "stretch in every epoch, without its transcript"
    ) in caplog.text
    assert "1 of 6 valid clips are longer than max_clip_seconds (1.125): of each the middle" in (
        caplog.text
    )


def test_stretches_of_no_length_are_refused(data, tmp_path):
    with pytest.raises(UserError, match="max_clip_seconds: 0, but a second is the least"):
        SERTask.main(cmd=arguments(data, tmp_path, max_clip_seconds=0))


def test_a_second_training_in_the_same_folder_is_refused(data, tmp_path):
    options = arguments(data, tmp_path)
    with exclusive(tmp_path), pytest.raises(UserError, match="another run"):
        SERTask.main(cmd=options)
    assert not (tmp_path / "checkpoint.pth").exists()


def test_pickled_code_in_a_checkpoint_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"model": Evil()}, tmp_path / "checkpoint.pth")
    with pytest.raises(Exception, match=r"it would run io\.open"):
        checkpoint.load(tmp_path / "checkpoint.pth")
    assert not (tmp_path / "ran").exists()


def _single():
    from espnet2.train.distributed_utils import DistributedOption

    return DistributedOption()
