import { type Tensor, tensor } from '../../tensor/tensor.ts'

/** The wanted images of a batch, and their places in it. */
export function chosen(
  indices: Int32Array,
  wanted: (image: number) => boolean,
): { images: Int32Array; places: Int32Array } {
  const places = Int32Array.from(indices.keys()).filter((place) => wanted(indices[place] as number))
  return { images: places.map((place) => indices[place] as number), places }
}

/** The rows of a batch at these places, channels last. */
export function rowsAt(batch: Tensor, places: Int32Array): Tensor {
  const at = tensor(places, [places.length], 'int64').to({ device: batch.device })
  return batch.indexSelect(0, at).contiguous('channelsLast')
}
