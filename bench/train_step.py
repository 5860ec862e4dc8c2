# PyTorch eager: one SGD step of WRN-16-1 on a batch, as anybody would write it (`plain`: NCHW, fp32), with channels last
# (`channels-last`), and with bf16 autocast besides (`tuned`). Reads lines from standard input, each a form and a number of
# steps, and answers each with the steps' times in milliseconds as JSON.
import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        same = before == after and stride == 1
        self.shortcut = None if same else nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x):
        a = F.relu(self.bn1(x))
        y = self.conv2(F.relu(self.bn2(self.conv1(a))))
        return y + (x if self.shortcut is None else self.shortcut(a))


class WRN(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        widths = [(16, 16, 1), (16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1)]
        self.blocks = nn.Sequential(*[Block(*w) for w in widths])
        self.bn = nn.BatchNorm2d(64)
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        return self.linear(F.relu(self.bn(self.blocks(self.stem(x)))).mean((2, 3)))


device, batch = sys.argv[2] if len(sys.argv) > 2 else "cpu", int(sys.argv[3]) if len(sys.argv) > 3 else 128
torch.set_num_threads(int(sys.argv[1]))
labels = torch.arange(batch, device=device) % 10


def prepare(form):
    model = WRN().to(device)
    images = [torch.rand(batch, 3, 32, 32, device=device) for _ in range(10)]
    if form != "plain":
        model = model.to(memory_format=torch.channels_last)
        images = [each.contiguous(memory_format=torch.channels_last) for each in images]
    return model, torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4), images


forms = {form: prepare(form) for form in ["plain", "channels-last", "tuned"]}
for line in sys.stdin:
    form, count = line.split()
    model, optimizer, images = forms[form]
    times = []
    for step in range(int(count)):
        began = time.perf_counter()
        with torch.autocast(device.split(":")[0], dtype=torch.bfloat16, enabled=form == "tuned"):
            logits = model(images[step % 10])
        loss = F.cross_entropy(logits.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
        times.append(1000 * (time.perf_counter() - began))
    print(json.dumps(times), flush=True)
