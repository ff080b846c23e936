"""Corpora on disk: labels, audio, tokens and what training reads of them."""

SAMPLE_RATE = 16_000
"""Hz of all audio from stage 1 on."""

WINDOW = 30.0
"""Seconds of a recording that are recognised at once; longer ones are cut."""
