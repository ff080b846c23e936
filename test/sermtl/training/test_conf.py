import pytest
import yaml

from sermtl.errors import UserError
from sermtl.training.conf import difference, merge, parse_arguments, resolve, tag


def test_mappings_merge_and_lists_replace():
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 2}
    over = {"a": {"c": [3]}, "d": {"e": 1}}
    assert merge(base, over) == {"a": {"b": 1, "c": [3]}, "d": {"e": 1}}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 2}


def test_null_takes_an_option_back_to_its_default():
    base = {"scheduler_conf": {"warmup_steps": 5, "a": 1}, "encoder_lr": 1}
    over = {
        "scheduler_conf": {"warmup_steps": None, "T_max": 3, "b": {"c": None}},
        "encoder_lr": None,
    }
    assert merge(base, over) == {"scheduler_conf": {"a": 1, "T_max": 3, "b": {}}}


def test_layers_in_order(tmp_path):
    (tmp_path / "base.yaml").write_text("lr: 1\nmodel_conf: {alpha: 0.1, beta: 0.1}\n")
    (tmp_path / "over.yaml").write_text("model_conf: {beta: 0}\n")
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    files = [tmp_path / f"{name}.yaml" for name in ("base", "empty", "over")]
    conf = resolve(files, "--lr 2 --model_conf swfc.gamma=1.5 --tags [a,b]", "org/encoder")
    assert conf == {
        "lr": 2,
        "model_conf": {"alpha": 0.1, "beta": 0, "swfc": {"gamma": 1.5}},
        "tags": ["a", "b"],
        "frontend_conf": {"model": "org/encoder"},
    }


def test_a_local_encoder_gets_its_full_path(tmp_path, monkeypatch):
    (tmp_path / "encoder").mkdir()
    monkeypatch.chdir(tmp_path)
    assert resolve([], ssl_model="encoder")["frontend_conf"]["model"] == str(tmp_path / "encoder")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no configuration"), ("a: [", "no YAML"), ("- a\n", "mapping")],
)
def test_bad_files_are_named(tmp_path, content, message):
    file = tmp_path / "conf.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UserError, match=message) as error:
        resolve([file])
    assert "conf.yaml" in str(error.value)


@pytest.mark.parametrize("arguments", ["--lr", "lr 2", '--lr "2', "--lr [2"])
def test_bad_arguments(arguments):
    with pytest.raises(UserError, match="train_args"):
        parse_arguments(arguments)


@pytest.mark.parametrize(
    ("overlays", "arguments", "encoder", "name"),
    [
        ([], "", "", "train"),
        (["conf/ablation/wo_swfc.yaml"], "", "", "wo_swfc"),
        (
            ["a/small.yaml", "b/last_layer.yaml"],
            "",
            "org/whisper-tiny",
            "small_last_layer_whisper-tiny",
        ),
        ([], "--max_epoch 3 --model_conf swfc.gamma=1", "", "max_epoch_3_model_conf_swfc.gamma=1"),
    ],
)
def test_tag(overlays, arguments, encoder, name):
    assert tag(overlays, arguments, encoder) == name


def test_difference_shows_the_lines():
    assert difference("a: 1\n", "a: 1\n", "conf") == ""
    assert "-a: 1" in difference("a: 1\n", "a: 2\n", "conf")


def test_overlays_state_only_what_they_change(root):
    base = resolve([root / "conf" / "train.yaml"])
    overlays = sorted((root / "conf" / "ablation").glob("*.yaml"))
    assert len(overlays) == 8

    def check(over, under, name):
        for key, value in over.items():
            assert key in under, f"{name}: {key} is no option of train.yaml"
            if isinstance(value, dict):
                check(value, under[key], name)
            else:
                assert value != under[key], f"{name}: {key} changes nothing"

    for overlay in overlays:
        check(yaml.safe_load(overlay.read_text()), base, overlay.name)


def test_exponents_are_numbers(tmp_path):
    """PyYAML takes 1e-4 for text."""
    (tmp_path / "a.yaml").write_text("optim_conf: {lr: 1e-4}\nnames: [e5, 1e, '1e3']\n")
    conf = resolve([tmp_path / "a.yaml"], "--encoder_lr 2E-5 --model_conf alpha=.5e-1")
    assert conf["optim_conf"] == {"lr": 1e-4}
    assert conf["names"] == ["e5", "1e", "1e3"]
    assert (conf["encoder_lr"], conf["model_conf"]) == (2e-5, {"alpha": 0.05})


def test_a_value_does_not_replace_options(tmp_path):
    (tmp_path / "a.yaml").write_text("model_conf: {alpha: 0.1}\nfrontend_conf: {model: {a: 1}}\n")
    with pytest.raises(UserError, match="model_conf holds options"):
        resolve([tmp_path / "a.yaml"], "--model_conf foo")
    conf = resolve([tmp_path / "a.yaml"], "--frontend_conf model=org/name")
    assert conf["frontend_conf"] == {"model": "org/name"}
