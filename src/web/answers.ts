// What the server answers, and the page shows: types alone, since the page is built for a browser.

export type RunState = 'finished' | 'training' | 'broken off' | 'damaged'

/** A run as the list of runs shows it. A share is null where it was not measured. */
export interface RunLine {
  readonly id: string
  readonly name: string
  readonly kind: string
  readonly state: RunState
  readonly dataset: string
  readonly attack: string
  readonly defense: string
  readonly epochs: number | null
  readonly seed: number | null
  readonly rate: number | null
  readonly verdict: string | null
  readonly flagged: number | null
  readonly cleanAccuracy: number | null
  readonly attackSuccessRate: number | null
  /** of held-out images, labels untrusted, the share that is classified as labelled */
  readonly agreement: number | null
  /** milliseconds since 1970: the last thing that happened */
  readonly when: number
}

export interface RunList {
  readonly total: number
  /** changes whenever any run does */
  readonly version: string
  readonly runs: readonly RunLine[]
}

/** A file of a run that the page may show. */
export interface ShownFile {
  /** what it is asked for by; no path */
  readonly id: string
  readonly title: string
  readonly form: 'picture' | 'report'
}

export interface RunDetails extends RunLine {
  /** the verdict in a sentence */
  readonly said: string
  readonly remarks: readonly string[]
  readonly settings: Readonly<Record<string, string>>
  /** figures of the result by their names */
  readonly figures: Readonly<Record<string, string>>
  readonly files: readonly ShownFile[]
  readonly hasSuspects: boolean
  readonly hasEmbeddings: boolean
}

/** Lines of metrics.jsonl from a byte on. */
export interface Metrics {
  readonly lines: readonly Readonly<Record<string, unknown>>[]
  /** where to go on */
  readonly next: number
  /** what was read before is to be forgotten */
  readonly anew: boolean
  readonly state: RunState
}

export interface Comparison {
  readonly runs: readonly RunDetails[]
  /** settings that are not the same in all, by name: a value for each run */
  readonly different: Readonly<Record<string, readonly string[]>>
}

export interface GridCell {
  readonly recorded: number
  readonly cleanAccuracy: number | null
  readonly attackSuccessRate: number | null
  /** of experiments at work: how far they are, in words */
  readonly working: readonly string[]
  readonly brokenOff: number
  /** of a sweep, and not begun yet */
  readonly waiting: number
}

/** Attacks by defenses. */
export interface Grid {
  readonly source: string
  /** settings by name, where a row says no others */
  readonly usual: Readonly<Record<string, string>>
  readonly defenses: readonly string[]
  readonly rows: readonly { readonly experiment: string; readonly cells: readonly (GridCell | null)[] }[]
}

/** A network at one moment, drawn in two dimensions. */
export interface Panel {
  readonly title: string
  readonly method: 't-SNE' | 'principal components'
  /** x and y in turn, both in [-1, 1] */
  readonly places: readonly number[]
}

export interface Embeddings {
  readonly classes: readonly string[]
  /** of each point, as given */
  readonly labels: readonly number[]
  /** null where the truth is not known */
  readonly poisoned: readonly boolean[] | null
  readonly panels: readonly Panel[]
}

export type Decision = 'keep' | 'drop' | 'unsure'

export interface Suspect {
  readonly rank: number
  readonly flagged: boolean
  readonly score: number
  readonly label: string
  readonly file: string
  readonly decision: Decision | null
}

export interface Suspects {
  readonly total: number
  readonly flagged: number
  readonly decided: Readonly<Record<Decision, number>>
  readonly suspects: readonly Suspect[]
}

/** An image of a sample: what it is, and whether its picture can be had. */
export interface ImageFacts {
  readonly name: string
  readonly label: string
}
