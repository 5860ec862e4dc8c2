import { z } from 'zod'
import { UserError } from '../errors.ts'
import type { Classifier, Normalization } from '../nn/classifier.ts'
import type { Compute } from '../tensor/device.ts'
import type { Random } from '../tensor/random.ts'
import type { ImageShape } from '../training/images.ts'

/** What a model must fit. */
export interface ModelContext {
  readonly random: Random
  readonly compute: Compute
  readonly classes: number
  readonly shape: ImageShape
  readonly normalization: Normalization | null
}

/** One entry of the catalogue of models. */
export interface ModelEntry<Schema extends z.ZodObject = z.ZodObject> {
  readonly title: string
  readonly paper: string
  readonly options: Schema
  /** options that name a file, each beside another one of its name and `Hash` */
  readonly files: readonly string[]
  /** side of the smallest images that it takes, in pixels; 1 unless told otherwise */
  readonly smallest?: number
  /** how it is trained unless the run says otherwise; as residual networks are, unless told otherwise */
  readonly learning?: Learning
  build(options: z.output<Schema>, context: ModelContext): Classifier
  /** the form that weights of these names and shapes have, where they are of this architecture; they may come from anywhere */
  recognize?(shapes: Shapes): Recognized<z.input<Schema>> | null
}

/** The shapes of weights, by name. */
export type Shapes = ReadonlyMap<string, readonly number[]>

/** What weights tell of the network that they belong to. */
export interface Recognized<Options = Readonly<Record<string, unknown>>> {
  readonly options: Partial<Options>
  readonly classes: number
  /** of the images */
  readonly channels: number
  /** side of the images in pixels, where weights fit images of one size only */
  readonly size?: number
}

/** How a kind of network is usually trained. */
export interface Learning {
  readonly optimizer: 'sgd' | 'adamw'
  /** its base learning rate over that of a residual network trained by SGD, which data sets and methods state */
  readonly rate: number
  readonly weightDecay: number
}

/** How residual networks are trained. */
const usual: Learning = { optimizer: 'sgd', rate: 1, weightDecay: 1e-4 }

/** How a model is trained unless the run says otherwise. */
export function learningOf({ learning = usual }: Pick<ModelEntry, 'learning'>): Learning {
  return learning
}

/** An entry whose options are its own and those of all models. */
export function defineModel<Schema extends z.ZodObject>(entry: Omit<ModelEntry<Schema>, 'files'>): ModelEntry<Schema> {
  return { ...entry, files: ['weights'], options: entry.options.extend(beginning) as unknown as Schema }
}

/** What networks trained elsewhere subtract from pixels in [0, 1] and divide by, red, green, blue. */
export const usualNormalizations: Readonly<Record<'imagenet' | 'half', Normalization>> = {
  imagenet: { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] },
  half: { mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] },
}

/** With what a model begins: options of all models, of which `build` needs to know nothing. */
const beginning = {
  weights: z
    .string()
    .min(1)
    .optional()
    .describe(
      "safetensors file of weights to begin with, in torchvision's or timm's names or saved here (default: none)",
    ),
  weightsHash: z
    .string()
    .optional()
    .describe('what the file must hold, `sha256-` and 16 digits (default: what it holds)'),
  normalization: z
    .enum(['data', 'imagenet', 'half'])
    .optional()
    .describe(
      "what is subtracted from pixels and divided by; data: as measured on the training images; imagenet: torchvision's and most of timm's; half: 0.5 and 0.5, of some of timm's (default: that of the weights, else data)",
    ),
}

/** A model's own options, without those of its beginning. */
export function formOf(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !(name in beginning)))
}

/** Whether images [channels, height, width] are small: of up to 48 pixels a side, which an ImageNet stem would shrink too soon. */
export function isSmall([, height, width]: ImageShape): boolean {
  return Math.max(height, width) <= 48
}

/** Which first layer a residual network has. */
export const stemOption = z
  .enum(['auto', 'small', 'large'])
  .default('auto')
  .describe(
    'first layer: small is 3×3 of stride 1; large is 7×7 of stride 2 and a max pool of stride 2; auto is small for images of up to 48 pixels',
  )

/** A UserError where images are too small for a model of this name. */
export function requireSize(name: string, { smallest = 1 }: Pick<ModelEntry, 'smallest'>, shape: ImageShape): void {
  const [, height, width] = shape
  if (Math.min(height, width) >= smallest) return
  throw new UserError(
    'usage',
    `Cannot build '${name}' for images of ${width}×${height} pixels: it needs ${smallest} a side; use larger images, or another --model`,
  )
}

/** A UserError where the heads of self-attention cannot share its width. */
export function requireHeads({ width, heads }: { width: number; heads: number }): void {
  if (width % heads === 0) return
  throw new UserError(
    'usage',
    `Cannot share a width of ${width} among ${heads} heads evenly: make --model.width a multiple of --model.heads`,
  )
}
