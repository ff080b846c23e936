"""A trained model as a Hub folder (safetensors, JSON, no pickled code) and the same zipped."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from sermtl.errors import UserError
from sermtl.files import atomic_write

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
CONFIG_KEYS = ("frontend_conf", "model_conf", "labels", "token_list")  # what builds the model


def pack(experiment: Path, weights: str, target: Path, card: str) -> Path:
    """Write the folder ``target`` and ``<target>.zip``; returns the archive.

    Args:
        experiment: a trained ``exp/<tag>[/fold<K>]``.
        weights: which of its weights.
        target: replaced if it exists.
        card: text of ``README.md``.

    Raises:
        UserError: if there are no such weights.
    """
    if not (experiment / weights).exists():
        raise UserError(f"{experiment / weights} is missing: train first (stage 5)")
    from safetensors.torch import save_file

    from sermtl.data.tokens import Tokenizer
    from sermtl.model.weights import load

    config = yaml.safe_load((experiment / "config.yaml").read_text(encoding="utf-8"))
    state = load(experiment / weights)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    save_file({k: v.contiguous() for k, v in state.items()}, target / WEIGHTS)
    with atomic_write(target / CONFIG) as stream:
        json.dump({key: config[key] for key in CONFIG_KEYS}, stream, indent=1, ensure_ascii=False)
    with atomic_write(target / "README.md") as stream:
        stream.write(card)
    if (experiment / "tokens").is_dir():
        Tokenizer.load(experiment / "tokens").save(target / "tokens")
    archive = target.with_name(f"{target.name}.zip")  # names may hold dots
    with atomic_write(archive, "wb") as stream, zipfile.ZipFile(stream, "w") as members:
        for file in sorted(path for path in target.rglob("*") if path.is_file()):
            members.write(file, file.relative_to(target))
    return archive


@contextmanager
def unpacked(source: str | Path, revision: str | None = None) -> Iterator[Path]:
    """The folder of a model given as a folder, an archive or a name on the Hugging Face hub.

    Args:
        source: of these.
        revision: branch, tag or commit on the hub.

    Raises:
        UserError: if it can't be had, or an archive's members lead out of their folder.
    """
    path = Path(source)
    if path.is_dir():
        yield path
    elif path.is_file():
        if not zipfile.is_zipfile(path):
            raise UserError(f"{path} is neither a model folder nor a packed model (.zip)")
        with TemporaryDirectory() as folder, zipfile.ZipFile(path) as members:
            for name in members.namelist():
                if not (Path(folder) / name).resolve().is_relative_to(Path(folder).resolve()):
                    raise UserError(f"{path}: {name!r} leads out of the archive")
            members.extractall(folder)
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
        reason = str(error).strip().splitlines()[0].rstrip(".:")
        raise UserError(
            f"there is no folder or archive {name}, and the Hugging Face hub gave none ({reason})"
        ) from error
