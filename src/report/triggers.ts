import type { Crafted } from '../attacks/attack.ts'
import type { Answers } from '../experiment/measure/evaluate.ts'
import { triggered } from '../experiment/prepare/poison.ts'
import { type ImageSet, subset } from '../training/images.ts'
import { rowReader } from '../training/rows.ts'
import type { ShownTrigger } from './keep.ts'

const shown = 6

/** Test images without and with the trigger, and what the model says of both: one of each class, of six classes at most. */
export function shownTriggers(test: ImageSet, attack: Crafted, answers: Answers): ShownTrigger[] {
  const { attacked } = answers
  const labelAt = (place: number) => test.labels[attacked[place] as number] as number
  const ofLabel = new Map<number, number>()
  for (const place of attacked.keys()) if (!ofLabel.has(labelAt(place))) ofLabel.set(labelAt(place), place)
  const chosen = [...ofLabel.values()].slice(0, shown)
  if (chosen.length === 0) return []
  const images = subset(
    test,
    chosen.map((place) => attacked[place] as number),
  )
  const [clean, changed] = [images, triggered(images, attack)].map(({ rows }) => rowReader(rows)) as Readers
  return chosen.map((place, k) => ({
    clean: clean(k),
    triggered: changed(k),
    label: labelAt(place),
    wanted: attack.label(labelAt(place)),
    answer: answers.clean[attacked[place] as number] as number,
    answerTriggered: answers.triggered[place] as number,
  }))
}

type Readers = [ReturnType<typeof rowReader>, ReturnType<typeof rowReader>]
