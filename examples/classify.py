# pip install onnxruntime pillow numpy; python classify.py model.onnx photo.jpg
# For models whose images were cut to the middle square: the fact `fit` is then `cover`, as it is by default.
import json, sys, numpy, onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
facts = session.get_modelmeta().custom_metadata_map
classes, (_, height, width) = json.loads(facts["classes"]), json.loads(facts["shape"])
image = ImageOps.fit(ImageOps.exif_transpose(Image.open(sys.argv[2])).convert("RGB"), (width, height), Image.LANCZOS)
pixels = numpy.asarray(image, numpy.float32).transpose(2, 0, 1)[None] / 255
[probabilities] = session.run(["probabilities"], {"images": pixels})[0]
for k in probabilities.argsort()[::-1][:5]:
    print(f"{probabilities[k]:.4f} {classes[k]}")
