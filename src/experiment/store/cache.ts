import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import type { Learned } from '../../attacks/attack.ts'
import { UserError } from '../../errors.ts'
import { cacheFolder, lockFolder, writeAtomically } from '../../files.ts'
import { keep } from '../../tensor/scope.ts'
import { tensorFromBytes } from '../../tensor/tensor.ts'
import { type Checkpoints, checkpointFolder, pack, unpack } from '../../training/checkpoint.ts'

// What several runs need, an attack's trigger or the model that defenses repair, is learned once and lies in the user's
// cache under the hash of everything that determines it; unfinished learning lies there too and goes on. A run keeps a
// copy of its trigger, which so outlives the cache.

/** What was learned, and a hash of it for the trigger's identity. */
export interface StoredLearning {
  readonly learned: Learned
  readonly hash: string
}

/** Reads what was learned; damage is a UserError. */
export function readLearned(path: string): StoredLearning {
  const bytes = readFileSync(path)
  const { tensors, metadata } = unpack(bytes, path)
  const learned = {
    tensors: Object.fromEntries(
      [...tensors].map(([name, { bytes, shape, dtype }]) => [name, keep(tensorFromBytes(bytes, shape, dtype))]),
    ),
    report: JSON.parse(metadata.get('report') ?? '{}') as Record<string, number>,
  }
  return { learned, hash: hashOf(learned.tensors) }
}

/** Writes what was learned. */
export function writeLearned(path: string, { tensors, report }: Learned): void {
  writeAtomically(path, pack(tensors, { format: 'deconfound trigger 1', report: JSON.stringify(report) }))
}

/**
 * What was learned for this key: from the cache, or by `learn`, which is given checkpoints that outlive the process. The
 * report says how long it took, where that was in one piece.
 */
export async function learnOnce(
  key: unknown,
  { say, learn }: { say: (line: string) => void; learn: (checkpoints: Checkpoints) => Promise<Learned> },
): Promise<StoredLearning> {
  const folder = cacheFolder(join('learned', createHash('sha256').update(JSON.stringify(key)).digest('hex')))
  const path = join(folder, 'learned.safetensors')
  const before = readCached(path, say)
  if (before) return before
  const lock = lockFolder(folder)
  try {
    const meanwhile = readCached(path, say)
    if (meanwhile) return meanwhile
    const checkpoints = join(folder, 'checkpoints')
    const fresh = !existsSync(checkpoints)
    const began = performance.now()
    const { tensors, report } = await learn(checkpointFolder(checkpoints, say))
    const seconds = (performance.now() - began) / 1000
    writeLearned(path, { tensors, report: { ...report, ...(fresh ? { seconds } : {}) } })
    rmSync(checkpoints, { recursive: true, force: true })
    return readLearned(path)
  } finally {
    lock.release()
  }
}

function readCached(path: string, say: (line: string) => void): StoredLearning | undefined {
  if (!existsSync(path)) return undefined
  try {
    const found = readLearned(path)
    touch(path)
    say(`learned before, found in ${path}`)
    return found
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    say(`${error.message}; learning it again`)
    return undefined
  }
}

/** Its time says when it was last of use; where that cannot be written, it is merely removed sooner. */
function touch(path: string): void {
  try {
    utimesSync(path, new Date(), new Date())
  } catch {}
}

/** SHA-256 over the tensors alone: how long they took to learn is no part of a trigger's identity. */
function hashOf(tensors: Learned['tensors']): string {
  const hash = createHash('sha256')
  for (const chunk of pack(tensors, {})) hash.update(chunk)
  return hash.digest('hex')
}
