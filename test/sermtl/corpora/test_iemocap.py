from collections import Counter

import pytest

from sermtl.corpora.iemocap import load
from sermtl.data.labels import load_labels
from sermtl.errors import UserError

VOTES = "C-E2:\tNeutral state;\t()\nA-E3:\tval 3; act 2; dom  2;\t()\n\n"
HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
TURNS = {  # of each session's dialog, in its own wording
    "F000": ("neu", "Excuse me."),
    "M000": ("ang", "Do you have your forms? [LAUGHTER]"),
    "F001": ("exc", "[LAUGHTER], That's what they say."),
    "M001": ("fru", "[BREATHING]"),
    "F002": ("xxx", None),
}


@pytest.fixture
def labels(root):
    return load_labels(root / "egs" / "iemocap" / "labels.yaml")


def line(turn, label):
    return f"[6.2901 - 8.2357]\t{turn}\t{label}\t[2.5000, 2.5000, 2.5000]\n"


@pytest.fixture(params=["", "IEMOCAP_full_release"])
def corpus(tmp_path, request):
    """The official layout: in each session one dialog, where the man wears the markers."""
    for k in range(1, 6):
        session, dialog = tmp_path / "mine" / request.param / f"Session{k}", f"Ses0{k}M_script01_1b"
        wavs = session / "sentences" / "wav" / dialog
        evaluation, transcriptions = (
            session / "dialog" / name for name in ("EmoEvaluation", "transcriptions")
        )
        for folder in (wavs, evaluation / "Categorical", transcriptions, session / "dialog/wav"):
            folder.mkdir(parents=True)
        (session / "dialog" / "wav" / f"{dialog}.wav").touch()
        # What the subfolders and macOS hold must not be read.
        (evaluation / "Categorical" / f"{dialog}_e1_cat.txt").write_text("[no label]\n")
        for folder in (evaluation, transcriptions):
            (folder / f"._{dialog}.txt").write_bytes(b"\x00\x05\x16\x07\xff[")
        (wavs / f"._{dialog}_F000.wav").touch()
        labelled, spoken = HEADER, ""
        for turn, (label, text) in TURNS.items():
            (wavs / f"{dialog}_{turn}.wav").touch()
            labelled += line(f"{dialog}_{turn}", label) + VOTES
            if text:
                spoken += f"{dialog}_{turn} [006.2901-008.2357]: {text}\n"
        (evaluation / f"{dialog}.txt").write_text(labelled)
        (transcriptions / f"{dialog}.txt").write_text(spoken)
    return tmp_path / "mine"


@pytest.fixture
def found(corpus, labels, tmp_path):
    return load(labels, tmp_path, str(corpus))


def test_utterances(found, corpus):
    assert len(found.utterances) == 25
    u = {u.id: u for u in found.utterances}["iemocap02F-Ses02M_script01_1b_F000"]
    assert (u.emotion, u.gender, u.speaker, u.split, u.text) == (
        "neu",
        "female",  # who talks, not who wears the markers
        "iemocap02F",
        "session2",
        "Excuse me.",
    )
    assert u.audio == str(next(corpus.rglob("Ses02M_script01_1b_F000.wav")))
    assert Counter(u.gender for u in found.utterances) == {"female": 15, "male": 10}
    assert len({u.speaker for u in found.utterances}) == 10


def test_four_classes_and_the_others_apart(found):
    session = [u for u in found.utterances if u.split.startswith("session4")]
    assert {u.id[-4:]: (u.emotion, u.split) for u in session} == {
        "F000": ("neu", "session4"),
        "M000": ("ang", "session4"),
        "F001": ("hap", "session4"),  # excitement
        "M001": (None, "session4_other"),
        "F002": (None, "session4_other"),
    }


def test_sounds_are_no_words(found):
    texts = {u.id[-4:]: u.text for u in found.utterances if u.split.startswith("session1")}
    assert texts["M000"] == "Do you have your forms?"
    assert texts["F001"] == ", That's what they say."
    assert texts["M001"] is None and texts["F002"] is None


def test_folds(found):
    sessions = [f"session{k}" for k in range(1, 6)]
    for k in range(1, 6):
        fold = found.folds[str(k)]
        assert (fold.test, fold.valid) == ([f"session{k}"], [f"session{k % 5 + 1}"])
        assert sorted([*fold.train, *fold.valid, *fold.test]) == sessions
    speakers = {name: {u.speaker for u in found.utterances if u.split == name} for name in sessions}
    fold = found.folds["5"]
    assert not speakers[fold.test[0]] & speakers[fold.valid[0]]


def test_what_differs_from_the_published_is_told(found):
    assert found.notes == [
        "label neu has 5 clips, 1708 are published",
        "label ang has 5 clips, 1103 are published",
        "label sad has 0 clips, 1084 are published",
        "label hap has 0 clips, 595 are published",
        "label exc has 5 clips, 1041 are published",
        "label fru has 5 clips, 1849 are published",
        "label sur has 0 clips, 107 are published",
        "label fea has 0 clips, 40 are published",
        "label dis has 0 clips, 2 are published",
        "label oth has 0 clips, 3 are published",
        "label xxx has 5 clips, 2507 are published",
        "label fru has no class in labels.yaml: 5 clips are kept as <unk>",
        "label xxx has no class in labels.yaml: 5 clips are kept as <unk>",
        "5 utterances have no transcript",
        "5 utterances have sounds for a transcript, no word: <unk>",
    ]


def test_what_doesn_t_fit_together_is_told(corpus, labels, tmp_path):
    transcript = next(corpus.rglob("transcriptions/Ses03M_script01_1b.txt"))
    with transcript.open("a") as stream:
        stream.write("M: Yeah.\n\nF: No.\n")
        stream.write("Ses03M_script01_1b_MXX0 [151.2551-153.4251]: [LAUGHTER], That's so.\n")
        stream.write("Ses03M_script01_1b_F000 [006.2901-008.2357]: Pardon me.\n")
    next(corpus.rglob("Ses03M_script01_1b_M000.wav")).unlink()
    wavs = next(corpus.rglob("sentences/wav/Ses03M_script01_1b"))
    (wavs / "Ses03M_script01_1b_MXX1.wav").touch()
    found = load(labels, tmp_path, str(corpus))
    assert found.notes[-7:] == [
        "2 lines of transcripts name no utterance and are left out",
        "1 lines give an utterance another transcript: the first is kept",
        "1 utterances have no label line and are kept as <unk>",
        "1 labelled utterances have no audio",
        "6 utterances have no transcript",
        "5 utterances have sounds for a transcript, no word: <unk>",
        "1 transcripts belong to no utterance and are left out",
    ]
    utterances = {u.id: u for u in found.utterances}
    missing = utterances["iemocap03M-Ses03M_script01_1b_M000"]  # for stage 1 to tell
    assert (missing.audio, missing.emotion) == (str(wavs / "Ses03M_script01_1b_M000.wav"), "ang")
    extra = utterances["iemocap03M-Ses03M_script01_1b_MXX1"]
    assert (extra.emotion, extra.split) == (None, "session3_other")
    assert utterances["iemocap03F-Ses03M_script01_1b_F000"].text == "Excuse me."


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (line("Ses01M_script01_1b_F000", "sad"), r"1b\.txt:23: .*F000 is labelled in .*1b\.txt"),
        (line("Ses01M_script01_1b_K000", "sad"), r"1b\.txt:23: not a label line"),
        ("[1.5 - 2.5]\tSes01M_script01_1b_F007\n", r"1b\.txt:23: not a label line"),
    ],
)
def test_broken_label_files(corpus, labels, tmp_path, more, message):
    with next(corpus.rglob("EmoEvaluation/Ses01M_script01_1b.txt")).open("a") as stream:
        stream.write(more)
    with pytest.raises(UserError, match=message):
        load(labels, tmp_path, str(corpus))


def test_a_damaged_text_file(corpus, labels, tmp_path):
    next(corpus.rglob("transcriptions/Ses*.txt")).write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"transcriptions/Ses.*: not UTF-8"):
        load(labels, tmp_path, str(corpus))


def test_a_strange_name(corpus, labels, tmp_path):
    (next(corpus.rglob("sentences/wav/Ses01*")) / "hello.wav").touch()
    with pytest.raises(UserError, match=r"hello\.wav: not an utterance of IEMOCAP"):
        load(labels, tmp_path, str(corpus))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("*.wav", r"no Session\*/sentences/wav/\*/\*\.wav below .*--iemocap_root"),
        ("EmoEvaluation/*.txt", r"no Session\*/dialog/EmoEvaluation/\*\.txt below"),
        ("transcriptions/*.txt", r"no Session\*/dialog/transcriptions/\*\.txt below"),
    ],
)
def test_a_part_that_isn_t_there(corpus, labels, tmp_path, part, message):
    for file in corpus.rglob(part):
        file.unlink()
    with pytest.raises(UserError, match=message):
        load(labels, tmp_path, str(corpus))


def test_a_session_is_missing(corpus, labels, tmp_path):
    session = next(corpus.rglob("Session2"))
    session.rename(session.with_name("elsewhere"))
    with pytest.raises(UserError, match=r"lacks whole folds.* session2$"):
        load(labels, tmp_path, str(corpus))
