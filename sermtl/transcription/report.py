"""What became of a set's clips, and how far Whisper and the corpus's transcripts differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sermtl import markdown
from sermtl.data.edit_distance import edit_counts
from sermtl.data.utterance import UNKNOWN
from sermtl.transcription.guards import FAILED, SILENCE
from sermtl.transcription.records import Transcript

WORST = 20
SHOWN = 80  # characters of a text that failed


def numbers(
    transcripts: Sequence[Transcript], heard: Mapping[str, str], known: Mapping[str, str]
) -> dict[str, Any]:
    """The report as JSON values.

    Args:
        transcripts: all records of the set.
        heard: utterance id -> Whisper's normalised text, empty where it isn't used.
        known: utterance id -> the corpus's text, normalised alike; may lack some.
    """
    verdicts = Counter(t.verdict for t in transcripts)
    temperatures = Counter(t.temperature for t in transcripts if t.verdict not in FAILED)
    return {
        "models": sorted({f"{t.model} (sha256 {t.sha256})" for t in transcripts}),
        "clips": len(transcripts),
        "hours": sum(t.duration for t in transcripts) / 3600,
        "used": sum(map(bool, heard.values())),
        "silent": verdicts[SILENCE],
        "failed": {verdict: verdicts[verdict] for verdict in FAILED},
        "without_words": sum(t.usable and not heard[t.id] for t in transcripts),
        "languages": dict(Counter(t.language for t in transcripts).most_common()),
        "temperatures": {f"{t:g}": n for t, n in sorted(temperatures.items())},
        "corpus": _differences(transcripts, heard, known),
        "failed_clips": [
            {
                "id": t.id,
                "verdict": t.verdict,
                "avg_logprob": t.avg_logprob,
                "compression_ratio": t.compression_ratio,
                "text": t.text,
            }
            for t in transcripts
            if t.verdict in FAILED
        ],
    }


def _differences(
    transcripts: Sequence[Transcript], heard: Mapping[str, str], known: Mapping[str, str]
) -> dict[str, Any]:
    """Error rates of Whisper's text, with the corpus's as the reference, where there are both."""
    both = [t for t in transcripts if heard[t.id] and known.get(t.id)]
    if not both:
        return {"compared": 0}
    references = [known[t.id] for t in both]
    hypotheses = [heard[t.id] for t in both]
    words = edit_counts(references, hypotheses)
    characters = edit_counts(references, hypotheses, characters=True)
    rates = words[:, 0] / words[:, 1]
    worst = sorted(range(len(both)), key=lambda i: (-rates[i], -words[i, 0], both[i].id))[:WORST]
    return {
        "compared": len(both),
        "wer": float(words[:, 0].sum() / words[:, 1].sum()),
        "cer": float(characters[:, 0].sum() / characters[:, 1].sum()),
        "identical": float((rates == 0).mean()),
        "wer_above_50": float((rates > 0.5).mean()),
        "wer_above_100": float((rates > 1).mean()),
        "worst": [
            {
                "id": both[i].id,
                "wer": float(rates[i]),
                "avg_logprob": both[i].avg_logprob,
                "corpus": references[i],
                "whisper": hypotheses[i],
            }
            for i in worst
            if rates[i]
        ],
    }


def headline(report: Mapping[str, Any]) -> str:
    """The report in one line."""
    sampled = sum(n for t, n in report["temperatures"].items() if t != "0")
    languages = ", ".join(f"{language} {n}" for language, n in report["languages"].items())
    corpus = report["corpus"]
    difference = (
        f"WER {_percent(corpus['wer'])} against the corpus's transcripts of {corpus['compared']}"
        if corpus["compared"]
        else "nothing to compare with the corpus's transcripts"
    )
    return (
        f"{report['clips']} clips; {report['used']} with a text to learn from, "
        f"{report['silent']} without speech, {sum(report['failed'].values())} failed the guards, "
        f"{sampled} passed at a higher temperature; languages: {languages or 'none'}; {difference}"
    )


def to_markdown(report: Mapping[str, Any]) -> str:
    """The report to be read."""
    failed = report["failed"]
    rows = [
        ("clips", report["clips"]),
        ("hours", f"{report['hours']:.2f}"),
        ("with a text to learn from", report["used"]),
        ("without speech", report["silent"]),
        *((f"{verdict} at every temperature", n) for verdict, n in failed.items()),
        ("no word left after normalising", report["without_words"]),
    ]
    parts = [
        f"# Whisper's transcripts of {report['set']}",
        f"Model: {', '.join(report['models'])}. Text normaliser: {report['text_normalizer']}. "
        f"`text` holds the texts to learn from, and `{UNKNOWN}` for the other clips; "
        "`whisper.jsonl` has what was decoded, for all of them.",
        markdown.table(("", "number"), rows),
        "## Languages",
        markdown.table(("language", "clips"), report["languages"].items()),
        "## Temperatures",
        "At which the guards let a clip pass (0: greedy); of a clip of several windows, the "
        "highest.",
        markdown.table(("temperature", "clips"), report["temperatures"].items()),
        "## Against the corpus's transcripts",
        *_corpus_part(report["corpus"]),
        "## Failed the guards",
        "Decoded again at every temperature, and still repetitive (compression ratio) or "
        "improbable (mean log-probability); not used.",
        markdown.table(
            ("id", "why", "log-probability", "compression ratio", "text"),
            (
                (
                    clip["id"],
                    clip["verdict"],
                    f"{clip['avg_logprob']:.2f}",
                    f"{clip['compression_ratio']:.2f}",
                    _start(clip["text"]),
                )
                for clip in report["failed_clips"]
            ),
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _corpus_part(corpus: Mapping[str, Any]) -> list[str]:
    if not corpus["compared"]:
        return ["No clip has both."]
    rows = [
        ("clips with both", corpus["compared"]),
        ("WER", _percent(corpus["wer"])),
        ("CER", _percent(corpus["cer"])),
        ("clips that are identical", _percent(corpus["identical"])),
        ("clips with WER > 50 %", _percent(corpus["wer_above_50"])),
        ("clips with WER > 100 %", _percent(corpus["wer_above_100"])),
    ]
    worst = (
        (
            markdown.plain(clip["id"]),
            _percent(clip["wer"]),
            f"{clip['avg_logprob']:.2f}",
            markdown.plain(clip["corpus"]),
            markdown.plain(clip["whisper"]),
        )
        for clip in corpus["worst"]
    )
    return [
        "Both normalised alike, the corpus's as the reference.",
        markdown.table(("", "number"), rows),
        f"The worst clips, {WORST} at most:",
        markdown.table(("id", "WER", "log-probability", "corpus", "Whisper"), worst),
    ]


def _start(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
