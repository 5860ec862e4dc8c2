import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { stringify } from 'yaml'
import { flattenConfig, resolveConfig } from '../src/experiment/settings/config.ts'
import { csv, textCell } from '../src/experiment/store/csv.ts'
import { scope } from '../src/tensor/scope.ts'
import { tensor } from '../src/tensor/tensor.ts'
import { pack } from '../src/training/checkpoint.ts'

// Runs that nobody trained, as the page finds them.

export interface RunExample {
  readonly settings?: Readonly<Record<string, unknown>>
  readonly kind?: string
  readonly result?: object | null
  /** label and file, best first */
  readonly suspects?: readonly (readonly [string, string])[]
}

/** Writes a run's directory; returns its path. */
export function writeRun(
  runs: string,
  name: string,
  { settings = {}, kind, result, suspects }: RunExample = {},
): string {
  const path = join(runs, name)
  mkdirSync(path, { recursive: true })
  const put = (file: string, content: string) => writeFileSync(join(path, file), content)
  put('kind', `${kind ?? 'experiment'}\n`)
  const config = resolveConfig({ attack: 'badnets', defense: 'cbd', epochs: 3, ...settings })
  put('config.yaml', stringify(flattenConfig(config)))
  if (result !== null) put('result.json', JSON.stringify(result ?? { cleanAccuracy: 0.9, attackSuccessRate: 0.02 }))
  if (suspects) {
    const rows = suspects.map(([label, file], i) => [
      `${i + 1}`,
      i < 2 ? 'yes' : 'no',
      `${9 - i}.0`,
      textCell(label),
      textCell(file),
    ])
    put('suspects.csv', csv([['rank', 'flagged', 'score', 'label', 'file'], ...rows]))
  }
  return path
}

/** Adds an epoch to a run's metrics. */
export function addEpoch(
  run: string,
  epoch: number,
  measures: object = { loss: 1 / (epoch + 1), accuracy: 0.5 },
): void {
  appendFileSync(join(run, 'metrics.jsonl'), `${JSON.stringify({ stage: 'model', epoch, ...measures })}\n`)
}

/** Keeps points of two classes as a run's embeddings: the first half lies far from the second along one direction. */
export function writePortraits(run: string, count: number): void {
  const half = (i: number) => (i < count / 2 ? 0 : 1)
  const values = Float32Array.from({ length: 2 * count }, (_, k) => {
    const i = k >> 1
    return k % 2 === 0 ? 20 * half(i) + Math.sin(i) : 4 * Math.cos(1.7 * i)
  })
  const bytes = scope(() =>
    pack(
      {
        places: tensor(
          Int32Array.from({ length: count }, (_, i) => i),
          [count],
        ),
        labels: tensor(
          Int32Array.from({ length: count }, (_, i) => half(i)),
          [count],
        ),
        'model/end': tensor(values, [count, 2]),
      },
      { format: 'deconfound portraits 1' },
    ),
  )
  writeFileSync(join(run, 'portraits.safetensors'), Buffer.concat(bytes.map((each) => Buffer.from(each))))
}

/** Writes photographs of one color into class folders: blue ones of the first class, red ones of the others. */
export async function writePhotos(folder: string, classes: readonly string[], each = 4): Promise<void> {
  for (const [label, name] of classes.entries()) {
    mkdirSync(join(folder, name), { recursive: true })
    const background = label === 0 ? '#2040c0' : '#c04020'
    const photo = await sharp({ create: { width: 40, height: 40, channels: 3, background } })
      .png()
      .toBuffer()
    for (let i = 0; i < each; i++) writeFileSync(join(folder, name, `${i}.png`), photo)
  }
}
