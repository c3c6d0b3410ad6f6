"""The layer walk: what a container sees, what lies below it, and layers that are not what they should be."""

from __future__ import annotations

import gzip
import tarfile

import pytest
import zstandard

from imagewright.errors import EvidenceError
from imagewright.model.image import Contents
from imagewright.oci.layers import walk
from imagewright.oci.listing import lister
from tests.unit.factory import Blobs, member, tar

DIRECTORY = tarfile.DIRTYPE


def walked(*tars: bytes, stored: tuple[bytes, ...] | None = None) -> Contents:
    blobs = Blobs(*tars, stored=stored)
    return walk(blobs.manifest, blobs.config, lister(blobs.open))


def seen(contents: Contents) -> list[str]:
    return [entry.path for entry in contents.final]


def hidden(contents: Contents) -> list[tuple[str, int]]:
    return [(entry.path, entry.layer) for entry in contents.deleted]


def test_a_file_keeps_its_mode_owner_size_and_layer() -> None:
    (entry,) = walked(tar([member("app/run", b"12345", mode=0o104755, uid=7, gid=8)])).final
    assert (entry.path, entry.kind, entry.mode, entry.uid, entry.gid, entry.size, entry.layer) == (
        *("/app/run", "file", 0o4755, 7, 8, 5, 0),
    )


def test_a_whiteout_removes_a_file_and_remembers_it() -> None:
    contents = walked(tar([member("a/key", b"k"), member("a/b")]), tar([member("a/.wh.key")]))
    assert seen(contents) == ["/a/b"]
    assert hidden(contents) == [("/a/key", 0)]


def test_a_whiteout_of_a_directory_removes_all_below_it() -> None:
    contents = walked(tar([member("a/b/c"), member("a/bc")]), tar([member("a/.wh.b")]))
    assert seen(contents) == ["/a/bc"]


def test_an_opaque_directory_hides_what_was_there_but_not_what_comes_with_it() -> None:
    lower = tar([member("a", type=DIRECTORY), member("a/old"), member("b")])
    contents = walked(lower, tar([member("a/new"), member("a/.wh..wh..opq")]))
    assert seen(contents) == ["/a", "/a/new", "/b"]
    assert hidden(contents) == [("/a/old", 0)]


def test_a_whiteout_does_not_touch_its_own_layer() -> None:
    contents = walked(tar([member("a")]), tar([member("a", b"new"), member(".wh.a")]))
    assert [(entry.path, entry.layer) for entry in contents.final] == [("/a", 1)]


def test_a_replaced_file_is_remembered() -> None:
    contents = walked(tar([member("a", b"old")]), tar([member("a", b"newer")]))
    assert [entry.size for entry in contents.final] == [5]
    assert hidden(contents) == [("/a", 0)]


def test_a_directory_again_only_changes_its_attributes() -> None:
    contents = walked(
        tar([member("a", type=DIRECTORY, mode=0o700), member("a/b")]), tar([member("a", type=DIRECTORY, mode=0o755)])
    )
    assert [(entry.path, entry.mode) for entry in contents.final] == [("/a", 0o755), ("/a/b", 0o644)]
    assert hidden(contents) == []


def test_a_file_over_a_directory_removes_what_was_below() -> None:
    contents = walked(tar([member("a", type=DIRECTORY), member("a/b")]), tar([member("a", b"file")]))
    assert [(entry.path, entry.kind) for entry in contents.final] == [("/a", "file")]
    assert hidden(contents) == [("/a", 0), ("/a/b", 0)]


def test_of_a_duplicate_entry_the_last_counts_and_the_first_is_not_forgotten() -> None:
    contents = walked(tar([member("key", b"secret"), member("key", b"")]))
    assert [entry.size for entry in contents.final] == [0]
    assert [entry.size for entry in contents.deleted] == [6]


@pytest.mark.parametrize("name", ["/etc/x", "./etc/x", "//etc//x", "../../etc/x", "a/../etc/x", "/../etc/./x"])
def test_a_path_stays_inside_the_root_however_it_is_written(name: str) -> None:
    assert seen(walked(tar([member(name)]))) == ["/etc/x"]


def test_links_devices_and_pipes_are_told_apart() -> None:
    contents = walked(
        tar(
            [
                member("a", b"x"),
                member("b", type=tarfile.LNKTYPE, linkname="a"),
                member("c", type=tarfile.SYMTYPE, linkname="../a"),
                member("d", type=tarfile.CHRTYPE),
                member("e", type=tarfile.BLKTYPE),
                member("f", type=tarfile.FIFOTYPE),
            ]
        )
    )
    assert [(entry.kind, entry.target) for entry in contents.final] == [
        *(("file", ""), ("hardlink", "/a"), ("symlink", "../a"), ("device", ""), ("device", ""), ("fifo", "")),
    ]


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_and_big_owners_survive_either_format(format: int) -> None:
    name = "d/" * 120 + "naïve-" + "x" * 150
    (entry,) = walked(tar([member(name, b"x", uid=2_000_000_000)], format)).final
    assert (entry.path, entry.uid) == (f"/{name}", 2_000_000_000)


def test_file_capabilities_are_seen_in_pax_headers() -> None:
    info, data = member("bin/ping", b"x", pax_headers={"SCHILY.xattr.security.capability": "\x01\x00\x00\x02"})
    (entry,) = walked(tar([(info, data)])).final
    assert entry.capabilities


def test_a_sparse_file_has_its_full_size() -> None:
    headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": "1000000"}
    headers |= {"GNU.sparse.name": "core", "GNU.sparse.map": "999999,1"}
    contents = walked(tar([member("sparse", b"x", pax_headers=headers), member("next", b"y")]))
    assert [(entry.path, entry.size) for entry in contents.final] == [("/core", 1_000_000), ("/next", 1)]


def test_a_sparse_file_whose_map_is_in_its_data_has_its_full_size() -> None:
    headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1000000"}
    data = b"1\n999999\n1\n".ljust(512, b"\0") + b"x"
    contents = walked(tar([member("sparse", data, pax_headers=headers | {"GNU.sparse.name": "core"}), member("next")]))
    assert [(entry.path, entry.size) for entry in contents.final] == [("/core", 1_000_000), ("/next", 0)]


def test_a_sparse_file_of_the_old_kind_has_its_full_size() -> None:
    info, _ = member("core", type=tarfile.GNUTYPE_SPARSE)
    info.size = 1
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"00003641077\x0000000000001\x00"  # one piece: where it begins, how long it is
    header[483:495] = b"00003641100\x00"  # the full size
    archive = _resealed(bytes(header)) + b"x".ljust(512, b"\0") + tar([member("next")])
    assert [(entry.path, entry.size) for entry in walked(archive).final] == [("/core", 1_000_000), ("/next", 0)]


@pytest.mark.parametrize("target", ["../../etc/shadow", "/etc/shadow", "./etc/../etc/shadow"])
def test_a_hard_link_points_inside_the_root_whatever_it_says(target: str) -> None:
    (entry,) = walked(tar([member("a/b", type=tarfile.LNKTYPE, linkname=target)])).final
    assert (entry.kind, entry.target) == ("hardlink", "/etc/shadow")


def test_a_whiteout_of_a_hard_link_leaves_the_file_it_shared() -> None:
    lower = tar([member("a", b"secret"), member("b", type=tarfile.LNKTYPE, linkname="a")])
    contents = walked(lower, tar([member(".wh.b")]))
    assert (seen(contents), hidden(contents)) == (["/a"], [("/b", 0)])


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_a_layer_in_several_compressed_pieces_is_one(compress: object) -> None:
    assert callable(compress)
    data = tar([member("a", b"x" * 10_000), member("b")])
    assert seen(walked(data, stored=(compress(data[:700]) + compress(data[700:]),))) == ["/a", "/b"]


def test_a_name_that_is_not_utf8_can_still_be_written_down() -> None:
    data = tar([member("aXb")], tarfile.USTAR_FORMAT)
    (entry,) = walked(_resealed(data.replace(b"aXb", b"a\xffb", 1))).final
    assert entry.path == "/a\\xffb"


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.ZstdCompressor().compress])
def test_layers_are_read_plain_gzipped_or_zstd(compress: object) -> None:
    assert callable(compress)
    data = tar([member("a", b"x" * 100_000), member("b")])
    contents = walked(data, stored=(compress(data),))
    assert seen(contents) == ["/a", "/b"]
    assert contents.uncompressed == len(data)


def test_layers_know_their_sizes_files_and_command() -> None:
    data = tar([member("a", type=DIRECTORY), member("a/b", b"x"), member("a/c")])
    blob = gzip.compress(data)
    (layer,) = walked(data, stored=(blob,)).layers
    assert (layer.compressed, layer.uncompressed, layer.files, layer.created_by) == (len(blob), len(data), 2, "COPY 0")


def test_an_empty_layer_is_a_layer() -> None:
    assert walked(tar([])).layers[0].files == 0
    assert walked(b"").layers[0].uncompressed == 0


def test_other_bytes_than_promised_are_refused() -> None:
    with pytest.raises(EvidenceError, match="is not the one"):
        walked(tar([member("a", b"good")]), stored=(gzip.compress(tar([member("a", b"evil")])),))


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.ZstdCompressor().compress])
@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
def test_a_layer_that_was_cut_off_is_refused(compress: object, keep: float) -> None:
    assert callable(compress)
    data = tar([member(f"file{number}", f"{number}".encode() * 997) for number in range(50)])
    blob = compress(data)
    with pytest.raises(EvidenceError, match="layer"):
        walked(data, stored=(blob[: int(len(blob) * keep)],))


def test_a_damaged_header_does_not_end_the_walk_quietly() -> None:
    data = bytearray(tar([member("a"), member("setuid", mode=0o4755)]))
    data[512 : 512 + 8] = b"\xff" * 8
    with pytest.raises(EvidenceError, match="cannot be read") as error:
        walked(bytes(data))
    assert "damaged" in error.value.why


def test_a_layer_that_is_no_archive_is_refused() -> None:
    with pytest.raises(EvidenceError, match="cannot be read"):
        walked(b"this is not a tar archive" * 100)


def test_a_header_that_claims_to_be_huge_is_refused_before_it_is_read() -> None:
    info, _ = member("PaxHeaders/x", type=tarfile.XHDTYPE)
    info.size = 1 << 33
    with pytest.raises(EvidenceError, match="cannot be read"):
        walked(info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 2048)


def test_a_path_no_file_system_can_hold_is_refused() -> None:
    with pytest.raises(EvidenceError, match="path"):
        walked(tar([member("a/" * 5000)]))


def test_a_manifest_and_a_configuration_that_disagree_are_refused() -> None:
    blobs = Blobs(tar([member("a")]), stored=())
    with pytest.raises(EvidenceError, match="contradicts itself"):
        walk(blobs.manifest, blobs.config, lister(blobs.open))


def _resealed(data: bytes) -> bytes:
    """The archive with the checksum of its first header made right again."""
    header = data[:148] + b" " * 8 + data[156:512]
    return data[:148] + f"{sum(header):06o}\0 ".encode() + data[156:]
