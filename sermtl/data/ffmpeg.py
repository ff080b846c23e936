"""What soundfile can't read, through ffmpeg: videos, M4A, WMA."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import numpy as np

from sermtl.data import SAMPLE_RATE
from sermtl.errors import UserError

# No playlists, which would read other files, and no formats that are told by the name's ending
# alone, which would make sound of anything.
FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dts,eac3,flac,flv,matroska,mov,mp3,mpeg,mpegts,mxf,ogg,rm,"
    "tta,voc,w64,wav,wv"
)
# Endings of such files, besides those of the corpora's videos.
ENDINGS = (".3gp", ".aac", ".ac3", ".amr", ".flv", ".m4a", ".mpg", ".ts", ".webm", ".wma", ".wmv")
# What it says of cut or damaged MP4 and Matroska files, though it ends well with what is before.
DAMAGED = (
    "partial file",
    "File ended prematurely",
    "invalid as first byte of an EBML",
    "exceeds containing master element",
)
NO_TRACK = "does not contain any stream"


def decode(
    path: str, start: float | None, end: float | None, longest: float | None, reason: str
) -> np.ndarray:
    """Samples ``(N,)`` 16 bit at 16 kHz.

    Args:
        path: of a file.
        start, end: seconds; the stretch to read.
        longest: seconds; of a recording that is longer only one more is read.
        reason: why soundfile can't read it.

    Raises:
        UserError: without the file's name.
    """
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        try:
            import imageio_ffmpeg
        except ImportError as error:
            raise UserError(
                f"{reason}. If it is a video, install ffmpeg or imageio-ffmpeg"
            ) from error
        ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    command = [ffmpeg, "-nostdin", "-loglevel", "error", "-format_whitelist", FORMATS]
    command += ["-protocol_whitelist", "file"]
    limit = longest + 1 if longest is not None else None
    if end is not None:
        limit = end - (start or 0.0)
    command += ["-ss", str(start)] if start else []
    command += ["-i", os.fsencode(f"file:{path}")]
    command += ["-t", str(limit)] if limit is not None else []
    # -xerror: damage within is an error, not a gap
    command += ["-vn", "-xerror", "-f", "s16le", "-ac", "1", "-ar", str(SAMPLE_RATE), "-"]
    done = subprocess.run(command, capture_output=True)
    said = done.stderr.decode(errors="replace").strip()
    # The first line tells most, after the part of ffmpeg that speaks: "[mov @ 0x55d0] ...".
    why = re.sub(r"^(\[[^]]*\] )+", "", said.partition("\n")[0]) or reason
    if any(words in said for words in DAMAGED) or (done.returncode and done.stdout):
        raise UserError(f"damaged or cut off ({why})")
    if NO_TRACK in said:
        raise UserError("no audio track was found in it")
    if done.returncode:
        why = reason if "whitelist" in why else why
        raise UserError(f"neither audio nor video ({why})")
    samples = np.frombuffer(done.stdout, dtype="<i2")
    if end is not None and len(samples) < (end - (start or 0.0) - 0.01) * SAMPLE_RATE:
        raise UserError(
            f"no stretch from {start} to {end} s, it ends {len(samples) / SAMPLE_RATE:.2f} s "
            "after the start"
        )
    return samples
