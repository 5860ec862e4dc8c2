"""Image sets in Parquet as the large hubs publish them, written by PyArrow: a struct of bytes and path, integer labels, and
the names of the classes in the footer's key `huggingface`. Pixel (x, y, c) of image i is (31 i + 7 (24 y + 3 x + c)) mod 256,
8x8 PNG. The training file has row groups of 4 and is packed by zstd, the test file by snappy with its classes in another order.

    pip install pyarrow pillow
    python3 make_parquet.py
"""

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

folder = Path(__file__).parent


def png(i):
    image = Image.new("RGB", (8, 8))
    image.putdata([tuple((31 * i + 7 * (24 * y + 3 * x + c)) % 256 for c in range(3)) for y in range(8) for x in range(8)])
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def write(name, images, labels, classes, **options):
    kind = {"info": {"features": {"image": {"_type": "Image"}, "label": {"names": classes, "_type": "ClassLabel"}}}}
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"bytes": png(i), "path": f"{i}.png"} for i in images]
    table = pa.table({"image": pa.array(rows, struct), "label": pa.array(labels, pa.int64())})
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(kind)}), folder / name, **options)


write("train-00000-of-00001.parquet", range(10), [i % 3 for i in range(10)], ["zebra", "ant", "cat"], compression="zstd", row_group_size=4)
write("test-00000-of-00001.parquet", range(3), [0, 1, 2], ["ant", "cat", "zebra"], compression="snappy")
