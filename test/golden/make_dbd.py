#!/usr/bin/python3
"""Expected numbers for DBD's losses, MixMatch's steps and SimCLR's views, from PyTorch and the papers' formulas.

    OMP_NUM_THREADS=1 /usr/bin/python3 test/golden/make_dbd.py

Needs what make.py needs. Takes seconds. Writes dbd.json beside itself; README.md describes its fields. Everything is
computed in float64 from inputs in float32; on standard error it prints how far the same formulas in float32 lie off.
"""

import math
import sys

sys.dont_write_bytecode = True

import torch
from torch.nn import functional as F

from make import record, value, write


def given(seed, shape, scale=1.0, offset=0.0):
    return {"seed": seed, "shape": shape, "scale": scale, "offset": offset}


def in_both(function, *inputs, gradient=True):
    """What a function of formula tensors gives in float64, and the gradients of its sum."""
    results = []
    for dtype in (torch.float64, torch.float32):
        tensors = [value(**each).to(dtype).requires_grad_() for each in inputs]
        output = function(*tensors)
        gradients = torch.autograd.grad(output.sum(), tensors, allow_unused=True) if gradient else []
        results.append([output, *gradients])
    gap = max((a - b).abs().max().item() / max(a.abs().max().item(), 1e-30) for a, b in zip(*results))
    print(f"{function.__name__}: float32 off by {gap:.1e}", file=sys.stderr)
    return {"output": record(results[0][0]), "gradients": [record(each) for each in results[0][1:]]}


def symmetric_cross_entropy(scale):
    """0.1 · CE(p, y) + RCE, RCE = −Σ_k p_k log y_k, p at least 1e-7, y at least 1e-4 (Wang et al. 2019)."""
    logits = given(800, [7, 5], scale)
    labels = [i % 5 for i in range(7)]

    def symmetric(x):
        p = torch.clamp(F.softmax(x, dim=1), min=1e-7, max=1.0)
        y = torch.clamp(F.one_hot(torch.tensor(labels), 5).to(x.dtype), min=1e-4, max=1.0)
        return 0.1 * F.cross_entropy(x, torch.tensor(labels), reduction="none") - (p * torch.log(y)).sum(dim=1)

    return {"logits": logits, "labels": labels, **in_both(symmetric, logits)}


def nt_xent(temperature):
    """Pair by pair: −log exp(s_ij / T) / Σ_{k ≠ i} exp(s_ik / T), the mean over all ordered pairs (Chen et al. 2020)."""
    projections = given(810, [12, 9], 1.5, 0.2)

    def contrastive(z):
        count = len(z)
        losses = []
        for i in range(count):
            s = [F.cosine_similarity(z[i], z[k], dim=0) / temperature for k in range(count)]
            j = (i + count // 2) % count
            losses.append(-torch.log(torch.exp(s[j]) / sum(torch.exp(s[k]) for k in range(count) if k != i)))
        return torch.stack(losses).mean()

    return {"temperature": temperature, "projections": projections, **in_both(contrastive, projections)}


def sharpened(temperature):
    """The mean prediction of two augmentations, p_k^(1/T) / Σ p_j^(1/T) (Berthelot et al. 2019, Eq. 7)."""
    inputs = [given(820, [6, 5], 2.0), given(821, [6, 5], 2.0)]

    def guessed(a, b):
        p = (F.softmax(a, dim=1) + F.softmax(b, dim=1)) / 2
        p = p ** (1 / temperature)
        return p / p.sum(dim=1, keepdim=True)

    return {"temperature": temperature, "logits": inputs, **in_both(guessed, *inputs, gradient=False)}


def mixed():
    """λ'x + (1 − λ')x[partner] (Eqs. 9 to 11), and the two losses (Eqs. 3 and 4)."""
    images, logits, distributions = given(830, [6, 3, 4, 4]), given(831, [6, 5], 2.0), given(832, [6, 5], 2.0)
    shares, partners = given(833, [6], 0.25, 0.75), [3, 0, 5, 1, 2, 4]

    def mixture(x, share):
        share = share.reshape([-1] + [1] * (x.dim() - 1))
        return share * x + (1 - share) * x[partners]

    def labelled(x, targets, share):
        return -(mixture(F.softmax(targets, dim=1), share) * F.log_softmax(x, dim=1)).sum(dim=1).mean()

    def unlabelled(x, targets, share):
        return F.mse_loss(F.softmax(x, dim=1), mixture(F.softmax(targets, dim=1), share))

    return {
        **{"images": images, "logits": logits, "distributions": distributions, "shares": shares, "partners": partners},
        "mixture": in_both(mixture, images, shares),
        "labelled": in_both(labelled, logits, distributions, shares),
        "unlabelled": in_both(unlabelled, logits, distributions, shares),
    }


def hue(x, turns):
    """Rodrigues' rotation around (1, 1, 1)/√3."""
    angle, axis = 2 * math.pi * turns, torch.ones(3, dtype=x.dtype) / math.sqrt(3)
    pixels = x.permute(1, 2, 0)
    along = (pixels @ axis)[..., None] * axis
    across = torch.cross(axis.expand_as(pixels), pixels, dim=-1)
    turned = pixels * math.cos(angle) + across * math.sin(angle) + along * (1 - math.cos(angle))
    return turned.permute(2, 0, 1)


def view(x, draw):
    """One image through crop, blur and colors, step by step; blurring before the colors is the same, both being linear."""
    row, column, half_height, half_width, brightness, contrast, saturation, turns, gray, deviation = draw
    channels, height, width = x.shape
    theta = torch.tensor([[[2 * half_width, 0, 2 * column - 1], [0, 2 * half_height, 2 * row - 1]]], dtype=x.dtype)
    grid = F.affine_grid(theta, [1, channels, height, width], align_corners=False)
    x = F.grid_sample(x[None], grid, mode="bilinear", padding_mode="border", align_corners=False)
    if deviation > 0:
        for side in (2, 3):
            radius = max(1, x.shape[side] // 20)
            t = torch.arange(-radius, radius + 1, dtype=x.dtype)
            kernel = torch.exp(-(t**2) / (2 * deviation**2)).reshape([1, 1, -1, 1] if side == 2 else [1, 1, 1, -1])
            padding = [radius, 0] if side == 2 else [0, radius]
            blurred = lambda y: F.conv2d(y, kernel.expand(channels, -1, -1, -1), padding=padding, groups=channels)
            x = blurred(x) / blurred(torch.ones_like(x))
    x = x[0]
    grayed = lambda y: ((0.299 * y[0] + 0.587 * y[1] + 0.114 * y[2]) if channels == 3 else y.mean(0)).expand_as(y)
    x = x * brightness
    x = contrast * x + (1 - contrast) * grayed(x).mean()
    if channels == 3:
        x = saturation * x + (1 - saturation) * grayed(x)
        x = hue(x, turns)
        x = grayed(x) if gray else x
    return x.clamp(0, 1)


def views():
    plain = [1, 1, 1, 0, 0, 0]
    draws = [
        [0.5, 0.5, 0.5, 0.5, *plain],
        [0.5, 0.5, 0.5, -0.5, *plain],
        [0.4, 0.55, 0.25, -0.3, *plain],
        [0.5, 0.5, 0.5, 0.5, 1.3, 0.7, 0.8, 0.07, 0, 0],
        [0.5, 0.5, 0.5, 0.5, 1, 1, 1, 0, 0, 1.25],
        [0.375, 0.6, 0.31, 0.28, 1.375, 1.25, 1.375, -0.09, 0, 0.5],
        [0.375, 0.6, 0.31, -0.28, 0.75, 1.25, 0.625, 0.0625, 1, 2],
    ]
    draws = [[torch.tensor(float(x)).item() for x in draw] for draw in draws]  # as float32 has them
    cases = []
    for channels, height, width in ((3, 16, 16), (3, 40, 24), (1, 16, 16)):
        images = given(840, [len(draws), channels, height, width], 0.5, 0.5)
        exact = value(**images).double()
        output = torch.stack([view(x, draw) for x, draw in zip(exact, draws)])
        single = torch.stack([view(x, draw) for x, draw in zip(exact.float(), draws)])
        print(f"views: float32 off by {(output - single).abs().max().item():.1e}", file=sys.stderr)
        cases.append({"images": images, "outputs": [record(each) for each in output]})
    return {"draws": draws, "cases": cases}


if __name__ == "__main__":
    content = {
        "symmetric": [symmetric_cross_entropy(2.0), symmetric_cross_entropy(40.0)],
        "contrast": [nt_xent(0.5), nt_xent(0.1)],
        "sharpened": [sharpened(0.5), sharpened(1.0)],
        "mixed": mixed(),
        "views": views(),
    }
    write("dbd.json", {"madeBy": "test/golden/make_dbd.py", **content})
