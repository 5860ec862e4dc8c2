// Figures and times as a person reads them.

/** A share as percent; a dash where it was not measured. */
export const percent = (share: number | null) => (share === null ? '–' : `${(100 * share).toFixed(2)} %`)

export const count = (value: number | null) => (value === null ? '–' : value.toLocaleString('en'))

/** A moment as the reader's clock tells it, to the minute. */
export function moment(time: number): string {
  const at = new Date(time)
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`
}

/** A number with four digits that count. */
export const short = (value: number) => String(Number(value.toPrecision(4)))

const verdicts: Readonly<Record<string, string>> = {
  found: 'found',
  weak: 'weak',
  none: 'none',
  'not-judged': 'not judged',
}

export const verdictWord = (verdict: string | null) => (verdict === null ? '–' : (verdicts[verdict] ?? verdict))
