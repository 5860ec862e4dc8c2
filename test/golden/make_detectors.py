#!/usr/bin/python3
"""Expected scores of the detectors' parts, from numpy, for tests that compare the detectors with them.

    OMP_NUM_THREADS=1 /usr/bin/python3 test/golden/make_detectors.py

Needs what make.py needs. Takes seconds. Writes detectors.json beside itself; README.md describes its fields.

All in float64 from float32 inputs of the formula. The division in two is the best of Lloyd's descents from every pair of
points as first centers, so it depends on no random start; on standard error it prints how much worse the next one is.
"""

import itertools
import sys

sys.dont_write_bytecode = True

import numpy as np
import torch

from make import record, value, write


def formula(seed, shape, scale=1, offset=0):
    return {"seed": seed, "shape": shape, "scale": scale, "offset": offset}


def points_of(parts):
    return np.concatenate([value(p["seed"], p["shape"], p["scale"], p["offset"]).double().numpy() for p in parts])


def recorded(array):
    return record(torch.from_numpy(np.ascontiguousarray(array)))


def signatures(points):
    centered = points - points.mean(0)
    _, sizes, rows = np.linalg.svd(centered, full_matrices=False)
    print(f"singular values {sizes[:3]}", file=sys.stderr)
    return (centered @ rows[0]) ** 2


def whitened(points, components):
    centered = points - points.mean(0)
    left, _, _ = np.linalg.svd(centered, full_matrices=False)
    return left[:, :components] * np.sqrt(len(points))


def descend(points, centers):
    cluster = None
    while True:
        apart = ((points[:, None] - centers[None]) ** 2).sum(2)
        now = apart.argmin(1)
        if cluster is not None and (now == cluster).all():
            return apart.min(1).sum(), cluster
        cluster = now
        centers = np.stack([points[cluster == k].mean(0) if (cluster == k).any() else centers[k] for k in (0, 1)])


def two_means(points):
    found = {}
    for i, j in itertools.combinations(range(len(points)), 2):
        inertia, cluster = descend(points, points[[i, j]])
        found[tuple(cluster if cluster[0] == 0 else 1 - cluster)] = inertia
    best = sorted(found.items(), key=lambda each: each[1])
    print(f"2-means: {[round(inertia, 4) for _, inertia in best[:3]]}", file=sys.stderr)
    return best[0][1], np.array(best[0][0])


def silhouette(points, cluster):
    apart = np.sqrt(((points[:, None] - points[None]) ** 2).sum(2))
    values = []
    for i, own in enumerate(cluster):
        same = (cluster == own) & (np.arange(len(points)) != i)
        if not same.any():
            values.append(0.0)
            continue
        a, b = apart[i, same].mean(), apart[i, cluster != own].mean()
        values.append((b - a) / max(a, b))
    return float(np.mean(values))


def main():
    embeddings = [formula(11, [40, 12], 1, 0.5), formula(12, [9, 12], 1.5, -0.25)]
    plane = [formula(21, [24, 3], 1, 0.4), formula(22, [13, 3], 0.8, -0.5)]
    points = points_of(plane)
    inertia, cluster = two_means(points)
    reduced = whitened(points_of(embeddings), 3)
    write(
        "detectors.json",
        {
            "madeBy": "test/golden/make_detectors.py",
            "numpy": np.__version__,
            "signatures": {"points": embeddings, "values": recorded(signatures(points_of(embeddings)))},
            "whitened": {"points": embeddings, "components": 3, "products": recorded(reduced @ reduced.T)},
            "twoMeans": {
                "points": plane,
                "cluster": cluster.tolist(),
                "inertia": inertia,
                "silhouette": silhouette(points, cluster),
            },
        },
    )


if __name__ == "__main__":
    main()
