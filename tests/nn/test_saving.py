"""Saving and loading: what comes back, files always whole, files that nobody should trust."""

import contextlib
import io
import json
import math
import os
import pickle
import signal
import struct
import subprocess
import sys
import time
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
import nn
from nn.files import write_whole
from tests.nn import torch, with_torch

safetensors_numpy = pytest.importorskip("safetensors.numpy")

DTYPES = ["float64", "float32", "float16", "int64", "int32", "int16", "int8",
          "uint64", "uint32", "uint16", "uint8", "bool", "complex64"]  # fmt: skip


def back(state, tmp_path):
    nn.save(state, tmp_path / "file")
    return nn.load(tmp_path / "file")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# -- what comes back -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_arrays(dtype, shape, tmp_path):
    array = np.random.default_rng(0).normal(size=shape, scale=50).astype(dtype)
    for source in (array, ad.asarray(array)):
        found = back({"a": source}, tmp_path)["a"]
        assert isinstance(found, ad.Tensor)
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found.numpy(), array, strict=True)


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3).T, np.arange(9.0)[::2]])
def test_arrays_of_other_layouts(array, tmp_path):
    np.testing.assert_array_equal(back([array], tmp_path)[0].numpy(), array)
    np.testing.assert_array_equal(back([array.astype(">f8")], tmp_path)[0].numpy(), array)


def test_special_values_keep_their_bits(tmp_path):
    array = np.array([np.nan, -0.0, np.inf, -np.inf, 1e-45, -np.nan], np.float32)
    assert back(array, tmp_path).numpy().tobytes() == array.tobytes()


def test_what_was_loaded_can_be_written(tmp_path):
    found = back({"a": np.zeros(3)}, tmp_path)["a"]
    with ad.no_grad():
        found += 1
    assert found.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        [],
        "text ü \U0001f600",
        3,
        2**127 + 1,
        0.1,
        -0.0,
        math.inf,
        {"a": [1, (2.5, None, ("x",)), {}], "b": {"c": True, "d": ()}},
        {0: "zero", 1: {(1, "a"): False}, None: 3, "$tensor": 4},
        {"$tuple": [1]},
        {"__metadata__": "m", "": "empty"},
    ],
)
def test_structure(state, tmp_path):
    found = back(state, tmp_path)
    assert found == state
    assert repr(found) == repr(state)


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"))
)
keys = st.text() | st.integers() | st.none() | st.tuples(st.integers(), st.text())
states = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(), inner)
        | st.dictionaries(keys, inner)
    ),
    max_leaves=20,
)


@given(state=states)
def test_any_structure_comes_back(state, tmp_path):
    assert repr(back(state, tmp_path)) == repr(state)


def test_nan_comes_back(tmp_path):
    assert math.isnan(back({"loss": math.nan}, tmp_path)["loss"])


def test_names_that_collide(tmp_path):
    state = {"a.b": np.ones(1), "a": {"b": np.zeros(1)}, "__metadata__": np.full(1, 2.0)}
    found = back(state, tmp_path)
    assert [found["a.b"].item(), found["a"]["b"].item(), found["__metadata__"].item()] == [1, 0, 2]


def test_a_module(tmp_path):
    model, other = nn.MLP([3, 4, 2]), nn.MLP([3, 4, 2])
    nn.save(model, tmp_path / "m")
    other.load_state_dict(nn.load(tmp_path / "m"))
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(a.data, b.data)
    assert list(nn.load(tmp_path / "m")) == list(model.state_dict())


def test_an_optimizer(tmp_path):
    def steps(model, optimizer, count):
        for _ in range(count):
            optimizer.zero_grad()
            model(ad.ones((2, 3))).sum().backward()
            optimizer.step()

    ad.random.seed(0)
    model = nn.MLP([3, 4, 2])
    optimizer = nn.Adam(model.parameters(), lr=0.1)
    steps(model, optimizer, 3)
    nn.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "f")
    steps(model, optimizer, 2)
    other = nn.MLP([3, 4, 2])
    again = nn.Adam(other.parameters())
    saved = nn.load(tmp_path / "f")
    other.load_state_dict(saved["model"])
    again.load_state_dict(saved["optimizer"])
    steps(other, again, 2)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        assert a.data.tobytes() == b.data.tobytes()


def test_the_same_state_makes_the_same_bytes(tmp_path):
    state = {"b": np.ones(2), "a": [np.zeros(3), 1.5], "c": {1: "x"}}
    nn.save(state, tmp_path / "one")
    nn.save(state, tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


class Strange:
    pass


def test_what_cannot_be_saved_is_named_by_its_place(tmp_path):
    path = tmp_path / "file"
    nn.save(1, path)
    for state in ({"a": [1, Strange()]}, {"a": [0, {1, 2}]}):
        with pytest.raises(ad.DTypeError, match=r"save: a\.1 is a (Strange|set), which"):
            nn.save(state, path)
    with pytest.raises(ad.DTypeError, match=r"a is .*complex128; safetensors has no such dtype"):
        nn.save({"a": np.zeros(1, complex)}, path)
    with pytest.raises(ad.DTypeError, match="object"):
        nn.save({"a": np.array([None])}, path)
    endless = []
    endless.append(endless)
    with pytest.raises(ad.DTypeError, match="contains itself"):
        nn.save(endless, path)
    assert nn.load(path) == 1
    assert names(tmp_path) == ["file"]


def test_safetensors_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ad.MissingExtraError, match=r"safetensors.*autodiff\[nn\]"):
        nn.save({}, tmp_path / "f")
    with pytest.raises(ad.MissingExtraError, match=r"safetensors.*autodiff\[nn\]"):
        nn.load(tmp_path / "f")


# -- other libraries' files ------------------------------------------------------------------------


def test_a_file_of_safetensors_loads(tmp_path):
    arrays = {"w": np.ones((2, 3), np.float32), "b": np.zeros((), np.int8)}
    safetensors_numpy.save_file(arrays, tmp_path / "f", metadata={"format": "np"})
    found = nn.load(tmp_path / "f")
    assert found.keys() == arrays.keys()
    for key, array in arrays.items():
        np.testing.assert_array_equal(found[key].numpy(), array, strict=True)


def test_safetensors_reads_our_files(tmp_path):
    model = nn.MLP([3, 4, 2])
    nn.save(model, tmp_path / "f")
    found = safetensors_numpy.load_file(tmp_path / "f")
    assert found.keys() == model.state_dict().keys()
    for key, tensor in model.state_dict().items():
        np.testing.assert_array_equal(found[key], tensor.numpy())


@with_torch
def test_pytorch_models_load(tmp_path):
    from safetensors.torch import load_file, save_file

    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    save_file(theirs.state_dict(), tmp_path / "theirs", metadata={"format": "pt"})
    ours = nn.MLP([3, 4, 2])
    ours.load_state_dict(nn.load(tmp_path / "theirs"))
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    expected = theirs(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(ours(ad.asarray(x)).detach().numpy(), expected, atol=1e-6)
    nn.save(ours, tmp_path / "ours")
    theirs.load_state_dict(load_file(tmp_path / "ours"))


@with_torch
def test_bfloat16_becomes_float32(tmp_path):
    from safetensors.torch import save_file

    x = torch.tensor([1.0, -2.5, 3.14159, float("inf"), 1e-40, 3e38], dtype=torch.bfloat16)
    save_file({"x": x.reshape(2, 3)}, tmp_path / "f")
    found = nn.load(tmp_path / "f")["x"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.numpy(), x.float().reshape(2, 3).numpy())


@with_torch
def test_eight_bits_are_refused_by_name(tmp_path):
    from safetensors.torch import save_file

    save_file({"x": torch.ones(2).to(torch.float8_e4m3fn)}, tmp_path / "f")
    with pytest.raises(nn.FileFormatError, match=r"'x' in .* is of dtype F8_E4M3.*Save it as F32"):
        nn.load(tmp_path / "f")


# -- foreign, damaged and hostile files ------------------------------------------------------------


def file_of(header, data=b"", size=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def entry(shape, offsets, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def zipped():
    stream = io.BytesIO()
    np.savez(stream, a=np.zeros(3))
    return stream.getvalue()


def tree(text):
    return file_of({"__metadata__": {"autodiff": text}})


HOSTILE = {
    "empty": (b"", "is empty"),
    "short": (b"\x03\x00", "2 bytes"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG"),
    "jpeg": (b"\xff\xd8\xff\xe0" + bytes(50), "JPEG"),
    "npz": (zipped(), "numpy.load"),
    "npy": (b"\x93NUMPY\x01\x00" + bytes(100), r"\.npy"),
    "pickle": (pickle.dumps({"a": 1}), "pickle"),
    "json": (b'{"a": [1, 2, 3]}', "JSON"),
    "html": (b"<!doctype html><p>Not found</p>", "markup"),
    "noise": (np.random.default_rng(0).bytes(1000), "no whole safetensors"),
    "huge header": (file_of(b"{}", size=2**63), "header would have"),
    "header past the end": (file_of({"a": entry([1], [0, 4])}, size=500), "header would have"),
    "text that is no header": (file_of(b"[1, 2]"), "no JSON object"),
    "not utf-8": (file_of(b'{"\xff": 1}'), "decode"),
    "beyond the file": (file_of({"a": entry([4], [0, 16])}, bytes(8)), "no whole"),
    "negative": (file_of({"a": entry([1], [-4, 0])}), "no whole"),
    "backwards": (file_of({"a": entry([1], [4, 0])}, bytes(4)), "no whole"),
    "overlap": (file_of({"a": entry([1], [0, 4]), "b": entry([1], [2, 6])}, bytes(6)), "no whole"),
    "hole": (file_of({"a": entry([1], [4, 8])}, bytes(8)), "no whole"),
    "left over": (file_of({"a": entry([1], [0, 4])}, bytes(8)), "no whole"),
    "wrong size": (file_of({"a": entry([3], [0, 4])}, bytes(4)), "no whole"),
    "overflow": (file_of({"a": entry([2**40, 2**40], [0, 4])}, bytes(4)), "no whole"),
    "vast but empty": (file_of({"a": entry([0, 2**62, 2**62], [0, 0])}), "no whole"),
    "negative shape": (file_of({"a": entry([-1], [0, 4])}, bytes(4)), "no whole"),
    "wrong dtype": (file_of({"a": entry([1], [0, 4], "X99")}, bytes(4)), "no whole"),
    "dtype of another size": (file_of({"a": entry([1], [0, 4], "F64")}, bytes(4)), "no whole"),
    "no dtype": (file_of({"a": {"shape": [1], "data_offsets": [0, 4]}}, bytes(4)), "no whole"),
    "twice": (
        file_of(
            b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
            b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
            bytes(1),
        ),
        "'a' stands twice",
    ),
    "deep header": (file_of(b'{"a":' + b"[" * 100_000), "no whole"),
    "nan": (file_of(b'{"a": NaN}'), "NaN is not JSON"),
    "many digits": (file_of(b'{"a": ' + b"9" * 10_000 + b"}"), "no whole"),
    "metadata of numbers": (file_of({"__metadata__": {"autodiff": 3}}), "no whole"),
    "tree that is no JSON": (tree("{"), "structure makes no sense"),
    "deep tree": (tree("[" * 100_000 + "]" * 100_000), "nested too deep"),
    "tensor that is not there": (tree('{"$tensor": "w"}'), "no tensor 'w'"),
    "tensor that is a list": (tree('{"$tensor": []}'), "structure makes no sense"),
    "unknown kind": (tree('{"$code": "1"}'), "unknown kind '\\$code'"),
    "float that is none": (tree('{"$float": "one"}'), "structure makes no sense"),
    "dict of no pairs": (tree('{"$dict": [[1]]}'), "structure makes no sense"),
    "key that is a list": (tree('{"$dict": [[[], 1]]}'), "structure makes no sense"),
    "tuple of nothing": (tree('{"$tuple": 3}'), "structure makes no sense"),
    "tuple of text": (tree('{"$tuple": "abc"}'), "structure makes no sense"),
    "dict of text": (tree('{"$dict": ["ab"]}'), "structure makes no sense"),
    "key twice in a dict": (tree('{"$dict": [[1, 1], [1, 2]]}'), "the key 1 stands twice"),
    "key twice in the tree": (tree('{"a": 1, "a": 2}'), "'a' stands twice"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(name, tmp_path):
    data, message = HOSTILE[name]
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(nn.FileFormatError, match=message) as caught:
        nn.load(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_every_truncation_is_found(tmp_path):
    path = tmp_path / "file"
    nn.save({"a": np.arange(5.0), "b": [1, "x"]}, path)
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(nn.FileFormatError):
            nn.load(path)
    path.write_bytes(data + b"\0")
    with pytest.raises(nn.FileFormatError):
        nn.load(path)


def test_flipped_bits_never_do_worse_than_an_error(tmp_path):
    path = tmp_path / "file"
    nn.save({"a": np.arange(5.0), "b": [1, {2: (3,)}]}, path)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            damaged[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with contextlib.suppress(nn.FileFormatError):
            nn.load(path)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        nn.load(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        nn.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        nn.save({}, tmp_path / "none" / "file")


# -- files are always whole ----------------------------------------------------------------------


def test_a_write_that_fails_at_any_byte_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    nn.save({"a": np.zeros(3)}, path)
    old = path.read_bytes()
    real, state = os.write, {"b": np.ones(4)}
    nn.save(state, tmp_path / "other")
    size = (tmp_path / "other").stat().st_size
    for limit in range(size):
        left = [limit]

        def write(descriptor, data, left=left):
            if not left[0]:
                raise OSError(28, "No space left on device")
            written = real(descriptor, bytes(data[: left[0]]))
            left[0] -= written
            return written

        monkeypatch.setattr(os, "write", write)
        with pytest.raises(OSError, match="No space left"):
            nn.save(state, path)
        assert path.read_bytes() == old
        assert names(tmp_path) == ["file", "other"]
    monkeypatch.setattr(os, "write", real)
    nn.save(state, path)
    assert path.read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_sync_or_rename_that_fails_leaves_the_old_file(step, tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, b"old")

    def fail(*arguments):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="Input/output error"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_the_bytes_are_synced_before_the_rename_and_the_folder_after(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, r=real: (calls.append(n), r(*a))[1])
    write_whole(tmp_path / "file", b"x")
    assert calls == ["fsync", "replace", "fsync"]


DIES = """
import os, sys
from nn.files import write_whole
limit, real = int(sys.argv[2]), os.write
def write(descriptor, data):
    real(descriptor, bytes(data[:limit]))
    os.kill(os.getpid(), 9)
os.write = write
write_whole(sys.argv[1], b"n" * 100)
"""


@pytest.mark.parametrize("limit", [0, 1, 50, 100])
def test_a_process_killed_at_a_byte_leaves_the_old_file(limit, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    died = subprocess.run([sys.executable, "-c", DIES, path, str(limit)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    left = [p for p in tmp_path.iterdir() if p != path]
    assert [p.stat().st_size for p in left] == [limit]
    write_whole(path, b"new")
    assert left[0].exists()  # another process may be writing it
    os.utime(left[0], (time.time() - 7200,) * 2)
    write_whole(path, b"newer")
    assert names(tmp_path) == ["file"]


SAVES = """
import sys
import numpy as np
import nn
print("ready", flush=True)
for i in range(10**9):
    nn.save({"a": np.full(200_000, i, np.int32), "i": i}, sys.argv[1])
"""


@pytest.mark.slow
def test_a_process_killed_at_random_leaves_whole_files(tmp_path):
    path = tmp_path / "file"
    rng = np.random.default_rng(0)
    for _ in range(6):
        process = subprocess.Popen([sys.executable, "-c", SAVES, path], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(0.05 + rng.random() * 0.1)
        process.kill()
        process.wait()
        process.stdout.close()
        if path.exists():
            found = nn.load(path)
            assert (found["a"].numpy() == found["i"]).all()
    assert path.exists()


def test_links_and_modes_stay(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_folder_that_cannot_be_read_is_not_synced(tmp_path, monkeypatch):
    real = os.open

    def opened(path, flags, *mode):
        if path == tmp_path:
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *mode)

    monkeypatch.setattr(os, "open", opened)
    write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_pipes_devices_and_folders_stay(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "null").symlink_to(os.devnull)
    for name in ("pipe", "folder", "null"):
        with pytest.raises(OSError, match=f"no regular file.*{name}"):
            nn.save({"a": 1}, tmp_path / name)
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "null").is_char_device()
    assert names(tmp_path) == ["folder", "null", "pipe"]


@pytest.mark.parametrize("name", ["n" * 247, "n" * 255, "é" * 127])
def test_the_longest_names(name, tmp_path):
    for data in (b"old", b"new"):
        write_whole(tmp_path / name, data)
        assert (tmp_path / name).read_bytes() == data
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
@pytest.mark.parametrize("call", [nn.load, lambda path: nn.save({"a": 1}, path)])
def test_paths_that_no_file_has(call, path):
    with pytest.raises(ad.OptionError, match=r"path is .* Give a path"):
        call(path)


def test_a_number_that_is_too_long(tmp_path):
    assert back({"a": 10**4000}, tmp_path) == {"a": 10**4000}
    with pytest.raises(ad.DTypeError, match=r"a\.b is a whole number of 16,610 bits"):
        nn.save({"a": {"b": 10**5000}}, tmp_path / "file")


def test_names_that_are_no_unicode(tmp_path):
    first, second, text = map(chr, (0xD800, 0xD801, 0xD802))
    found = back({first: ad.ones(1), second: ad.zeros(1), "text": text}, tmp_path)
    assert list(found) == [first, second, "text"]
    assert (found[first].item(), found[second].item(), found["text"]) == (1, 0, text)


def test_ordered_dicts_are_dicts(tmp_path):
    assert back(OrderedDict(b=1, a=2), tmp_path) == {"b": 1, "a": 2}
