"""``sermtl doctor``: what this machine has, what it lacks, and how to get that."""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sermtl.errors import UserError
from sermtl.terminal import columns, style

NEEDED = ("torch", "espnet", "transformers", "soundfile", "soxr", "kaldiio", "sentencepiece")
NEEDED += ("safetensors", "numpy", "typeguard")
EXTRAS = {  # package -> what it is for, and its extra
    "openai-whisper": ("re-transcription (stage 2)", "pip install --no-deps openai-whisper"),
    "espeakng-loader": ("the demo corpus", "pip install espeakng-loader"),
    "gradio": ("sermtl serve", "pip install 'gradio>=6,<7'"),
    "tensorboard": ("learning curves in a browser", "pip install tensorboard"),
    "wandb": ("Weights & Biases", "pip install wandb"),
}
ENCODER = "microsoft/wavlm-large"  # of conf/train.yaml
MARKS = {"ok": "green", "note": "yellow", "MISSING": "red"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    mark: str  # one of `MARKS`
    what: str
    found: str
    advice: str = ""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    text = "what this machine has, what it lacks, and how to get that"
    parser = commands.add_parser("doctor", help=text, description=f"Tell {text}.")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Look, and print; missing necessities are an error."""
    findings = [finding for look in LOOKS for finding in look()]
    rows = [(f"{f.mark:<7}", f.what, f.found) for f in findings]
    lines = columns(rows).splitlines()
    for line, finding in zip(lines, findings, strict=True):
        print(line.replace(finding.mark, style(finding.mark, MARKS[finding.mark]), 1))
        if finding.advice:
            print(f"         {style(finding.advice, 'dim')}")
    if missing := [f.what for f in findings if f.mark == "MISSING"]:
        raise UserError(f"needed and missing: {', '.join(missing)}; tools/setup.sh gets everything")


def _python() -> Iterator[Finding]:
    number = platform.python_version()
    fits = (3, 10) <= sys.version_info[:2] <= (3, 12)
    advice = "" if fits else "Python 3.10 to 3.12, e.g. tools/setup.sh --python python3.11"
    yield Finding("ok" if fits else "MISSING", "Python", f"{number} ({sys.prefix})", advice)


def _packages() -> Iterator[Finding]:
    for package in NEEDED:
        if number := _version(package):
            yield Finding("ok", package, number)
        else:
            yield Finding(
                "MISSING", package, "not installed", f"tools/setup.sh, or {package} by pip"
            )
    for package, (purpose, command) in EXTRAS.items():
        if number := _version(package):
            yield Finding("ok", package, number)
        else:
            yield Finding("note", package, f"not installed; for {purpose}", command)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _device() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if not importlib.util.find_spec("torch"):
        return
    try:
        import torch
    except (ImportError, OSError) as error:  # libraries that aren't there, or don't fit
        yield Finding("MISSING", "torch", f"can't be imported: {error}", "tools/setup.sh")
        return
    flags = {name for name in ("avx512_bf16", "amx_bf16") if name in _cpu_flags()}
    speed = f"bfloat16 by {' and '.join(sorted(flags))}" if flags else "bfloat16 is slow here"
    yield Finding("ok", "processor", f"{cores} cores; {speed}")
    if not torch.cuda.is_available():
        driver = shutil.which("nvidia-smi")
        built = torch.version.cuda
        advice = "training WavLM-large needs one; small encoders and inference don't"
        if driver and not built:
            advice = "there is a driver, but this torch is for CPUs: install one that has CUDA"
        yield Finding("note", "GPU", "none that torch can use", advice)
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        half = "bfloat16" if torch.cuda.is_bf16_supported() else "no bfloat16"
        memory = f"{card.total_memory / 2**30:.0f} GiB"
        yield Finding(
            "ok", f"GPU {index}", f"{card.name}, {memory}, CUDA {torch.version.cuda}, {half}"
        )


def _cpu_flags() -> set[str]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return {flag for line in lines if line.startswith("flags") for flag in line.split()}


def _audio() -> Iterator[Finding]:
    if importlib.util.find_spec("soundfile"):
        import soundfile

        formats = ", ".join(sorted(soundfile.available_formats()))
        mark = "ok" if "MP3" in formats else "note"
        advice = "" if mark == "ok" else "for MP3, libsndfile 1.1: pip install -U soundfile"
        yield Finding(mark, "audio", f"libsndfile {soundfile.__libsndfile_version__}", advice)
        yield Finding("ok", "formats", formats)
    bundled = importlib.util.find_spec("imageio_ffmpeg")
    if found := shutil.which("ffmpeg") or (bundled and "of imageio-ffmpeg"):
        yield Finding("ok", "ffmpeg", str(found))
    else:
        advice = "apt-get install ffmpeg, or pip install imageio-ffmpeg"
        yield Finding("note", "ffmpeg", "none; for video and M4A", advice)
    yield Finding("ok", "torchaudio", "neither needed nor used")


def _weights() -> Iterator[Finding]:
    if not importlib.util.find_spec("huggingface_hub"):
        return
    from huggingface_hub import constants, try_to_load_from_cache

    files = ("model.safetensors", "pytorch_model.bin")
    cached = [try_to_load_from_cache(ENCODER, file) for file in files]
    if any(isinstance(path, str) for path in cached):
        yield Finding("ok", ENCODER, f"in {constants.HF_HUB_CACHE}")
    else:
        how = "fetched on first use"
        if constants.HF_HUB_OFFLINE:
            how = "and HF_HUB_OFFLINE is set, so it won't be fetched"
        advice = (
            f"without internet: `hf download {ENCODER} --local-dir FOLDER` elsewhere, copy it, "
        )
        yield Finding("note", ENCODER, f"not here, {how}", f"{advice}--ssl_model FOLDER")


def _place() -> Iterator[Finding]:
    free = shutil.disk_usage(".").free / 1e9
    few = free < 5
    advice = "an experiment with WavLM-large takes 12 GB while it trains" if few else ""
    yield Finding("note" if few else "ok", "disk", f"{free:.0f} GB free here", advice)
    if slurm := shutil.which("sbatch"):
        yield Finding("ok", "Slurm", f'{slurm}: --cmd "utils/slurm.pl --config conf/slurm.conf"')


LOOKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _python,
    _packages,
    _device,
    _audio,
    _weights,
    _place,
)
