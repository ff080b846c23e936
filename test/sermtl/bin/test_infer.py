import pytest

from sermtl.bin import infer
from sermtl.errors import UserError
from sermtl.files import exclusive


@pytest.fixture
def run(root, tmp_path):
    (tmp_path / "data" / "test").mkdir(parents=True)
    (tmp_path / "data" / "test" / "utt2emo").write_text("u A\n")

    def call(arguments=""):
        folders = {"expdir": "exp", "dumpdir": "dump", "datadir": "data"}
        options = [f"--{name}={tmp_path / folder}" for name, folder in folders.items()]
        options += ["--test_sets=test", f"--inference_config={root / 'conf' / 'infer.yaml'}"]
        infer.main([*options, f"--inference_args={arguments}"])

    return call


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--batch_second 3", "'batch_second'"),
        ("--batch_seconds 0", "positive number, not 0"),
        ("--batch_seconds abc", "positive number, not 'abc'"),
        ("foo bar", "--inference_args 'foo bar': expected --name"),
        ("", r"final\.pth is missing: train first"),
    ],
)
def test_wrong_options_and_missing_weights_are_named(run, arguments, message):
    with pytest.raises(UserError, match=message):
        run(arguments)


def test_other_weights_are_listed(run, tmp_path):
    (tmp_path / "exp").mkdir()
    for name in ("3epoch.pth", "checkpoint.pth"):
        (tmp_path / "exp" / name).touch()
    with pytest.raises(UserError, match=r"9epoch\.pth is missing: there are 3epoch\.pth$"):
        run("--weights 9epoch.pth")


def test_two_at_once_are_refused(run, tmp_path):
    """They would take each other's parts away."""
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "final.pth").touch()
    output = tmp_path / "exp" / "inference" / "test"
    with exclusive(output), pytest.raises(UserError, match="another run"):
        run()
    assert not (output / "done.json").exists()
