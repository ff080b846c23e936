import json

import jiwer
import pytest
from transcripts import transcript

from sermtl.transcription.report import headline, numbers, to_markdown

KNOWN = {
    "same": "the cat sat",
    "half": "a b c d",
    "more": "a b c",
    "other": "hello",
    "silent": "a b",
    "failed": "yes yes yes",
}
HEARD = {
    "same": "the cat sat",
    "half": "a b",  # WER exactly 50 %
    "more": "a x y",  # 67 %
    "other": "well well",  # 200 %
    "silent": "",
    "failed": "",
    "hmm": "",
    "alone": "no transcript in the corpus",
}
TRANSCRIPTS = [
    transcript("same", duration=1800.0),
    transcript("half", temperature=0.4, avg_logprob=-0.9),
    transcript("more"),
    transcript("other", language="pl", avg_logprob=-0.75),
    transcript("silent", verdict="silence", avg_logprob=None, text=""),
    transcript(
        "failed", verdict="repetitive", compression_ratio=7.3, temperature=1.0, text="no|no" * 99
    ),
    transcript("hmm", text="Hmm."),
    transcript("alone", temperature=0.4),
]
REPORT = {
    "set": "train",
    "text_normalizer": "plain",
    **numbers(TRANSCRIPTS, HEARD, {c: KNOWN[c] for c in ("same", "half", "more", "other")}),
}


def test_counts() -> None:
    assert (REPORT["clips"], REPORT["used"], REPORT["silent"], REPORT["without_words"]) == (
        *(8, 5),
        *(1, 1),
    )
    assert REPORT["failed"] == {"repetitive": 1, "improbable": 0}
    assert [clip["id"] for clip in REPORT["failed_clips"]] == ["failed"]
    assert REPORT["languages"] == {"en": 7, "pl": 1}
    assert REPORT["temperatures"] == {"0": 5, "0.4": 2}
    assert REPORT["hours"] == pytest.approx((1800 + 7 * 1.5) / 3600)
    assert json.loads(json.dumps(REPORT)) == REPORT


def test_differences_to_the_corpus_are_jiwers() -> None:
    corpus = REPORT["corpus"]
    both = ["same", "half", "more", "other"]
    texts = [[side[clip] for clip in both] for side in (KNOWN, HEARD)]
    assert corpus["compared"] == 4
    assert corpus["wer"] == pytest.approx(jiwer.wer(*texts)) == pytest.approx(6 / 11)
    assert corpus["cer"] == pytest.approx(jiwer.cer(*texts))
    assert corpus["identical"] == 1 / 4
    assert corpus["wer_above_50"] == 2 / 4
    assert corpus["wer_above_100"] == 1 / 4
    assert [clip["id"] for clip in corpus["worst"]] == ["other", "more", "half"]
    assert corpus["worst"][0] == {
        "id": "other",
        "wer": 2.0,
        "avg_logprob": -0.75,
        "corpus": "hello",
        "whisper": "well well",
    }


def test_the_worst_are_twenty_the_longer_first() -> None:
    clips = [transcript(f"u{i:02}") for i in range(30)]
    known = {clip.id: "a " * (int(clip.id[1:]) + 1) for clip in clips}
    worst = numbers(clips, dict.fromkeys(known, "b"), known)["corpus"]["worst"]
    assert [clip["id"] for clip in worst] == [f"u{i:02}" for i in range(29, 9, -1)]


def test_markdown() -> None:
    text = to_markdown(REPORT)
    assert "| other | 200.0 % | -0.75 | hello | well well |" in text
    assert "| WER | 54.5 % |" in text
    assert "| 0.4 | 2 |" in text and "| en | 7 |" in text
    (failed,) = [line for line in text.splitlines() if line.startswith("| failed")]
    assert failed.startswith(r"| failed | repetitive | -0.20 | 7.30 | no\|nono\|no")
    assert failed.endswith("… |") and len(failed) < 160
    assert "tiny.en (sha256 000" in text


def test_headline() -> None:
    assert headline(REPORT) == (
        "8 clips; 5 with a text to learn from, 1 without speech, 1 failed the guards, 2 passed at "
        "a higher temperature; languages: en 7, pl 1; "
        "WER 54.5 % against the corpus's transcripts of 4"
    )


def test_a_corpus_without_transcripts_and_an_empty_set() -> None:
    for transcripts in (TRANSCRIPTS, []):
        report = {"set": "a", "text_normalizer": "auto", **numbers(transcripts, HEARD, {})}
        assert report["corpus"] == {"compared": 0}
        assert headline(report).endswith("nothing to compare with the corpus's transcripts")
        assert "No clip has both." in to_markdown(report)
