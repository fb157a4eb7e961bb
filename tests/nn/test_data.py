"""Datasets, collation, loaders: batches, order, position, threads, errors."""

import functools
import gc
import threading
import time

import numpy as np
import pytest

import autodiff as ad
import nn
from nn.data.prefetch import ahead


class Listed:
    """A dataset that is nothing but a length and examples."""

    def __init__(self, examples):
        self.examples = examples

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, i):
        example = self.examples[i]
        if isinstance(example, Exception):
            raise example
        return example


def numbers(loader):
    return [batch.tolist() for (batch,) in loader]


def counting(n, **options):
    return nn.DataLoader(nn.TensorDataset(np.arange(n)), **options)


# -- datasets ------------------------------------------------------------------------------------


def test_tensor_dataset_takes_a_batch_by_one_index():
    x, y = np.random.default_rng(0).normal(size=(7, 3)), np.arange(7)
    data = nn.TensorDataset(x, ad.asarray(y))
    a, b = data.__getitems__([5, 0, 5])
    np.testing.assert_array_equal(a.numpy(), x[[5, 0, 5]])
    assert b.tolist() == [5, 0, 5]
    assert a.dtype == np.float64
    assert [part.shape for part in data[2:4]] == [(2, 3), (2,)]


@pytest.mark.parametrize("tensors", [(np.zeros(3), np.zeros(4)), (np.zeros(()),)])
def test_tensors_that_count_different_examples(tensors):
    with pytest.raises(ad.ShapeError, match="first axes"):
        nn.TensorDataset(*tensors)
    with pytest.raises(ad.OptionError, match="no tensors"):
        nn.TensorDataset()


def test_subset():
    subset = nn.Subset(nn.TensorDataset(np.arange(10) ** 2), [3, -1, 0])
    assert len(subset) == 3
    assert [part.item() for (part,) in subset] == [9, 81, 0]
    assert numbers(nn.DataLoader(subset, batch_size=2)) == [[9, 81], [0]]
    nested = nn.Subset(nn.Subset(Listed("abcd"), [3, 1]), [1, 0])
    assert list(nn.DataLoader(nested, batch_size=2)) == [["b", "d"]]
    with pytest.raises(ad.IndexingError, match="10 is not among the 10"):
        nn.Subset(range(10), [0, 10])


@pytest.mark.parametrize(
    ("lengths", "sizes"),
    [([7, 3], [7, 3]), ([0.5, 0.25, 0.25], [6, 2, 2]), ([0.7, 0.3], [7, 3]), ([10, 0], [10, 0])],
)
def test_random_split(lengths, sizes):
    parts = nn.random_split(range(10), lengths, seed=3)
    assert [len(part) for part in parts] == sizes
    assert sorted(i for part in parts for i in part) == list(range(10))
    again = nn.random_split(range(10), lengths, seed=3)
    assert [list(part) for part in parts] == [list(part) for part in again]
    assert [list(p) for p in nn.random_split(range(10), lengths, seed=4)] != list(map(list, parts))


@pytest.mark.parametrize("lengths", [[5, 4], [0.5, 0.6], [11, -1], [], [2.7, 7.3]])
def test_split_lengths_that_do_not_fit(lengths):
    with pytest.raises(ad.OptionError, match="don't fit the 10 examples"):
        nn.random_split(range(10), lengths)


# -- collation -----------------------------------------------------------------------------------


def test_default_collate_keeps_structure_and_dtype():
    examples = [({"x": np.ones(2, np.float16), "id": 3}, True, "a", None, 1.5)] * 2
    batch = nn.default_collate(examples)
    assert isinstance(batch, tuple)
    assert batch[0]["x"].dtype == np.float16
    assert batch[0]["x"].shape == (2, 2)
    assert batch[0]["id"].dtype == np.int64
    assert batch[1].dtype == np.bool_
    assert batch[2] == ["a", "a"]
    assert batch[3] == [None, None]
    assert batch[4].dtype == np.float32


def test_default_collate_of_tensors_keeps_gradients():
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    nn.default_collate([x * 2, x * 3]).sum().backward()
    assert x.grad.tolist() == [5.0, 5.0]


def test_ragged_examples_name_indices_shapes_and_the_remedy():
    data = Listed([(np.zeros((2, 3)), 0), (np.zeros((2, 3)), 1), (np.zeros((5, 3)), 2)])
    loader = nn.DataLoader(data, batch_size=3, shuffle=True, seed=1)
    with pytest.raises(ad.ShapeError) as caught:
        list(loader)
    text = str(caught.value)
    assert "example 2 has shape (5, 3)" in text or "example 2 has (5, 3)" in text
    assert "(2, 3)" in text
    assert "pad_collate" in text
    assert "entry 0" in text


@pytest.mark.parametrize("examples", [[(1, 2), (1, 2, 3)], [{"a": 1}, {"b": 1}], [(1,), 1]])
def test_examples_of_different_structure(examples):
    with pytest.raises(ad.ShapeError, match="structure"):
        nn.default_collate(examples)


def test_what_is_no_array():
    with pytest.raises(ad.DTypeError, match="example 0, a object"):
        nn.default_collate([object()])
    with pytest.raises(ad.OptionError, match="no examples"):
        nn.default_collate([])


def test_pad_collate():
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(n, 2)).astype(np.float32) for n in (3, 1, 0, 4)]
    (padded, lengths), labels = nn.pad_collate([(s, i) for i, s in enumerate(sequences)])
    assert padded.shape == (4, 4, 2)
    assert padded.dtype == np.float32
    assert lengths.tolist() == [3, 1, 0, 4]
    assert labels.tolist() == [0, 1, 2, 3]
    for row, sequence in zip(padded.numpy(), sequences, strict=True):
        np.testing.assert_array_equal(row[: len(sequence)], sequence)
        assert not row[len(sequence) :].any()
    padded, _ = nn.pad_collate([[1], [2, 3]], padding_value=-1)
    assert padded.tolist() == [[1, -1], [2, 3]]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (0.5, "int64"), (np.nan, "int64"), (np.inf, "int32"), (1j, "int64"), ([1, 2], "int64"),
        (-1, "uint8"), (300, "uint8"), (10**30, "int64"), (2, "bool"), (1j, "float32"),
        (1e300, "float32"), ([1.0], "float32"), ("0", "float32"), (None, "float32"),
    ],
)  # fmt: skip
def test_padding_that_the_dtype_does_not_hold(value, dtype):
    examples = [np.ones(2, dtype), np.ones(1, dtype)]
    with pytest.raises(ad.DomainError, match=f"padding_value is .* which {dtype} can't hold"):
        nn.pad_collate(examples, padding_value=value)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (-1, "int64"), (2.0, "int8"), (255, "uint8"), (2**64 - 1, "uint64"), (True, "bool"),
        (0.1, "float32"), (np.nan, "float16"), (-np.inf, "float32"), (1j, "complex64"),
        (np.float64(3), "int32"),
    ],
)  # fmt: skip
def test_padding_that_the_dtype_holds(value, dtype):
    padded, _ = nn.pad_collate([np.ones(2, dtype), np.ones(1, dtype)], padding_value=value)
    np.testing.assert_equal(padded[1, 1].numpy(), np.array(value).astype(dtype))


def test_what_is_not_padded_need_not_hold_the_padding():
    """Labels of one size beside sequences: there is one padding value for both."""
    examples = [(np.ones((n, 3)), np.arange(2), np.array([True, False])) for n in (2, 1)]
    (sequences, lengths), (labels, _), (mask, _) = nn.pad_collate(examples, padding_value=np.nan)
    assert np.isnan(sequences[1, 1].numpy()).all()
    assert lengths.tolist() == [2, 1]
    assert labels.tolist() == [[0, 1], [0, 1]]
    assert mask.tolist() == [[True, False], [True, False]]


def test_pad_collate_of_tensors_keeps_gradients():
    longer, shorter = nn.Parameter(ad.ones((3, 2))), nn.Parameter(ad.ones((1, 2)))
    padded, lengths = nn.pad_collate([longer, shorter], padding_value=5)
    assert padded[1].tolist() == [[1, 1], [5, 5], [5, 5]]
    assert lengths.tolist() == [3, 1]
    (padded**2).sum().backward()
    assert longer.grad.tolist() == [[2, 2]] * 3
    assert shorter.grad.tolist() == [[2, 2]]


def test_pad_collate_refuses_other_axes():
    with pytest.raises(ad.ShapeError, match=r"example 9 has shape.*only the first axis"):
        nn.pad_collate([np.zeros((2, 3)), np.zeros((2, 4))], indices=[8, 9])


# -- batches and their order -----------------------------------------------------------------------


@pytest.mark.parametrize("prefetch", [0, 1, 3, 50])
def test_batches(prefetch):
    loader = counting(7, batch_size=3, prefetch=prefetch)
    assert numbers(loader) == [[0, 1, 2], [3, 4, 5], [6]]
    assert len(loader) == 3
    dropped = counting(7, batch_size=3, drop_last=True, prefetch=prefetch)
    assert numbers(dropped) == [[0, 1, 2], [3, 4, 5]]
    assert len(dropped) == 2
    assert numbers(counting(0, prefetch=prefetch)) == []


def test_any_sequence_is_a_dataset():
    assert [b.tolist() for b in nn.DataLoader([1, 2, 3], batch_size=2)] == [[1, 2], [3]]
    assert [b.tolist() for b in nn.DataLoader(np.eye(2), batch_size=2)] == [[[1, 0], [0, 1]]]
    assert [b.tolist() for b in nn.DataLoader(ad.arange(3), batch_size=2)] == [[0, 1], [2]]


def test_order_is_that_of_seed_and_epoch():
    epochs = [numbers(counting(20, batch_size=6, shuffle=True, seed=5)) for _ in range(2)]
    assert epochs[0] == epochs[1]
    loader = counting(20, batch_size=6, shuffle=True, seed=5, prefetch=2)
    first, second = numbers(loader), numbers(loader)
    assert first == epochs[0] != second
    assert sorted(i for batch in second for i in batch) == list(range(20))
    loader.set_epoch(1)
    assert numbers(loader) == second
    assert numbers(counting(20, batch_size=6, shuffle=True, seed=6)) != first


def test_an_epoch_left_early_is_over():
    loader = counting(20, batch_size=6, shuffle=True)
    epochs = [numbers(loader) for _ in range(2)]
    loader.set_epoch(0)
    next(iter(loader))
    assert numbers(loader) == epochs[1]


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("given", range(5))
def test_a_position_is_taken_up_again(given, prefetch):
    options = {"batch_size": 5, "shuffle": True, "seed": 2, "prefetch": prefetch}
    whole = counting(20, **options)
    epochs = [numbers(whole) for _ in range(3)]
    loader = counting(20, **options)
    list(loader)
    batches = iter(loader)
    before = [next(batches)[0].tolist() for _ in range(given)]
    state = loader.state_dict()
    assert state["epoch"] == 1
    assert state["batch"] == given
    batches.close()
    other = counting(20, **options)
    other.load_state_dict(state)
    assert before + numbers(other) == epochs[1]
    assert numbers(other) == epochs[2]


def test_a_position_in_other_data():
    state = counting(20, batch_size=5).state_dict()
    loader = counting(21, batch_size=5)
    with pytest.raises(ad.OptionError, match=r"'examples': 20.*'examples': 21"):
        loader.load_state_dict(state)
    assert numbers(loader)[0] == [0, 1, 2, 3, 4]


def test_collate_fn_gets_examples():
    loader = nn.DataLoader(nn.TensorDataset(np.arange(4)), batch_size=2, collate_fn=list)
    assert [[x.item() for (x,) in batch] for batch in loader] == [[0, 1], [2, 3]]
    pad = functools.partial(nn.pad_collate, padding_value=9)
    loader = nn.DataLoader([[1], [2, 3]], batch_size=2, collate_fn=pad)
    assert next(iter(loader))[0].tolist() == [[1, 9], [2, 3]]


def test_a_dataset_hears_of_the_epoch():
    class Augmented(Listed):
        def set_epoch(self, epoch):
            self.epoch = epoch

        def __getitem__(self, i):
            return self.epoch * 100 + i

    loader = nn.DataLoader(nn.Subset(Augmented(range(3)), [1, 2]), batch_size=2)
    assert [[b.tolist() for b in loader] for _ in range(2)] == [[[1, 2]], [[101, 102]]]


def test_a_default_dtype_holds_in_the_thread():
    with ad.default_dtype(ad.float64):
        (batch,) = nn.DataLoader([1.0, 2.0], batch_size=2, prefetch=1)
    assert batch.dtype == np.float64


# -- buckets -------------------------------------------------------------------------------------


def test_buckets_gather_sequences_of_about_one_length():
    lengths = np.random.default_rng(0).integers(1, 100, size=1000)
    sampler = nn.BucketBatchSampler(lengths, 16, seed=1)
    batches = list(sampler)
    assert len(batches) == len(sampler) == 63
    assert sorted(np.concatenate(batches)) == list(range(1000))
    bucketed = sum(lengths[b].max() * len(b) for b in batches)
    plain = sum(lengths[i : i + 16].max() * 16 for i in range(0, 1000, 16))
    assert bucketed < 1.15 * lengths.sum() < plain
    assert [b.tolist() for b in sampler] == [b.tolist() for b in batches]
    sampler.set_epoch(1)
    assert [b.tolist() for b in sampler] != [b.tolist() for b in batches]
    ordered = nn.BucketBatchSampler(lengths, 16, shuffle=False, drop_last=True)
    assert len(ordered) == len(list(ordered)) == 62
    assert (np.diff(lengths[np.concatenate(list(ordered))]) >= 0).all()


def test_buckets_in_a_loader_are_taken_up_again():
    sequences = [np.arange(n) for n in np.random.default_rng(0).integers(1, 9, size=30)]

    def loader():
        sampler = nn.BucketBatchSampler(list(map(len, sequences)), 4, pool=2)
        return nn.DataLoader(sequences, batch_sampler=sampler, collate_fn=nn.pad_collate)

    def lengths(batches):
        return [lengths.tolist() for _, lengths in batches]

    whole = loader()
    epochs = [lengths(whole) for _ in range(2)]
    assert epochs[0] != epochs[1]
    assert len(whole) == len(epochs[0]) == 8
    part = loader()
    list(part)
    batches = iter(part)
    next(batches), next(batches)
    other = loader()
    other.load_state_dict(part.state_dict())
    assert lengths(other) == epochs[1][2:]


@pytest.mark.parametrize(
    ("lengths", "error"), [([1.5, 2], ad.DomainError), ([3, -1], ad.DomainError)]
)
def test_lengths_that_are_none(lengths, error):
    with pytest.raises(error):
        nn.BucketBatchSampler(lengths, 2)


# -- errors and threads ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 2.5}, "batch_size is 2.5"),
        ({"prefetch": -1}, "prefetch is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"batch_size": 2, "batch_sampler": [[0]]}, "batch_sampler goes with"),
        ({"batch_sampler": iter([[0]])}, "batch_sampler is a list_iterator"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(ad.OptionError, match=message):
        nn.DataLoader([1, 2], **options)


def test_what_is_no_dataset():
    with pytest.raises(ad.OptionError, match=r"a generator\. Give something with __len__"):
        nn.DataLoader(i for i in range(3))


@pytest.mark.parametrize("data", [np.array(3), ad.asarray(3)])
def test_an_array_without_axes_is_no_dataset(data):
    with pytest.raises(ad.OptionError, match="without a first axis"):
        nn.DataLoader(data)


@pytest.mark.parametrize(
    "sampler", [[[0.9, 1.9]], ["01"], [0, 1], [None], [np.array([0.0, 1.0])], [["0"]]]
)
@pytest.mark.parametrize("prefetch", [0, 1])
def test_batches_that_are_no_whole_numbers(sampler, prefetch):
    loader = nn.DataLoader("abc", batch_sampler=sampler, prefetch=prefetch)
    with pytest.raises(ad.OptionError, match=r"batch 0 of epoch 0, of the batch_sampler, is "):
        list(loader)


@pytest.mark.parametrize("batch", [[0, 2], (0, 2), np.array([0, 2]), ad.asarray([0, 2])])
def test_batches_of_whole_numbers(batch):
    assert list(nn.DataLoader("abc", batch_sampler=[batch])) == [["a", "c"]]


def test_nested_lengths_are_none():
    with pytest.raises(ad.DomainError, match="whole number for each example"):
        nn.BucketBatchSampler([[1], [1, 2]], 2)


@pytest.mark.parametrize("epoch", [None, "x", -1, 1.5])
def test_a_wrong_epoch_changes_nothing(epoch):
    sampler = nn.BucketBatchSampler([1, 2], 2)
    with pytest.raises(ad.OptionError, match=r"BucketBatchSampler: epoch is .* Give a whole"):
        sampler.set_epoch(epoch)
    assert sampler.epoch == 0


@pytest.mark.parametrize("index", [5, -2, "a", None, 0.0])
def test_a_subset_has_no_such_example(index):
    with pytest.raises(ad.IndexingError, match=r"Subset: the index .* Give"):
        nn.Subset("abc", [0])[index]


def test_an_index_beyond_all_places():
    with pytest.raises(ad.IndexingError, match="not among the 3 examples"):
        nn.Subset("abc", [10**30])


def test_indices_are_as_many_as_examples():
    with pytest.raises(ad.OptionError, match="2 examples and 1 indices"):
        nn.default_collate([1, 2], indices=[0])


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_error_in_the_dataset_arrives_with_the_index(prefetch):
    loader = nn.DataLoader(
        Listed([0, 1, 2, KeyError("lost"), 4, 5]), batch_size=2, prefetch=prefetch
    )
    got = []
    with pytest.raises(KeyError, match="lost") as caught:
        got.extend(batch.tolist() for batch in loader)
    assert caught.value.__notes__ == ["while taking example 3, for batch 1 of epoch 0"]
    assert loader.state_dict()["batch"] == 1
    assert threads() == []


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_stop_iteration_does_not_end_the_epoch_in_silence(prefetch):
    loader = nn.DataLoader(Listed([0, StopIteration()]), prefetch=prefetch)
    with pytest.raises(RuntimeError, match="StopIteration while taking example 1"):
        list(loader)


def threads():
    return [t for t in threading.enumerate() if t.name == "autodiff-prefetch"]


def test_leaving_early_leaves_no_thread():
    loader = counting(100, prefetch=4)
    for _ in loader:
        assert threads()
        break
    assert threads() == []
    batches = iter(loader)
    next(batches)
    del batches
    gc.collect()
    assert threads() == []
    batches = iter(loader)
    next(batches)
    batches.close()
    assert threads() == []
    with pytest.raises(ZeroDivisionError):
        [1 / 0 for _ in loader]
    gc.collect()
    assert numbers(loader)
    assert threads() == []


def test_a_thread_that_is_asked_nothing_ends_and_starts_anew(monkeypatch):
    monkeypatch.setattr("nn.data.prefetch._IDLE", 0.01)
    batches = iter(counting(6, prefetch=2))
    got = []
    for _ in range(6):
        got.append(next(batches)[0].item())
        deadline = time.monotonic() + 5
        while threads() and time.monotonic() < deadline:
            time.sleep(0.005)
        assert threads() == []
    assert got == list(range(6))
    assert list(batches) == []


def test_only_so_many_calls_are_made_ahead():
    made = []

    def calls():
        for i in range(10):
            yield functools.partial(made.append, i)

    results = ahead(calls(), 3)
    next(results)
    time.sleep(0.05)
    assert len(made) <= 4
    list(results)
    assert made == list(range(10))


@pytest.mark.parametrize("lengths", [[np.int64(8), np.int64(2)], np.array([8, 2])])
def test_lengths_may_be_numpys(lengths):
    assert [len(part) for part in nn.random_split(range(10), lengths)] == [8, 2]


def test_shares_may_be_numpys():
    halves = [np.float32(0.5), np.float32(0.5)]
    assert [len(part) for part in nn.random_split(range(10), halves)] == [5, 5]


@pytest.mark.parametrize("mask", [[False, True], np.array([False, True])])
def test_a_mask_is_no_list_of_places(mask):
    with pytest.raises(ad.OptionError, match="Give a sequence of whole numbers"):
        nn.Subset("ab", mask)


def test_true_is_no_place():
    with pytest.raises(ad.IndexingError, match="the index True is no whole number"):
        nn.Subset("abc", [0, 1])[True]


def test_a_dataset_may_have_a_shape_of_its_own():
    class Stored:
        shape = np.array([3, 4])

        def __len__(self):
            return 3

        def __getitem__(self, i):
            return i

    assert [batch.tolist() for batch in nn.DataLoader(Stored(), 2)] == [[0, 1], [2]]
    with pytest.raises(ad.OptionError, match="without a first axis"):
        nn.DataLoader(np.array(3.0))
