"""The command line and the demo: learns, checks, draws, and says what is missing."""

from __future__ import annotations

import sys

import pytest

import autodiff as ad
from autodiff.__main__ import main

pytest.importorskip("sklearn", reason="scikit-learn is not installed: no digits for the demo")
pytest.importorskip("tqdm", reason="tqdm is not installed: no progress bar for the demo")

from autodiff import demo


def learned(seed, optimizer="adam", epochs=40):
    digits = demo.load(seed)
    model = demo.build(seed)
    demo.train(model, digits, optimizer, epochs, seed)
    right, count = demo.accuracy(model, digits.test_images, digits.test_labels)
    return right / count, model


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("seed", range(5))
def test_it_reads_97_of_100_digits(seed, optimizer):
    assert learned(seed, optimizer)[0] >= 0.97


def test_it_is_deterministic():
    first, second = (learned(7, epochs=2)[1] for _ in range(2))
    for p, q in zip(first.parameters(), second.parameters(), strict=True):
        assert p.tolist() == q.tolist()
    other = learned(8, epochs=2)[1]
    assert other[0].weight.tolist() != first[0].weight.tolist()


def test_the_split_is_stratified_and_from_the_seed():
    digits, again, other = demo.load(0), demo.load(0), demo.load(1)
    assert (len(digits.train_labels), len(digits.test_labels)) == (1437, 360)
    assert {sum(digits.test_labels == d) for d in range(10)} <= {35, 36, 37}
    assert (digits.test_labels == again.test_labels).all()
    assert (digits.test_labels != other.test_labels).any()
    assert abs(digits.train_images.mean()) < 1e-6


def test_the_whole_demo(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(demo, "_HIDDEN", 6)
    assert main(["demo", "--epochs", "1", "--out", str(tmp_path / "new"), "--seed", "3"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""  # no terminal: no progress bar
    assert "MLP                  460 parameters" in captured.out
    assert "Test accuracy: " in captured.out
    for name, entries in (("0.weight", 384), ("0.bias", 6), ("2.weight", 60), ("2.bias", 10)):
        (row,) = [line for line in captured.out.splitlines() if line.strip().startswith(name)]
        assert f" {entries} " in row
        assert row.endswith("ok")
    assert "All 460 entries agree." in captured.out
    assert max(map(len, captured.out.replace(str(tmp_path), "").splitlines())) <= 80
    drawing = (tmp_path / "new" / "digits-loss.svg").read_text(encoding="utf-8")
    assert "cross_entropy" in drawing
    assert "0.weight" in drawing


def test_a_wrong_gradient_is_seen(tmp_path, capsys, monkeypatch):
    @ad.primitive
    def broken(xp, x, /):
        return xp.maximum(x, 0)

    @broken.vjp
    def _(xp, g, out):
        return 1.1 * g * (out > 0)

    monkeypatch.setattr(demo, "build", lambda _: demo.nn.MLP([64, 4, 10], broken))
    assert main(["demo", "--epochs", "1", "--out", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "WRONG" in out
    assert "broken" in out


@pytest.mark.parametrize("module", ["sklearn.datasets", "sklearn.model_selection", "tqdm"])
def test_missing_packages_name_the_extra(module, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ad.MissingExtraError, match=r"pip install -e '\.\[examples\]'"):
        demo.train(demo.build(0), demo.load(0), "adam", 1, 0)
    assert main(["demo", "--epochs", "0", "--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("autodiff demo: the demo needs the package")
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "arguments",
    [[], ["dance"], ["demo", "--optimizer", "lion"], ["demo", "--seed", "-1"], ["demo", "--x"]],
)
def test_usage_errors(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: autodiff" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["x", "-1", "2.5"])
@pytest.mark.parametrize("option", ["--epochs", "--seed"])
def test_numbers_of_the_demo(option, given, capsys):
    with pytest.raises(SystemExit):
        main(["demo", f"{option}={given}"])
    said = f"argument {option}: '{given}' is no whole number of 0 or more"
    assert said in capsys.readouterr().err


def test_help_and_version(capsys):
    for arguments, said in ((["--help"], "train on handwritten digits"), (["--version"], "0.")):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0
        assert said in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    assert "--optimizer {adam,sgd}" in capsys.readouterr().out


def test_interrupting_is_no_traceback(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "main", interrupted)
    assert main(["demo"]) == 130
    assert capsys.readouterr().err == "\nautodiff demo: interrupted\n"


def test_without_an_epoch_there_is_no_loss_to_tell(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(demo, "_HIDDEN", 2)
    assert main(["demo", "--epochs", "0", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "Not trained, for 0 epochs" in out
    assert "nan" not in out


def test_a_drawing_that_cant_be_written_is_said_before_the_training(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(demo, "load", lambda _: pytest.fail("it went on"))
    file = tmp_path / "file"
    file.write_text("")
    (tmp_path / "taken" / "digits-loss.svg").mkdir(parents=True)
    for folder in (file, file / "below", tmp_path / "taken"):
        assert main(["demo", "--out", str(folder)]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"autodiff demo: {folder / 'digits-loss.svg'} can't be written (")
        assert "Give another folder with --out." in error


def test_a_former_drawing_stays_until_there_is_a_new_one(tmp_path, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "load", interrupted)
    assert main(["demo", "--out", str(tmp_path)]) == 130
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "digits-loss.svg").write_text("former")
    assert main(["demo", "--out", str(tmp_path)]) == 130
    assert (tmp_path / "digits-loss.svg").read_text() == "former"


def test_training_and_check_have_one_loss(tmp_path, capsys, monkeypatch):
    seen = []

    def counted(model, images, labels):
        seen.append(len(labels))
        return demo.nn.cross_entropy(model(ad.asarray(images)), labels)

    monkeypatch.setattr(demo, "_HIDDEN", 2)
    monkeypatch.setattr(demo, "loss_of", counted)
    assert main(["demo", "--epochs", "1", "--out", str(tmp_path)]) == 0
    assert len(seen) > 45  # the 45 batches, and the check after them
    assert "Trained 1 epoch with adam" in capsys.readouterr().out
