import { useState } from 'preact/hooks'
import type { RunList as List, RunLine } from '../answers.ts'
import { Answered, Scrolling, Title, Verdict } from './parts.tsx'
import { ask, useRepeated } from './server.ts'
import { count, moment, percent } from './words.ts'

/** runs that are asked for at once, and shown on a page of the list */
const together = 100
const shown = 50
/** milliseconds between looks */
const every = 3000

const columns: readonly { title: string; of: (run: RunLine) => string | number | null; form?: 'number' }[] = [
  { title: 'Run', of: ({ name }) => name },
  { title: 'Verdict', of: ({ verdict }) => verdict },
  { title: 'Flagged', of: ({ flagged }) => flagged, form: 'number' },
  { title: 'CA', of: ({ cleanAccuracy, agreement }) => cleanAccuracy ?? agreement, form: 'number' },
  { title: 'ASR', of: ({ attackSuccessRate }) => attackSuccessRate, form: 'number' },
  { title: 'State', of: ({ state }) => state },
  { title: 'Data set', of: ({ dataset }) => dataset },
  { title: 'Attack', of: ({ attack }) => attack },
  { title: 'Defense', of: ({ defense }) => defense },
  { title: 'Epochs', of: ({ epochs }) => epochs, form: 'number' },
  { title: 'Seed', of: ({ seed }) => seed, form: 'number' },
  { title: 'When', of: ({ when }) => when },
]

/** All runs, asked for part by part; the list that was there where nothing has changed. */
async function readAll(signal: AbortSignal, before: List | undefined): Promise<List> {
  const first = await ask<List>(`runs?from=0&count=${together}`, signal)
  if (first.version === before?.version && before.runs.length === before.total) return before
  const runs = [...first.runs]
  while (runs.length < first.total) {
    const next = await ask<List>(`runs?from=${runs.length}&count=${together}`, signal)
    if (next.runs.length === 0) break
    runs.push(...next.runs)
  }
  const unique = new Map(runs.map((run) => [run.id, run])) // runs may have moved meanwhile
  return { ...first, runs: [...unique.values()] }
}

export function RunList() {
  const first = useRepeated<List>('first', (signal) => ask<List>(`runs?from=0&count=${together}`, signal))
  const all = useRepeated<List>('all', readAll, every)
  const asked = all.answer ? all : { ...first, problem: all.problem ?? first.problem }
  return (
    <>
      <Title>Runs</Title>
      <Answered asked={asked}>{(list) => <Chooser list={list} />}</Answered>
    </>
  )
}

interface Order {
  readonly column: number
  readonly descending: boolean
}

function Chooser({ list }: { list: List }) {
  const [words, setWords] = useState('')
  const [order, setOrder] = useState<Order>({ column: columns.length - 1, descending: true })
  const [page, setPage] = useState(0)
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  if (list.total === 0) return <p>There are no runs here yet: deconfound train and deconfound run make some.</p>
  const found = sorted(
    list.runs.filter((run) => matches(run, words)),
    order,
  )
  const pages = Math.max(1, Math.ceil(found.length / shown))
  const at = Math.min(page, pages - 1)
  const find = (words: string) => {
    setWords(words)
    setPage(0)
  }
  const toggle = (id: string) => {
    const next = new Set(chosen)
    if (!next.delete(id)) next.add(id)
    setChosen(next)
  }
  return (
    <>
      <search class="tools">
        <label>
          Find{' '}
          <input
            type="search"
            value={words}
            placeholder="badnets found"
            onInput={(event) => find(event.currentTarget.value)}
          />
        </label>
        <span role="status">
          {count(found.length)} of {count(list.total)} runs
        </span>
        <CompareLink ids={[...chosen]} />
      </search>
      <Scrolling label="Runs">
        <table class="runs">
          <thead>
            <tr>
              <th scope="col">
                <span class="hidden">Compare</span>
              </th>
              {columns.map(({ title, form }, column) => (
                <th
                  key={title}
                  scope="col"
                  class={form}
                  aria-sort={column === order.column ? (order.descending ? 'descending' : 'ascending') : 'none'}
                >
                  <button
                    type="button"
                    onClick={() => setOrder({ column, descending: order.column === column && !order.descending })}
                  >
                    {title}
                    <span aria-hidden="true">{column === order.column ? (order.descending ? ' ▾' : ' ▴') : ''}</span>
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {found.slice(at * shown, (at + 1) * shown).map((run) => (
              <Line key={run.id} run={run} chosen={chosen.has(run.id)} toggle={toggle} />
            ))}
          </tbody>
        </table>
      </Scrolling>
      {pages > 1 && (
        <nav class="tools" aria-label="Pages of the list">
          <button type="button" disabled={at === 0} onClick={() => setPage(at - 1)}>
            Previous
          </button>
          <span>
            Page {at + 1} of {pages}
          </span>
          <button type="button" disabled={at === pages - 1} onClick={() => setPage(at + 1)}>
            Next
          </button>
        </nav>
      )}
    </>
  )
}

function CompareLink({ ids }: { ids: readonly string[] }) {
  if (ids.length < 2) return <span class="quiet">Check two runs or more to compare them</span>
  return (
    <a class="button" href={`#/compare/${ids.join(',')}`}>
      Compare {ids.length} runs
    </a>
  )
}

function Line({ run, chosen, toggle }: { run: RunLine; chosen: boolean; toggle: (id: string) => void }) {
  const { id, name, state, verdict, flagged, dataset, attack, defense, epochs, seed, when } = run
  return (
    <tr>
      <td>
        <input type="checkbox" aria-label={`Compare ${name}`} checked={chosen} onChange={() => toggle(id)} />
      </td>
      <th scope="row">
        <a href={`#/run/${id}`}>{name}</a>
      </th>
      <td>
        <Verdict verdict={verdict} />
      </td>
      <td class="number">{count(flagged)}</td>
      <td class="number">{percent(run.cleanAccuracy ?? run.agreement)}</td>
      <td class="number">{percent(run.attackSuccessRate)}</td>
      <td>{state}</td>
      <td>{dataset}</td>
      <td>{attack}</td>
      <td>{defense}</td>
      <td class="number">{count(epochs)}</td>
      <td class="number">{seed ?? '–'}</td>
      <td class="time">{moment(when)}</td>
    </tr>
  )
}

/** Whether a run has all the words, wherever. */
function matches({ name, state, verdict, dataset, attack, defense }: RunLine, words: string): boolean {
  const text = [name, state, verdict, dataset, attack, defense].join(' ').toLowerCase()
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}

/** What is not known comes last, whatever the order. */
function sorted(runs: readonly RunLine[], { column, descending }: Order): RunLine[] {
  const { of } = columns[column] as (typeof columns)[number]
  const sign = descending ? -1 : 1
  return runs.toSorted((one, other) => {
    const [a, b] = [of(one), of(other)]
    if (a === null || b === null) return Number(a === null) - Number(b === null)
    return sign * (typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b)))
  })
}
