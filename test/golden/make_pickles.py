"""Batches of CIFAR-10 as Python 3 writes them: each protocol, with keys that are text or bytes. Writes pickles.json: base64 of
the zlib-compressed file by protocol and kind of key, one image each, whose pixel i is (7 i + 31) mod 256.

    python3 make_pickles.py
"""

import base64
import json
import pickle
import zlib
from pathlib import Path

import numpy as np

pixels = ((7 * np.arange(3072) + 31) % 256).astype(np.uint8).reshape(1, 3072)
files = {}
for protocol in range(6):
    for kind in ["text", "bytes"]:
        word = str if kind == "text" else str.encode
        batch = {word("labels"): [8], word("data"): pixels, word("filenames"): [word("a.png")]}
        packed = zlib.compress(pickle.dumps(batch, protocol=protocol), 9)
        files[f"{protocol} {kind}"] = base64.b64encode(packed).decode()
Path(__file__).with_name("pickles.json").write_text(json.dumps(files, indent=1) + "\n")
