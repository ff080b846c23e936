"""A data dir with random audio, as stage 4 leaves it."""

from __future__ import annotations

import json
from pathlib import Path

import kaldiio
import numpy as np
import yaml
from tiny import EMOTIONS, GENDERS, SPEAKERS, WAVLM

from sermtl.data.datadir import write_column
from sermtl.data.tokens import Tokenizer
from sermtl.training.conf import merge

CONF = {
    "frontend_conf": {"model": WAVLM, "freeze": "none"},
    "model_conf": {
        "tasks": ["gender", "speaker", "asr"],
        "hidden_size": 8,
        "num_heads": 2,
        "dropout": 0.3,
        "standardize_pooled": True,
        "swfc": {"queue_size": 8},
    },
    "optim_conf": {"lr": 1e-3},
    "encoder_lr": 1e-4,
    "scheduler": "warmuplr",
    "scheduler_conf": {"warmup_steps": 5},
    "batch_size": 4,
    "max_epoch": 4,
    "num_workers": 0,
    "keep_nbest_models": [2],
    "use_tensorboard": False,
}
TEXTS = ["abc cab", "bca", "<unk>"]


def write(folder: Path, train: int = 14, valid: int = 6) -> None:
    """``folder/{train,valid}``, ``labels.json`` and ``tokens``; some labels are unknown."""
    random = np.random.default_rng(0)
    for part, count in (("train", train), ("valid", valid)):
        ids = [f"{part}{i:02d}" for i in range(count)]
        lengths = {u: int(random.integers(2000, 6000)) for u in ids}
        (folder / part).mkdir(parents=True)
        places = {}
        with open(folder / part / "wav.ark", "wb") as stream:
            for u in ids:
                places[u] = f"{folder / part / 'wav.ark'}:{stream.tell() + len(u) + 1}"
                samples = random.integers(-3000, 3000, lengths[u]).astype(np.int16)
                kaldiio.save_ark(stream, {u: (16000, samples)})
        columns = {
            "wav.scp": places,
            "utt2emo": {u: EMOTIONS[i % 3] for i, u in enumerate(ids)},
            "utt2gender": {u: [*GENDERS, "<unk>"][i % 3] for i, u in enumerate(ids)},
            "utt2spk": {u: SPEAKERS[i % 4] for i, u in enumerate(ids)},
            "text": {u: TEXTS[i % 3] for i, u in enumerate(ids)},
            "speech_shape": {u: str(n) for u, n in lengths.items()},
        }
        for name, values in columns.items():
            write_column(folder / part / name, values)
    labels = {
        "emotions": EMOTIONS,
        "names": {"A": "anger", "H": "happiness", "N": "neutral"},
        "genders": GENDERS,
        "speakers": SPEAKERS,
        "counts": {"emotion": dict.fromkeys(EMOTIONS, train // 3)},
        "tasks": {"emotion": train, "gender": train, "speaker": train, "asr": train},
        "seconds": sum(lengths.values()) / 16000,
    }
    (folder / "labels.json").write_text(json.dumps(labels))
    Tokenizer.train(TEXTS[:2], 20, "char").save(folder / "tokens")


def arguments(data: Path, output: Path, **changes: object) -> list[str]:
    """Arguments of `SERTask.main`, as the launcher gives them."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "conf.yaml").write_text(yaml.safe_dump(merge(CONF, changes)))
    command = ["--config", str(output / "conf.yaml"), "--output_dir", str(output)]
    command += ["--resume", "true", "--ngpu", "0", "--labels", str(data / "labels.json")]
    command += ["--token_dir", str(data / "tokens")]
    names = {"wav.scp": "speech,kaldi_ark", "utt2emo": "emotion,text", "utt2gender": "gender,text"}
    names |= {"utt2spk": "speaker,text", "text": "text,text"}
    for part in ("train", "valid"):
        for file, kind in names.items():
            command += [f"--{part}_data_path_and_name_and_type", f"{data / part / file},{kind}"]
        command += [f"--{part}_shape_file", str(data / part / "speech_shape")]
    return command
