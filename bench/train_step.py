# PyTorch eager: one SGD step of WRN-16-1 on a batch, as anybody would write it (`plain`: NCHW, fp32), with channels last
# (`channels-last`), and with bf16 autocast besides (`tuned`). Reads lines from standard input, each a form and a number of
# steps, and answers each with the steps' times in milliseconds as JSON.
import json
import os
import sys
import time

import torch
from torch.nn import functional as F

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wrn import WRN

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
