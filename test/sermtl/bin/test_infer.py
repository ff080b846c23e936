import shutil

import pytest
from tiny_corpus import arguments, write

from sermtl.bin import infer, infer_shard
from sermtl.data.datadir import read_column, write_column
from sermtl.errors import UserError
from sermtl.files import exclusive
from sermtl.training.task import SERTask


@pytest.fixture
def run(root, tmp_path):
    (tmp_path / "data" / "test").mkdir(parents=True)
    (tmp_path / "data" / "test" / "utt2emo").write_text("u A\n")

    def call(arguments="", more=()):
        folders = {"expdir": "exp", "dumpdir": "dump", "datadir": "data"}
        options = [f"--{name}={tmp_path / folder}" for name, folder in folders.items()]
        options += ["--test_sets=test", f"--inference_config={root / 'conf' / 'infer.yaml'}"]
        infer.main([*options, f"--inference_args={arguments}", *more])

    return call


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--batch_second 3", "'batch_second'"),
        ("--batch_seconds 0", "positive number, not 0"),
        ("--batch_seconds abc", "positive number, not 'abc'"),
        ("--window 0", "window must be a positive number, not 0"),
        ("--dtype half", "one of float32, bfloat16, not 'half'"),
        ("foo bar", "--inference_args 'foo bar': expected --name"),
        ("", r"final\.pth is missing: train to the end"),
    ],
)
def test_wrong_options_and_missing_weights_are_named(run, arguments, message):
    with pytest.raises(UserError, match=message):
        run(arguments)


def test_other_weights_are_listed(run, tmp_path):
    (tmp_path / "exp").mkdir()
    for name in ("3epoch.pth", "checkpoint.pth"):
        (tmp_path / "exp" / name).touch()
    with pytest.raises(UserError, match=r"9epoch\.pth is missing: train .*: 3epoch\.pth$"):
        run("--weights 9epoch.pth")


def test_two_at_once_are_refused(run, tmp_path):
    """They would take each other's parts away."""
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "final.pth").touch()
    output = tmp_path / "exp" / "inference" / "test"
    with exclusive(output), pytest.raises(UserError, match="another run"):
        run()
    assert not (output / "done.json").exists()


@pytest.mark.parametrize(
    ("batch_count", "jobs"),
    [(9, [["0", "4"], ["1", "2"]]), (3, [["0", "3"], ["1", "2"]])],
)
def test_one_job_for_each_gpu_of_this_machine_and_none_without_work(
    run, root, tmp_path, monkeypatch, batch_count, jobs
):
    dump = tmp_path / "dump" / "test"
    dump.mkdir(parents=True)
    ids = [f"u{i}" for i in range(2 * batch_count)]
    archive = dump / "wav.ark"
    archive.write_bytes(bytes(5 + 44 + 2 * 16000))
    write_column(dump / "wav.scp", dict.fromkeys(ids, f"{archive}:5"))
    write_column(dump / "utt2num_samples", dict.fromkeys(ids, "16000"))
    (tmp_path / "exp").mkdir()
    for name in ("final.pth", "config.yaml"):
        (tmp_path / "exp" / name).touch()
    started, starter = [], root / "utils" / "run.pl"
    monkeypatch.setattr(infer.jobs, "run", lambda command: started.append(command) or 1)
    for gpus in ("0", "2"):
        with pytest.raises(UserError, match="inference failed"):
            run("--batch_seconds 2", ["--inference_nj=4", f"--ngpu={gpus}", f"--cmd={starter}"])
    asked = [[job[job.index(name) + 1] for name in ("--gpu", "--shards")] for job in started]
    assert asked == jobs


def test_the_number_of_jobs_changes_no_byte(root, tmp_path, monkeypatch):
    """One clip more than whole batches, so that jobs get different amounts."""
    data, exp = tmp_path / "data", tmp_path / "exp"
    write(data, valid=7)
    write_column(data / "valid" / "utt2num_samples", read_column(data / "valid" / "speech_shape"))
    SERTask.main(cmd=arguments(data, exp, max_epoch=1))
    shutil.copytree(data / "tokens", exp / "tokens")

    def in_process(command):
        job = command[command.index("sermtl.bin.infer_shard") + 1 :]
        for shard in range(1, int(job[job.index("--shards") + 1]) + 1):
            infer_shard.main([str(shard) if word == "JOB" else word for word in job])
        return 0

    monkeypatch.setattr(infer.jobs, "run", in_process)
    answers = []
    for jobs in ("1", "2", "3"):
        infer.main(
            [
                *(f"--expdir={exp}", f"--dumpdir={data}", f"--datadir={data}"),
                *("--test_sets=valid", f"--inference_config={root / 'conf' / 'infer.yaml'}"),
                *("--inference_args=--batch_seconds 0.8", f"--cmd={root / 'utils' / 'run.pl'}"),
                *(f"--inference_nj={jobs}", f"--inference_tag={jobs}"),
            ]
        )
        folder = exp / f"inference_{jobs}" / "valid"
        files = ("predictions.csv", "speaker_embeddings.npz")
        answers.append([(folder / name).read_bytes() for name in files])
    assert answers[0][0].count(b"\n") == 8
    assert answers[0] == answers[1] == answers[2]
