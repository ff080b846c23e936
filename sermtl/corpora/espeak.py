"""eSpeak NG as a function: text in, samples out. Comes with the extra ``demo`` (GPL)."""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np

from sermtl.errors import UserError

# Names and numbers of eSpeak NG's speak_lib.h
_SYNCHRONOUS = 2  # espeak_AUDIO_OUTPUT: samples go to the callback
_UTF8 = 1
_RATE, _VOLUME, _PITCH, _RANGE, _WORD_GAP = 1, 2, 3, 4, 7
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class Espeak:
    """The library, once in a process (it has global state).

    The same calls in the same order give the same samples in every process. One call alone
    doesn't: the samples also depend on what was spoken before.
    """

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError as error:
            raise UserError(
                "the demo corpus is spoken by eSpeak NG, which isn't installed: "
                "pip install espeakng-loader, or pip install 'sermtl[demo]'"
            ) from error
        broken = "eSpeak NG doesn't start: pip install --force-reinstall espeakng-loader"
        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as error:
            raise UserError(f"{broken} ({error})") from error
        data = str(espeakng_loader.get_data_path()).encode()
        self.rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0)
        if self.rate <= 0:
            raise UserError(broken)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # its own seed is the time
        self._chunks: list[np.ndarray] = []
        self._callback = _CALLBACK(self._receive)  # kept: the library holds only its address
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, samples: ctypes._Pointer, count: int, events: int) -> int:
        if samples and count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def speak(
        self,
        text: str,
        voice: str,
        rate: int = 175,
        pitch: int = 50,
        pitch_range: int = 50,
        volume: int = 100,
        word_gap: int = 0,
    ) -> np.ndarray:
        """Synthesise.

        Args:
            voice: such as ``en-us+f2``.
            rate: words per minute, 80 to 450.
            pitch, pitch_range: 0 to 100.
            volume: 0 to 200.
            word_gap: pause between words, in units of 10 ms.

        Returns:
            ``(N,)`` int16 at ``self.rate`` Hz.
        """
        library = self._library
        if library.espeak_SetVoiceByName(voice.encode()):
            raise ValueError(f"eSpeak NG has no voice {voice}")
        values = ((_RATE, rate), (_PITCH, pitch), (_RANGE, pitch_range), (_VOLUME, volume))
        for parameter, value in (*values, (_WORD_GAP, word_gap)):
            library.espeak_SetParameter(parameter, value, 0)
        self._chunks = []
        encoded = text.encode() + b"\0"
        library.espeak_Synth(encoded, ctypes.c_size_t(len(encoded)), 0, 0, 0, _UTF8, None, None)
        library.espeak_Synchronize()
        return np.concatenate(self._chunks) if self._chunks else np.zeros(0, np.int16)


@cache
def espeak() -> Espeak:
    """This process's eSpeak NG."""
    return Espeak()
