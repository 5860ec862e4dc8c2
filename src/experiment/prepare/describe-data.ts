import type { Dataset, Problem } from '../../datasets/dataset.ts'
import type { ImageSet } from '../../training/images.ts'

// What a person is told of a data set before anything is done with it: classes with counts, and what was left out.

const fewClasses = 20
const fewExamples = 3
const fewReasons = 10

/** Sentences on a data set: its classes with their counts, where its images come from, what was left out and why. */
export function describeDataset({ train, test, problems, notes }: Dataset): string[] {
  return [
    `${train.classes.length} classes: ${describeClasses(train)}`,
    ...(test ? [describeTest(test)] : []),
    ...notes,
    ...describeProblems(problems),
  ]
}

/** Classes with their counts, `cat 8, dog 7`; of many only the first. */
export function describeClasses({ classes, labels }: ImageSet): string {
  const counts = countByClass(classes, labels)
  const shown = classes.slice(0, fewClasses).map((name, k) => `${name} ${counts[k]}`)
  if (classes.length <= fewClasses) return shown.join(', ')
  const [least, most] = [Math.min(...counts), Math.max(...counts)]
  return `${shown.join(', ')} and ${classes.length - fewClasses} more, of ${least} to ${most} images each`
}

function describeTest({ classes, labels }: ImageSet): string {
  const counts = countByClass(classes, labels)
  const without = classes.filter((_, k) => counts[k] === 0)
  const lacking = without.length === 0 ? '' : `, none of ${without.slice(0, fewClasses).join(', ')}`
  return `${labels.length} test images${lacking}`
}

function countByClass(classes: readonly string[], labels: Int32Array): number[] {
  const counts = new Array<number>(classes.length).fill(0)
  for (const label of labels) counts[label] = (counts[label] as number) + 1
  return counts
}

/** What was left out, by reason: a count and some examples. */
export function describeProblems(problems: readonly Problem[]): string[] {
  const groups = new Map<string, { reason: string; files: string[] }>()
  for (const { file, reason } of problems) {
    const kind = reason.replaceAll(/\d+/g, '0') // reasons may hold numbers of the one file
    const group = groups.get(kind) ?? { reason, files: [] }
    group.files.push(file)
    groups.set(kind, group)
  }
  const all = [...groups.values()].sort((a, b) => b.files.length - a.files.length)
  const lines = all.slice(0, fewReasons).map(({ reason, files }) => {
    const [first] = files
    if (files.length === 1) return `skipped ${first}: ${reason}`
    const more = files.length > fewExamples ? ', …' : ''
    return `skipped ${files.length} (${files.slice(0, fewExamples).join(', ')}${more}): ${reason}`
  })
  const rest = all.slice(fewReasons).reduce((sum, { files }) => sum + files.length, 0)
  return rest === 0 ? lines : [...lines, `skipped ${rest} more for other reasons`]
}
