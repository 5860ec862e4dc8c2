# The usual PyTorch script: CIFAR-10 as torchvision reads it, its transforms, a DataLoader with two workers, WRN-16-1, SGD,
# loss and accuracy summed up. Arguments: threads, device, the folder around cifar-10-batches-py. Trains an epoch and
# prints its seconds as JSON.
import json
import os
import sys
import time

import torch
import torchvision
from torch.nn import functional as F
from torchvision import transforms

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wrn import WRN

torch.set_num_threads(int(sys.argv[1]))
device = sys.argv[2]
transform = transforms.Compose(
    [
        transforms.RandomCrop(32, padding=4),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),
    ]
)
model = WRN().to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
began = time.perf_counter()
images = torchvision.datasets.CIFAR10(sys.argv[3], train=True, transform=transform)
loader = torch.utils.data.DataLoader(images, batch_size=128, shuffle=True, num_workers=2)
loss_sum = correct = seen = 0
for batch, labels in loader:
    batch, labels = batch.to(device), labels.to(device)
    logits = model(batch)
    loss = F.cross_entropy(logits, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    loss_sum += loss.item() * len(labels)
    correct += (logits.argmax(1) == labels).sum().item()
    seen += len(labels)
print(json.dumps({"seconds": time.perf_counter() - began, "loss": loss_sum / seen, "accuracy": correct / seen}))
