import kaldiio
import numpy as np
import pytest
import torch
from tiny import WAVLM, ser_model
from tiny_corpus import write

from sermtl.data.audio import read_dump
from sermtl.data.datadir import read_column, write_column
from sermtl.data.state_cache import cache_folder, check_cacheable, stage_of, write_states
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
    written = write_states(opened, folder, model.frontend, batches(opened.lengths, 0.8))
    states = kaldiio.load_scp(str(written[1]))
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


def test_another_encoder_has_another_place_and_is_not_done(dump):
    other = {**FRONTEND, "normalize": True}
    assert cache_folder(dump, FRONTEND) != cache_folder(dump, other)
    stage = stage_of(dump, FRONTEND)
    assert not stage.is_done()
    stage.finish([])
    assert stage_of(dump, FRONTEND).is_done()
    assert not stage_of(dump, other).is_done()


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
