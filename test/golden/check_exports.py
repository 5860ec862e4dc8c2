"""Loads exported safetensors into torchvision's models, and compares their answers with those of `predict`.

    OMP_NUM_THREADS=1 /usr/bin/python3 test/golden/check_exports.py

Not part of the tests: it takes minutes, and needs python3-torchvision. It makes models with torchvision, exports them, loads
what was exported without exceptions (strict), and classifies an image with both.
"""

import json
import os
import struct
import subprocess
import sys
import tempfile

import numpy
import torch
import torchvision
from PIL import Image

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
CLASSES = 10
MODELS = {
    "resnet18": 64, "resnet34": 64, "resnet50": 64,
    "vgg11_bn": 64, "vgg16_bn": 64, "mobilenet_v2": 64,
}


def deconfound(*words):
    command = ["node", os.path.join(ROOT, "bin/deconfound.js"), *words, "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def save(tensors, path):
    header, data = {}, b""
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float32:
            continue  # counters of batch norm
        raw = tensor.contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def load(path):
    with open(path, "rb") as file:
        [length] = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(length)), bytearray(file.read())
    facts = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32", name
        begin, end = entry["data_offsets"]
        flat = torch.frombuffer(data, dtype=torch.float32, offset=begin, count=(end - begin) // 4)
        tensors[name] = flat.reshape(entry["shape"])
    return tensors, facts


def fresh(name):
    model = getattr(torchvision.models, name)(num_classes=CLASSES)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.8, 1.2)
    return model.eval()


torch.manual_seed(1)
worst = 0.0
for name, size in MODELS.items():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.safetensors")
        save(fresh(name).state_dict(), path)
        form = ["--size", str(size)]
        exported = deconfound("export", path, "--safetensors", *form)["files"]
        [file] = [each["file"] for each in exported if each["format"] == "safetensors"]
        tensors, facts = load(file)
        model = fresh(name)
        print(name, model.load_state_dict(tensors, strict=True), flush=True)

        pixels = numpy.random.default_rng(1).integers(0, 256, (size, size, 3), dtype=numpy.uint8)
        picture = os.path.join(folder, "image.png")
        Image.fromarray(pixels).save(picture)
        norm = json.loads(facts["normalization"])
        transform = torchvision.transforms.Compose([
            torchvision.transforms.ToTensor(), torchvision.transforms.Normalize(norm["mean"], norm["deviation"]),
        ])
        with torch.no_grad():
            theirs = model(transform(Image.fromarray(pixels))[None]).softmax(1)[0]
        [said] = deconfound("predict", file, picture, "--top", str(CLASSES))["predictions"]
        ours = {guess["class"]: guess["probability"] for guess in said["guesses"]}
        worst = max(worst, *(abs(ours[str(k)] - theirs[k].item()) for k in range(CLASSES)))

print("largest difference of a probability", worst)
sys.exit(0 if worst < 1e-4 else 1)
