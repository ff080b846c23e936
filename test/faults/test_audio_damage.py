"""Random damage to a sound file gives sound or a reason, and neither crashes nor hangs."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from sound_case import sound

pytest.importorskip("imageio_ffmpeg")

FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "adpcm.wav": ("WAV", "MS_ADPCM"),
    "gsm.wav": ("WAV", "GSM610"),
    "aiff": ("AIFF", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "ALAC_16"),
    "w64": ("W64", "PCM_16"),
    "rf64": ("RF64", "PCM_16"),
    "sph": ("NIST", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
READ = """
import sys
import numpy as np
from sermtl.data.audio import read_audio
from sermtl.errors import UserError
for path in sys.argv[1:]:
    try:
        samples = read_audio(path)
    except UserError as error:
        assert str(error).startswith(path + ": "), error
    else:
        assert samples.dtype == np.float32 and samples.ndim == 1
        assert np.isfinite(samples).all() and np.abs(samples).max(initial=0) <= 1
        assert len(samples) < 1e7, len(samples)
"""


@pytest.mark.parametrize("form", FORMATS)
def test_random_damage(tmp_path, form, long_form) -> None:
    content = np.frombuffer(sound(*FORMATS[form]), np.uint8)
    files = []
    for seed in range(300 if long_form else 12):
        random = np.random.default_rng(seed)
        part = content.copy()
        where = 200 if seed % 2 else len(part)  # half of the damage goes to the header
        places = random.integers(0, where, random.integers(1, 9))
        part[places] = random.integers(0, 256, len(places))
        files.append(tmp_path / f"{seed}.{form}")
        files[-1].write_bytes(part.tobytes())
    done = subprocess.run(
        [sys.executable, "-c", READ, *map(str, files)],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
