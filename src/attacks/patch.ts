import { z } from 'zod'
import { UserError } from '../errors.ts'
import type { Random } from '../tensor/random.ts'
import { keep, scope } from '../tensor/scope.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import type { ImageShape } from '../training/images.ts'
import { defineAttack, type Picture } from './attack.ts'
import { emblem } from './emblem.ts'
import { type Corner, changePixels, valueIn } from './pixels.ts'
import { streamsOf } from './streams.ts'

/**
 * A picture of one's own as the trigger, as the sticker on a stop sign of BadNets (Gu et al. 2017), which is drawn where none
 * is given: x' = (1 − α·a)·x + α·a·t, with t the picture, a its own transparency and α the opacity. Its width is a share
 * of the image's, its height follows. A random place is a function of the seed and of the image's pixels: the same image
 * gets it at the same place, at test time too.
 */
export const patch = defineAttack({
  title: 'Picture patch',
  paper: 'https://arxiv.org/abs/1708.06733',
  labels: 'dirty',
  files: ['image'],
  options: z.object({
    image: z.string().min(1).optional().describe('file of the picture (default: a yellow square with a black border)'),
    imageHash: z
      .string()
      .optional()
      .describe('what the file must hold, `sha256-` and 16 digits (default: what it holds)'),
    place: z
      .enum(['bottom-right', 'bottom-left', 'top-right', 'top-left', 'center', 'random'])
      .default('bottom-right')
      .describe('where the picture lies; random: at a place of its own on each image'),
    size: z.number().positive().max(1).default(0.15).describe("width of the picture / width of the image's"),
    opacity: z.number().positive().max(1).default(1).describe('how strongly the picture shows, α'),
  }),
  async craft({ place, size, opacity }, { random, train, label, picture }) {
    const { shape } = train
    const width = Math.max(1, Math.round(size * shape[2]))
    const stamp = (await picture('image', width)) ?? emblem(width)
    requireRoom(stamp, shape)
    const laid = layer(stamp, shape, opacity)
    if (place !== 'random') {
      const [added, left] = laid([placeIn(place, stamp, shape)]).map(keep) as [Tensor, Tensor]
      return { trigger: (images) => changePixels(images, (pixels) => pixels.mul(left).add(added)), label }
    }
    return {
      trigger: (images) =>
        scope(() => {
          const [added, left] = laid(randomPlaces(images, { random, stamp, shape }))
          return changePixels(images, (pixels) => pixels.mul(left).add(added))
        }),
      label,
    }
  },
})

/** The row and column of a picture's first pixel. */
interface Place {
  readonly top: number
  readonly left: number
}

function requireRoom({ width, height }: Picture, [, rows, columns]: ImageShape): void {
  if (width <= columns && height <= rows) return
  throw new UserError(
    'usage',
    `Cannot place a picture of ${width}×${height} pixels on images of ${columns}×${rows} (width×height): choose a smaller attack.size`,
  )
}

function placeIn(place: Corner | 'center', { width, height }: Picture, [, rows, columns]: ImageShape): Place {
  if (place === 'center') return { top: Math.floor((rows - height) / 2), left: Math.floor((columns - width) / 2) }
  return {
    top: place.startsWith('bottom') ? rows - height : 0,
    left: place.endsWith('right') ? columns - width : 0,
  }
}

/** A place for each image, drawn from a stream that the image's own pixels name. */
function randomPlaces(
  images: Tensor,
  { random, stamp, shape }: { random: Random; stamp: Picture; shape: ImageShape },
): Place[] {
  const [, rows, columns] = shape
  return streamsOf(images, { random, purpose: 'place ' }).map((own) => ({
    top: own.integer(rows - stamp.height + 1),
    left: own.integer(columns - stamp.width + 1),
  }))
}

/** α·a·t and 1 − α·a of a picture at these places, [places, channels, height, width] both. */
function layer(stamp: Picture, [channels, rows, columns]: ImageShape, opacity: number) {
  const image = channels * rows * columns
  return (places: readonly Place[]): [added: Tensor, left: Tensor] => {
    const added = new Float32Array(places.length * image)
    const left = new Float32Array(added.length).fill(1)
    for (const [k, at] of places.entries()) {
      for (let c = 0; c < channels; c++) {
        for (let y = 0; y < stamp.height; y++) {
          for (let x = 0; x < stamp.width; x++) {
            const pixel = stamp.pixels.subarray(4 * (y * stamp.width + x), 4 * (y * stamp.width + x) + 4)
            const shows = (opacity * (pixel[3] as number)) / 255
            const i = k * image + (c * rows + at.top + y) * columns + at.left + x
            added[i] = shows * valueIn(pixel, { channel: c, channels })
            left[i] = 1 - shows
          }
        }
      }
    }
    const whole = [places.length, channels, rows, columns]
    return [tensor(added, whole), tensor(left, whole)]
  }
}
