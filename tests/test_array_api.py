"""The namespace against the array API standard, version 2024.12: names, signatures, dtypes."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module

import numpy as np
import pytest

import autodiff as ad
from autodiff import primitives
from autodiff.errors import DTypeError, OptionError

# The standard's functions with their parameters; annotations left out.
FUNCTIONS = """
    __array_namespace_info__()
    abs(x, /)
    acos(x, /)
    acosh(x, /)
    add(x1, x2, /)
    all(x, /, *, axis=None, keepdims=False)
    any(x, /, *, axis=None, keepdims=False)
    arange(start, /, stop=None, step=1, *, dtype=None, device=None)
    argmax(x, /, *, axis=None, keepdims=False)
    argmin(x, /, *, axis=None, keepdims=False)
    argsort(x, /, *, axis=-1, descending=False, stable=True)
    asarray(obj, /, *, dtype=None, device=None, copy=None)
    asin(x, /)
    asinh(x, /)
    astype(x, dtype, /, *, copy=True, device=None)
    atan(x, /)
    atan2(x1, x2, /)
    atanh(x, /)
    bitwise_and(x1, x2, /)
    bitwise_invert(x, /)
    bitwise_left_shift(x1, x2, /)
    bitwise_or(x1, x2, /)
    bitwise_right_shift(x1, x2, /)
    bitwise_xor(x1, x2, /)
    broadcast_arrays(*arrays)
    broadcast_to(x, /, shape)
    can_cast(from_, to, /)
    ceil(x, /)
    clip(x, /, min=None, max=None)
    concat(arrays, /, *, axis=0)
    conj(x, /)
    copysign(x1, x2, /)
    cos(x, /)
    cosh(x, /)
    count_nonzero(x, /, *, axis=None, keepdims=False)
    cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False)
    cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False)
    diff(x, /, *, axis=-1, n=1, prepend=None, append=None)
    divide(x1, x2, /)
    empty(shape, *, dtype=None, device=None)
    empty_like(x, /, *, dtype=None, device=None)
    equal(x1, x2, /)
    exp(x, /)
    expand_dims(x, /, axis)
    expm1(x, /)
    eye(n_rows, n_cols=None, /, *, k=0, dtype=None, device=None)
    finfo(type, /)
    flip(x, /, *, axis=None)
    floor(x, /)
    floor_divide(x1, x2, /)
    from_dlpack(x, /, *, device=None, copy=None)
    full(shape, fill_value, *, dtype=None, device=None)
    full_like(x, /, fill_value, *, dtype=None, device=None)
    greater(x1, x2, /)
    greater_equal(x1, x2, /)
    hypot(x1, x2, /)
    iinfo(type, /)
    imag(x, /)
    isdtype(dtype, kind)
    isfinite(x, /)
    isinf(x, /)
    isnan(x, /)
    less(x1, x2, /)
    less_equal(x1, x2, /)
    linspace(start, stop, /, num, *, dtype=None, device=None, endpoint=True)
    log(x, /)
    log10(x, /)
    log1p(x, /)
    log2(x, /)
    logaddexp(x1, x2, /)
    logical_and(x1, x2, /)
    logical_not(x, /)
    logical_or(x1, x2, /)
    logical_xor(x1, x2, /)
    matmul(x1, x2, /)
    matrix_transpose(x, /)
    max(x, /, *, axis=None, keepdims=False)
    maximum(x1, x2, /)
    mean(x, /, *, axis=None, keepdims=False)
    meshgrid(*arrays, indexing='xy')
    min(x, /, *, axis=None, keepdims=False)
    minimum(x1, x2, /)
    moveaxis(x, source, destination, /)
    multiply(x1, x2, /)
    negative(x, /)
    nextafter(x1, x2, /)
    nonzero(x, /)
    not_equal(x1, x2, /)
    ones(shape, *, dtype=None, device=None)
    ones_like(x, /, *, dtype=None, device=None)
    permute_dims(x, /, axes)
    positive(x, /)
    pow(x1, x2, /)
    prod(x, /, *, axis=None, dtype=None, keepdims=False)
    real(x, /)
    reciprocal(x, /)
    remainder(x1, x2, /)
    repeat(x, repeats, /, *, axis=None)
    reshape(x, /, shape, *, copy=None)
    result_type(*arrays_and_dtypes)
    roll(x, /, shift, *, axis=None)
    round(x, /)
    searchsorted(x1, x2, /, *, side='left', sorter=None)
    sign(x, /)
    signbit(x, /)
    sin(x, /)
    sinh(x, /)
    sort(x, /, *, axis=-1, descending=False, stable=True)
    sqrt(x, /)
    square(x, /)
    squeeze(x, /, axis)
    stack(arrays, /, *, axis=0)
    std(x, /, *, axis=None, correction=0.0, keepdims=False)
    subtract(x1, x2, /)
    sum(x, /, *, axis=None, dtype=None, keepdims=False)
    take(x, indices, /, *, axis=None)
    take_along_axis(x, indices, /, *, axis=-1)
    tan(x, /)
    tanh(x, /)
    tensordot(x1, x2, /, *, axes=2)
    tile(x, repetitions, /)
    tril(x, /, *, k=0)
    triu(x, /, *, k=0)
    trunc(x, /)
    unique_all(x, /)
    unique_counts(x, /)
    unique_inverse(x, /)
    unique_values(x, /)
    unstack(x, /, *, axis=0)
    var(x, /, *, axis=None, correction=0.0, keepdims=False)
    vecdot(x1, x2, /, *, axis=-1)
    where(condition, x1, x2, /)
    zeros(shape, *, dtype=None, device=None)
    zeros_like(x, /, *, dtype=None, device=None)
"""
LINALG = """
    cholesky(x, /, *, upper=False)
    cross(x1, x2, /, *, axis=-1)
    det(x, /)
    diagonal(x, /, *, offset=0)
    eigh(x, /)
    eigvalsh(x, /)
    inv(x, /)
    matmul(x1, x2, /)
    matrix_norm(x, /, *, keepdims=False, ord='fro')
    matrix_power(x, n, /)
    matrix_rank(x, /, *, rtol=None)
    matrix_transpose(x, /)
    outer(x1, x2, /)
    pinv(x, /, *, rtol=None)
    qr(x, /, *, mode='reduced')
    slogdet(x, /)
    solve(x1, x2, /)
    svd(x, /, *, full_matrices=True)
    svdvals(x, /)
    tensordot(x1, x2, /, *, axes=2)
    trace(x, /, *, offset=0, dtype=None)
    vecdot(x1, x2, /, *, axis=-1)
    vector_norm(x, /, *, axis=None, keepdims=False, ord=2)
"""
FFT = """
    fft(x, /, *, n=None, axis=-1, norm='backward')
    fftfreq(n, /, *, d=1.0, dtype=None, device=None)
    fftn(x, /, *, s=None, axes=None, norm='backward')
    fftshift(x, /, *, axes=None)
    hfft(x, /, *, n=None, axis=-1, norm='backward')
    ifft(x, /, *, n=None, axis=-1, norm='backward')
    ifftn(x, /, *, s=None, axes=None, norm='backward')
    ifftshift(x, /, *, axes=None)
    ihfft(x, /, *, n=None, axis=-1, norm='backward')
    irfft(x, /, *, n=None, axis=-1, norm='backward')
    irfftn(x, /, *, s=None, axes=None, norm='backward')
    rfft(x, /, *, n=None, axis=-1, norm='backward')
    rfftfreq(n, /, *, d=1.0, dtype=None, device=None)
    rfftn(x, /, *, s=None, axes=None, norm='backward')
"""
CONSTANTS = ["e", "inf", "nan", "newaxis", "pi"]
DTYPES = [
    "bool", "complex64", "complex128", "float32", "float64", "int8", "int16", "int32", "int64",
    "uint8", "uint16", "uint32", "uint64",
]  # fmt: skip
ATTRIBUTES = ["T", "device", "dtype", "mT", "ndim", "shape", "size"]
SPECIAL = """
abs add and array_namespace bool complex dlpack dlpack_device eq float floordiv ge getitem gt
index int invert le lshift lt matmul mod mul ne neg or pos pow rshift setitem sub truediv xor
radd rand rfloordiv rlshift rmatmul rmod rmul ror rpow rrshift rsub rtruediv rxor
iadd iand ifloordiv ilshift imatmul imod imul ior ipow irshift isub itruediv ixor
""".split()  # noqa: SIM905


def standard(text, prefix=""):
    found = {}
    for line in text.split("\n"):
        if line.strip():
            scope = {"inf": np.inf}
            exec(f"def {line.strip()}: ...", scope)  # noqa: S102
            name = line.partition("(")[0].strip()
            found[prefix + name] = inspect.signature(scope[name])
    return found


SIGNATURES = standard(FUNCTIONS) | standard(LINALG, "linalg.") | standard(FFT, "fft.")


def public(name):
    found = ad
    for part in name.split("."):
        found = getattr(found, part)
    return found


def test_the_lists_are_complete():
    assert len(SIGNATURES) == len(standard(FUNCTIONS)) + 23 + 14
    assert ad.__array_api_version__ == "2024.12"


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature(name):
    """Every call that the standard allows is allowed here, with the same meaning."""
    theirs = list(SIGNATURES[name].parameters.values())
    ours = inspect.signature(public(name)).parameters
    positions = list(ours.values())
    for i, parameter in enumerate(theirs):
        if parameter.kind is parameter.VAR_POSITIONAL:
            assert positions[i].kind is parameter.VAR_POSITIONAL
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            match = positions[i]
            assert match.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        else:
            assert parameter.name in ours, f"no parameter {parameter.name!r}"
            match = ours[parameter.name]
            assert match.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                assert match is positions[i]
        if parameter.default is not parameter.empty:
            assert match.default == parameter.default
    known = {parameter.name for parameter in theirs}
    for extra in positions[len(theirs) :]:
        assert extra.name in known or extra.default is not extra.empty


def test_signatures_are_the_reference_implementations():
    """The literal lists above against ``array_api_strict``, where that is installed."""
    strict = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
    for name, signature in SIGNATURES.items():
        reference = strict
        for part in name.split("."):
            reference = getattr(reference, part)
        theirs = inspect.signature(reference).parameters.values()
        assert [(p.name, p.kind) for p in theirs] == [
            (p.name, p.kind) for p in signature.parameters.values()
        ]


@pytest.mark.parametrize("name", CONSTANTS + DTYPES)
def test_constants_and_dtypes(name):
    expected = getattr(np, name)
    found = getattr(ad, name)
    assert found is expected or found == expected or (np.isnan(found) and np.isnan(expected))
    assert name in ad.__all__


def test_attributes_and_operators():
    for name in ATTRIBUTES:
        assert isinstance(inspect.getattr_static(ad.Tensor, name), property)
    for name in SPECIAL:
        assert callable(getattr(ad.Tensor, f"__{name}__"))
    assert callable(ad.Tensor.to_device)


def test_all_names_exist():
    assert len(ad.__all__) == len(set(ad.__all__))
    for name in ad.__all__:
        assert getattr(ad, name) is not None or name == "newaxis"
    for module in (ad.linalg, ad.fft, ad.random, ad.func):
        for name in module.__all__:
            assert hasattr(module, name)
    for name in standard(FUNCTIONS):
        assert name in ad.__all__
    with pytest.raises(AttributeError, match="nothing"):
        ad.nothing


def test_the_families_are_gathered():
    """The list of functions is the families' lists together, but of those with a namespace.

    ``pieces`` and ``blocks`` have no operations: the former's functions say on which piece of
    itself one is, the latter's carry one out.
    """
    apart = {"blocks", "decompositions", "fft", "linalg", "norms", "pieces"}
    families = [found.name for found in pkgutil.iter_modules(primitives.__path__)]
    modules = [import_module(f"{primitives.__name__}.{name}") for name in families]
    gathered = [
        name
        for family, module in zip(families, modules, strict=True)
        if family not in apart
        for name in module.__all__
    ]
    assert sorted(primitives.__all__) == sorted([*gathered, "norm"])


def test_every_operation_is_public():
    """What rules find in the namespace of tensors, users find in the package."""
    from autodiff.namespace import tensors

    for where, names in [(ad, tensors), (ad.linalg, tensors.linalg), (ad.fft, tensors.fft)]:
        for name, function in vars(names).items():
            if not name.startswith("_") and name not in ("linalg", "fft"):
                assert getattr(where, name) is function


# -- questions about dtypes ----------------------------------------


def test_result_type():
    x = ad.ones(2)
    assert ad.result_type(x, 1.5) == np.float32
    assert ad.result_type(x, ad.float64) == np.float64
    assert ad.result_type(ad.int8, 1) == np.int8
    assert ad.result_type(ad.int64, x) == np.float64
    assert ad.result_type(1.5) == np.float32
    assert ad.result_type(1, 2j) == np.complex64
    assert ad.result_type("float32", np.float64(1)) == np.float64
    for bad in ((), ("abc",), (None, object()), (object,)):
        with pytest.raises(DTypeError, match="result_type"):
            ad.result_type(*bad)


def test_can_cast():
    assert ad.can_cast(ad.int8, ad.int16)
    assert not ad.can_cast(ad.ones(2, dtype=ad.float64), ad.float32)
    assert ad.can_cast(np.ones(2, np.int8), "int64")
    with pytest.raises(DTypeError, match="can_cast"):
        ad.can_cast("abc", ad.float32)


def test_isdtype():
    assert ad.isdtype(ad.float16, "real floating")
    assert ad.isdtype(ad.uint8, "integral")
    assert not ad.isdtype(ad.bool, "numeric")
    assert ad.isdtype(ad.complex64, ("bool", "complex floating"))
    assert ad.isdtype(np.dtype("int8"), ad.int8)
    for bad in ("abc", 3, ("bool", "abc")):
        with pytest.raises(OptionError, match="isdtype"):
            ad.isdtype(ad.float32, bad)


def test_finfo_and_iinfo():
    for dtype in (ad.float16, ad.float32, ad.float64, ad.complex64):
        assert ad.finfo(dtype).eps == np.finfo(dtype).eps
    assert ad.finfo(ad.ones(2)).bits == 32
    assert ad.iinfo(ad.tensor([1])).max == 2**63 - 1
    with pytest.raises(DTypeError, match="Use iinfo"):
        ad.finfo(ad.int8)
    with pytest.raises(DTypeError, match="Use finfo"):
        ad.iinfo(ad.float32)


def test_namespace_info():
    info = ad.__array_namespace_info__()
    assert info.default_device() == "cpu"
    assert info.devices() == ["cpu"]
    assert info.capabilities()["boolean indexing"]
    assert info.default_dtypes()["real floating"] == np.float32
    with ad.default_dtype(ad.float64):
        assert info.default_dtypes()["complex floating"] == np.complex128
    assert sorted(info.dtypes()) == sorted(DTYPES)
    assert list(info.dtypes(kind="bool")) == ["bool"]
    assert set(info.dtypes(kind=("integral", "bool"))) == {
        name for name in DTYPES if "int" in name or name == "bool"
    }
    assert set(info.dtypes(kind="numeric", device="cpu")) == set(DTYPES) - {"bool"}
    with pytest.raises(OptionError, match="unknown"):
        info.dtypes(kind="abc")
    for ask in (info.dtypes, info.default_dtypes):
        with pytest.raises(DTypeError, match="not available"):
            ask(device="cuda")


def test_astype_and_device():
    x = ad.tensor([1.0], requires_grad=True)
    assert ad.astype(x, ad.float64).dtype == np.float64
    assert ad.astype(x, ad.int32).tolist() == [1]
    assert not ad.astype(x, ad.int32).requires_grad
