"""The table of a model."""

from __future__ import annotations

import numpy as np
import pytest

import autodiff as ad
import nn


def network():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.ReLU()), nn.Flatten(), nn.Linear(24, 5),
    )  # fmt: skip


def by_path(found):
    return {row.path: row for row in found.rows}


def test_multiply_adds_are_counted_from_the_products():
    found = nn.summary(network(), ad.zeros((2, 1, 8, 8)))
    rows = by_path(found)
    assert rows["0"].multiply_adds == 2 * 64 * 4 * 9
    assert rows["4.0"].multiply_adds == rows["4"].multiply_adds == 2 * 4 * 6 * 2 * 9
    assert rows["6"].multiply_adds == 2 * 24 * 5
    assert (
        found.multiply_adds == rows[""].multiply_adds == sum(rows[k].multiply_adds for k in "046")
    )
    assert rows["4.0"].output == "(2, 6, 2, 2)"
    assert rows["2"].multiply_adds == 0


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        (lambda x, w: x @ w, 2 * 3 * 4 * 5),
        (lambda x, w: ad.tensordot(x, w, 1), 2 * 3 * 4 * 5),
        (lambda x, w: ad.einsum("bij,jk->bik", x, w), 2 * 3 * 4 * 5),
        (lambda x, w: ad.einsum("bij,jk", x, w), 2 * 3 * 4 * 5),
        (lambda x, w: ad.einsum("...j,jk->...k", x, w), 2 * 3 * 4 * 5),
        (lambda x, w: ad.einsum("bij,jk->k", x, w), 2 * 3 * 4 * 5),
        (lambda x, w: x[0, 0] @ w[:, 0], 4),
        (lambda x, w: ad.einsum("bij->i", x) + 0 * w[0, 0], 0),
        (lambda x, w: x * 2 + w[0, 0], 0),
    ],
)
def test_every_kind_of_product_counts(product, expected):
    class Product(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(np.ones((4, 5), "float32"))

        def forward(self, x):
            return product(x, self.weight)

    assert nn.summary(Product(), ad.ones((2, 3, 4))).multiply_adds == expected


def test_nothing_of_the_model_changes():
    model = network()
    model[4].eval()
    model[0].weight.requires_grad_(False)
    model.register_buffer("seen", ad.asarray(0.0))
    model.register_forward_pre_hook(lambda m, _: setattr(m, "seen", m.seen + 1))
    before = {name: value.tolist() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    buffers = list(model.buffers())
    random = ad.random.get_state()
    x = ad.zeros((2, 1, 8, 8), requires_grad=True)
    found = nn.summary(model, x)
    assert {name: value.tolist() for name, value in model.state_dict().items()} == before
    assert [module.training for module in model.modules()] == modes
    assert all(a is b for a, b in zip(buffers, model.buffers(), strict=True))
    assert all(parameter.grad is None for parameter in model.parameters())
    assert x.grad is None
    assert not model[0].weight.requires_grad
    assert ad.random.get_state() == random
    assert found.frozen == 36
    assert found.multiply_adds > 0
    with pytest.raises(ad.ShapeError):
        nn.summary(model, ad.zeros((2, 3, 8, 8)))
    assert [module.training for module in model.modules()] == modes
    assert not model[0].weight.requires_grad
    with ad.no_grad():
        assert nn.summary(model, x).multiply_adds == found.multiply_adds


def test_shared_modules_count_each_call_and_their_parameters_once():
    layer = nn.Linear(4, 4)
    found = nn.summary(nn.Sequential(layer, nn.ReLU(), layer), ad.ones((3, 4)))
    rows = by_path(found)
    assert found.parameters == 20
    assert rows["0"] == rows["2"].__class__("0", "├─ 0: Linear(4, 4)", 2, "(3, 4)", 20, 96)
    assert found.multiply_adds == 96
    assert "(3, 4) × 2" in repr(found)  # noqa: RUF001


def test_recurrent_outputs_and_inputs_of_indices():
    class Tagger(nn.Module):
        def __init__(self):
            self.embedding = nn.Embedding(9, 5)
            self.parts = nn.ModuleList([nn.LSTM(5, 7)])

        def forward(self, x, scale=1.0):
            return {"y": self.parts[0](self.embedding(x) * scale)}

    found = nn.summary(Tagger(), [[1, 2], [3, 4], [0, 1]], scale=2.0)
    rows = by_path(found)
    assert rows[""].output == "(3, 2, 7), (1, 2, 7), (1, 2, 7)"
    assert rows["embedding"].output == "(3, 2, 5)"
    assert rows["parts"].output == ""
    assert rows["parts"].calls == 0
    assert found.multiply_adds == 6 * (5 * 28 + 7 * 28)


def test_the_table_keeps_to_eighty_columns():
    class Deep(nn.Module):
        def __init__(self, depth):
            self.a_module_with_a_rather_long_name = (
                Deep(depth - 1) if depth else nn.Linear(2000, 2000)
            )

        def forward(self, x):
            y = self.a_module_with_a_rather_long_name(x)
            return (*y, x) if isinstance(y, tuple) else (y, x)

    text = repr(nn.summary(Deep(6), ad.ones((3, 2000))))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" in text
    assert "4,002,000 parameters, 15.3 MiB" in text
    assert repr(nn.summary(nn.ReLU(), ad.ones(3))).splitlines() == [
        "layer  output  parameters  multiply-adds",
        "────────────────────────────────────────",
        "ReLU   (3,)",
        "────────────────────────────────────────",
        "0 parameters, 0 B with buffers",
        "0 multiply-adds in a forward pass",
    ]


def test_a_shape_is_no_input():
    said = r"summary: \(1, 1, 8, 8\) is .* not a shape: autodiff\.zeros\(\(1, 1, 8, 8\)\)\.$"
    with pytest.raises(ad.OptionError, match=said):
        nn.summary(nn.Conv2d(1, 2, 3), (1, 1, 8, 8))
    assert nn.summary(nn.Embedding(4, 2), (1, 2, 3)).rows[0].output == "(3, 2)"


def test_what_is_no_model():
    with pytest.raises(ad.DTypeError, match="summary: function is not a module"):
        nn.summary(ad.relu, ad.ones(3))
