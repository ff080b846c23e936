import pytest

from sermtl.bin import tag
from sermtl.errors import UserError


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ([], "train"),
        (["--tag=mine-2.b"], "mine-2.b"),
        (["--train_config=conf/ablation/wo_swfc.yaml"], "wo_swfc"),
        (["--train_args=--max_epoch 3"], "max_epoch_3"),
        (["--train_args=--max_epoch"], "max_epoch"),  # what is wrong with it, stage 5 tells
        (["--ssl_model=models/whisper-tiny.en"], "whisper-tiny.en"),
    ],
)
def test_names(options, name, capsys):
    tag.main(options)
    assert capsys.readouterr().out == f"{name}\n"


@pytest.mark.parametrize("name", ["../zz", "a/b", "stats", "stats_train_valid", ".hidden", "a b"])
def test_names_that_would_land_elsewhere_are_refused(name):
    with pytest.raises(UserError, match="--train_tag"):
        tag.main([f"--tag={name}"])
