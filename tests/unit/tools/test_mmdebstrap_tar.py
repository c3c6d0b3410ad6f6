"""Two releases of GNU tar write device numbers differently; the tar that leaves says neither."""

import tarfile
from pathlib import Path

from imagewright.tools import mmdebstrap


def a_tar(path: Path, device: bytes) -> Path:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in (("a", b"x" * 700), ("b/" + "long" * 60, b"")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            (path.parent / "data").write_bytes(data)
            with (path.parent / "data").open("rb") as file:
                tar.addfile(member, file)
        node = tarfile.TarInfo("null")
        node.type, node.devmajor, node.devminor = tarfile.CHRTYPE, 1, 3
        tar.addfile(node)
    raw = bytearray(path.read_bytes())
    raw[329:345] = device
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw[:512])
    path.write_bytes(raw)
    return path


def test_tars_that_differ_in_unused_device_numbers_become_the_same(tmp_path: Path) -> None:
    zeros, blank = a_tar(tmp_path / "1", b"0000000\x000000000\x00"), a_tar(tmp_path / "2", bytes(16))
    assert zeros.read_bytes() != blank.read_bytes()
    mmdebstrap.normalise(zeros)
    mmdebstrap.normalise(blank)
    assert zeros.read_bytes() == blank.read_bytes()


def test_what_is_in_the_tar_stays(tmp_path: Path) -> None:
    path = a_tar(tmp_path / "1", bytes(16))
    mmdebstrap.normalise(path)
    with tarfile.open(path) as tar:
        members = tar.getmembers()
        assert [member.name for member in members] == ["a", "b/" + "long" * 60, "null"]
        assert (members[2].devmajor, members[2].devminor) == (1, 3)
        content = tar.extractfile("a")
        assert content is not None
        assert content.read() == b"x" * 700
