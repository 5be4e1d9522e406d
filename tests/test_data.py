"""Reading data sets: real files made here, and files that are damaged."""

import gzip

import pytest
import torch

from linearizer.data import Images, load_digits, load_mnist
from linearizer.errors import FileFormatError


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    content = header + bytes(array.flatten().tolist())
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.fixture
def mnist(tmp_path):
    images = torch.randint(0, 256, (7, 28, 28), dtype=torch.uint8)
    labels = torch.arange(7, dtype=torch.uint8)
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", images)
    write_idx(tmp_path / "train-labels-idx1-ubyte", labels)
    return tmp_path, images, labels


def test_mnist_files_plain_and_gzipped(mnist):
    folder, images, labels = mnist
    data = load_mnist(folder)
    assert data.images.shape == (7, 1, 28, 28)
    torch.testing.assert_close(data.images[:, 0], images.float() / 127.5 - 1)
    assert torch.equal(data.labels, labels.long())


def test_a_missing_file_is_named(mnist):
    with pytest.raises(FileFormatError, match=r"expected t10k-images.*--data-dir"):
        load_mnist(mnist[0], train=False)


def test_a_cut_off_file_is_refused(mnist):
    folder, _, labels = mnist
    write_idx(folder / "train-labels-idx1-ubyte", labels)
    content = (folder / "train-labels-idx1-ubyte").read_bytes()
    (folder / "train-labels-idx1-ubyte").write_bytes(content[:-1])
    with pytest.raises(FileFormatError, match="cut off"):
        load_mnist(folder)


def test_a_damaged_gzip_file_is_refused(mnist):
    folder, _, _ = mnist
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FileFormatError, match="download it again"):
        load_mnist(folder)


def test_another_format_is_refused(mnist):
    folder, _, _ = mnist
    (folder / "train-labels-idx1-ubyte").write_bytes(b"\x89PNG not idx")
    with pytest.raises(FileFormatError, match="another format"):
        load_mnist(folder)


def test_parts_of_two_data_sets_are_refused(mnist):
    folder, _, labels = mnist
    write_idx(folder / "train-labels-idx1-ubyte", labels[:3])
    with pytest.raises(FileFormatError, match="as many images as labels"):
        load_mnist(folder)


def test_splits_are_disjoint_and_repeatable():
    data = Images(torch.zeros(20, 1, 2, 2), torch.arange(20), quantization_levels=17)
    rest, held_out = data.split(5, seed=1)
    assert len(rest) == 15
    assert len(held_out) == 5
    assert set(rest.labels.tolist()) | set(held_out.labels.tolist()) == set(range(20))
    assert torch.equal(data.split(5, seed=1)[1].labels, held_out.labels)


def test_dequantisation_stays_within_its_width():
    data = Images(torch.zeros(50, 1, 4, 4), torch.zeros(50), quantization_levels=17)
    noise = data.dequantized(2.0, seed=0)
    assert float(noise.abs().max()) <= 1 / 8
    assert float(noise.std()) == pytest.approx(1 / 8 / 3**0.5, rel=0.1)


def test_turned_images_are_labelled_by_their_turn():
    data = load_digits()
    turned = data.turned(seed=1)
    assert turned.labels.unique().tolist() == [0, 1, 2, 3]
    for i in range(20):
        expected = data.images[i].rot90(int(turned.labels[i]), (1, 2))
        assert torch.equal(turned.images[i], expected)
    wide = Images(torch.rand(30, 1, 2, 4), torch.zeros(30), quantization_levels=17).turned()
    assert wide.labels.unique().tolist() == [0, 1]
    assert wide.images.shape == (30, 1, 2, 4)
