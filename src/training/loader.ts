import { keep, scope } from '../tensor/scope.ts'
import { noGrad, operator, type Tensor, tensor } from '../tensor/tensor.ts'
import { type Axis, axis, type Draws, placeDraws } from './augment.ts'
import type { ImageSet, ImageShape } from './images.ts'

const gather = operator('deconfound::gather') // native/gather.cc

/** From, inside and cut of an `Axis`, [batch, length] each. */
type AxisTensors = readonly [Tensor, Tensor, Tensor]

/** An image set on the device, from which batches are cut. */
export interface Loader {
  readonly count: number
  readonly shape: ImageShape
  /** labels as given, on the host */
  readonly labels: Int32Array
  /** float32 in [0, 1], [indices, channels, height, width], channels last; augmented where draws are given */
  images(indices: Int32Array, draws?: Draws): Tensor
  /** int64 [indices] */
  labelsOf(indices: Int32Array): Tensor
  free(): void
}

export function loader(set: ImageSet, device: string): Loader {
  const [channels, height, width] = set.shape
  const count = set.labels.length
  // Rows of pixels with their channels together, so that a gathered batch is channels last by itself.
  const pixels = keep(
    scope(() => tensor(set.pixels, [count, channels, height, width]).permute(0, 2, 3, 1).contiguous().to({ device })),
  )
  const uploaded = (values: Int32Array | Float32Array, shape: number[]) =>
    tensor(values, shape).to(values instanceof Int32Array ? { device, dtype: 'int64' } : { device })
  const upload = ({ from, inside, cut }: Axis, shape: number[]): AxisTensors => [
    uploaded(from, shape),
    uploaded(inside, shape),
    uploaded(cut, shape),
  ]

  return {
    count,
    shape: set.shape,
    labels: set.labels,
    images: (indices, draws) =>
      scope(() =>
        noGrad(() => {
          const batch = indices.length
          if (!draws)
            return pixels
              .indexSelect(0, uploaded(indices, [batch]))
              .to({ dtype: 'float32' })
              .div(255)
              .permute(0, 3, 1, 2)
          const rows = upload(axis(draws, indices, height, 0), [batch, height])
          const columns = upload(axis(draws, indices, width, 1), [batch, width])
          const chosen = uploaded(indices, [batch])
          return device === 'cpu'
            ? gather(pixels, chosen, ...rows, ...columns)
            : composed(pixels, chosen, rows, columns)
        }),
      ),
    labelsOf: (indices) =>
      scope(() =>
        uploaded(
          Int32Array.from(indices, (i) => set.labels[i] as number),
          [indices.length],
        ),
      ),
    free: () => pixels.free(),
  }
}

/** The same as the operator `gather` by libtorch's own, on any device. */
export function composed(pixels: Tensor, chosen: Tensor, rows: AxisTensors, columns: AxisTensors): Tensor {
  const [rowFrom, rowInside, rowCut] = rows.map((each) => each.unsqueeze(2)) as [Tensor, Tensor, Tensor]
  const [columnFrom, columnInside, columnCut] = columns.map((each) => each.unsqueeze(1)) as [Tensor, Tensor, Tensor]
  const gathered = pixels.index([chosen.unsqueeze(1).unsqueeze(2), rowFrom, columnFrom])
  const inside = rowInside.mul(columnInside)
  const visible = inside.mul(rowCut.mul(columnCut).neg().add(1)).unsqueeze(3)
  return gathered.to({ dtype: 'float32' }).div(255).mul(visible).permute(0, 3, 1, 2)
}

/** The samples in order, `batch` at a time. */
export function inOrder(count: number, batch: number): Int32Array[] {
  return slices(
    Int32Array.from({ length: count }, (_, i) => i),
    batch,
  )
}

/** An order cut into batches; the last one may be smaller. */
export function slices(order: Int32Array, batch: number): Int32Array[] {
  return Array.from({ length: Math.ceil(order.length / batch) }, (_, i) => order.subarray(i * batch, (i + 1) * batch))
}

/** Some of a loader's images, which stay where they are; draws are those of the chosen ones, in their order. */
export function part(images: Loader, chosen: Int32Array): Loader {
  const placed = (indices: Int32Array) => indices.map((i) => chosen[i] as number)
  return {
    count: chosen.length,
    shape: images.shape,
    labels: chosen.map((i) => images.labels[i] as number),
    images: (indices, draws) => images.images(placed(indices), draws && placeDraws(draws, chosen, images.count)),
    labelsOf: (indices) => images.labelsOf(placed(indices)),
    free() {},
  }
}
