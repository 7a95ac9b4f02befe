"""Files are written whole where they are files, and as they are where they are something else; errors name them."""

import contextlib
import errno
import os
import resource
from pathlib import Path

import pytest

from tetrax.fields.errors import exit_code
from tetrax.system import disk


@contextlib.contextmanager
def small_files(size=100):
    """Let the system refuse what is larger: the nearest to a full disk that needs no disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_device_is_written_to_and_stays_one(tmp_path):
    disk.write_whole(Path("/dev/null"), b"gone")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(OSError, match="No space left on device: '/dev/full'") as error:
        disk.write_whole(Path("/dev/full"), b"too much")
    assert error.value.errno == errno.ENOSPC
    assert Path("/dev/full").is_char_device()


def test_a_link_to_a_device_is_followed(tmp_path):
    (tmp_path / "link").symlink_to("/dev/full")
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path}/link'"):
        disk.write_whole(tmp_path / "link", b"too much")
    assert (tmp_path / "link").is_symlink()


def test_a_pipe_is_written_to(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    disk.write_whole(tmp_path / "pipe", b"through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert names(tmp_path) == ["pipe"] and (tmp_path / "pipe").is_fifo()
    disk.try_writing(tmp_path / "pipe")  # does not wait for a reader


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_followed(tmp_path, there):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real/file")
    if there:
        (tmp_path / "real" / "file").write_bytes(b"old")
    disk.write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "file").read_bytes() == b"new"
    assert names(tmp_path / "real") == ["file"]


@pytest.mark.parametrize("name", ["n" * 255, "ß" * 127, "n" * 251])
def test_a_name_as_long_as_it_may_be(tmp_path, name):
    disk.write_whole(tmp_path / name, b"data")
    disk.try_writing(tmp_path / name)
    assert names(tmp_path) == [name]


def too_long(folder):
    return folder / ("n" * 300)


def below_a_file(folder):
    (folder / "file").touch()
    return folder / "file" / "name"


def in_no_folder(folder):
    return folder / "missing" / "name"


def in_proc(folder):
    return Path("/proc/tetrax")


def link_to_itself(folder):
    (folder / "loop").symlink_to("loop")
    return folder / "loop"


@pytest.mark.parametrize("place", [too_long, below_a_file, in_no_folder, in_proc, link_to_itself])
@pytest.mark.parametrize("write", [disk.try_writing, lambda path: disk.write_whole(path, b"data")])
def test_what_cannot_be_written_is_named(tmp_path, place, write):
    path = place(tmp_path)
    before = names(tmp_path)
    with pytest.raises(OSError) as error:
        write(path)
    assert disk.TEMPORARY not in str(error.value)
    assert str(error.value.filename) in (str(path), str(path.parent))
    assert names(tmp_path) == before


def test_a_full_disk_is_found_by_trying_and_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with small_files():
        for write in (disk.try_writing, lambda path: disk.write_whole(path, bytes(200))):
            with pytest.raises(OSError, match=f"File too large: '{path}'"):
                write(path)
        with pytest.raises(OSError) as error:
            disk.try_writing_in(tmp_path)
        assert error.value.filename == str(tmp_path)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_trying_changes_nothing(tmp_path):
    path = tmp_path / "file"
    disk.try_writing(path)
    assert names(tmp_path) == []
    path.write_bytes(b"old")
    disk.try_writing(path)
    disk.try_writing_in(tmp_path)
    assert path.read_bytes() == b"old" and names(tmp_path) == ["file"]
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        disk.try_writing(tmp_path)


def test_an_error_in_a_folder_that_is_being_written_names_the_file_in_it(tmp_path):
    with pytest.raises(OSError) as error, small_files(), disk.replacing(tmp_path / "folder") as folder:
        folder.mkdir()
        with (folder / "part").open("wb", buffering=0) as file, disk.naming(folder / "part"):
            file.write(bytes(100))
            file.write(bytes(100))
    assert error.value.filename == str(tmp_path / "folder" / "part")
    assert names(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_fsync_does(tmp_path, monkeypatch, number):
    def fsync(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    assert disk.sync_folder(tmp_path) is False
    disk.write_whole(tmp_path / "file", b"data")
    assert (tmp_path / "file").read_bytes() == b"data"


def test_a_failing_fsync_is_an_error(tmp_path, monkeypatch):
    def fsync(descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match=f"Input/output error: '{tmp_path / 'file'}'"):
        disk.write_whole(tmp_path / "file", b"data")
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_removed_wholly_is_out_of_the_way(tmp_path, monkeypatch):
    """A network file system keeps what somebody has open: rmdir says that the folder is not empty."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / ".nfs0001").touch()
    unlink = os.unlink

    def busy(path, **where):
        if os.path.basename(path).startswith(".nfs"):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path)
        unlink(path, **where)

    monkeypatch.setattr(os, "unlink", busy)
    disk.discard(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()
    (tmp_path / "folder").mkdir()
    disk.discard(tmp_path / "folder")  # the name of the first is still taken
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.EROFS, "Read-only file system", "run/config.json"),
            "run/config.json: Read-only file system",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "No space left on device (in tests.system.test_disk.fail)",
        ),
        (OSError("no number"), "no number (in tests.system.test_disk.fail)"),
    ],
)
def test_a_command_ends_with_the_file_and_the_reason(error, said, capsys):
    def fail(words):
        raise error

    assert exit_code(fail, [], when_stopped="stopped") == 2
    assert capsys.readouterr().err == f"error: {said}\n"
