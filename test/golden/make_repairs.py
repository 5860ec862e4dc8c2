#!/usr/bin/python3
"""Expected values of what defenses add to plain training: attention distance (NAD), a Bezier curve's point and its middle's
gradient (MCR), a loss kept up (ABL).

    OMP_NUM_THREADS=1 /usr/bin/python3 test/golden/make_repairs.py

Needs what make.py needs. Takes seconds. Writes repairs.json beside itself; README.md describes its fields.
"""

import sys

sys.dont_write_bytecode = True

import torch
from torch.nn import functional as F

from make import record, short, value, write

# Attention transfer: F.normalize of the squares' sum over channels; gradient with respect to the student's features.
student = value(1, [3, 5, 4, 4], 1.0, 0.2, torch.float64).requires_grad_()
teacher = value(2, [3, 5, 4, 4], 0.7, -0.1, torch.float64)


def attention(features):
    return F.normalize(features.pow(2).sum(1).view(features.shape[0], -1))


distance = (attention(student) - attention(teacher)).pow(2).mean()
distance.backward()

# The curve: loss of a linear classifier at phi(t), gradient with respect to the middle by autograd through the curve.
t, decay = 0.3, 1e-4
w1, w2 = value(3, [4, 6], dtype=torch.float64), value(4, [4, 6], dtype=torch.float64)
middle = value(5, [4, 6], dtype=torch.float64).requires_grad_()
inputs, labels = value(6, [5, 6], dtype=torch.float64), torch.tensor([0, 1, 2, 3, 0])
phi = (1 - t) ** 2 * w1 + 2 * t * (1 - t) * middle + t**2 * w2
(F.cross_entropy(inputs @ phi.T, labels) + decay / 2 * phi.pow(2).sum()).backward()


# A loss kept up: value and derivative on both sides of the level.
def kept_up(which, loss, level):
    x = torch.tensor(loss, dtype=torch.float64, requires_grad=True)
    if which == "ascent":
        y = torch.sign(x.detach() - level) * x
    else:
        y = (x - level).abs() + level
    y.backward()
    return {"isolation": which, "loss": loss, "level": level, "value": short(y.item()), "slope": short(x.grad.item())}


write(
    "repairs.json",
    {
        "attention": {"distance": short(distance.item()), "gradient": record(student.grad)},
        "bezier": {"t": t, "decay": decay, "point": record(phi), "gradient": record(middle.grad)},
        "keptUp": [kept_up(which, loss, 0.5) for which in ("ascent", "flooding") for loss in (0.2, 0.9)],
    },
)
