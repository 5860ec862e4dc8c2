import type { z } from 'zod'
import type { Kind, settings } from './config.ts'

// Settings as a program gives them. The types know every setting and every entry of the catalogues; which options an entry
// has is checked when it is used.

/** Options of entries, as `attack.opacity`. */
export type EntryOptions<Of extends string> = { readonly [option in `${Of}.${string}`]?: unknown }

/** Any of a schema's settings. */
export type AnyOf<Schema extends z.ZodType> = {
  readonly [Name in keyof z.input<Schema>]?: z.input<Schema>[Name] | undefined
}

export type GivenSettings = AnyOf<typeof settings> & EntryOptions<Kind>

/** What is poisoned, and how it is measured: nothing to set where a person's own images are trained on. */
type Attacking = 'attack' | 'rate' | 'class-rate' | 'target' | 'labelling' | 'clean-share' | 'test-share' | 'reference'

/** Settings of repairing a model with the clean images in the folder `clean`. */
export type GivenRepair = Pick<
  AnyOf<typeof settings>,
  | 'defense'
  | 'preset'
  | 'seed'
  | 'holdout'
  | 'crop'
  | 'padding'
  | 'flip'
  | 'cutout'
  | 'color'
  | 'device'
  | 'precision'
  | 'threads'
> &
  EntryOptions<'defense'> & { readonly clean: string }

/** Settings of training on a person's own images, whose folder says which data set it is. */
export type GivenTraining = Omit<AnyOf<typeof settings>, Attacking | 'dataset' | 'data'> &
  EntryOptions<Exclude<Kind, 'attack'>>
