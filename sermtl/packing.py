"""A trained model as a Hub folder (safetensors, JSON, no pickled code) and the same zipped."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sermtl.documents import read_yaml
from sermtl.errors import UserError, first_line
from sermtl.files import atomic_folder, atomic_write, exclusive
from sermtl.model_config import read_model_config
from sermtl.zips import unpack

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
CONFIG_KEYS = ("frontend_conf", "model_conf", "labels", "token_list")  # what builds the model
LAYERS, RESULTS = "layer_weights.json", "results.json"
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # in archives, so that the same model gives the same bytes


def packed_config(experiment: Path) -> dict[str, Any]:
    """What ``config.json`` holds of an experiment.

    Raises:
        UserError: if nothing is trained.
    """
    path = experiment / "config.yaml"
    if not path.exists():
        raise UserError(f"{path} is missing: train first (stage 5)")
    config = read_model_config(path)
    return {key: config[key] for key in CONFIG_KEYS} | {"encoder": encoder_name(experiment)}


def encoder_name(experiment: Path) -> str | None:
    """The pretrained encoder's name, without the folders of this machine; ``None`` without one."""
    conf = read_yaml(experiment / "conf.yaml")
    model = conf["frontend_conf"]["model"]
    if not isinstance(model, str):
        return None
    return Path(model).name if Path(model).exists() else model


def pack(
    experiment: Path,
    weights: str,
    target: Path,
    card: str,
    results: Mapping[str, Any],
    pictures: Sequence[Path] = (),
) -> Path:
    """Write the folder ``target`` and ``<target>.zip``; returns the archive.

    Args:
        experiment: a trained ``exp/<tag>[/fold<K>]``.
        weights: which of its weights.
        target: replaced if it exists.
        card: text of ``README.md``.
        results: content of ``results.json``.
        pictures: files that the card shows.

    Raises:
        UserError: if there are no such weights.
    """
    if not (experiment / weights).exists():
        raise UserError(f"{experiment / weights} is missing: train first (stage 5)")
    from safetensors.torch import save_file

    from sermtl.data.tokens import Tokenizer
    from sermtl.model.weights import load

    config, state = packed_config(experiment), load(experiment / weights)
    with exclusive(target.parent, f".{target.name}.lock"):
        with atomic_folder(target) as folder:
            save_file({k: v.contiguous() for k, v in state.items()}, folder / WEIGHTS)
            (folder / WEIGHTS).chmod(0o644)  # which it makes for its owner alone
            for name, content in ((CONFIG, config), (RESULTS, results)):
                text = json.dumps(content, indent=1, ensure_ascii=False)
                (folder / name).write_text(text, encoding="utf-8")
            (folder / "README.md").write_text(card, encoding="utf-8")
            layers = [experiment / LAYERS] if (experiment / LAYERS).exists() else []
            for file in [*layers, *pictures]:
                shutil.copyfile(file, folder / file.name)
            if config["token_list"]:
                Tokenizer.load(experiment / "tokens").save(folder / "tokens")
        return _archive(target)


def _archive(folder: Path) -> Path:
    """``<folder>.zip`` with the files of a folder, always the same bytes for the same files."""
    archive = folder.with_name(f"{folder.name}.zip")  # names may hold dots
    with atomic_write(archive, "wb") as stream, zipfile.ZipFile(stream, "w") as members:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            member = zipfile.ZipInfo(str(file.relative_to(folder)), LONG_AGO)
            member.external_attr = 0o644 << 16
            with open(file, "rb") as source, members.open(member, "w", force_zip64=True) as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
    return archive


def push(folder: Path, repository: str) -> str:
    """Upload a packed folder to the Hugging Face hub, as a private model unless it is there
    already; returns its address.

    Raises:
        UserError: if the hub refuses, or can't be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    hub = HfApi()
    try:
        url = hub.create_repo(repository, private=True, exist_ok=True)
        hub.upload_folder(
            repo_id=repository, folder_path=folder, commit_message=f"Upload {folder.name}"
        )
    except (HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OSError) as error:
        reason = first_line(error).rstrip(".:")
        raise UserError(
            f"{repository}: not pushed to the Hugging Face hub ({reason}); `hf auth login` first, "
            "with a token that may write"
        ) from error
    return str(url)


@contextmanager
def unpacked(source: str | Path, revision: str | None = None) -> Iterator[Path]:
    """The folder of a model given as a folder, an archive or a name on the Hugging Face hub.

    Args:
        source: of these.
        revision: branch, tag or commit on the hub.

    Raises:
        UserError: if it can't be had, is an experiment with a model for each fold, or an archive
            that `sermtl.zips.unpack` refuses.
    """
    path = Path(source)
    if path.is_dir():
        if folds := sorted(file.parent.name for file in path.glob("fold*/config.yaml")):
            raise UserError(f"{path} has a model for each fold: name one, e.g. {path / folds[0]}")
        yield path
    elif path.is_file():
        if not zipfile.is_zipfile(path):
            raise UserError(f"{path} is neither a model folder nor a packed model (.zip)")
        with TemporaryDirectory(prefix="sermtl-") as folder:
            unpack(path, Path(folder))
            yield Path(folder)
    else:
        yield _from_hub(str(source), revision)


def _from_hub(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(snapshot_download(name, revision=revision))
    except HFValidationError as error:
        raise UserError(f"there is no folder or archive {name}") from error
    except (HfHubHTTPError, OSError) as error:
        reason = first_line(error).rstrip(".:")
        raise UserError(
            f"there is no folder or archive {name}, and the Hugging Face hub gave none ({reason})"
        ) from error
