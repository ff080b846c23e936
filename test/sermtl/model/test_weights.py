"""Files of weights: what is read, and what is told of those that can't be."""

import zipfile

import pytest
import torch
from safetensors.torch import save_file

from sermtl.errors import UserError
from sermtl.model.weights import load, load_state, misfits

WEIGHTS = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([[3]])}


class Code:
    """Something whose unpickling runs a function."""

    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize("kind", ["pth", "bin", "safetensors"])
def test_torch_and_safetensors_are_read_alike(kind, tmp_path):
    path = tmp_path / f"weights.{kind}"
    (save_file if kind == "safetensors" else torch.save)(WEIGHTS, path)
    for state in (load(path), load_state(path)):
        assert type(state) is dict
        assert set(state) == {"a", "b"}
        assert all(torch.equal(state[name], value) for name, value in WEIGHTS.items())


def test_tensors_are_put_where_they_are_wanted(tmp_path):
    torch.save(WEIGHTS, tmp_path / "w.pth")
    for read in (load, load_state):
        assert read(tmp_path / "w.pth", "meta")["a"].device.type == "meta"


def test_the_layout_before_zip_archives(tmp_path):
    torch.save(WEIGHTS, tmp_path / "old", _use_new_zipfile_serialization=False)
    assert torch.equal(load_state(tmp_path / "old")["a"], WEIGHTS["a"])


def test_plain_values_are_no_state(tmp_path):
    path = tmp_path / "checkpoint.pth"
    for content in (3, {}, {"epoch": 3}, {1: torch.zeros(1)}, {**WEIGHTS, "c": None}):
        torch.save(content, path)
        assert load(path) is not None
        with pytest.raises(UserError, match=r"checkpoint\.pth: .*no weight.*\. do this"):
            load_state(path, advice="do this")
        with pytest.raises(UserError, match="stage 5"):
            load_state(path)


def test_what_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"none\.pth is missing"):
        load(tmp_path / "none.pth")


def test_code_is_named_and_not_run(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")  # which torch obeys where it can
    torch.save({"a": Code()}, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"w\.pth: .* print\)\. do this$"):
        load(tmp_path / "w.pth", advice="do this")
    with pytest.raises(UserError, match="stage 5"):
        load(tmp_path / "w.pth")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [b"\x80\x02}K\x01s.", b"version https://git-lfs", b""])
def test_what_torch_never_wrote(content, tmp_path):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(UserError, match=r"w\.pth: damaged.*\. do this$"):
        load_state(tmp_path / "w.pth", advice="do this")


def test_changed_bytes_are_found_by_their_checksum(tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"a": torch.arange(1000)}, path)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        place = max(archive.infolist(), key=lambda member: member.file_size)
    content[place.header_offset + 4000] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"damaged.*{place.filename}"):
        load(path)


def test_an_archive_that_would_grow(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(100_000))
    with pytest.raises(UserError, match="100000 bytes"):
        load(tmp_path / "w.pth")


@pytest.mark.parametrize("error", [PermissionError, MemoryError, torch.OutOfMemoryError])
def test_what_is_no_fault_of_the_file(error, tmp_path, monkeypatch):
    torch.save(WEIGHTS, tmp_path / "w.pth")

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(error):
        load(tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("message", "told"), [("first. Second", r"\(first\)"), ("x" * 300, rf"\({'x' * 200}\)")]
)
def test_of_long_reasons_the_beginning(message, told, tmp_path, monkeypatch):
    torch.save(WEIGHTS, tmp_path / "w.pth")

    def fail(*_, **__):
        raise RuntimeError(message)

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(UserError, match=told):
        load(tmp_path / "w.pth")


def test_misfits_are_named():
    own = {name: torch.zeros(2, 3) for name in "abcdefghi"}
    assert misfits(own, own | {"other": torch.zeros(1)}) == ""
    assert misfits(own, {name: own[name] for name in "cdefghi"}) == "missing: a, b"
    assert misfits(own, {name: own[name] for name in "defghi"}) == "missing: a, b, c"
    assert misfits(own, {name: own[name] for name in "efghi"}) == "missing: a, b, c and 1 more"
    wrong = {**own, "a": torch.zeros(3, 2), "b": torch.zeros(2)}
    del wrong["c"]
    assert misfits(own, wrong) == (
        "missing: c; of another shape: a (3, 2) instead of (2, 3), b (2,) instead of (2, 3)"
    )
