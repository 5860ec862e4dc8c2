"""Writes models.json: torchvision's models beside ours, with weights by formula. README.md describes the fields.

    OMP_NUM_THREADS=1 /usr/bin/python3 test/golden/make_models.py
"""

import math
import sys

import torch
import torchvision
from torch import nn

sys.path.insert(0, __import__("os").path.dirname(__file__))
from make import gap, record, write

torch.set_num_threads(1)


def scattered(seed, shape, scale=1.0, offset=0.0, dtype=torch.float32):
    """offset + scale * (h / 2^31 - 1) with h the hash of the element's number, in 32 bits."""
    low = 0xFFFFFFFF
    h = (torch.arange(math.prod(shape), dtype=torch.int64) + seed * 0x9E3779B1) & low
    h = (h ^ (h >> 16)) * 0x85EBCA6B & low
    h = (h ^ (h >> 13)) * 0xC2B2AE35 & low
    h = h ^ (h >> 16)
    return (offset + scale * (h.double() / 2**31 - 1)).reshape(shape).to(dtype)


def fill(model):
    """Sets parameter number k in the order of their names: by formula, like what they are for."""
    with torch.no_grad():
        for k, (name, parameter) in enumerate(sorted(model.named_parameters())):
            scale, offset = 0.1, 0.0
            if parameter.dim() > 1:
                scale = math.sqrt(6 / math.prod(parameter.shape[1:]))
            elif name.endswith("weight"):
                offset = 1.0
            parameter.copy_(scattered(k, parameter.shape, scale, offset, torch.float64))
    return model


def residual(depth, small):
    model = getattr(torchvision.models, f"resnet{depth}")(num_classes=10)
    if small:
        model.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        model.maxpool = nn.Identity()
    return model, [model.layer1, model.layer2, model.layer3, model.layer4], model.fc


CASES = [
    ("resnet", {"depth": 18, "stem": "small"}, [4, 3, 32, 32], lambda: residual(18, True)),
    ("resnet", {"depth": 18, "stem": "large"}, [8, 3, 65, 48], lambda: residual(18, False)),
    ("resnet", {"depth": 34, "stem": "large"}, [8, 3, 64, 64], lambda: residual(34, False)),
    ("resnet", {"depth": 50, "stem": "small"}, [8, 3, 16, 16], lambda: residual(50, True)),
    ("resnet", {"depth": 50, "stem": "large"}, [8, 3, 64, 64], lambda: residual(50, False)),
]


def run(make, images):
    """Logits, embedding and maps of a training pass, then of an evaluation with its statistics."""
    model, mapped, head = make()
    fill(model.to(images.dtype))
    for each in model.modules():
        if isinstance(each, nn.Dropout):
            each.p = 0.0
    inside = {}
    head.register_forward_pre_hook(lambda _, inputs: inside.update(embedding=inputs[0]))
    for at, layer in enumerate(mapped):
        # What follows may change its input in place.
        layer.register_forward_hook(lambda _, __, output, at=at: inside.update({at: output.clone()}))
    passes = []
    with torch.no_grad():
        for mode in (model.train, model.eval):
            mode()
            logits = model(images)
            passes.append([logits, inside["embedding"], *(inside[at] for at in range(len(mapped)))])
    return model, passes


def outputs(tensors):
    logits, embedding, *maps = tensors
    return {"logits": record(logits), "embedding": record(embedding), "maps": [record(each) for each in maps]}


def main():
    rows = []
    for name, options, shape, make in CASES:
        model, passes = run(make, scattered(99, shape))
        _, exact = run(make, scattered(99, shape).double())
        gaps = [max(gap(a, b) for a, b in zip(one, other)) for one, other in zip(passes, exact)]
        print(name, options, [f"{each:.1g}" for each in gaps], file=sys.stderr)
        rows.append(
            {
                "model": name,
                "options": options,
                "input": {"seed": 99, "shape": shape},
                "parameters": sum(each.numel() for each in model.parameters()),
                "training": outputs(passes[0]),
                "eval": outputs(passes[1]),
                "gaps": {"training": gaps[0], "eval": gaps[1]},
            }
        )
    write("models.json", {"madeBy": "test/golden/make_models.py", "torchvision": torchvision.__version__, "cases": rows})


main()
