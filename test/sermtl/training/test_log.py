import time

from sermtl.training.log import PREFIX, Follower, tail, verdict


def test_only_new_progress_lines_are_repeated(tmp_path, capsys):
    log = tmp_path / "train.log"
    log.write_text(f"{PREFIX} of an earlier job\n")
    time.sleep(0.05)
    with Follower(log):
        log.unlink()
        with open(log, "w") as stream:
            stream.write(
                f"starting\nINFO: {PREFIX} epoch 1\nloss nan\n{PREFIX} epoch 2\n{PREFIX} ha"
            )
    assert capsys.readouterr().out == "epoch 1\nepoch 2\n"


def test_the_end_is_the_users_error_or_the_last_lines(tmp_path):
    log = tmp_path / "train.log"
    assert tail(log) == ""
    log.write_text("".join(f"line {i}\n" for i in range(40)) + "x" * 1000)
    assert tail(log).splitlines() == [*(f"line {i}" for i in range(16, 40)), "x" * 300]
    log.write_text("usage: ...\nser_train.py: error: no such option\n# Ended (code 2)\n")
    assert tail(log) == "ser_train.py: error: no such option"
    log.write_text("error: a.csv:3: twice\n# Ended (code 1)\n")
    assert tail(log) == "error: a.csv:3: twice"


def test_of_several_errors_the_first_is_the_cause(tmp_path):
    log = tmp_path / "train.log"
    told = ["error: rank 1 of 2 failed: no memory", *["line"] * 40, "error: rank 1 has died"]
    log.write_text("\n".join(told) + "\n")
    assert tail(log) == told[0]


def test_the_launcher_tells_what_became_of_the_job():
    end = "Command '[...]' returned non-zero exit status 1.\nTraceback ...\n"
    failed = "slurm.pl: job failed (Slurm state NODE_FAIL), log: train.log"
    assert verdict(f"INFO: x\nslurm.pl: Slurm job 7\n{failed}\n    epoch 1\n{end}") == failed
    refused = "slurm.pl: error: sbatch did not take the job: sbatch: error: size\nsbatch: error: no"
    assert verdict(f"INFO: x\n{refused}\n{end}") == refused
    assert verdict(end) == end
