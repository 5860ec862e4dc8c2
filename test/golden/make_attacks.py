#!/usr/bin/python3
"""Expected pixels of triggered images, from the papers' formulas, for tests that compare the attacks with them.

    OMP_NUM_THREADS=1 /usr/bin/python3 test/golden/make_attacks.py

Needs what make.py needs. Takes seconds. Writes attacks.json beside itself; README.md describes its fields.

Everything is computed in float64 from inputs that both sides have bit by bit, then rounded half to even, clipped to
[0, 255] and cast to uint8. The engine computes in float32: before rounding it may lie off by GAP at most, so a pixel may
come out as its neighbor only where the exact value lies within GAP of n + 1/2. These pixels are listed as `ties`; all
others have to agree. On standard error it prints how far the same formulas in float32 lie off, which GAP has to allow for.
"""

import hashlib
import math
import sys

sys.dont_write_bytecode = True

import torch
from torch.nn import functional as F

from make import checksum, short, value, write

GAP = {"badnets": 0, "blend": 1e-4, "sig": 1e-4, "wanet": 3e-3}
CASES = []


def formula(seed, shape, scale=1, offset=0):
    return {"seed": seed, "shape": shape, "scale": scale, "offset": offset}


def from_formula(given):
    """In float32, as both sides have it."""
    return value(given["seed"], given["shape"], given["scale"], given["offset"])


def to_bytes(pixels):
    return pixels.round().clamp(0, 255).to(torch.uint8)


def images_of(seed, height, width):
    """Two images with much black and white in them, where arithmetic on bytes would wrap around."""
    given = formula(seed, [2, 3, height, width], 150, 127.5)
    return given, to_bytes(from_formula(given))


def case(attack, name, images, change, rows, **given):
    """`change` maps pixels in [0, 255], of either precision, to pixels before rounding."""
    described, before = images
    exact, single = change(before.double()), change(before.float())
    after = to_bytes(exact)
    flat, lowest = after.reshape(-1), exact.reshape(-1)
    near = (lowest - lowest.floor() - 0.5).abs() <= GAP[attack]
    inside = (lowest > -1) & (lowest < 256)  # beyond, both neighbors are clipped to the same
    ties = torch.nonzero(near & inside).reshape(-1)
    off = (single.double() - exact).abs().max().item()
    differ = int((to_bytes(single) != after).sum())
    print(f"{name}: {len(ties)} ties of {flat.numel()}; float32 off by {off:.1e}, {differ} pixels", file=sys.stderr)
    assert 2 * off <= GAP[attack]
    CASES.append(
        {
            "name": name,
            "images": described,
            **given,
            "sha256": hashlib.sha256(after.numpy().tobytes()).hexdigest(),
            "ties": {"indices": ties.tolist(), "values": flat[ties].tolist()},
            "rows": [{"at": [i, c, y], "pixels": after[i, c, y].tolist()} for i, c, y in rows],
        }
    )


def badnets():
    """A patch of 3×3 cells at the bottom right corner, a cell being one pixel of an image of 32, two of one of 64."""
    # rows from the last upwards, columns from the last leftwards
    patterns = {"grid": [(255, 0, 255), (0, 255, 0), (255, 0, 0)], "white": [(255, 255, 255)] * 3}
    for pattern, rows in patterns.items():
        for size in (32, 64):
            cell = size // 32

            def change(x):
                x = x.clone()
                for up in range(3 * cell):
                    for left in range(3 * cell):
                        x[:, :, size - 1 - up, size - 1 - left] = rows[up // cell][left // cell]
                return x

            images = images_of(700, size, size)
            shown = [(0, 0, size - 1), (1, 2, size - 3 * cell)]
            settings = {"attack": "badnets", "attack.pattern": pattern}
            case("badnets", f"badnets, {pattern}, {size} pixels", images, change, shown, settings=settings)


def blend():
    """x' = (1 − α)·x + α·t"""
    for opacity, size in ((0.2, 32), (0.1, 16), (0.05, 16)):
        given = formula(711, [1, 3, size, size], 127.5, 127.5)
        picture = to_bytes(from_formula(given))
        change = lambda x: (1 - opacity) * x + opacity * picture.to(x.dtype)
        shown = [(0, 0, 0), (1, 2, size // 2)]
        images = images_of(710, size, size)
        case("blend", f"blend, opacity {opacity}", images, change, shown, picture=given, opacity=opacity)


def sig():
    """x + Δ·sin(2π·j·f/W), j the column, counted from 0"""
    frequency = 6
    for amplitude in (20, 40):
        for width in (32, 40):
            angles = 2 * math.pi * torch.arange(width, dtype=torch.float64) * frequency / width
            change = lambda x: x + (amplitude * torch.sin(angles)).to(x.dtype)
            settings = {"attack": "sig", "attack.amplitude": amplitude, "attack.frequency": frequency}
            images = images_of(720, 32, width)
            name = f"sig, amplitude {amplitude}, {width} pixels wide"
            case("sig", name, images, change, [(0, 0, 0), (1, 2, 31)], settings=settings)


def wanet_grid(noise, height, width, strength):
    """clamp(identity + s·noise/H, −1, 1) as [1, H, W, (x, y)]; what is divided by H in x is so by W on a rectangle."""
    noise = noise / noise.abs().mean()
    field = F.interpolate(noise, size=(height, width), mode="bicubic", align_corners=True)
    y = torch.linspace(-1, 1, height, dtype=noise.dtype)[:, None].expand(height, width)
    x = torch.linspace(-1, 1, width, dtype=noise.dtype)[None, :].expand(height, width)
    grid = torch.stack((x + strength * field[0, 0] / width, y + strength * field[0, 1] / height), dim=2)
    return grid.clamp(-1, 1)[None]


def wanet():
    strength = 0.5
    for points in (4, 8):
        for height, width in ((32, 32), (64, 64), (40, 56)):
            given = formula(730 + points, [1, 2, points, points])
            noise = from_formula(given)

            def change(x):
                grid = wanet_grid(noise.to(x.dtype), height, width, strength).expand(len(x), height, width, 2)
                return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=True)

            grid = checksum(wanet_grid(noise.double(), height, width, strength))
            name = f"wanet, {points} points, {height}×{width} pixels"
            shown = [(0, 0, 0), (0, 1, height // 2), (1, 2, height - 1)]
            images = images_of(730, height, width)
            case("wanet", name, images, change, shown, noise=given, strength=short(strength), grid=grid)


if __name__ == "__main__":
    badnets()
    blend()
    sig()
    wanet()
    write("attacks.json", {"madeBy": "test/golden/make_attacks.py", "gaps": GAP, "cases": CASES})
