"""A damaged checkpoint gives way to the one before, with a warning; the results are the same."""

from __future__ import annotations

import random
import shutil
import zipfile

import pytest
from tiny_corpus import arguments
from wholeness import differences, same_values

from sermtl.errors import UserError
from sermtl.model.build import load_trained
from sermtl.model.weights import load
from sermtl.training.task import SERTask

LAST, SPARE = "checkpoint.pth", "checkpoint.previous.pth"


def cut(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def cut_last_byte(path, _):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path, share):
    """One bit amid a tensor, which torch.load wouldn't notice, or amid their description."""
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if member.file_size > 8]
        member = members[int(len(members) * share)]
        content = archive.read(member)
    changed = bytearray(path.read_bytes())
    changed[changed.index(content, member.header_offset) + len(content) // 2] ^= 1
    path.write_bytes(changed)


def zero(path, share):
    """As long as it was, but what a crash kept from the disk is zero."""
    content = path.read_bytes()
    whole = int(len(content) * share)
    path.write_bytes(content[:whole] + bytes(len(content) - whole))


def scribble(path, seed):
    path.write_bytes(random.Random(seed).randbytes(path.stat().st_size))


def put_weights(path, _):
    shutil.copyfile(path.with_name("1epoch.pth"), path)


def put_folder(path, _):
    path.unlink()
    (path / "archive").mkdir(parents=True)


def take_away(path, _):
    path.unlink()


DAMAGES = [
    *((cut, share) for share in (0, 0.001, 0.5, 0.99)),
    *((flip, share) for share in (0, 0.5, 0.99)),
    *((zero, share) for share in (0, 0.6)),
    *((do, 0) for do in (cut_last_byte, scribble, put_weights, put_folder, take_away)),
]


def pytest_generate_tests(metafunc) -> None:
    if {"damage", "share"} <= set(metafunc.fixturenames):
        cases = list(DAMAGES)
        if metafunc.config.getoption("--long"):
            chance = random.Random(0)
            cases += [(do, chance.random()) for do in (cut, flip, zero) for _ in range(10)]
        names = [f"{do.__name__}-{share:.3g}" for do, share in cases]
        metafunc.parametrize(("damage", "share"), cases, ids=names)


@pytest.fixture(scope="module")
def undisturbed(training_data, tmp_path_factory):
    output = tmp_path_factory.mktemp("undisturbed") / "exp"
    SERTask.main(cmd=arguments(training_data, output, max_epoch=3, keep_nbest_models=[1]))
    return output


@pytest.fixture(scope="module")
def interrupted(training_data, tmp_path_factory):
    """After the second of three epochs."""
    output = tmp_path_factory.mktemp("interrupted") / "exp"
    SERTask.main(cmd=arguments(training_data, output, max_epoch=2, keep_nbest_models=[1]))
    for average in output.glob("*ave*"):
        average.unlink()
    (output / "final.pth").unlink()
    return output


@pytest.fixture
def folder(interrupted, tmp_path):
    return shutil.copytree(interrupted, tmp_path / "exp", symlinks=True)


def go_on(data, folder):
    SERTask.main(cmd=arguments(data, folder, max_epoch=3, keep_nbest_models=[1]))


def test_the_one_before_takes_over(training_data, undisturbed, folder, damage, share, caplog):
    damage(folder / LAST, share)
    go_on(training_data, folder)
    (told,) = [line for line in caplog.messages if "warning" in line]
    assert f"{folder / LAST}" in told and f"Going on from {folder / SPARE}, after epoch 1" in told
    changes = set(differences(folder, undisturbed))
    assert changes == {"differs: config.yaml"}  # which names the folder


def test_a_damaged_spare_one_harms_nobody(training_data, undisturbed, folder, caplog):
    scribble(folder / SPARE, 0)
    go_on(training_data, folder)
    assert not [line for line in caplog.messages if "warning" in line]
    assert set(differences(folder, undisturbed)) == {"differs: config.yaml"}


def test_after_two_damages_in_a_row_there_is_still_a_spare_one(training_data, undisturbed, folder):
    """The damaged one must not be put aside in place of the whole one."""
    flip(folder / LAST, 0.5)
    go_on(training_data, folder)
    flip(folder / LAST, 0.5)
    go_on(training_data, folder)
    assert set(differences(folder, undisturbed)) == {"differs: config.yaml"}


@pytest.mark.parametrize("damage", [scribble, put_folder, take_away])
def test_without_any_it_does_not_begin_anew(training_data, folder, damage):
    for name in (LAST, SPARE):
        damage(folder / name, 1)
    epochs = {name: (folder / name).read_bytes() for name in ("1epoch.pth", "2epoch.pth")}
    with pytest.raises(UserError, match=rf"(?s){LAST}.*{SPARE}.*--force true") as refusal:
        go_on(training_data, folder)
    assert str(refusal.value).count("\n") == 0
    assert epochs == {name: (folder / name).read_bytes() for name in epochs}


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_a_flipped_bit_is_seen_or_changes_nothing(interrupted, tmp_path, share):
    whole = load(interrupted / LAST)
    path = shutil.copy(interrupted / LAST, tmp_path / "x.pth")
    content, place = bytearray(path.read_bytes()), int(path.stat().st_size * share)
    unseen = 0
    for step in range(40):
        at = min(place + 7 * step, len(content) - 1)
        content[at] ^= 1 << step % 8
        path.write_bytes(content)
        content[at] ^= 1 << step % 8
        try:
            states = load(path)
        except UserError:
            continue
        unseen += 1
        assert same_values(states, whole), f"byte {at} of {len(content)}"
    assert unseen < 40


@pytest.mark.parametrize("damage", [cut, flip, zero])
def test_damaged_weights_are_named_when_they_are_averaged(training_data, folder, damage):
    best = (folder / "valid.macro_f1.best.pth").resolve()
    damage(best, 0.5)
    with pytest.raises(UserError, match=rf"{best.name}: damaged.*--force true"):
        SERTask.main(cmd=arguments(training_data, folder, max_epoch=2, keep_nbest_models=[1]))
    assert not (folder / "final.pth").exists()


@pytest.mark.parametrize("damage", [cut, flip, zero])
def test_damaged_final_weights_are_named_and_made_again(
    training_data, undisturbed, tmp_path, damage
):
    folder = shutil.copytree(undisturbed, tmp_path / "exp", symlinks=True)
    damage((folder / "final.pth").resolve(), 0.5)
    with pytest.raises(UserError, match=r"final\.pth: damaged.*delete it and run stage 5 again"):
        load_trained(folder / "config.yaml", folder / "final.pth")
    (folder / "final.pth").unlink()
    go_on(training_data, folder)
    assert set(differences(folder, undisturbed)) == {"differs: config.yaml"}
