#!/usr/bin/python3
"""Expected numbers from PyTorch, for tests that compare the engine with an independent source.

    OMP_NUM_THREADS=1 /usr/bin/python3 test/golden/make.py

Needs Debian's python3-torch (made with 1.13.1) and, to format, `npm ci`. Run by hand; takes under a minute. Writes, beside
itself, operators.json, wrn.json, steps.json, spectral.json and cbd.json, whose fields README.md describes. On standard
error it prints how far the numbers lie from the same computation in float64, which is what a tolerance has to allow for.

All is float32, NCHW, one thread. Inputs come from a formula that both sides compute in float64 and then cast:

    value(seed, i) = sin(seed * 12.9898 + i * 0.618)        i counts the elements in row-major order
    tensor         = offset + scale * value(seed, i)
"""

import json
import math
import os
import subprocess
import sys

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

torch.set_num_threads(1)
FOLDER = os.path.dirname(os.path.abspath(__file__))
PROVENANCE = {"madeBy": "test/golden/make.py", "torch": torch.__version__}


def value(seed, shape, scale=1.0, offset=0.0, dtype=torch.float32):
    count = math.prod(shape)
    angle = seed * 12.9898 + torch.arange(count, dtype=torch.float64) * 0.618
    return (offset + scale * torch.sin(angle)).reshape(shape).to(dtype)


def short(number):
    return float(f"{number:.9g}")


def checksum(tensor):
    flat = tensor.detach().double().reshape(-1)
    cosine = torch.cos(torch.arange(flat.numel(), dtype=torch.float64))
    return {
        "shape": list(tensor.shape),
        "sum": short(flat.sum().item()),
        "squares": short((flat * flat).sum().item()),
        "cosine": short((flat * cosine).sum().item()),
        "head": [short(x) for x in flat[:8].tolist()],
    }


def record(tensor, most=600):
    """All values of a short tensor, the checksum of a long one."""
    if tensor.numel() > most:
        return checksum(tensor)
    flat = tensor.detach().reshape(-1).tolist()
    return {"shape": list(tensor.shape), "values": flat if not tensor.is_floating_point() else [short(x) for x in flat]}


def write(name, content):
    path = os.path.join(FOLDER, name)
    with open(path, "w") as file:
        json.dump({**PROVENANCE, **content}, file)
    root = os.path.dirname(os.path.dirname(FOLDER))
    subprocess.run([os.path.join(root, "node_modules/.bin/biome"), "format", "--write", path], cwd=root, check=True)
    print(f"{name}: {os.path.getsize(path)} bytes", file=sys.stderr)


# ---------------------------------------------------------------------------------------------------------- operators

CASES = []


def f(seed, shape, scale=1.0, offset=0.0, gradient=True):
    """An input from the formula."""
    return {"seed": seed, "shape": shape, "scale": scale, "offset": offset, "gradient": gradient}


def integers(values, shape):
    return {"integers": values, "shape": shape}


def case(name, operator, inputs, function, **attributes):
    CASES.append((name, operator, inputs, function, attributes))


def generalized_cross_entropy(logits, labels, q):
    p = torch.softmax(logits, 1).gather(1, labels[:, None]).squeeze(1)
    return (1 - p**q) / q


def batch_norm(x, weight, bias, mean, var, training, momentum, eps):
    mean, var = mean.clone(), var.clone()
    out = F.batch_norm(x, mean, var, weight, bias, training, momentum, eps)
    return out, mean, var


def declare():
    pair = [f(1, [2, 3, 4]), f(2, [3, 1])]
    positive = [f(1, [2, 3, 4]), f(2, [3, 1], 0.5, 1.5)]
    one = lambda scale=1.0, offset=0.0: [f(3, [4, 7], scale, offset)]
    above = one(1.0, 1.5)

    case("add broadcast", "add", pair, lambda a, b: a + b)
    case("add alpha", "add", pair, lambda a, b, alpha: torch.add(a, b, alpha=alpha), alpha=0.3)
    case("sub broadcast", "sub", pair, lambda a, b: a - b)
    case("mul broadcast", "mul", pair, lambda a, b: a * b)
    case("div broadcast", "div", positive, lambda a, b: a / b)
    case("add scalar", "add", one(), lambda a, scalar: a + scalar, scalar=0.7)
    case("div scalar", "div", one(), lambda a, scalar: a / scalar, scalar=3.0)
    case("maximum", "maximum", [f(1, [3, 5]), f(2, [5])], torch.maximum)
    case("minimum", "minimum", [f(1, [3, 5]), f(2, [5])], torch.minimum)
    case("neg", "neg", one(), torch.neg)
    case("exp", "exp", one(2.0), torch.exp)
    case("log", "log", above, torch.log)
    case("sqrt", "sqrt", above, torch.sqrt)
    case("pow 2", "pow", one(), lambda a, exponent: a**exponent, exponent=2.0)
    case("pow 1.7", "pow", above, lambda a, exponent: a**exponent, exponent=1.7)
    case("abs", "abs", one(), torch.abs)
    case("clamp", "clamp", one(), lambda a, min, max: a.clamp(min, max), min=-0.3, max=0.4)
    case("relu", "relu", one(), torch.relu)
    slope = 0.01
    case("leaky_relu", "leaky_relu", one(), lambda a, negative_slope: F.leaky_relu(a, negative_slope), negative_slope=slope)
    case("tanh", "tanh", one(2.0), torch.tanh)
    case("sigmoid", "sigmoid", one(3.0), torch.sigmoid)
    case("softplus", "softplus", one(3.0), F.softplus)
    case("softmax", "softmax", one(3.0), lambda a, dim: a.softmax(dim), dim=-1)
    case("softmax dim 1", "softmax", [f(4, [2, 3, 2, 2], 2.0)], lambda a, dim: a.softmax(dim), dim=1)
    case("log_softmax", "log_softmax", one(3.0), lambda a, dim: a.log_softmax(dim), dim=-1)

    case("matmul", "matmul", [f(5, [3, 4]), f(6, [4, 5])], torch.matmul)
    case("matmul batched", "matmul", [f(5, [2, 3, 4]), f(6, [4, 5])], torch.matmul)
    case("matmul vector", "matmul", [f(5, [3, 4]), f(6, [4])], torch.matmul)
    case("linear", "linear", [f(5, [4, 6]), f(6, [3, 6], 0.5), f(7, [3], 0.1)], F.linear)
    image = f(8, [2, 3, 6, 6])
    conv = lambda x, w, stride, padding: F.conv2d(x, w, None, stride, padding)
    case("conv2d 3x3", "conv2d", [image, f(9, [4, 3, 3, 3], 0.3)], conv, stride=1, padding=1)
    case("conv2d stride 2", "conv2d", [image, f(9, [4, 3, 3, 3], 0.3)], conv, stride=2, padding=1)
    case("conv2d 1x1 stride 2", "conv2d", [image, f(9, [5, 3, 1, 1], 0.3)], conv, stride=2, padding=0)
    bias = lambda x, w, b, stride, padding: F.conv2d(x, w, b, stride, padding)
    case("conv2d bias", "conv2d", [image, f(9, [4, 3, 3, 3], 0.3), f(10, [4], 0.2)], bias, stride=1, padding=0)
    running = [f(13, [3], 0.2, gradient=False), f(14, [3], 0.3, 1.0, gradient=False)]
    normal = [f(8, [4, 3, 3, 3], 1.0, 0.3), f(11, [3], 0.1, 1.0), f(12, [3], 0.1), *running]
    case("batch_norm training", "batch_norm", normal, batch_norm, training=True, momentum=0.1, eps=1e-5)
    case("batch_norm eval", "batch_norm", normal, batch_norm, training=False, momentum=0.1, eps=1e-5)
    case("max_pool2d", "max_pool2d", [image], lambda x, kernel: F.max_pool2d(x, kernel), kernel=2)
    case("avg_pool2d", "avg_pool2d", [image], lambda x, kernel: F.avg_pool2d(x, kernel), kernel=2)
    case("global average pool", "mean", [image], lambda x, dim: x.mean(dim), dim=[2, 3])
    size = dict(size=[9, 9], align_corners=True)
    up = lambda mode: lambda x, size, align_corners: F.interpolate(x, size, mode=mode, align_corners=align_corners)
    case("upsample bilinear", "upsample_bilinear2d", [f(8, [1, 2, 4, 4])], up("bilinear"), **size)
    case("upsample bicubic", "upsample_bicubic2d", [f(8, [1, 2, 4, 4])], up("bicubic"), **size)
    grid = lambda x, g, align_corners: F.grid_sample(x, g, "bilinear", "zeros", align_corners)
    case("grid_sample bilinear", "grid_sampler", [image, f(15, [2, 4, 4, 2], 1.1)], grid, align_corners=True)

    cube = [f(16, [2, 3, 4])]
    case("sum", "sum", cube, torch.sum)
    case("sum dims", "sum", cube, lambda a, dim, keepdim: a.sum(dim, keepdim), dim=[0, 2], keepdim=False)
    case("sum dims kept", "sum", cube, lambda a, dim, keepdim: a.sum(dim, keepdim), dim=[1], keepdim=True)
    case("mean", "mean", cube, torch.mean)
    case("mean dims", "mean", cube, lambda a, dim, keepdim: a.mean(dim, keepdim), dim=[0, 1], keepdim=False)
    case("max", "max", cube, torch.max)
    case("max dim", "max", cube, lambda a, dim: tuple(a.max(dim)), dim=1)
    case("min dim", "min", cube, lambda a, dim: tuple(a.min(dim)), dim=2)
    case("argmax", "argmax", cube, lambda a, dim: a.argmax(dim), dim=2)
    case("sort", "sort", cube, lambda a, dim: tuple(a.sort(dim)), dim=2)
    case("var", "var", cube, lambda a, dim, unbiased: a.var(dim, unbiased), dim=[1], unbiased=False)
    case("norm", "linalg_vector_norm", cube, lambda a, ord: torch.linalg.vector_norm(a, ord), ord=2.0)
    norm = lambda a, ord, dim: torch.linalg.vector_norm(a, ord, dim)
    case("norm dims", "linalg_vector_norm", cube, norm, ord=2.0, dim=[1])
    rows = integers([3, 0, 3], [3])
    case("index_select", "index_select", [f(3, [4, 7]), rows], lambda a, index, dim: a.index_select(dim, index), dim=0)
    columns = integers([6, 0, 1, 1, 5, 2, 0, 3], [4, 2])
    case("gather", "gather", [f(3, [4, 7]), columns], lambda a, index, dim: a.gather(dim, index), dim=1)
    two = [f(17, [2, 3]), f(18, [2, 3])]
    case("cat", "cat", [f(17, [2, 3]), f(18, [2, 2])], lambda a, b, dim: torch.cat([a, b], dim), dim=1)
    case("stack", "stack", two, lambda a, b, dim: torch.stack([a, b], dim), dim=1)
    case("reshape", "reshape", cube, lambda a, shape: a.reshape(shape), shape=[4, -1])
    case("permute", "permute", cube, lambda a, dims: a.permute(dims), dims=[2, 0, 1])
    case("flip", "flip", cube, lambda a, dims: a.flip(dims), dims=[2])
    case("narrow", "narrow", cube, lambda a, dim, start, length: a.narrow(dim, start, length), dim=2, start=1, length=2)
    case("pad", "constant_pad_nd", cube, lambda a, pad: F.pad(a, pad), pad=[1, 2, 0, 1])
    case("where", "where", two, lambda a, b, threshold: torch.where(a > threshold, a, b), threshold=0.1)

    logits, labels = f(19, [5, 7], 3.0), integers([6, 0, 3, 3, 1], [5])
    entropy = lambda x, y, reduction: F.cross_entropy(x, y, reduction=reduction)
    case("cross_entropy per sample", "cross_entropy_loss", [logits, labels], entropy, reduction="none")
    case("cross_entropy mean", "cross_entropy_loss", [logits, labels], entropy, reduction="mean")
    # Composed of several operators: the paper's losses.
    case("generalized cross entropy", "composed", [logits, labels], generalized_cross_entropy, q=0.7)
    case("mean squared norm", "composed", [f(20, [4, 6])], lambda z: (z * z).sum(1).mean())


def run_case(inputs, function, attributes, weight_seed, dtype):
    tensors = []
    for item in inputs:
        if "integers" in item:
            tensors.append(torch.tensor(item["integers"]).reshape(item["shape"]))
        else:
            tensor = value(item["seed"], item["shape"], item["scale"], item["offset"], dtype)
            tensors.append(tensor.requires_grad_(item["gradient"]))
    out = function(*tensors, **attributes)
    outputs = out if isinstance(out, tuple) else (out,)
    gradients = [None] * len(tensors)
    if outputs[0].requires_grad:
        (outputs[0] * value(weight_seed, outputs[0].shape, dtype=dtype)).sum().backward()
        gradients = [tensor.grad for tensor in tensors]
    return outputs, gradients


def operators():
    declare()
    rows, worst = [], (0, "")
    for index, (name, operator, inputs, function, attributes) in enumerate(CASES):
        seed = 1000 + index
        outputs, gradients = run_case(inputs, function, attributes, seed, torch.float32)
        exact = run_case(inputs, function, attributes, seed, torch.float64)
        for got, want in zip([*outputs, *gradients], [*exact[0], *exact[1]]):
            if got is not None:
                worst = max(worst, ((got.double() - want.double()).abs().max().item(), name))
        rows.append(
            {
                "name": name,
                "operator": operator,
                "inputs": inputs,
                "attributes": attributes,
                "outputs": [record(output) for output in outputs],
                "weightSeed": seed,
                "gradients": [None if gradient is None else record(gradient) for gradient in gradients],
            }
        )
    print(f"operators: {len(rows)} cases, largest |float32 - float64| {worst}", file=sys.stderr)
    write("operators.json", {"cases": rows})


# ------------------------------------------------------------------------------------------------------------- models


class Block(nn.Module):
    def __init__(self, inner, outer, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        if inner != outer or stride != 1:
            self.shortcut = nn.Conv2d(inner, outer, 1, stride, 0, bias=False)

    def forward(self, x):
        a = F.relu(self.bn1(x))
        shortcut = self.shortcut(a) if hasattr(self, "shortcut") else x
        return self.conv2(F.relu(self.bn2(self.conv1(a)))) + shortcut


class WideResNet(nn.Module):
    def __init__(self, depth, width, classes):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.4914, 0.4822, 0.4465]).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.2470, 0.2435, 0.2616]).reshape(1, 3, 1, 1))
        blocks = (depth - 4) // 6
        widths = [16, 16 * width, 32 * width, 64 * width]
        self.stem = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.groups = nn.ModuleList()
        for inner, outer, stride in zip(widths, widths[1:], [1, 2, 2]):
            first = Block(inner, outer, stride)
            self.groups.append(nn.ModuleList([first, *(Block(outer, outer, 1) for _ in range(blocks - 1))]))
        self.bn = nn.BatchNorm2d(widths[3])
        self.linear = nn.Linear(widths[3], classes)

    def forward(self, images):
        x = self.stem((images - self.mean) / self.std)
        maps = []
        for group in self.groups:
            for block in group:
                x = block(x)
            maps.append(x)
        embedding = F.relu(self.bn(x)).mean((2, 3))
        return self.linear(embedding), embedding, maps


def formula_of(name, parameter):
    """The scale and offset of a parameter's formula, by its kind."""
    if name.startswith("linear."):
        return 0.1, 0.0
    if parameter.dim() == 4:
        return math.sqrt(2 / math.prod(parameter.shape[1:])), 0.0
    return (0.1, 1.0) if name.endswith("weight") else (0.1, 0.0)


def fill(model):
    """Sets every parameter by the formula; returns how, in the order of definition."""
    described = []
    with torch.no_grad():
        for k, (name, parameter) in enumerate(model.named_parameters()):
            scale, offset = formula_of(name, parameter)
            parameter.copy_(value(k, parameter.shape, scale, offset, torch.float64))
            described.append({"name": name, "shape": list(parameter.shape), "seed": k, "scale": short(scale), "offset": offset})
    return described


def statistics(model):
    return {name: checksum(b) for name, b in model.named_buffers() if name.endswith(("running_mean", "running_var"))}


def count(depth, width, classes):
    return sum(parameter.numel() for parameter in WideResNet(depth, width, classes).parameters())


def forward_backward(dtype):
    model = WideResNet(16, 1, 10)
    # The float64 comparison keeps the buffers' float32 rounding, so that only the arithmetic differs.
    model.to(dtype)
    described = fill(model)
    images = value(99, [8, 3, 32, 32], 0.5, 0.5, dtype)
    labels = torch.tensor([i * 3 % 10 for i in range(8)])
    logits, embedding, maps = model.train()(images)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    running = statistics(model)
    with torch.no_grad():
        evaluated = model.eval()(images)
    return model, described, labels, logits, embedding, maps, loss, running, evaluated


def gap(a, b):
    """The largest difference, relative to the largest value."""
    return ((a.double() - b.double()).abs().max() / b.double().abs().max()).item()


def wrn():
    names = {f"wrn-{d}-{w}": {str(c): count(d, w, c) for c in (10, 43)} for d, w in [(16, 1), (16, 2), (40, 2)]}
    assert names["wrn-16-1"]["10"] == 175066
    model, described, labels, logits, embedding, maps, loss, running, evaluated = forward_backward(torch.float32)
    exact = forward_backward(torch.float64)
    pairs = zip(model.named_parameters(), exact[0].parameters())
    gradient_gaps = {name: gap(parameter.grad, other.grad) for (name, parameter), other in pairs}
    worst = max(gradient_gaps, key=gradient_gaps.get)
    gaps = {
        "logits": gap(logits, exact[3]),
        "embedding": gap(embedding, exact[4]),
        "gradients": gradient_gaps[worst],
        "eval": gap(evaluated[0], exact[8][0]),
    }
    content = {
        "counts": names,
        "gaps": {name: float(f"{number:.1e}") for name, number in gaps.items()},
        "input": {"seed": 99, "shape": [8, 3, 32, 32], "scale": 0.5, "offset": 0.5},
        "labels": labels.tolist(),
        "parameters": described,
        "training": {
            "logits": record(logits),
            "embedding": checksum(embedding),
            "maps": [checksum(each) for each in maps],
            "loss": short(loss.item()),
        },
        "gradients": {name: checksum(parameter.grad) for name, parameter in model.named_parameters()},
        "running": running,
        "eval": {
            "logits": record(evaluated[0]),
            "embedding": checksum(evaluated[1]),
            "maps": [checksum(each) for each in evaluated[2]],
        },
    }
    print(f"wrn: relative gaps {gaps}, widest gradient {worst}", file=sys.stderr)
    write("wrn.json", content)


# -------------------------------------------------------------------------------------------------------------- steps


def take_steps(parameters, optimizer, loss_at, buffers=lambda: {}):
    """Three steps; the losses, and copies of all parameters and buffers after the first and the third."""
    losses, after = [], {}
    for step in range(3):
        loss = loss_at(step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step in (0, 2):
            copies = {name: tensor.detach().clone() for name, tensor in parameters.items()}
            after[str(step + 1)] = {"parameters": copies, **buffers()}
    return losses, after


def wrn_steps(options, dtype):
    model = WideResNet(16, 1, 10).to(dtype)
    fill(model)
    model.train()

    def loss_at(step):
        images = value(100 + step, [8, 3, 32, 32], 0.5, 0.5, dtype)
        labels = torch.tensor([(i * 3 + step) % 10 for i in range(8)])
        return F.cross_entropy(model(images)[0], labels)

    optimizer = torch.optim.SGD(model.parameters(), **options)
    return take_steps(dict(model.named_parameters()), optimizer, loss_at, lambda: {"running": statistics(model)})


def critic_steps(kind, options, dtype):
    model = nn.Sequential(nn.Linear(128, 64), nn.LeakyReLU(0.01), nn.Linear(64, 1)).to(dtype)
    names = dict(zip(["first.weight", "first.bias", "second.weight", "second.bias"], model.parameters()))
    with torch.no_grad():
        for k, parameter in enumerate(names.values()):
            parameter.copy_(value(k, parameter.shape, 0.1, dtype=torch.float64))

    def loss_at(step):
        inputs, targets = value(200 + step, [16, 128], dtype=dtype), value(300 + step, [16, 1], dtype=dtype)
        return ((model(inputs) - targets) ** 2).mean()

    return take_steps(names, kind(model.parameters(), **options), loss_at)


def of_weights(parameters, weight_decay, **options):
    """AdamW whose decay is that of weights, not of biases."""
    parameters = list(parameters)
    weights, biases = [p for p in parameters if p.dim() > 1], [p for p in parameters if p.dim() == 1]
    groups = [{"params": weights, "weight_decay": weight_decay}, {"params": biases, "weight_decay": 0}]
    return torch.optim.AdamW(groups, **options)


def describe_steps(title, options, run):
    """What the float32 run gave, and how far the float64 run lies from it: the least a tolerance has to allow."""
    losses, after = run(torch.float32)
    exact_losses, exact = run(torch.float64)
    gaps = {}
    for step, state in after.items():
        names = state["parameters"]
        gaps[step] = float(f"{max(gap(names[n], exact[step]['parameters'][n]) for n in names):.1e}")
        state["parameters"] = {name: checksum(tensor) for name, tensor in names.items()}
    loss_gap = max(abs(a - b) for a, b in zip(losses, exact_losses))
    print(f"{title}: losses {losses}, gap {loss_gap:.1e}, parameters' relative gaps {gaps}", file=sys.stderr)
    return {"options": options, "losses": [short(loss) for loss in losses], "gaps": gaps, "after": after}


def one_cycle():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    options = dict(max_lr=0.1, total_steps=100, pct_start=0.3, div_factor=25, final_div_factor=1e4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, anneal_strategy="cos", cycle_momentum=False, three_phase=False, **options
    )
    rates = []
    for step in range(100):
        rates.append(short(schedule.get_last_lr()[0]))
        optimizer.step()
        if step < 99:
            schedule.step()
    return {"options": options, "rates": rates}


def steps():
    content = {"batches": {"seeds": [100, 101, 102], "shape": [8, 3, 32, 32], "scale": 0.5, "offset": 0.5}}
    momentum = dict(lr=0.1, momentum=0.9, weight_decay=1e-4)
    for name, nesterov in [("sgd", False), ("nesterov", True)]:
        options = dict(momentum, nesterov=nesterov)
        content[name] = describe_steps(name, options, lambda dtype: wrn_steps(options, dtype))
    # The same rules on a network without many kinks, where three steps stay comparable to six digits.
    decayed = dict(lr=0.001, momentum=0.9, weight_decay=0.1)
    adam = dict(lr=0.01, betas=[0.9, 0.999], eps=1e-8, weight_decay=0)
    for name, kind, options in [
        ("adam", torch.optim.Adam, adam),
        ("adamw", of_weights, dict(adam, weight_decay=0.1)),
        ("criticSgd", torch.optim.SGD, dict(decayed, nesterov=False)),
        ("criticNesterov", torch.optim.SGD, dict(decayed, nesterov=True)),
    ]:
        content[name] = describe_steps(name, options, lambda dtype: critic_steps(kind, options, dtype))
    content["oneCycle"] = one_cycle()
    write("steps.json", content)


# ------------------------------------------------------------------------------------------------------ spectral norm


def spectral():
    layer = nn.Linear(128, 64)
    with torch.no_grad():
        layer.weight.copy_(value(1, [64, 128], 0.1, dtype=torch.float64))
        layer.bias.copy_(value(2, [64], 0.1, dtype=torch.float64))
    layer = spectral_norm(layer, n_power_iterations=1, eps=1e-12).train()
    norm = layer.parametrizations.weight[0]
    original = layer.parametrizations.weight.original
    with torch.no_grad():
        norm._u.copy_(F.normalize(value(3, [64], dtype=torch.float64), dim=0))
        norm._v.copy_(F.normalize(value(4, [128], dtype=torch.float64), dim=0))
    inputs, weight = value(5, [16, 128]), value(6, [16, 64])

    def state():
        # In eval mode reading the weight iterates no further.
        layer.eval()
        effective = layer.weight.detach()
        layer.train()
        sigma = torch.dot(norm._u, original.detach() @ norm._v).item()
        return {"sigma": short(sigma), "u": record(norm._u), "v": record(norm._v), "weight": checksum(effective)}

    out = layer(inputs)
    (out * weight).sum().backward()
    content = {
        "weight": {"seed": 1, "shape": [64, 128], "scale": 0.1, "offset": 0},
        "bias": {"seed": 2, "shape": [64], "scale": 0.1, "offset": 0},
        "u": {"seed": 3, "shape": [64], "scale": 1, "offset": 0, "normalized": True},
        "v": {"seed": 4, "shape": [128], "scale": 1, "offset": 0, "normalized": True},
        "input": {"seed": 5, "shape": [16, 128], "scale": 1, "offset": 0},
        "eps": 1e-12,
        "afterOne": {**state(), "output": checksum(out), "weightSeed": 6, "gradient": checksum(original.grad)},
    }
    with torch.no_grad():
        layer(inputs)
        third = layer(inputs)
    content["afterThree"] = {**state(), "output": checksum(third)}
    true = torch.linalg.matrix_norm(original.detach().double(), 2).item()
    print(f"spectral: sigma {content['afterOne']['sigma']}, {content['afterThree']['sigma']}, true {true}", file=sys.stderr)
    write("spectral.json", content)


# ---------------------------------------------------------------------------------------------------------------- cbd


class Smooth(nn.Module):
    """A classifier without kinks, so that three steps stay comparable to five digits: linear, tanh (z), linear."""

    def __init__(self, seed):
        super().__init__()
        self.first, self.second = nn.Linear(3 * 8 * 8, 16), nn.Linear(16, 10)
        with torch.no_grad():
            for k, (parameter, scale) in enumerate(zip(self.parameters(), [0.3, 0.3, 2, 1])):
                parameter.copy_(value(seed + k, parameter.shape, scale, dtype=torch.float64))

    def forward(self, images):
        z = torch.tanh(self.first(images.flatten(1)))
        return self.second(z), z


class Critic(nn.Module):
    """D: linear, leaky ReLU, linear. With spectral normalization D sees (z, r); the released D sees dropout of (z, r)."""

    def __init__(self, form):
        super().__init__()
        self.hidden, self.output = nn.Linear(32, 16), nn.Linear(16, 1)
        bounds = [32**-0.5, 32**-0.5, 16**-0.5, 16**-0.5]
        with torch.no_grad():
            for k, (parameter, bound) in enumerate(zip(self.parameters(), bounds)):
                parameter.copy_(value(500 + k, parameter.shape, bound, dtype=torch.float64))
        if form == "spectral":
            for k, layer in enumerate([self.hidden, self.output]):
                spectral_norm(layer, n_power_iterations=1, eps=1e-12)
                norm = layer.parametrizations.weight[0]
                with torch.no_grad():
                    norm._u.copy_(F.normalize(value(504 + 2 * k, norm._u.shape, dtype=torch.float64), dim=0))
                    norm._v.copy_(F.normalize(value(505 + 2 * k, norm._v.shape, dtype=torch.float64), dim=0))

    def forward(self, z, r, seed=None):
        x = torch.cat([z, r], 1)
        drop = lambda x, first: x if seed is None else x * mask(seed, x.shape, first).to(x.dtype)
        return self.output(drop(F.leaky_relu(self.hidden(drop(x, 0)), 0.01), x.numel()))

    def dependence(self, z, r, partners, seeds=(None, None)):
        """Eq. 7: over pairs of the same image minus over pairs of different images."""
        return self(z, r, seeds[0]).mean() - self(z, r[partners], seeds[1]).mean()

    def bound(self):
        """The released code's norm: each weight and bias over the root of its largest singular value; a bias is a column."""
        with torch.no_grad():
            for parameter in self.parameters():
                matrix = parameter if parameter.dim() == 2 else parameter[:, None]
                v = torch.ones(matrix.shape[1], dtype=matrix.dtype)
                for _ in range(5):
                    u = F.normalize(matrix @ v, dim=0)
                    v = F.normalize(matrix.T @ u, dim=0)
                parameter /= torch.dot(u, matrix @ v).sqrt()


def mask(seed, shape, first, share=0.2):
    """Dropout: element i is dropped where the formula, brought to [0, 1] and counted on from `first`, is below the share."""
    count = math.prod(shape)
    draws = (value(seed, [first + count], dtype=torch.float64)[first:] + 1) / 2
    return ((draws >= share) / (1 - share)).reshape(shape)


# What each preset is, as the literature describes it, and for `paper` docs/cbd.md. With `looks`, f_B sees un-augmented
# images, its batch's mean loss is held up, and it is looked at every half epoch, from the end of the first on: its loss of a
# stored image is the geometric mean of the lowest third of the looks, which is weighed against f_C's loss or, where that
# is more, the batch's mean of it, by a power of 1.25. Else f_B judges the view that the model sees.
SHUFFLED = [[3, 6, 1, 4, 0, 7, 2, 5], [1, 0, 5, 2, 7, 3, 4, 6], [7, 2, 0, 6, 3, 1, 5, 4]]
BEFORE = [[7, 0, 1, 2, 3, 4, 5, 6]] * 3
STEPS = [0.1, 0.01, 0.01]  # the rate falls to a tenth at 20 % and at 70 % of the steps; three steps do not reach 70 %
CBD = {
    "paper": dict(epochs=3, beta=1e-4, adversarial=0.01, mean_one=True, critic="spectral", looks=True, nesterov=False),
    "literal": dict(epochs=5, beta=1e-4, adversarial=1, mean_one=False, critic="spectral", looks=False, nesterov=False),
    "released": dict(epochs=5, beta=0, adversarial=0, mean_one=True, critic=None, looks=False, nesterov=True),
    "released-adversarial": dict(
        epochs=5, beta=0, adversarial=0.01, mean_one=True, critic="released", looks=False, nesterov=True
    ),
}
LEVEL = 0.52 * math.log(10)
STORED = {"pixels": "(37 i) mod 256", "labels": "i mod 10"}


def confounded(options, dtype):
    """f_B after its epochs of two batches each, and, with looks, its losses and embeddings of the stored images."""
    confounder = Smooth(20).to(dtype)
    optimizer = torch.optim.SGD(
        confounder.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=options["nesterov"]
    )
    stored = (torch.arange(8 * 192, dtype=torch.float64) * 37 % 256).reshape(8, 3, 8, 8).div(255).to(dtype)
    stored_losses = lambda: F.cross_entropy(confounder(stored)[0], torch.arange(8), reduction="none")
    logs = []
    for step in range(2 * options["epochs"]):
        images = value(300 + step, [8, 3, 8, 8], 0.5, 0.5, dtype)
        loss = F.cross_entropy(confounder(images)[0], torch.tensor([(i * 5 + step) % 10 for i in range(8)]))
        optimizer.zero_grad()
        ((loss.detach() - LEVEL).sign() * loss if options["looks"] else loss).backward()
        optimizer.step()
        if step >= 1:
            with torch.no_grad():
                logs.append(stored_losses().log())
    with torch.no_grad():
        lowest = torch.stack(logs).sort(0).values[: math.ceil(len(logs) / 3)]
        return confounder, lowest.mean(0).exp(), confounder(stored)[1]


def rate_at(options, step):
    return STEPS[step] if options["nesterov"] else 0.1


def cbd_steps(preset, dtype):
    """Three steps of Algorithm 1's second half; losses, Eq. 6, and how far all weights have moved after one and three."""
    options = CBD[preset]
    model = Smooth(10).to(dtype)
    confounder, stored_losses, stored_embeddings = confounded(options, dtype)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=options["nesterov"]
    )
    critic = Critic(options["critic"]).to(dtype) if options["critic"] else None
    critic_lr = {"spectral": 1e-3, "released": 0.2, None: None}[options["critic"]]
    critic_optimizer = torch.optim.Adam(critic.parameters(), lr=critic_lr) if critic else None
    names = {"model": dict(model.named_parameters())}
    if critic:
        # Without the biases: their gradients are differences of equal sums, noise that Adam makes as large as the rest.
        # The released critic's are divided by their own norm besides.
        names["critic"] = {
            f"{n.split('.')[0]}.weight": p for n, p in critic.named_parameters() if not n.endswith("bias")
        }
    start = {key: {name: p.detach().clone() for name, p in named.items()} for key, named in names.items()}
    batches = [value(100 + step, [8, 3, 8, 8], 0.5, 0.5, dtype) for step in range(3)]
    labels_at = lambda step: torch.tensor([(i * 3 + step) % 10 for i in range(8)])

    def judged(step):
        if options["looks"]:
            return stored_losses, stored_embeddings
        with torch.no_grad():
            logits, r = confounder(batches[step])
            return F.cross_entropy(logits, labels_at(step), reduction="none"), r

    if options["critic"] == "released":  # a pass of its own, before the first epoch of a hundred
        for step in range(3):
            _, r = judged(step)
            with torch.no_grad():
                _, z = model(batches[step])
            seeds = (700 + 2 * step, 701 + 2 * step)
            critic_optimizer.zero_grad()
            (-options["adversarial"] * critic.dependence(z, r, torch.tensor(BEFORE[step]), seeds)).backward()
            critic_optimizer.step()
            critic.bound()

    losses, weights, moved = [], [], {}
    for step in range(3):
        b_loss, r = judged(step)
        logits, z = model(batches[step])
        if options["critic"] == "spectral":
            partners = torch.tensor(SHUFFLED[step])
            critic.train()
            critic_optimizer.zero_grad()
            (-critic.dependence(z.detach(), r, partners)).backward()
            critic_optimizer.step()
            critic.eval()

        c_loss = F.cross_entropy(logits, labels_at(step), reduction="none")
        if options["looks"]:
            w = (b_loss**1.25 / (b_loss**1.25 + c_loss.maximum(c_loss.mean()) ** 1.25)).detach()
        else:
            w = (b_loss / (b_loss + c_loss)).detach()
        loss = ((w / w.mean() if options["mean_one"] else w) * c_loss).mean()
        if options["critic"] == "spectral":
            loss = loss + options["adversarial"] * critic.dependence(z, r, partners)
        if options["critic"] == "released":
            seeds = (600 + 2 * step, 601 + 2 * step)
            loss = loss + options["adversarial"] * critic.dependence(z, r, torch.tensor(BEFORE[step]), seeds)
        loss = loss + options["beta"] * (z * z).sum(1).mean()
        optimizer.param_groups[0]["lr"] = rate_at(options, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

        losses.append(loss.item())
        weights.append(w)
        if step in (0, 2):
            moved[str(step + 1)] = {
                key: {name: p.detach() - start[key][name] for name, p in named.items()} for key, named in names.items()
            }
    return losses, weights, moved


def cbd():
    batches = {"seeds": [100, 101, 102], "shape": [8, 3, 8, 8], "scale": 0.5, "offset": 0.5}
    content = {"batches": batches, "scales": [0.3, 0.3, 2, 1], "rate": 0.1, "shuffles": SHUFFLED, "stored": STORED}
    for preset in CBD:
        losses, weights, moved = cbd_steps(preset, torch.float32)
        exact_losses, _, exact = cbd_steps(preset, torch.float64)
        distance = lambda step, key: max(gap(each, exact[step][key][name]) for name, each in moved[step][key].items())
        gaps = {step: {key: float(f"{distance(step, key):.1e}") for key in state} for step, state in moved.items()}
        loss_gap = max(abs(a - b) for a, b in zip(losses, exact_losses))
        print(f"cbd {preset}: losses {losses}, gap {loss_gap:.1e}, moves' relative gaps {gaps}", file=sys.stderr)
        content[preset] = {
            "options": CBD[preset],
            "gaps": gaps,
            "losses": [short(loss) for loss in losses],
            "weights": [record(w) for w in weights],
            "moved": {
                step: {key: {name: checksum(tensor) for name, tensor in named.items()} for key, named in state.items()}
                for step, state in moved.items()
            },
        }
    write("cbd.json", content)


if __name__ == "__main__":
    operators()
    wrn()
    steps()
    spectral()
    cbd()
