import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from sermtl.bin import prepare
from sermtl.data.audio import read_dump
from sermtl.data.datadir import read_column, read_data_dir
from sermtl.errors import UserError

TONE = (0.3 * np.sin(0.2 * np.arange(4800))).astype("f4")


@pytest.fixture
def ravdess(tmp_path):
    """The official layout at 48 kHz: five actors, two emotions."""
    folder = tmp_path / "RAVDESS" / "Audio_Speech_Actors_01-24"
    for actor in range(1, 6):
        (folder / f"Actor_{actor:02d}").mkdir(parents=True)
        for emotion in ("01", "05"):
            name = f"03-01-{emotion}-01-02-01-{actor:02d}.wav"
            soundfile.write(folder / f"Actor_{actor:02d}" / name, TONE * actor / 5, 48_000)
    return folder


@pytest.fixture
def run(tmp_path, root, ravdess, capsys):
    """Runs stage 1 and gives what it printed."""

    def main(*more, source=ravdess):
        prepare.main(
            [
                *("--recipe", "ravdess", "--labels", str(root / "egs/ravdess/labels.yaml")),
                *("--datadir", str(tmp_path / "data"), "--dumpdir", str(tmp_path / "dump")),
                *("--nj", "1", *more, "--corpus_args", f"ravdess_root={source}"),
            ]
        )
        return capsys.readouterr().out

    return main


def test_a_corpus_in_its_official_layout(run, tmp_path):
    printed = run()
    assert "note: emotion 01 has 5 clips, 96 are published" in printed
    assert re.search(r"fold5: 2 utterances, .* 1 speakers; labelled: emotion 2, gender 2", printed)
    folds = json.loads((tmp_path / "data" / "folds.json").read_text())
    assert folds["5"] == {
        "train": ["fold2", "fold3", "fold4"],
        "valid": ["fold1"],
        "test": ["fold5"],
    }
    for k in range(1, 6):
        data, dump = (read_data_dir(tmp_path / top / f"fold{k}") for top in ("data", "dump"))
        assert list(data.columns["utt2emo"].values()) == ["neutral", "angry"]
        assert set(data.columns["utt2spk"].values()) == {f"ravdess0{k}"}
        assert set(data.columns["text"].values()) == {"Dogs are sitting by the door."}
        assert set(data.columns["utt2gender"].values()) == {"male" if k % 2 else "female"}
        assert set(data.columns["utt2dur"].values()) == {"0.100"}
        assert {n: c for n, c in data.columns.items() if n != "wav.scp"} == {
            n: c for n, c in dump.columns.items() if n != "wav.scp"
        }
        audio = read_dump(tmp_path / "dump" / f"fold{k}")
        assert audio.lengths == [1600, 1600]
        assert abs(audio.samples(audio.ids[0])).max() == pytest.approx(0.3 * k / 5, rel=0.05)


def test_what_is_done_is_not_redone_and_what_changed_is(run, tmp_path, ravdess):
    run()
    archives = sorted((tmp_path / "dump").glob("*/wav.1.ark"))
    before = [a.stat().st_mtime_ns for a in archives]
    assert [line for line in run().splitlines() if "done" in line] == [
        f"fold{k}: done" for k in range(1, 6)
    ]
    soundfile.write(ravdess / "Actor_02" / "03-01-01-01-02-01-02.wav", TONE[:2400], 48_000)
    printed = run()
    assert "fold1: done" in printed and "fold2: 2 utterances" in printed
    changed = [
        a.parent.name for a, t in zip(archives, before, strict=True) if a.stat().st_mtime_ns != t
    ]
    assert changed == ["fold2"]
    assert "done" not in run("--force", "true")


def test_changed_labels_leave_the_audio_alone(run, tmp_path, root, ravdess):
    run()
    archive = tmp_path / "dump" / "fold1" / "wav.1.ark"
    before = archive.stat().st_mtime_ns
    labels = tmp_path / "labels.yaml"
    labels.write_text("classes: {calm: calm, loud: loud}\ncorpus: {'01': calm, '05': loud}")
    assert "has no class" not in run("--labels", str(labels))
    assert archive.stat().st_mtime_ns == before
    column = read_column(tmp_path / "dump" / "fold1" / "utt2emo")
    assert list(column.values()) == ["calm", "loud"]
    labels.write_text("classes: {calm: calm, loud: loud}\ncorpus: {'01': calm, '05': ~}")
    assert "emotion 05 has no class in labels.yaml: 5 clips" in run("--labels", str(labels))
    column = read_column(tmp_path / "dump" / "fold1" / "utt2emo")
    assert list(column.values()) == ["calm", "<unk>"]


def test_unreadable_clips_are_left_out_up_to_the_limit(run, tmp_path, ravdess):
    (ravdess / "Actor_03" / "03-01-01-01-02-01-03.wav").write_bytes(b"RIFF")
    with pytest.raises(
        UserError, match=r"1 of 2 clips of fold3 .* --max_unreadable 0\.01 .*-03\.wav"
    ):
        run()
    assert "fold3: 1 utterances" in run("--max_unreadable", "0.5")
    assert read_data_dir(tmp_path / "data" / "fold3").ids == ["ravdess03-03-01-05-01-02-01-03"]
    listed = (tmp_path / "dump" / "fold3" / "unreadable.txt").read_text()
    assert listed.startswith("ravdess03-03-01-01-01-02-01-03 ")
    (ravdess / "Actor_03" / "03-01-05-01-02-01-03.wav").write_bytes(b"RIFF")
    with pytest.raises(UserError, match="no clip of fold3"):
        run("--max_unreadable", "1")


def manifest(path, *rows):
    path.write_text("path,split\n" + "".join(f"{file},{name}\n" for file, name in rows))
    return path


@pytest.fixture
def run_custom(tmp_path, ravdess):
    def main(*rows, speeds=""):
        file = manifest(tmp_path / "manifest.csv", *rows)
        prepare.main(
            [
                *("--recipe", "custom", "--datadir", str(tmp_path / "data"), "--nj", "1"),
                *("--dumpdir", str(tmp_path / "dump"), "--train_set", "train"),
                *("--speed_perturb_factors", speeds, "--corpus_args", f"manifest={file}"),
            ]
        )

    return main


def test_vanished_sets_are_removed_and_nothing_else(run_custom, ravdess, tmp_path, capsys):
    first, second = sorted(ravdess.glob("Actor_01/*.wav"))
    run_custom((first, "train"), (second, "dev"))
    foreign = tmp_path / "data" / "mine"
    foreign.mkdir()
    (foreign / "wav.scp").write_text("a b\n")
    capsys.readouterr()
    run_custom((first, "train"), (second, "valid"))
    assert "dev is no set of the corpus any more: removed" in capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path / "dump").glob("[!.]*")) == ["train", "valid"]
    assert sorted(p.name for p in (tmp_path / "data").glob("[!.]*")) == ["mine", "train", "valid"]


def test_an_archive_that_is_gone_or_cut_is_made_again(run_custom, ravdess, tmp_path):
    clips = sorted(ravdess.glob("Actor_01/*.wav"))[:2]
    run_custom(*((clip, "train") for clip in clips))
    archive = tmp_path / "dump" / "train" / "wav.1.ark"
    content = archive.read_bytes()
    for damage in (archive.unlink, lambda: os.truncate(archive, 100)):
        damage()
        run_custom(*((clip, "train") for clip in clips))
        assert archive.read_bytes() == content


def test_copies_at_other_speeds_outlive_a_run_without_them(run_custom, ravdess, tmp_path):
    """Another experiment may be training on them; but only while they are copies."""
    first, second = sorted(ravdess.glob("Actor_01/*.wav"))[:2]
    run_custom((first, "train"), (second, "dev"), speeds="0.9")
    copy = tmp_path / "dump" / "train_sp0.9"
    run_custom((first, "train"), (second, "dev"))
    assert copy.exists()
    run_custom((second, "train"), (first, "dev"))
    assert not copy.exists()


@pytest.mark.parametrize("name", ["tokens", "a/b", "../x", "-x", "a b"])
def test_names_of_sets_are_plain(run_custom, ravdess, name):
    with pytest.raises(UserError, match="name of a set"):
        run_custom((next(ravdess.glob("*/*.wav")), name))


def test_options_must_be_pairs(tmp_path):
    with pytest.raises(UserError, match="NAME=VALUE"):
        prepare.main(
            [
                *("--recipe=ravdess", f"--datadir={tmp_path}", f"--dumpdir={tmp_path}"),
                *("--corpus_args", "root"),
            ]
        )


def test_a_killed_run_continues(tmp_path, root, ravdess, run):
    command = [
        *(sys.executable, "-m", "sermtl.bin.prepare", "--recipe", "ravdess", "--nj", "1"),
        *("--labels", str(root / "egs/ravdess/labels.yaml")),
        *("--datadir", str(tmp_path / "data"), "--dumpdir", str(tmp_path / "dump")),
        *("--corpus_args", f"ravdess_root={ravdess}"),
    ]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL) as process:
        while not (tmp_path / "dump" / "fold2" / "prepared.json").exists():
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    printed = run()
    assert "fold1: done" in printed and "fold5: 2 utterances" in printed
    assert read_dump(tmp_path / "dump" / "fold5").lengths == [1600, 1600]


def test_neither_torch_nor_espnet_is_imported(root):
    code = (
        "import sys, sermtl.bin.prepare, sermtl.bin.stats, sermtl.corpora.custom\n"
        "print([m for m in ('torch', 'espnet2', 'transformers', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert done.stdout.strip() == "[]", done.stderr
