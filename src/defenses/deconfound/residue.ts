import { scope } from '../../tensor/scope.ts'
import { cat, operator, type Tensor, tensor } from '../../tensor/tensor.ts'

const ofImageByImage = operator('deconfound::residue') // native/residue.cc
const averagePool = operator('avg_pool2d')
const unshuffle = operator('pixel_unshuffle')
const conv2d = operator('conv2d')
const replicate = operator('replication_pad2d')

/** Finite differences Δ¹ to Δ⁴, as filters of five pixels. */
const differences = [
  [0, 0, -1, 1, 0],
  [0, 1, -2, 1, 0],
  [0, -1, 3, -3, 1],
  [1, -4, 6, -4, 1],
]

/**
 * The input of the confounder: images of float pixels [batch, channels, height, width] become
 * [batch, 4·channels + 8, ⌈height/2⌉, ⌈width/2⌉]. A place of the result stands for 2×2 pixels.
 *
 *     4·channels:  Δ²ₓ + Δ²ᵧ of each channel (Laplacian) at each of the 2×2 pixels
 *     4 + 4:       log(mean over 6×6 of (Δᵏg)² + 10⁻⁴), k = 1 … 4, along x and along y; g is the mean of the channels
 *
 * The Laplacian keeps patterns and edges and drops shading. The energies tell how sharp the image is at a place: sharpness
 * decides how they fall with k. So they show where, and along which axis, an image was resampled. Pixels at the border are
 * repeated beyond it.
 */
export function residue(images: Tensor): Tensor {
  return images.device === 'cpu' ? ofImageByImage(images) : composedResidue(images)
}

/** `residue` by libtorch's operators, on any device. */
export function composedResidue(images: Tensor): Tensor {
  return scope(() => {
    const { device } = images
    const [, channels, height, width] = images.shape as [number, number, number, number]
    const even = height % 2 || width % 2 ? replicate(images, [0, width % 2, 0, height % 2]) : images
    const second = tensor([0, 1, 0, 1, -4, 1, 0, 1, 0], [1, 1, 3, 3]).to({ device }).expand(channels, 1, 3, 3)
    const laplacian = conv2d(replicate(even, [1, 1, 1, 1]), second, null, [1, 1], [0, 0], [1, 1], channels)

    const gray = even.mean([1], true)
    const along = tensor(differences.flat(), [4, 1, 1, 5]).to({ device })
    const changes = cat(
      [
        conv2d(replicate(gray, [2, 2, 0, 0]), along),
        conv2d(replicate(gray, [0, 0, 2, 2]), along.transpose(2, 3).contiguous()),
      ],
      1,
    )
    const energies = averagePool(changes.square(), [6, 6], [2, 2], [2, 2], false, false, null)
    return cat([unshuffle(laplacian, 2), energies.add(1e-4).log()], 1)
  })
}

/** Channels of `residue` for images of this many channels. */
export const residueChannels = (channels: number) => 4 * channels + 2 * differences.length
