"""Writes models.json: PyTorch's and torchvision's models beside ours, with weights by formula. README.md describes the fields.

    OMP_NUM_THREADS=1 /usr/bin/python3 test/golden/make_models.py
"""

import math
import sys

import torch
import torchvision
import torch.nn.functional as F
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


def parameters(model):
    """Those that ours has, in the order of our names."""
    ours = getattr(model, "name", lambda name: name)
    renamed = [(ours(name), parameter) for name, parameter in model.named_parameters()]
    return sorted((name, parameter) for name, parameter in renamed if name is not None)


def fill(model):
    """Sets parameter number k by formula, by what the parameter is for."""
    with torch.no_grad():
        for k, (name, parameter) in enumerate(parameters(model)):
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


def vgg(large):
    model = torchvision.models.vgg16_bn(num_classes=10)
    if large:
        model.classifier[0] = nn.Linear(512 * 49, 48)
        model.classifier[3] = nn.Linear(48, 48)
        model.classifier[6] = nn.Linear(48, 10)
    else:
        model.avgpool = nn.AdaptiveAvgPool2d(1)
        model.classifier = nn.Linear(512, 10)
    before_pools = [model.features[i - 1] for i, each in enumerate(model.features) if isinstance(each, nn.MaxPool2d)]
    return model, before_pools, model.classifier[6] if large else model.classifier


def mobilenet(small, width):
    model = torchvision.models.mobilenet_v2(num_classes=10, width_mult=width)
    if small:
        model.features[0][0].stride = (1, 1)
        model.features[2].conv[1][0].stride = (1, 1)
    kept = [3, 6, 13] if small else [1, 3, 6, 13]  # what comes before the next stride of 2
    return model, [model.features[i] for i in [*kept, 18]], model.classifier[1]


class PreActivationBlock(nn.Module):
    def __init__(self, inner, outer, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(inner, outer, 1, stride, bias=False) if inner != outer or stride != 1 else None

    def forward(self, x):
        a = F.relu(self.bn1(x))
        return self.conv2(F.relu(self.bn2(self.conv1(a)))) + (self.shortcut(a) if self.shortcut else x)


class PreActivation(nn.Module):
    def __init__(self, blocks, small):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False) if small else nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.pool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
        inner = 64
        for l, count in enumerate(blocks):
            outer = 64 * 2**l
            first = PreActivationBlock(inner, outer, 2 if l > 0 else 1)
            rest = [PreActivationBlock(outer, outer, 1) for _ in range(count - 1)]
            setattr(self, f"layer{l + 1}", nn.Sequential(first, *rest))
            inner = outer
        self.bn = nn.BatchNorm2d(inner)
        self.linear = nn.Linear(inner, 10)

    def forward(self, x):
        x = self.pool(self.conv1(x))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return self.linear(F.relu(self.bn(x)).mean((2, 3)))


def preactivation(small):
    model = PreActivation([2, 2, 2, 2], small)
    return model, [model.layer1, model.layer2, model.layer3, model.layer4], model.linear


def image_tokens(grid):
    """From the tokens of a block's output to a map; the class token, where there is one, comes first."""
    count = grid[0] * grid[1]
    return lambda tokens: tokens[:, -count:].transpose(1, 2).unflatten(2, grid)


TIMM = [
    ("class_token", "cls_token"),
    ("encoder.pos_embedding", "pos_embed"),
    ("conv_proj", "patch_embed.proj"),
    ("encoder.layers.encoder_layer_", "blocks."),
    ("self_attention.in_proj_", "attn.qkv."),
    ("self_attention.out_proj", "attn.proj"),
    ("mlp.0", "mlp.fc1"),
    ("mlp.3", "mlp.fc2"),
    ("ln_", "norm"),
    ("encoder.ln", "norm"),
    ("heads.head", "head"),
]


def timm_name(name):
    for theirs, ours in TIMM:
        name = name.replace(theirs, ours)
    return name


def vision_transformer(size, patch):
    model = torchvision.models.VisionTransformer(size, patch, 12, 3, 192, 768, num_classes=10)
    model.name = timm_name
    model.to_map = image_tokens((size // patch, size // patch))
    return model, [model.encoder.layers[i] for i in (3, 7, 11)], model.heads.head


class CompactBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.pre_norm = nn.LayerNorm(width)
        self.self_attn = nn.MultiheadAttention(width, heads, batch_first=True)
        nn.init.zeros_(self.self_attn.in_proj_bias)
        self.norm1 = nn.LayerNorm(width)
        self.linear1 = nn.Linear(width, 2 * width)
        self.linear2 = nn.Linear(2 * width, width)

    def forward(self, x):
        a = self.pre_norm(x)
        x = self.norm1(x + self.self_attn(a, a, a, need_weights=False)[0])
        return x + self.linear2(F.gelu(self.linear1(x)))


class Compact(nn.Module):
    """CCT-7/3xn as the paper has it, of PyTorch's layers."""

    def __init__(self, convolutions, grid):
        super().__init__()
        widths = [3, *[64] * (convolutions - 1), 256]
        pairs = zip(widths, widths[1:])
        self.tokens = nn.ModuleList(nn.Conv2d(a, b, 3, 1, 1, bias=False) for a, b in pairs)
        self.positions = nn.Parameter(torch.zeros(1, grid[0] * grid[1], 256))
        self.blocks = nn.ModuleList(CompactBlock(256, 4) for _ in range(7))
        self.norm = nn.LayerNorm(256)
        self.pool = nn.Linear(256, 1)
        self.fc = nn.Linear(256, 10)

    def forward(self, x):
        for each in self.tokens:
            x = F.max_pool2d(F.relu(each(x)), 3, 2, 1)
        x = x.flatten(2).transpose(1, 2) + self.positions
        for each in self.blocks:
            x = each(x)
        x = self.norm(x)
        return self.fc((self.pool(x).softmax(1).transpose(1, 2) @ x).squeeze(1))


def compact_name(name):
    """The name in the authors' code; None for a bias that it does not have."""
    if name.endswith("in_proj_bias"):
        return None
    if name.startswith("tokens."):
        return name.replace("tokens.", "tokenizer.conv_layers.").replace(".weight", ".0.weight")
    renamed = name.replace("positions", "positional_emb").replace("in_proj_weight", "qkv.weight")
    return "classifier." + renamed.replace("out_proj", "proj").replace("pool.", "attention_pool.")


def compact(convolutions, grid):
    model = Compact(convolutions, grid)
    model.name = compact_name
    model.to_map = image_tokens(grid)
    return model, [model.blocks[i] for i in (2, 4, 6)], model.fc


CASES = [
    ("resnet", {"depth": 18, "stem": "small"}, [4, 3, 32, 32], lambda: residual(18, True)),
    ("resnet", {"depth": 18, "stem": "large"}, [8, 3, 65, 48], lambda: residual(18, False)),
    ("resnet", {"depth": 34, "stem": "large"}, [8, 3, 64, 64], lambda: residual(34, False)),
    ("resnet", {"depth": 50, "stem": "small"}, [8, 3, 16, 16], lambda: residual(50, True)),
    ("resnet", {"depth": 50, "stem": "large"}, [8, 3, 64, 64], lambda: residual(50, False)),
    ("preact-resnet", {"stem": "small"}, [4, 3, 32, 32], lambda: preactivation(True)),
    ("preact-resnet", {"stem": "large"}, [8, 3, 65, 48], lambda: preactivation(False)),
    ("vgg", {"head": "small"}, [4, 3, 32, 35], lambda: vgg(False)),
    ("vgg", {"head": "large", "hidden": 48}, [4, 3, 70, 48], lambda: vgg(True)),
    ("mobilenet", {"stem": "small"}, [4, 3, 32, 32], lambda: mobilenet(True, 1.0)),
    ("mobilenet", {"stem": "large", "width": 0.75}, [8, 3, 65, 48], lambda: mobilenet(False, 0.75)),
    ("vit", {"patch": 4}, [4, 3, 32, 32], lambda: vision_transformer(32, 4)),
    ("vit", {"patch": 16}, [4, 3, 64, 64], lambda: vision_transformer(64, 16)),
    ("cct", {}, [4, 3, 32, 32], lambda: compact(1, (16, 16))),
    ("cct", {"convolutions": 3}, [4, 3, 37, 24], lambda: compact(3, (5, 3))),
]


def run(make, images):
    """Logits, embedding and maps of a training pass, then of an evaluation with its statistics."""
    model, mapped, head = make()
    fill(model.to(images.dtype))
    for each in model.modules():
        if isinstance(each, nn.Dropout):
            each.p = 0.0
    inside = {}
    to_map = getattr(model, "to_map", lambda output: output)
    head.register_forward_pre_hook(lambda _, inputs: inside.update(embedding=inputs[0]))
    for at, layer in enumerate(mapped):
        # What follows may change its input in place.
        layer.register_forward_hook(lambda _, __, output, at=at: inside.update({at: to_map(output.clone())}))
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
                "parameters": sum(each.numel() for _, each in parameters(model)),
                "training": outputs(passes[0]),
                "eval": outputs(passes[1]),
                "gaps": {"training": gaps[0], "eval": gaps[1]},
            }
        )
    write("models.json", {"madeBy": "test/golden/make_models.py", "torchvision": torchvision.__version__, "cases": rows})


main()
