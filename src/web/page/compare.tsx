import type { Comparison } from '../answers.ts'
import { Answered, Scrolling, Title, Verdict } from './parts.tsx'
import { useAnswer } from './server.ts'

/** Runs side by side: what they came to, and the settings in which they differ. */
export function Compare({ ids }: { ids: string }) {
  const asked = useAnswer<Comparison>(`compare?ids=${encodeURIComponent(ids)}`, 5000)
  return (
    <>
      <Title>Runs side by side</Title>
      <Answered asked={asked}>{(comparison) => <Table comparison={comparison} />}</Answered>
    </>
  )
}

function Table({ comparison: { runs, different } }: { comparison: Comparison }) {
  const figures = [...new Set(runs.flatMap((run) => Object.keys(run.figures)))]
  return (
    <Scrolling label="Runs side by side">
      <table>
        <thead>
          <tr>
            <td />
            {runs.map(({ id, name }) => (
              <th key={id} scope="col">
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
