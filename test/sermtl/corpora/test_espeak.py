import subprocess
import sys

import numpy as np
import pytest

from sermtl.corpora.espeak import Espeak, espeak
from sermtl.errors import UserError

pytest.importorskip("espeakng_loader", reason="needs the extra demo")
TEXT = "the bus leaves at nine"


def seconds(**options):
    return len(espeak().speak(TEXT, "en-us+m1", **options)) / espeak().rate


def fundamental(samples):
    """Most frequent distance, in Hz, of the strongest autocorrelation between 60 and 500 Hz."""
    rate, size = espeak().rate, 2048
    frames = np.lib.stride_tricks.sliding_window_view(samples / 32768, size)[::512]
    loud = frames[frames.std(axis=1) > 0.03]
    first, last = rate // 500, rate // 60
    lags = [np.correlate(f, f, "full")[size - 1 :][first:last].argmax() + first for f in loud]
    return rate / np.median(lags)


def test_speaks():
    samples = espeak().speak(TEXT, "en-us+m1")
    assert samples.dtype == np.int16 and samples.ndim == 1
    assert espeak().rate == 22050
    assert 0.8 < len(samples) / espeak().rate < 3
    assert np.abs(samples).max() > 3000


def test_calls_do_not_add_up():
    long = espeak().speak(TEXT + " " + TEXT, "en-us+f1")
    short = espeak().speak(TEXT, "en-us+f1")
    assert len(short) < 0.7 * len(long)


def test_rate_and_pauses():
    assert seconds(rate=250) < 0.8 * seconds(rate=150)
    assert seconds(word_gap=10) > seconds() + 0.2


def test_pitch():
    low = fundamental(espeak().speak(TEXT, "en-us+m1", pitch=20))
    high = fundamental(espeak().speak(TEXT, "en-us+m1", pitch=80))
    assert low > 60 and 1.3 * low < high < 500


def test_volume():
    loud, quiet = (espeak().speak(TEXT, "en-us+m1", volume=v).std() for v in (100, 40))
    assert quiet < 0.6 * loud


@pytest.mark.parametrize(
    "voice", [*(f"m{i}" for i in range(1, 8)), *(f"f{i}" for i in range(1, 6))]
)
def test_voices(voice):
    assert len(espeak().speak("yes", f"en-us+{voice}")) > 0


def test_unknown_voice():
    with pytest.raises(ValueError, match="no voice xx-nowhere"):
        espeak().speak(TEXT, "xx-nowhere")


def test_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(UserError, match=r"pip install .*sermtl\[demo\]"):
        Espeak()


def test_broken_library(monkeypatch, tmp_path):
    import espeakng_loader

    library = tmp_path / "libespeak-ng.so"
    library.write_text("no library")
    monkeypatch.setattr(espeakng_loader, "get_library_path", lambda: str(library))
    with pytest.raises(
        UserError, match=r"doesn't start: pip install --force-reinstall .*libespeak"
    ):
        Espeak()


def test_fresh_processes_say_the_same(root):
    """A second apart: left alone, the library takes its random numbers from the time."""
    code = (
        "from sermtl.corpora.espeak import espeak; import hashlib;"
        f"print(hashlib.sha256(espeak().speak({TEXT!r}, 'en-us+f3').tobytes()).hexdigest())"
    )
    one, other = (
        subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=True)
        for code in (code, "import time; time.sleep(1.1);" + code)
    )
    assert len(one.stdout) > 60 and one.stdout == other.stdout
