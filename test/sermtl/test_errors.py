import os
import signal
import subprocess
import sys

import pytest

from sermtl.errors import UserError, first_line, run_main


def run(body, root):
    """A command whose main has this body."""
    script = (
        "from sermtl.errors import UserError, run_main\n"
        "import os, signal, time\n"
        f"def main():\n    {body}\n"
        "run_main(main)\n"
    )
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root)


@pytest.mark.parametrize(
    ("error", "line"), [(OSError("\nno route\nTraceback"), "no route"), (OSError(), "OSError")]
)
def test_of_other_libraries_errors_the_first_line_is_told(error, line):
    assert first_line(error) == line


def test_a_users_error_is_one_line(root):
    done = run("raise UserError('data/text:3: twice')", root)
    assert (done.returncode, done.stderr) == (1, "error: data/text:3: twice\n")


def test_a_folder_that_cannot_be_written_is_one_line(root):
    done = run("open('/proc/sermtl', 'w')", root)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("error: /proc/sermtl: ")


def test_our_own_error_keeps_its_traceback(root):
    done = run("raise KeyError('x')", root)
    assert done.returncode == 1 and "Traceback" in done.stderr


def test_success_prints_nothing(root):
    done = run("pass", root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_kill_runs_the_cleaning_up(root, name, status):
    body = "\n    ".join(
        [
            "try:",
            f"    os.kill(os.getpid(), signal.{name}); time.sleep(20)",
            "finally:",
            "    print('cleaned up')",
        ]
    )
    done = run(body, root)
    assert (done.returncode, done.stdout) == (status, "cleaned up\n")


def test_nohup_is_heeded(root):
    code = "from sermtl.errors import run_main; import os, signal; run_main(lambda: "
    code += "os.kill(os.getpid(), signal.SIGHUP) or print('went on'))"
    command = ["bash", "-c", 'trap \'\' HUP; exec "$0" -c "$1"', sys.executable, code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert (done.returncode, done.stdout) == (0, "went on\n")


def test_a_reader_that_has_gone_is_no_error(root):
    """What fits the buffer is written at the end, when nothing could catch the error any more."""
    code = "from sermtl.errors import run_main; run_main(lambda: print(input() or 'short'))"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    )
    process.stdout.close()
    process.stdin.write("\n")
    process.stdin.close()
    assert process.stderr.read() == ""
    assert process.wait() == 141


def test_an_interruption_says_how_to_go_on(capsys):
    before = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGHUP)}
    try:
        with pytest.raises(SystemExit) as stop:
            run_main(lambda: os.kill(os.getpid(), signal.SIGINT))
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
    assert stop.value.code == 130
    assert "again to continue" in capsys.readouterr().err


def test_errors_are_exceptions_with_their_message():
    assert str(UserError("a.csv:1: no")) == "a.csv:1: no"


def test_what_a_terminal_lacks_is_escaped(root, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert run("print('é\\udcff')", root).stdout == "\\xe9\\udcff\n"
