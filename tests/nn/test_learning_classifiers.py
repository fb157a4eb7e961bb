"""It really learns: digits by a perceptron and by a convolutional network; moons and spirals."""

import numpy as np
import pytest

import autodiff as ad
import nn


def fit(model, train, validation, *, lr, epochs):
    """Train as a user would: AdamW, a learning rate that warms up and falls, best weights."""
    loader = nn.DataLoader(train, 32, shuffle=True, drop_last=True)
    optimizer = nn.optim.AdamW(model.parameters(), lr=lr, weight_decay=1e-4)
    trainer = nn.Trainer(
        model,
        nn.CrossEntropyLoss(),
        optimizer,
        metrics={"accuracy": nn.accuracy},
        scheduler=nn.optim.OneCycleLR(optimizer, lr, epochs=epochs, steps_per_epoch=len(loader)),
        schedule_every="step",
        callbacks=[nn.EarlyStopping("val_loss", patience=epochs)],
        clip_norm=5.0,
    )
    return trainer.fit(loader, epochs, validation=nn.DataLoader(validation, 256))


def digits(shape):
    """Return the training, validation and test digits: images of a shape, centred, and labels."""
    datasets = pytest.importorskip("sklearn.datasets")
    found = datasets.load_digits()
    images = (found.data / 16).astype(np.float32)
    images -= images.mean(axis=0)
    data = nn.TensorDataset(images.reshape(-1, *shape), found.target)
    return nn.random_split(data, [0.7, 0.1, 0.2], seed=0)


def score(model, data):
    """Return the share of examples that a model gets right."""
    ((inputs, labels),) = nn.DataLoader(data, len(data))
    return nn.accuracy(model.eval()(inputs), labels).item()


@pytest.mark.slow
def test_a_perceptron_reads_digits():
    ad.random.seed(0)
    train, validation, test = digits((64,))
    model = nn.MLP([64, 128, 64, 10])
    fit(model, train, validation, lr=3e-3, epochs=30)
    assert len(test) == 359
    assert score(model, test) >= 0.97


@pytest.mark.slow
def test_a_convolutional_network_reads_digits():
    ad.random.seed(0)
    train, validation, test = digits((1, 8, 8))
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(32 * 2 * 2, 10),
    )
    fit(model, train, validation, lr=8e-3, epochs=25)
    assert score(model, test) >= 0.98


def moons(n, rng):
    """Two half circles that reach into each other."""
    angle = rng.uniform(0, np.pi, n)
    label = rng.integers(0, 2, n)
    x = np.where(label, 1 - np.cos(angle), np.cos(angle))
    y = np.where(label, 0.5 - np.sin(angle), np.sin(angle))
    points = np.stack([x, y], axis=1) + rng.normal(scale=0.1, size=(n, 2))
    return points.astype(np.float32), label


def spirals(n, rng):
    """Two arms that wind around the origin, each for more than a turn."""
    along = rng.uniform(0.15, 1, n)
    label = rng.integers(0, 2, n)
    angle = 3 * np.pi * along + np.pi * label
    points = (along * np.stack([np.cos(angle), np.sin(angle)])).T
    points += rng.normal(scale=0.01, size=(n, 2))
    return points.astype(np.float32) * 3, label


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "hidden", "linear"), [(moons, [32, 32], 0.93), (spirals, [64, 64], 0.75)]
)
def test_what_a_line_cannot_part_a_perceptron_does(make, hidden, linear):
    ad.random.seed(0)
    rng = np.random.default_rng(0)
    train, validation, test = [nn.TensorDataset(*make(n, rng)) for n in (600, 200, 400)]
    scores = []
    for sizes in ([2, *hidden, 2], [2, 2]):
        model = nn.MLP(sizes, "tanh")
        fit(model, train, validation, lr=2e-2, epochs=100)
        scores.append(score(model, test))
    assert scores[0] >= 0.99
    assert scores[1] < linear
