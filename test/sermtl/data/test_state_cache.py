import kaldiio
import numpy as np
import pytest
import torch
from tiny import WAVLM, ser_model
from tiny_corpus import write

from sermtl.data import state_cache
from sermtl.data.audio import read_dump
from sermtl.data.datadir import read_column, write_column
from sermtl.data.state_cache import (
    cache_bytes,
    cache_folder,
    check_cacheable,
    check_clips,
    encoder_files,
    stage_of,
    write_states,
)
from sermtl.errors import UserError
from sermtl.inference import batches

FRONTEND = {"model": WAVLM, "freeze": "all"}
PRETRAINED = {"model": "org/encoder", "freeze": "all"}


@pytest.fixture
def dump(tmp_path):
    write(tmp_path)
    folder = tmp_path / "valid"
    write_column(folder / "utt2num_samples", read_column(folder / "speech_shape"))
    return folder


def test_the_model_says_the_same_with_cached_states(dump):
    model = ser_model().eval()
    opened = read_dump(dump)
    folder = cache_folder(dump, FRONTEND)
    parts = batches(opened.lengths, 0.8)
    begun = stage_of(dump, FRONTEND, "begun.json")
    written = write_states(opened, folder, model.frontend, parts, begun, print)
    states = kaldiio.load_scp(str(written[-1]))
    size = sum(array.nbytes for array in map(states.__getitem__, states))
    assert size == cache_bytes(opened, model.frontend)
    assert sorted(states) == opened.ids
    for utt_id in opened.ids:
        speech = torch.from_numpy(opened.samples(utt_id))[None]
        expected = model.outputs(speech, torch.tensor([speech.shape[1]]))
        cached = torch.from_numpy(states[utt_id].astype(np.float32))[None]
        assert states[utt_id].dtype == np.float16 and cached.shape[2:] == (3, 16)
        outputs = model.outputs(cached, torch.tensor([cached.shape[1]]))
        assert torch.equal(outputs.lengths, expected.lengths)
        for task, logits in expected.logits.items():
            torch.testing.assert_close(outputs.logits[task], logits, atol=5e-3, rtol=1e-2)


def test_clips_that_training_would_take_a_part_of_are_refused(dump):
    lengths = read_column(dump / "utt2num_samples")
    longest = max(lengths, key=lambda utt_id: int(lengths[utt_id]))
    check_clips(dump, int(lengths[longest]) / 16000)
    with pytest.raises(UserError, match=rf"^{longest} of {dump}: 0\.\d\d s, .* is 0\.\d+: set"):
        check_clips(dump, (int(lengths[longest]) - 1) / 16000)


def test_another_encoder_has_another_place_and_is_not_done(dump):
    other = {**FRONTEND, "normalize": True}
    assert cache_folder(dump, FRONTEND) != cache_folder(dump, other)
    swapped = dict(reversed(FRONTEND.items()))
    assert cache_folder(dump, FRONTEND) == cache_folder(dump, swapped)
    stage = stage_of(dump, FRONTEND)
    assert stage.marker.parent == cache_folder(dump, FRONTEND)
    assert not stage.is_done()
    stage.finish([])
    assert stage_of(dump, FRONTEND).is_done()
    assert not stage_of(dump, other).is_done()


def test_a_killed_run_goes_on_where_it_was(dump, monkeypatch):
    monkeypatch.setattr(state_cache, "ARCHIVE_BATCHES", 1)
    frontend, opened = ser_model().eval().frontend, read_dump(dump)
    folder, begun = cache_folder(dump, FRONTEND), stage_of(dump, FRONTEND, "begun.json")
    parts = batches(opened.lengths, 0.8)
    assert len(parts) > 2
    encode, calls = frontend.encode, []

    def killed(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return encode(*arguments)

    monkeypatch.setattr(frontend, "encode", killed)
    with pytest.raises(KeyboardInterrupt):
        write_states(opened, folder, frontend, parts, begun, print)
    written = write_states(opened, folder, frontend, parts, begun, print)
    assert len(calls) == len(parts) + 1
    assert sorted(read_column(written[-1])) == opened.ids


def test_what_other_work_left_is_not_taken(dump, monkeypatch):
    monkeypatch.setattr(state_cache, "ARCHIVE_BATCHES", 2)
    frontend, opened = ser_model().eval().frontend, read_dump(dump)
    folder, parts = cache_folder(dump, FRONTEND), [[i] for i in range(5)]
    folder.mkdir()
    write_column(folder / "states.1.scp", {"someone": "else.ark:7"})
    reports = []
    begun = stage_of(dump, FRONTEND, "begun.json")
    written = write_states(opened, folder, frontend, parts, begun, reports.append)
    names = ["states.1.ark", "states.2.ark", "states.3.ark", "states.scp"]
    assert written == [folder / name for name in names]
    assert list(read_column(written[-1])) == opened.ids[:5]
    assert [line.split()[0] for line in reports] == ["valid:"] * 3
    assert [line.split()[-2] for line in reports] == ["2/6", "4/6", "5/6"]


def test_an_encoders_files_are_its_config_and_weights(tmp_path):
    names = ["a.bin", "b.safetensors", "config.json", "preprocessor_config.json"]
    for name in [*names, "README.md", "vocab.json"]:
        (tmp_path / name).touch()
    assert encoder_files(str(tmp_path)) == [tmp_path / name for name in names]
    assert encoder_files(None) == []


def test_other_audio_or_weights_are_other_work(dump, tmp_path):
    """The archive's name, the clips' lengths and the folder's name are all as they were."""
    encoder = tmp_path / "encoder"
    encoder.mkdir()
    (encoder / "model.safetensors").write_bytes(b"one")
    write_column(dump / "audio.sha256", {"wav.ark": "0123"})
    conf = {"model": str(encoder), "freeze": "all"}
    stage_of(dump, conf).finish([])
    assert stage_of(dump, conf).is_done()
    write_column(dump / "audio.sha256", {"wav.ark": "4567"})
    assert not stage_of(dump, conf).is_done()
    stage_of(dump, conf).finish([])
    (encoder / "model.safetensors").write_bytes(b"two")
    assert not stage_of(dump, conf).is_done()


def test_states_beyond_half_precision_are_refused(dump, monkeypatch):
    frontend, opened = ser_model().eval().frontend, read_dump(dump)
    encode = frontend.encode

    def large(*arguments):
        states, frames = encode(*arguments)
        return states * 1e9, frames

    monkeypatch.setattr(frontend, "encode", large)
    begun = stage_of(dump, FRONTEND, "begun.json")
    with pytest.raises(UserError, match=r"valid.*float16"):
        write_states(
            opened, cache_folder(dump, FRONTEND), frontend, batches(opened.lengths, 9), begun, print
        )


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"frontend_conf": {**PRETRAINED, "freeze": "cnn"}}, "freeze: all"),
        ({"frontend_conf": FRONTEND}, "pretrained"),
        ({"frontend_conf": PRETRAINED, "augment_conf": {"speeds": [0.9]}}, "exclude each other"),
    ],
)
def test_only_states_that_never_change_are_cached(conf, message):
    with pytest.raises(UserError, match=message):
        check_cacheable(conf)
    check_cacheable({"frontend_conf": PRETRAINED})
