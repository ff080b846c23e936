import os
import subprocess
import sys
import time

import pytest
from tiny_corpus import CONF, write

from sermtl import versions
from sermtl.data.datadir import FILES, LENGTHS, read_column, write_column
from sermtl.errors import UserError
from sermtl.files import exclusive
from sermtl.stage import Stage
from sermtl.training.conf import merge
from sermtl.training.experiment import Experiment, Launcher


@pytest.fixture
def data(tmp_path):
    write(tmp_path / "stats")
    return tmp_path / "stats"


def experiment(data, folder, **changes):
    return Experiment(folder, merge(CONF, changes), data, data / "tokens", {})


def test_the_same_again_is_accepted(data, tmp_path):
    folder = tmp_path / "exp" / "a"
    experiment(data, folder).prepare()
    experiment(data, folder).prepare()
    assert (folder / "conf.yaml").exists() and (folder / "tokens" / "tokens.txt").exists()


def test_another_conf_is_refused_with_a_diff(data, tmp_path):
    experiment(data, tmp_path / "exp").prepare()
    (tmp_path / "exp" / "checkpoint.pth").touch()
    with pytest.raises(UserError, match=r"(?s)-max_epoch: 4.*\+max_epoch: 5.*--train_tag"):
        experiment(data, tmp_path / "exp", max_epoch=5).prepare()


def test_other_data_are_refused(data, tmp_path):
    experiment(data, tmp_path / "exp").prepare()
    (tmp_path / "exp" / "checkpoint.pth").touch()
    write_column(data / "train" / "utt2emo", {f"train{i:02d}": "A" for i in range(14)})
    with pytest.raises(UserError, match=r"data\.json"):
        experiment(data, tmp_path / "exp").prepare()


@pytest.fixture
def dump(data, tmp_path):
    """A dumped set of one clip of 400 samples, which stage 4 has seen."""
    folder = tmp_path / "dump" / "fold1"
    write_column(folder / "audio.sha256", {"wav.1.ark": "0123"})
    write_column(folder / "wav.scp", {"a": f"{folder}/wav.1.ark:2"})
    write_column(folder / "utt2num_samples", {"a": "400"})
    (folder / "wav.1.ark").write_bytes(bytes(2 + 44 + 800))
    Stage(data / "done.json", {}, (folder / name for name in (*FILES, LENGTHS))).finish([])
    return folder


def test_other_audio_under_the_same_names_is_refused(data, dump, tmp_path):
    sets = {"train": [dump], "valid": []}
    Experiment(tmp_path / "exp", CONF, data, data / "tokens", sets).prepare()
    (tmp_path / "exp" / "checkpoint.pth").touch()
    write_column(dump / "audio.sha256", {"wav.1.ark": "4567"})
    with pytest.raises(UserError, match=r"fold1/audio\.sha256"):
        Experiment(tmp_path / "exp", CONF, data, data / "tokens", sets).prepare()


def test_moved_audio_is_the_same_audio(data, tmp_path):
    experiment(data, tmp_path / "exp").prepare()
    (tmp_path / "exp" / "checkpoint.pth").touch()
    places = read_column(data / "train" / "wav.scp")
    moved = {i: place.replace(str(tmp_path), "/another disk") for i, place in places.items()}
    assert moved != places
    write_column(data / "train" / "wav.scp", moved)
    experiment(data, tmp_path / "exp").prepare()
    write_column(data / "train" / "wav.scp", {**moved, min(moved): moved[max(moved)]})
    with pytest.raises(UserError, match=r"train/wav\.scp"):
        experiment(data, tmp_path / "exp").prepare()


def test_other_versions_are_warned_of_and_recorded(data, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "exp"
    monkeypatch.setattr(versions, "PACKAGES", ("numpy",))
    monkeypatch.setattr(versions, "commit", lambda: "0123")
    experiment(data, folder).prepare()
    begun = versions.versions_of(folder)
    assert [entry["commit"] for entry in begun] == ["0123"]
    (folder / "checkpoint.pth").touch()
    experiment(data, folder).prepare()
    assert capsys.readouterr().err == "" and versions.versions_of(folder) == begun
    monkeypatch.setattr(versions, "commit", lambda: "4567")
    experiment(data, folder).prepare()
    assert (
        f"{folder} was begun with other versions (commit 0123 -> 4567)" in capsys.readouterr().err
    )
    assert [entry["commit"] for entry in versions.versions_of(folder)] == ["0123", "4567"]
    (folder / "final.pth").touch()  # trained, so that nothing goes on
    monkeypatch.setattr(versions, "commit", lambda: "89ab")
    experiment(data, folder).prepare()
    assert capsys.readouterr().err == "" and len(versions.versions_of(folder)) == 2


def test_audio_cut_off_is_refused(data, dump, tmp_path):
    os.truncate(dump / "wav.1.ark", 2 + 44 + 799)
    begun = Experiment(tmp_path / "exp", CONF, data, data / "tokens", {"train": [dump]})
    with pytest.raises(UserError, match=r"wav\.1\.ark: 845 bytes, 846 were written"):
        begun.prepare()


def test_before_the_first_epochs_end_a_conf_may_be_mended(data, tmp_path):
    experiment(data, tmp_path / "exp", max_epoch=5).prepare()
    experiment(data, tmp_path / "exp").prepare()
    assert "max_epoch: 4" in (tmp_path / "exp" / "conf.yaml").read_text()


def test_a_second_stage_in_the_folder_is_refused(data, tmp_path):
    (tmp_path / "exp").mkdir()
    for lock in (".lock", ".stage.lock"):  # of a training that outlived its stage, and of a stage
        with exclusive(tmp_path / "exp", lock), pytest.raises(UserError, match="another run"):
            experiment(data, tmp_path / "exp").prepare()
    assert not (tmp_path / "exp" / "conf.yaml").exists()


def test_several_nodes_need_slurm(data, tmp_path, root):
    launcher = Launcher(str(root / "utils" / "run.pl"), ngpu=0, num_nodes=2)
    with pytest.raises(UserError, match=r"slurm\.pl"):
        experiment(data, tmp_path / "exp").train(launcher)


def test_force_sets_the_old_one_aside(data, tmp_path):
    experiment(data, tmp_path / "exp").prepare()
    (tmp_path / "exp" / "precious.pth").write_text("weights")
    experiment(data, tmp_path / "exp", max_epoch=5).prepare(force=True)
    assert not (tmp_path / "exp" / "precious.pth").exists()
    (aside,) = tmp_path.glob("exp.*")
    assert (aside / "precious.pth").read_text() == "weights"


def test_without_statistics_it_says_which_stage(data, tmp_path):
    (data / "labels.json").unlink()
    with pytest.raises(UserError, match="stage 4"):
        experiment(data, tmp_path / "exp").prepare()


def test_without_tokens_it_says_which_stage(data, tmp_path):
    """An ASR branch without tokens would fail in the loss."""
    with pytest.raises(UserError, match="other is missing: run stage 3"):
        Experiment(tmp_path / "exp", CONF, data, data / "other", {}).prepare()


def test_stopping_the_stage_stops_its_job(data, tmp_path, root):
    """The launcher alone would leave the job behind, and the next run would be a second one."""
    folder = tmp_path / "exp"
    experiment(data, folder, max_epoch=10_000).prepare()
    code = f"""
import sys, signal
from pathlib import Path
import yaml
from sermtl.training.experiment import Experiment, Launcher
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
folder, data = Path({str(folder)!r}), Path({str(data)!r})
conf = yaml.safe_load((folder / "conf.yaml").read_text())
command = {f"{sys.executable} {root / 'utils' / 'run.pl'}"!r}
Experiment(folder, conf, data, data / "tokens", {{}}).train(Launcher(command, 0, 1))
"""
    stage = subprocess.Popen([sys.executable, "-c", code], cwd=root)
    deadline = time.monotonic() + 120
    try:
        while not (folder / "checkpoint.pth").exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        running = _running(folder)
    finally:
        stage.terminate()
        status = stage.wait(60)
    assert running
    assert status == 143
    assert not _running(folder)


def _running(folder):
    """Command lines of training processes of this folder."""
    done = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True)
    return [
        line for line in done.stdout.splitlines() if "ser_train" in line and str(folder) in line
    ]


def test_a_failing_job_tells_why_and_where_its_log_is(data, tmp_path, root):
    broken = experiment(data, tmp_path / "exp", optim_conf={"no_such_option": 1})
    broken.prepare()
    launcher = Launcher(f"{sys.executable} {root / 'utils' / 'run.pl'}", ngpu=0, num_nodes=1)
    with pytest.raises(UserError, match=r"no_such_option.*train\.log"):
        broken.train(launcher)
    assert not broken.is_trained


def test_a_refused_job_is_told(data, tmp_path):
    slurm = tmp_path / "slurm.pl"
    slurm.write_text("#!/bin/sh\necho slurm.pl: error: sbatch did not take the job >&2\nexit 1\n")
    slurm.chmod(0o755)
    refused = experiment(data, tmp_path / "exp")
    refused.prepare()
    with pytest.raises(UserError, match=r"^training failed: slurm\.pl: error: sbatch .* job$"):
        refused.train(Launcher(str(slurm), ngpu=0, num_nodes=2))
