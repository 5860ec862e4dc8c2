import type { Problem } from '../dataset.ts'
import { isImageName } from '../image-names.ts'
import { readJsonObject } from '../json-records.ts'
import { labelText } from '../labelled.ts'
import type { TarEntry, TarFile } from './entries.ts'

/** An image in an archive, with its label. */
export interface Sample {
  readonly image: TarEntry
  readonly label: string
}

/** What lies beside each other under one key. */
interface Parts {
  image?: TarEntry
  /** by ending: cls, json, txt */
  readonly labels: Map<string, string>
}

/** In the order in which they are asked. */
const labelEndings = ['cls', 'json', 'txt']
const largestImage = 128 * 2 ** 20
const largestLabel = 2 ** 20
const longestWord = 200

/**
 * The samples of an archive: files of one key, which is the name up to its first dot, are an image and its label. An image
 * without a usable label goes to `faults`, other things that are passed over to `problems`.
 */
export async function readSamples(
  tar: TarFile,
  { faults, problems }: { faults: Problem[]; problems: Problem[] },
): Promise<readonly Sample[]> {
  const all = new Map<string, Parts>()
  for await (const entry of tar.entries()) {
    const { name, kind, size } = entry
    const pass = (reason: string) => problems.push({ file: name, reason })
    const [, key = '', ending = ''] = /^((?:.*\/)?[^/.]+)\.([^/]+)$/s.exec(name) ?? []
    if (kind === 'folder' || isHidden(name)) continue
    if (kind === 'link') pass('it is a link, and links are not followed')
    else if (kind === 'other') pass('it is no file')
    else if (labelEndings.includes(ending.toLowerCase())) {
      const parts = partsOf(all, key)
      if (size > largestLabel) pass(`it has ${size} bytes, too many for a label`)
      else if (parts.labels.has(ending.toLowerCase())) pass('it comes twice in the archive')
      else parts.labels.set(ending.toLowerCase(), tar.content(entry).toString('utf8'))
    } else if (isImageName(`.${ending}`) && !ending.includes('.')) {
      const parts = partsOf(all, key)
      if (size > largestImage) faults.push({ file: name, reason: `it has ${size} bytes, more than 128 MiB` })
      else if (parts.image === undefined) parts.image = entry
      else
        pass(parts.image.name === name ? 'it comes twice in the archive' : `"${parts.image.name}" is taken for its key`)
    } else pass('it is neither an image nor a label by its name')
  }
  const samples: Sample[] = []
  for (const { image, labels } of all.values()) {
    if (image === undefined) continue
    const label = labelIn(labels)
    if ('fault' in label) faults.push({ file: image.name, reason: label.fault })
    else samples.push({ image, label: label.text })
  }
  return samples
}

const isHidden = (name: string) => name.startsWith('.', name.lastIndexOf('/') + 1)

function partsOf(all: Map<string, Parts>, key: string): Parts {
  const found = all.get(key) ?? { labels: new Map() }
  all.set(key, found)
  return found
}

function labelIn(labels: ReadonlyMap<string, string>): { text: string } | { fault: string } {
  const ending = labelEndings.find((each) => labels.has(each))
  if (ending === undefined) return { fault: 'it has no label: there is no .cls, .json or .txt of its name' }
  const content = labels.get(ending) as string
  const word = ending === 'json' ? labelInJson(content) : content
  const text = word === undefined ? undefined : labelText(word)
  if (text === undefined) return { fault: `its .${ending} holds no label` }
  return text.length > longestWord || /\\x0[ad]/.test(text)
    ? { fault: `its .${ending} holds a text, no label` }
    : { text }
}

/** The value of `label` in an object, or the number that the whole is. */
function labelInJson(content: string): string | undefined {
  if (/^\s*\d+\s*$/.test(content)) return content
  const value = readJsonObject(content).entries.find(([key]) => key === 'label')?.[1]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
}
