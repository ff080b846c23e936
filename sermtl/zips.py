"""Zip archives from strangers: what they hold stays in its folder, and isn't larger than told."""

from __future__ import annotations

import re
import shutil
import stat
import unicodedata
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from sermtl.errors import UserError, first_line

MAX_MEMBERS = 1000  # a packed model has about twenty
MAX_RATIO = 10  # unpacked to packed: weights don't shrink, tables do
SLACK = 1 << 20  # bytes to which any archive may unpack
FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError)
# Anything but plain names between slashes; Windows takes backslashes and drives, too.
LEADS_OUT = re.compile(r"(^|/)\.{0,2}(/|$)|\\|^[a-zA-Z]:|[\x00-\x1f\x7f]")


def unpack(path: Path, folder: Path) -> None:
    """Write an archive's members into ``folder``.

    Raises:
        UserError: before anything is written, for members that lead out of the folder, that are
            links or devices, of which two have the same name (where capitals don't count), or
            that are too many or too large: over ``MAX_RATIO`` times the archive or the disk's
            room. Also if the archive is damaged or encrypted.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check(path, archive.infolist(), folder)
            for member in archive.infolist():
                file = Path(archive.extract(member, folder))
                if file.is_file() and file.stat().st_size != member.file_size:
                    raise zipfile.BadZipFile(f"{member.filename!r} is shorter than told")
    except FAULTS as error:
        raise UserError(
            f"{path}: damaged or encrypted ({first_line(error)}): get it again"
        ) from error
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise UserError(f"{path}: can't be unpacked to {folder} ({reason})") from error


def check_stored(path: Path) -> None:
    """Refuse an archive whose members take more room than itself.

    torch and NumPy store theirs as they are; compressed ones could be a thousand times as large,
    and would have to fit into memory.

    Raises:
        UserError: if they do. Other files than archives pass.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except FAULTS:
        return  # whoever reads it will tell
    if size > path.stat().st_size:
        raise UserError(
            f"{path}: {size} bytes are packed into {path.stat().st_size}, which neither torch nor "
            "NumPy does: get the file from somebody you trust"
        )


def _check(path: Path, members: list[zipfile.ZipInfo], folder: Path) -> None:
    if len(members) > MAX_MEMBERS:
        raise UserError(f"{path}: {len(members)} files, and no packed model has {MAX_MEMBERS}")
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    for member in members:
        name = member.filename
        kind = stat.S_IFMT(member.external_attr >> 16)
        if LEADS_OUT.search(name.removesuffix("/")):
            raise UserError(f"{path}: {name!r} leads out of the archive")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise UserError(f"{path}: {name!r} is a link or a device, not a file")
        alike = unicodedata.normalize("NFC", name).casefold()
        if other := seen.get(alike):
            raise UserError(f"{path}: {other!r} and {name!r} would be one file")
        seen[alike] = name
        folders |= {str(parent): name for parent in PurePosixPath(alike).parents}
    if clash := folders.keys() & seen.keys():
        raise UserError(f"{path}: {min(clash)!r} and its folder would be one file")
    size, packed = sum(member.file_size for member in members), path.stat().st_size
    if size > MAX_RATIO * packed + SLACK:
        raise UserError(
            f"{path}: {size} bytes unpacked, over {MAX_RATIO} times the archive's {packed}: "
            "this is no packed model"
        )
    if size > (free := shutil.disk_usage(folder).free):
        raise UserError(
            f"{path} needs {size / 1e9:.1f} GB to be unpacked and {folder.parent} has "
            f"{free / 1e9:.1f} GB: set TMPDIR to a folder with more room"
        )
