import { deviceBytes } from '../tensor/device.ts'
import { borrow, willNeed } from '../tensor/memory.ts'
import { keep, scope } from '../tensor/scope.ts'
import { cat, noGrad, operator, type Tensor, tensor } from '../tensor/tensor.ts'
import { type Axis, axis, type Draws, placeDraws } from './augment.ts'
import type { ImageSet, ImageShape } from './images.ts'
import { finder } from './rows.ts'
import { makeViews } from './views.ts'

/** both in native/gather.cc, of rows on the host */
const gather = operator('deconfound::gather')
const take = operator('deconfound::take')

/** From, inside and cut of an `Axis`, [batch, length] each. */
type AxisTensors = readonly [Tensor, Tensor, Tensor]

/** An image set from which batches are cut. */
export interface Loader {
  readonly count: number
  readonly shape: ImageShape
  /** labels as given, on the host */
  readonly labels: Int32Array
  /** one number per image where images come in groups that show one thing, as in `ImageSet` */
  readonly groups?: Int32Array
  /** float32 in [0, 1], [indices, channels, height, width], channels last; augmented where draws are given */
  images(indices: Int32Array, draws?: Draws): Tensor
  /** int64 [indices] */
  labelsOf(indices: Int32Array): Tensor
  /** says which images are asked for next: those of a mapped file are read meanwhile */
  ahead(next: () => Int32Array): void
  free(): void
}

/** The share of a GPU's memory that an image set may take; a larger one stays on the host and goes over batch by batch. */
const residentShare = 0.25
/** images that go over to a GPU at a time */
const uploadedTogether = 4096

/**
 * A loader on `device`. On the CPU the set's own rows are read, in memory or in a mapped file, and nothing is copied. A GPU
 * gets a copy where it has room.
 */
export function loader(set: ImageSet, device: string): Loader {
  const { rows, labels, shape, groups } = set
  const [channels, height, width] = shape
  const count = labels.length
  const stores = rows.stores.map((store) => keep(borrow(store, [store.length / rows.bytes, height, width, channels])))
  const uploaded = (values: Int32Array | Float32Array, lengths: number[]) =>
    tensor(values, lengths).to(values instanceof Int32Array ? { device, dtype: 'int64' } : { device })
  const upload = ({ from, inside, cut }: Axis, lengths: number[]): AxisTensors => [
    uploaded(from, lengths),
    uploaded(inside, lengths),
    uploaded(cut, lengths),
  ]
  /** int64 [indices], on the host: where these images lie in the stores */
  const placesOf = (indices: Int32Array) =>
    tensor(
      indices.map((i) => rows.at[i] ?? -1),
      [indices.length],
      'int64',
    )
  const onHost = (indices: Int32Array) => take(stores, placesOf(indices))
  const resident =
    device !== 'cpu' && count > 0 && count * rows.bytes <= residentShare * deviceBytes(device)
      ? keep(scope(() => cat(inOrder(count, uploadedTogether).map((part) => onHost(part).to({ device })))))
      : null
  /** uint8 [indices, height, width, channels] on the device, whole images */
  const rowsAt = (indices: Int32Array) =>
    resident ? resident.indexSelect(0, uploaded(indices, [indices.length])) : onHost(indices).to({ device })
  const cut = (indices: Int32Array, across: AxisTensors, along: AxisTensors) => {
    if (device === 'cpu') return gather(stores, placesOf(indices), ...across, ...along)
    const places = resident ? indices : Int32Array.from(indices.keys())
    return composed(resident ?? rowsAt(indices), uploaded(places, [indices.length]), across, along)
  }
  const find = finder(rows)

  return {
    count,
    shape,
    labels,
    ...(groups && { groups }),
    images: (indices, draws) =>
      scope(() =>
        noGrad(() => {
          const batch = indices.length
          if (!draws) return rowsAt(indices).to({ dtype: 'float32' }).div(255).permute(0, 3, 1, 2)
          const across = upload(axis(draws, indices, height, 0), [batch, height])
          const along = upload(axis(draws, indices, width, 1), [batch, width])
          const { views, augmentation } = draws
          if (!views) return cut(indices, across, along)
          // The cutout comes last: a hole is not enlarged.
          const whole = cut(indices, withoutHole(across), withoutHole(along))
          return makeViews(whole, { ...augmentation, views }, draws.of ?? indices).mul(outsideHole(across, along))
        }),
      ),
    labelsOf: (indices) =>
      scope(() =>
        uploaded(
          indices.map((i) => labels[i] as number),
          [indices.length],
        ),
      ),
    ahead(next) {
      if (!rows.mapped || resident) return
      for (const i of next()) {
        const { store, from } = find(i)
        willNeed(store, from, rows.bytes)
      }
    },
    free() {
      for (const store of stores) store.free()
      resident?.free()
    },
  }
}

const withoutHole = ([from, inside, cut]: AxisTensors): AxisTensors => [from, inside, cut.mul(0)]

/** [batch, 1, height, width]: 0 in the cutout, else 1. */
const outsideHole = ([, , rowCut]: AxisTensors, [, , columnCut]: AxisTensors) =>
  rowCut.unsqueeze(2).mul(columnCut.unsqueeze(1)).neg().add(1).unsqueeze(1)

/** The same as the operator `gather`, of one store and by libtorch's own operators, on any device. */
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
  const { groups } = images
  return {
    count: chosen.length,
    shape: images.shape,
    labels: chosen.map((i) => images.labels[i] as number),
    ...(groups && { groups: chosen.map((i) => groups[i] as number) }),
    images: (indices, draws) => images.images(placed(indices), draws && placeDraws(draws, chosen, images.count)),
    labelsOf: (indices) => images.labelsOf(placed(indices)),
    ahead: (next) => images.ahead(() => placed(next())),
    free() {},
  }
}
