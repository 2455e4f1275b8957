"""Networks of pictures: heads that read maps exactly, crops that are turned and still see the same, checkpoints."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from posepipe.models.networks.crops import (
    Augmentation,
    about_middle,
    augment,
    chain,
    moved,
    rays,
    square,
    standardise,
    unpack,
    warp,
)
from posepipe.models.networks.pose_cnn import (
    STRIDE,
    PoseCNN,
    VolumetricHead,
    gaussians,
    height_at,
    read_25d,
    soft_argmax_3d,
)
from torch import Tensor


@pytest.fixture(scope="module")
def resnet() -> PoseCNN:
    torch.manual_seed(0)
    return PoseCNN("resnet18", 5, width=16).eval()


# Heads


def test_one_large_logit_is_its_bin_exactly() -> None:
    volume = torch.zeros(2, 3, 64, 16, 32)  # depth, height, width
    volume[0, 1, 40, 3, 17] = 1e3
    found = soft_argmax_3d(volume)
    assert found[0, 1].tolist() == [17 / 32 - 0.5, 3 / 16 - 0.5, 40 / 64 - 0.5]
    middle = [31 / 2 / 32 - 0.5, 15 / 2 / 16 - 0.5, 63 / 2 / 64 - 0.5]
    torch.testing.assert_close(found[1, 2], torch.tensor(middle))


def test_soft_argmax_is_the_expectation_over_the_whole_volume() -> None:
    volume = torch.randn(2, 2, 4, 5, 6, dtype=torch.float64)
    expected = torch.zeros(2, 2, 3, dtype=torch.float64)
    for n in range(2):
        for j in range(2):
            total = volume[n, j].exp().sum()
            for z in range(4):
                for y in range(5):
                    for x in range(6):
                        place = torch.tensor([x / 6, y / 5, z / 4], dtype=torch.float64) - 0.5
                        expected[n, j] += volume[n, j, z, y, x].exp() / total * place
    torch.testing.assert_close(soft_argmax_3d(volume), expected)


def test_the_gradient_of_soft_argmax_is_that_of_finite_differences() -> None:
    volume = torch.randn(1, 2, 3, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.autograd.gradcheck(soft_argmax_3d, volume.requires_grad_())


def test_heatmaps_and_depth_maps_are_read_where_the_peak_is() -> None:
    bins = torch.tensor([[[3.0, 9.0], [12.0, 4.0]]])
    heatmap = gaussians(bins, 16, 20, sigma=1.0)
    depth_map = torch.zeros(1, 2, 16, 20)
    depth_map[0, 0, 9, 3], depth_map[0, 1, 4, 12] = 0.7, -0.4
    read = read_25d(heatmap, depth_map, sharpness=1e3)
    torch.testing.assert_close(read.point, STRIDE * bins)
    torch.testing.assert_close(read.depth, torch.tensor([[0.7, -0.4]]))
    torch.testing.assert_close(read.confidence, torch.ones(1, 2))


def test_heights_are_interpolated_and_have_no_gradient_as_confidences() -> None:
    heatmap = torch.rand(1, 1, 6, 7)
    x, y = 2.25, 3.5
    corners = [heatmap[0, 0, r, c] * wr * wc for r, wr in ((3, 0.5), (4, 0.5)) for c, wc in ((2, 0.75), (3, 0.25))]
    torch.testing.assert_close(height_at(heatmap, torch.tensor([[[x, y]]]))[0, 0], torch.stack(corners).sum())
    heatmap = (3 * torch.randn(2, 3, 8, 8)).requires_grad_()
    read = read_25d(heatmap, torch.randn(2, 3, 8, 8), 50.0)
    assert not read.confidence.requires_grad
    assert read.confidence.min() >= 0 and read.confidence.max() <= 1
    assert read.point.requires_grad and read.depth.requires_grad


def test_gaussians_are_the_literal_ones() -> None:
    maps = gaussians(torch.tensor([[[2.5, 1.0]]]), 4, 5, sigma=2.0)
    for y in range(4):
        for x in range(5):
            expected = torch.tensor(-((x - 2.5) ** 2 + (y - 1.0) ** 2) / 8).exp()
            torch.testing.assert_close(maps[0, 0, y, x], expected)


# Networks


def test_maps_have_a_quarter_of_the_picture_s_size(resnet: PoseCNN) -> None:
    assert resnet(torch.randn(1, 3, 64, 96)).shape == (1, 5, 16, 24)
    head = VolumetricHead("resnet18", 4, width=8, depth_bins=16)
    found = head(torch.randn(2, 3, 64, 64))
    assert found.shape == (2, 4, 3)
    assert found.abs().max() <= 0.5
    hrnet = PoseCNN("hrnet_w32", 6).eval()
    assert len(hrnet.deconv_layers) == 0
    assert hrnet(torch.randn(1, 3, 64, 64)).shape == (1, 6, 16, 16)


def test_importing_imports_no_mmpose() -> None:
    look = (
        "import posepipe.models.networks.pose_cnn, posepipe.models.methods.iqbal, sys; print('mmpose' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("prefix", ["backbone.", ""])
def test_checkpoints_of_mmpose_and_torchvision_are_taken_over(prefix: str, resnet: PoseCNN) -> None:
    torch.manual_seed(1)
    other = PoseCNN("resnet18", 7, width=16).eval()
    weights = {f"{prefix}{name}": tensor for name, tensor in other.backbone.state_dict().items()}
    if prefix:  # MMPose's heads have transposed convolutions of the same names
        weights |= {f"head.deconv_layers.{name}": part for name, part in other.deconv_layers.state_dict().items()}
        weights["head.final_layer.weight"] = torch.zeros(17, 16, 1, 1)
    else:
        weights["fc.weight"] = torch.zeros(1000, 512)
    torch.manual_seed(2)
    network = PoseCNN("resnet18", 5, width=16).eval()
    final = network.final.weight.clone()
    network.start_from(weights)
    picture = torch.randn(1, 3, 64, 64)
    assert torch.equal(network.backbone(picture)[0], other.backbone(picture)[0])
    taken = torch.equal(network.deconv_layers[0].weight, other.deconv_layers[0].weight)  # type: ignore[arg-type]
    assert taken == bool(prefix)
    assert torch.equal(network.final.weight, final)


def test_the_checkpoint_of_another_backbone_is_refused(resnet: PoseCNN) -> None:
    weights = dict(resnet.state_dict())
    with pytest.raises(ValueError, match=r"\d+ of the backbone's \d+ tensors are in it"):
        PoseCNN("resnet34", 5, width=16).start_from(weights)
    weights["backbone.conv1.weight"] = weights["backbone.conv1.weight"][:, :1]
    with pytest.raises(ValueError, match=r"conv1\.weight, for one, is not"):
        PoseCNN("resnet18", 5, width=16).start_from(weights)


# Pictures


def blob(x: float, y: float, size: int = 64) -> Tensor:
    """A picture (1, 3, size, size) with a bright spot."""
    return gaussians(torch.tensor([[[x, y]]]), size, size, 2.0).expand(1, 3, -1, -1)


def centre(picture: Tensor) -> Tensor:
    """Centre of brightness (2), x and y."""
    bright = picture[0, 0] / picture[0, 0].sum()
    index = torch.arange(len(bright), dtype=bright.dtype)
    return torch.stack([(bright.sum(0) * index).sum(), (bright.sum(1) * index).sum()])


@pytest.mark.parametrize(("scale", "degrees"), [(1.0, 0.0), (0.8, 0.0), (1.0, 30.0), (1.2, -25.0)])
def test_a_spot_moves_as_the_map_says(scale: float, degrees: float) -> None:
    map_ = about_middle(torch.tensor([scale]), torch.tensor([degrees]).deg2rad(), 64, 64)
    picture = warp(blob(40.0, 25.0), map_)
    torch.testing.assert_close(centre(picture), moved(torch.tensor([[[40.0, 25.0]]]), map_)[0, 0], atol=0.05, rtol=0)


def test_changed_pictures_come_with_their_maps() -> None:
    torch.manual_seed(3)
    picture = blob(40.0, 25.0).repeat(8, 1, 1, 1)
    changed, maps = augment(picture, Augmentation(scale=0.2, rotation_deg=30))
    for number in range(8):
        expected = moved(torch.tensor([[[40.0, 25.0]]]), maps[number : number + 1])[0, 0]
        torch.testing.assert_close(centre(changed[number : number + 1]), expected, atol=0.05, rtol=0)
    scale = maps[:, :, :2].det().sqrt()
    assert 0.8 <= scale.min() < 0.95 and 1.05 < scale.max() <= 1.2
    same, maps = augment(picture, Augmentation(scale=0, rotation_deg=0))
    torch.testing.assert_close(same, picture, atol=1e-5, rtol=0)
    torch.testing.assert_close(maps, torch.eye(3)[:2].expand(8, 2, 3), atol=1e-5, rtol=0)


def test_colours_and_occluders_leave_pictures_in_range() -> None:
    torch.manual_seed(0)
    picture = torch.rand(6, 3, 32, 32)
    changed, _ = augment(picture, Augmentation(0, 0, colour=0.2, occlusion=0.5))
    assert changed.min() >= 0 and changed.max() <= 1
    gain = (changed / picture).flatten(2).median(-1).values
    assert 0.8 <= gain.min() < 0.97 and 1.03 < gain.max() <= 1.2 + 1e-5
    covered, _ = augment(picture, Augmentation(0, 0, occlusion=1.0))
    shares = (covered - picture).abs().gt(1e-3).all(1).float().mean((1, 2))
    assert (shares > 0.005).all() and (shares < 0.2).all()


def test_stored_crops_become_what_backbones_expect() -> None:
    crop = torch.full((1, 4, 4, 3), 255, dtype=torch.uint8)
    crop[..., 2] = 0
    picture = standardise(unpack(crop))
    assert picture.shape == (1, 3, 4, 4)
    torch.testing.assert_close(
        picture[0, :, 0, 0], torch.tensor([(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, -0.406 / 0.225])
    )


def test_rays_do_not_depend_on_the_crop() -> None:
    K = torch.tensor([[1200.0, 0, 500], [0, 1200, 500], [0, 0, 1]], dtype=torch.float64)
    point = torch.tensor([[480.0, 620.0], [530.0, 300.0]], dtype=torch.float64)
    expected = torch.cat([(point - 500) / 1200, torch.ones(2, 1, dtype=torch.float64)], -1)
    box = torch.tensor([[0.5, 0, -130.0], [0, 0.5, -75.0]], dtype=torch.float64)
    turned = about_middle(
        torch.tensor([1.3], dtype=torch.float64), torch.tensor([0.4], dtype=torch.float64), 256, 256
    )
    for crop in (box, chain(turned, box[None])[0]):
        torch.testing.assert_close(rays(moved(point, crop), K, crop), expected)
    assert torch.equal(square(box)[2], torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))
