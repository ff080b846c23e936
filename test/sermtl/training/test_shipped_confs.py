"""Every configuration that is shipped builds a model and takes an optimiser step."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from tiny import COUNTS, EMOTIONS, GENDERS, SPEAKERS, TOKENS, WAVLM, batch

from sermtl.compat import scheduler_classes
from sermtl.data.state_cache import check_cacheable
from sermtl.errors import UserError
from sermtl.training.conf import resolve
from sermtl.training.task import SERTask

ROOT = Path(__file__).resolve().parents[3]
BASE = ROOT / "conf" / "train.yaml"
LAYERS = {"train": [BASE]}
LAYERS |= {f"ablation/{p.stem}": [BASE, p] for p in sorted((ROOT / "conf/ablation").glob("*.yaml"))}
for folder in sorted(ROOT.glob("egs/*/conf")):
    own = [folder / "train.yaml"] if (folder / "train.yaml").exists() else []
    for overlay in sorted(folder.glob("*.yaml")):
        layers = [BASE, *own] if overlay in own else [BASE, *own, overlay]
        LAYERS[f"{folder.parent.name}/{overlay.stem}"] = layers


@pytest.mark.parametrize("name", LAYERS)
def test_takes_a_step(name, tmp_path):
    conf = resolve(LAYERS[name])
    conf["frontend_conf"]["model"] = WAVLM  # two layers, random weights
    (tmp_path / "conf.yaml").write_text(yaml.safe_dump(conf))
    labels = {
        "emotions": EMOTIONS,
        "genders": GENDERS,
        "speakers": SPEAKERS,
        "counts": {"emotion": dict(zip(EMOTIONS, COUNTS, strict=True))},
        "tasks": {"emotion": 17, "gender": 17, "speaker": 17, "asr": 17},
    }
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    arguments = ["--config", str(tmp_path / "conf.yaml"), "--output_dir", str(tmp_path)]
    args = SERTask.get_parser().parse_args([*arguments, "--labels", str(tmp_path / "labels.json")])
    args.token_list = TOKENS
    model = _build(args).train()
    (optimizer,) = SERTask.build_optimizers(args, model)
    before = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
    loss, stats, _ = model(**batch(6))
    loss.backward()
    optimizer.step()
    assert all(value.isfinite() for value in stats.values())
    after = dict(model.named_parameters())
    assert all(p.grad is not None for p in after.values() if p.requires_grad)
    changed = [n for n, p in before.items() if not torch.equal(p, after[n])]
    assert len(changed) > len(before) / 2
    scheduler_classes[args.scheduler](optimizer, **args.scheduler_conf)
    if args.cache_hidden_states:
        check_cacheable({**vars(args), "frontend_conf": {**args.frontend_conf, "model": "a/b"}})


def _build(args):
    from sermtl.model.build import build_model

    args.labels = json.loads(Path(args.labels).read_text())
    return build_model(vars(args))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("max_epochs: 3", "unrecognized arguments: max_epochs"),
        ("max_epoch: soon", "argument --max_epoch: invalid int value: 'soon'"),
        ("max_epoch: 2.5", "max_epoch: 2.5 is no whole number"),
        ("num_workers: yes", "num_workers: True is no whole number"),
    ],
)
def test_options_that_are_none(line, message, tmp_path, capsys):
    (tmp_path / "conf.yaml").write_text(line)
    command = ["--config", str(tmp_path / "conf.yaml"), "--output_dir", str(tmp_path)]
    with pytest.raises((UserError, SystemExit)) as error:
        SERTask.main(cmd=command)
    assert message in f"{error.value}{capsys.readouterr().err}"


def test_separate_learning_rates():
    args = SERTask.get_parser().parse_args(["--config", str(BASE), "--output_dir", "unused"])
    args.frontend_conf = {"model": WAVLM}
    from tiny import ser_model

    model = ser_model()
    (optimizer,) = SERTask.build_optimizers(args, model)
    heads, encoder = optimizer.param_groups
    assert (heads["lr"], encoder["lr"]) == (1e-4, 1e-5)
    assert {id(p) for p in encoder["params"]} == {
        id(p) for p in model.frontend.parameters() if p.requires_grad
    }
    total = sum(len(group["params"]) for group in optimizer.param_groups)
    assert total == sum(1 for p in model.parameters() if p.requires_grad)
