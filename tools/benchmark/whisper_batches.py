"""How much faster stage 2 transcribes than openai-whisper's own `transcribe`, clip by clip.

The baseline is ``model.transcribe(samples, language=..., fp16=...)`` with its defaults, on a model
of its own, in the same process and in turn with ours, so that what slows the machine down slows
both. On CPUs both have one thread, as a job of stage 2 has; on a GPU both use half precision.

    . tools/path.sh
    python tools/benchmark/whisper_batches.py [--ngpu 1] [--whisper_model large-v3] \\
        [--dump egs/ravdess/dump/train]

Without ``--whisper_model`` the weights are random, of tiny.en's sizes or, on a GPU, large-v3's.
Such a model would talk to the limit and be refused by the guards, so its weights make it end every
text after ``--tokens`` tokens, and be sure of them, in both ways of decoding. All texts being
equally long, none of a batch waits for the longest, which flatters batches a little; and the audio
doesn't matter to them. Without ``--dump``, clips are noise as long as those of acted corpora.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from figures import Figure, add_option, in_turn, machine, report, spread, waiting_for

from sermtl.data import SAMPLE_RATE
from sermtl.data.audio import read_dump
from sermtl.errors import run_main
from sermtl.jobs import device
from sermtl.options import positive_int
from sermtl.transcription.normalizers import comparable

# openai-whisper's dims: mel bands, then context, width, heads and layers of the encoder, words,
# and context, width, heads and layers of the decoder.
TINY_EN = (80, 1500, 384, 6, 4, 51864, 448, 384, 6, 4)
LARGE_V3 = (128, 1500, 1280, 20, 32, 51866, 448, 1280, 20, 32)


def main() -> None:
    """Measure both ways in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--whisper_model", help="released model's name or checkpoint")
    parser.add_argument("--whisper_language", default="auto")
    parser.add_argument(
        "--tokens", type=positive_int, default=20, help="of a text by the random model"
    )
    parser.add_argument("--dump", type=Path, help="dumped set to take clips from")
    parser.add_argument("--clips", type=positive_int, default=32, help="how many clips")
    parser.add_argument("--batch_size", type=positive_int, default=16)
    parser.add_argument("--ngpu", type=int, default=0, choices=[0, 1])
    parser.add_argument("--repeats", type=positive_int, default=3)
    add_option(parser)
    args = parser.parse_args()

    import torch
    import whisper

    from sermtl.transcription.whisper import Transcriber, find_checkpoint

    if not args.ngpu:
        torch.set_num_threads(1)
    where = device(args.ngpu)
    name = args.whisper_model
    with tempfile.TemporaryDirectory() as folder:
        if name:
            model = name
        else:
            model = str(Path(folder) / "random.pt")
            like, sizes = ("large-v3", LARGE_V3) if args.ngpu else ("tiny.en", TINY_EN)
            name = f"random weights of {like}'s sizes"
            write_random_model(Path(model), sizes, args.tokens)
        transcriber = Transcriber(model, args.whisper_language, where)
        baseline = whisper.load_model(str(find_checkpoint(model)), where)
    clips = _dumped(args.dump, args.clips) if args.dump else _noise(args.clips)
    heard: dict[str, str] = {}
    known: dict[str, str] = {}

    def alone() -> None:
        torch.manual_seed(0)  # of what falls back
        for clip, samples in clips.items():
            said = baseline.transcribe(samples, language=transcriber.language, fp16=bool(args.ngpu))
            known[clip] = said["text"]

    def together() -> None:
        ids = list(clips)
        for first in range(0, len(ids), args.batch_size):
            batch = {clip: clips[clip] for clip in ids[first : first + args.batch_size]}
            heard.update((transcript.id, transcript.text) for transcript in transcriber(batch))

    taken = in_turn({"alone": alone, "together": together}, args.repeats, waiting_for(where))
    mean = statistics.mean(map(len, clips.values())) / SAMPLE_RATE
    work = f"Whisper, {name}, {len(clips)} clips of {mean:.1f} s, batches of {args.batch_size}"
    plain = "whisper.transcribe one by one"
    ratios = [a / b for a, b in zip(taken["alone"], taken["together"], strict=True)]
    print(f"on {machine(where)}")
    print(f"{_same_words(heard, known)} of {len(clips)} texts have the same words")
    report(
        [
            Figure(work, plain, **spread(ratios), at_least=5 if args.ngpu else None),
            _speed(work, len(clips), taken["together"]),
            _speed(f"the same, {plain}", len(clips), taken["alone"]),
        ],
        args.figures,
    )


def _speed(work: str, clips: int, seconds: list[float]) -> Figure:
    return Figure(work, "", unit="clips/s", **spread([clips / s for s in seconds]))


def _same_words(heard: Mapping[str, str], known: Mapping[str, str]) -> int:
    """Timestamps, which the baseline decodes as well, may change a word or a comma."""
    plain = comparable("plain")
    return sum(plain(heard[clip]) == plain(known[clip]) for clip in heard)


def write_random_model(path: Path, sizes: tuple[int, ...], tokens: int) -> None:
    """A checkpoint whose texts are ``tokens`` long, with timestamps or without."""
    import torch
    import whisper
    from whisper.tokenizer import get_tokenizer

    torch.manual_seed(0)
    model = whisper.model.Whisper(whisper.ModelDimensions(*sizes))
    tokenizer = get_tokenizer(model.is_multilingual, num_languages=model.num_languages)
    decoder = model.decoder
    with torch.no_grad():
        # Each position has a token of its own, whatever came before ...
        decoder.positional_embedding.normal_(0.0, 10.0)
        # ... which is a word and no timestamp, but for the first where that is asked for ...
        decoder.token_embedding.weight[tokenizer.timestamp_begin :] = 0.0
        # ... and the end is one position's. Before the words come the prompt and either
        # <|notimestamps|> or a timestamp; each position tells the token after it.
        end = len(tokenizer.sot_sequence) + tokens
        decoder.token_embedding.weight[tokenizer.eot] = decoder.positional_embedding[end] / 10
    weights = {name: weight.half() for name, weight in model.state_dict().items()}
    torch.save({"dims": vars(model.dims), "model_state_dict": weights}, path)


def _noise(count: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    lengths = (random.uniform(2.0, 6.0, count) * SAMPLE_RATE).astype(int)
    return {
        f"noise{i}": random.normal(0.0, 0.02 * (i + 1) / count, n).astype(np.float32)
        for i, n in enumerate(lengths)
    }


def _dumped(folder: Path, count: int) -> dict[str, np.ndarray]:
    """Clips spread evenly over the set, longest first as in stage 2."""
    dump = read_dump(folder)
    order = sorted(range(len(dump.ids)), key=lambda i: -dump.lengths[i])
    chosen = order[:: max(1, len(order) // count)][:count]
    return {dump.ids[i]: dump.samples(dump.ids[i]) for i in chosen}


if __name__ == "__main__":
    run_main(main)
