import type { Comparison, Metrics } from '../answers.ts'
import { Curves } from './curves.tsx'
import { Answered, Scrolling, Title, Verdict } from './parts.tsx'
import { ask, useAnswer, useRepeated } from './server.ts'

/** Runs side by side: what they came to, and the settings in which they differ. */
export function Compare({ ids }: { ids: string }) {
  const asked = useAnswer<Comparison>(`compare?ids=${encodeURIComponent(ids)}`, 5000)
  return (
    <>
      <Title>Runs side by side</Title>
      <Answered asked={asked}>{(comparison) => <Table comparison={comparison} />}</Answered>
      <section aria-labelledby="curves">
        <h2 id="curves">Training</h2>
        <SharedCurves ids={ids} />
      </section>
    </>
  )
}

/** Curves of all runs in the same charts; stages are told apart by the run's number. */
function SharedCurves({ ids }: { ids: string }) {
  const asked = useRepeated<readonly Metrics[]>(
    ids,
    (signal) => Promise.all(ids.split(',').map((id) => ask<Metrics>(`runs/${id}/metrics`, signal))),
    5000,
  )
  return (
    <Answered asked={asked}>
      {(metrics) => <Curves lines={metrics.flatMap(({ lines }, i) => lines.map((line) => ofRun(line, i + 1)))} />}
    </Answered>
  )
}

function ofRun(line: Metrics['lines'][number], number: number): Metrics['lines'][number] {
  const { stage, trace } = line
  return trace === undefined
    ? { ...line, stage: `run ${number} ${stage}` }
    : { ...line, trace: `run ${number} ${trace}` }
}

function Table({ comparison: { runs, different } }: { comparison: Comparison }) {
  const figures = [...new Set(runs.flatMap((run) => Object.keys(run.figures)))]
  return (
    <Scrolling label="Runs side by side">
      <table>
        <thead>
          <tr>
            <td />
            {runs.map(({ id, name }, i) => (
              <th key={id} scope="col">
                Run {i + 1}
                <br />
                <a href={`#/run/${id}`}>{name}</a>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row">Verdict</th>
            {runs.map(({ id, verdict }) => (
              <td key={id}>
                <Verdict verdict={verdict} />
              </td>
            ))}
          </tr>
          <tr>
            <th scope="row">State</th>
            {runs.map(({ id, state }) => (
              <td key={id}>{state}</td>
            ))}
          </tr>
          {figures.map((name) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {runs.map(({ id, figures }) => (
                <td key={id} class="number">
                  {figures[name] ?? '–'}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
        <tbody>
          <tr>
            <th scope="rowgroup" colSpan={runs.length + 1} class="group">
              {Object.keys(different).length > 0 ? 'Settings that differ' : 'All settings are the same'}
            </th>
          </tr>
          {Object.entries(different).map(([name, values]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {values.map((value, i) => (
                <td key={runs[i]?.id}>{value}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolling>
  )
}
