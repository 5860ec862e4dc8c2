import { createHash } from 'node:crypto'
import { existsSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../errors.ts'
import { makeFolder, writeAtomically } from '../files.ts'
import type { NamedTensors, Stateful } from '../nn/module.ts'
import { formatSafetensors, parseSafetensors, type StoredTensor } from '../tensor/safetensors.ts'
import { scope } from '../tensor/scope.ts'
import { noGrad, type Tensor, tensorFromBytes } from '../tensor/tensor.ts'

// A checkpoint is a safetensors file with a digest over its contents. The one before it stays beside it, so that damage
// to the newest costs the time since the older, nothing more.

/** Where a stage stands. */
export interface Position {
  readonly epoch: number
  /** batches of this epoch that are done */
  readonly batch: number
  readonly finished: boolean
  /** sums of what the batches of this epoch reported */
  readonly sums: Readonly<Record<string, number>>
  /** spent on those batches; older checkpoints do not say */
  readonly seconds?: number
}

export interface Checkpoints {
  save(stage: string, state: Readonly<Record<string, Stateful>>, position: Position): void
  /** Restores `state` in place; undefined when the stage was never saved. */
  restore(stage: string, state: Readonly<Record<string, Stateful>>): Position | undefined
}

export function checkpointFolder(folder: string, warn: (message: string) => void): Checkpoints {
  const current = (stage: string) => join(folder, `${stage}.safetensors`)
  const previous = (stage: string) => join(folder, `${stage}.previous.safetensors`)
  const damaged = (stage: string) => join(folder, `${stage}.damaged.safetensors`)
  return {
    save(stage, state, position) {
      makeFolder(folder)
      const plain = Object.fromEntries(Object.entries(state).map(([name, each]) => [name, each.plain?.() ?? null]))
      const chunks = pack(flatten(state), { position: JSON.stringify(position), plain: JSON.stringify(plain) })
      if (existsSync(current(stage))) renameSync(current(stage), previous(stage))
      writeAtomically(current(stage), chunks)
    },
    restore(stage, state) {
      for (const file of [current(stage), previous(stage)]) {
        if (!existsSync(file)) continue
        try {
          const { tensors, metadata } = unpack(readFileSync(file), file)
          const plain = JSON.parse(metadata.get('plain') ?? '{}')
          const position = JSON.parse(metadata.get('position') ?? '') as Position
          restoreTensors(flatten(state), tensors, file)
          for (const [name, each] of Object.entries(state)) each.restore?.(plain[name])
          return position
        } catch (error) {
          if (!(error instanceof UserError)) throw error
          warn(`${error.message}; falling back on what was saved before`)
          renameSync(file, damaged(stage)) // or the next save would put it in the place of the good one before it
        }
      }
      return undefined
    },
  }
}

/** Nothing is saved, nothing restored: for runs without a directory. */
export const noCheckpoints: Checkpoints = { save: () => {}, restore: () => undefined }

function flatten(state: Readonly<Record<string, Stateful>>): NamedTensors {
  return Object.fromEntries(
    Object.entries(state).flatMap(([name, { tensors }]) =>
      Object.entries(tensors).map(([key, tensor]) => [`${name}/${key}`, tensor]),
    ),
  )
}

/** A safetensors file of these tensors, with a digest over everything in it. */
export function pack(tensors: NamedTensors, metadata: Readonly<Record<string, string>>): Uint8Array[] {
  const stored = Object.entries(tensors).map(([name, tensor]): [string, StoredTensor] => [
    name,
    { dtype: tensor.dtype, shape: tensor.shape, bytes: tensor.bytes() },
  ])
  return formatSafetensors({
    tensors: stored,
    metadata: new Map(Object.entries({ ...metadata, digest: digest(stored, metadata) })),
  })
}

/** Reads what `pack` wrote; damage anywhere is a UserError. */
export function unpack(bytes: Uint8Array, source: string) {
  const { tensors, metadata } = parseSafetensors(bytes, source)
  const { digest: expected, ...rest } = Object.fromEntries(metadata)
  if (digest([...tensors], rest) !== expected)
    throw new UserError('data', `Cannot use '${source}': it is damaged, its digest does not fit`)
  return { tensors, metadata }
}

function digest(tensors: readonly [string, StoredTensor][], metadata: Readonly<Record<string, string>>): string {
  const hash = createHash('sha256').update(JSON.stringify(Object.entries(metadata).sort()))
  for (const [name, { dtype, shape, bytes }] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(JSON.stringify([name, dtype, shape])).update(bytes)
  }
  return hash.digest('hex')
}

/** Copies stored tensors into live ones of the same names and shapes: all of them, or none where one does not fit. */
export function restoreTensors(into: NamedTensors, stored: ReadonlyMap<string, StoredTensor>, source: string): void {
  requireFit(into, stored, source)
  for (const [name, target] of Object.entries(into)) {
    const { dtype, shape, bytes } = stored.get(name) as StoredTensor
    scope(() => noGrad(() => void target.copy_(tensorFromBytes(bytes, shape, dtype))))
  }
}

/** Tensors of other names or shapes than those needed are a UserError. */
export function requireFit(into: NamedTensors, stored: ReadonlyMap<string, StoredTensor>, source: string): void {
  const names = Object.keys(into)
  if (names.length !== stored.size || !names.every((name) => stored.has(name))) {
    throw new UserError(
      'data',
      `Cannot use '${source}': it holds ${stored.size} tensors, and not the ${names.length} that are needed`,
    )
  }
  for (const name of names) {
    const { shape } = stored.get(name) as StoredTensor
    const target = into[name] as Tensor
    if (target.shape.join() !== shape.join()) {
      throw new UserError(
        'data',
        `Cannot use '${source}': '${name}' is [${shape.join(', ')}], [${target.shape.join(', ')}] is needed`,
      )
    }
  }
}
