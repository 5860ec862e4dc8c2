import type { GridCell, Grid as Records } from '../answers.ts'
import { Answered, Scrolling, Title } from './parts.tsx'
import { useAnswer } from './server.ts'
import { percent } from './words.ts'

/** Attacks by defenses, filling in while experiments end. */
export function Grid() {
  const asked = useAnswer<Records>('grid', 3000)
  return (
    <>
      <Title>Grid of experiments</Title>
      <Answered asked={asked}>{(grid) => <Table grid={grid} />}</Answered>
    </>
  )
}

function Table({ grid: { source, usual, defenses, rows } }: { grid: Records }) {
  if (rows.length === 0) return <p>There are no experiments here yet: deconfound run and deconfound sweep make some.</p>
  const cells = rows.flatMap(({ cells }) => cells).filter((cell) => cell !== null)
  const done = cells.filter(({ recorded }) => recorded > 0).length
  const waiting = cells.reduce((sum, cell) => sum + cell.waiting, 0)
  return (
    <>
      <p>
        Of {source}: CA, the clean accuracy, and ASR, the attack success rate, as means over seeds.{' '}
        <span role="status">
          {done} of {cells.length} cells hold a result{waiting > 0 && `, and ${waiting} experiments have not begun`}.
        </span>
      </p>
      <Scrolling label="Attacks by defenses">
        <table class="grid">
          <thead>
            <tr>
              <th scope="col">Attack</th>
              {defenses.map((defense) => (
                <th key={defense} scope="col">
                  {defense}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ experiment, cells }) => (
              <tr key={experiment}>
                <th scope="row">{experiment}</th>
                {cells.map((cell, i) => (
                  <Cell key={defenses[i]} cell={cell} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolling>
      <details>
        <summary>Settings, where a row says no others</summary>
        <p>
          {Object.entries(usual)
            .map(([name, value]) => `${name} ${value}`)
            .join(', ')}
        </p>
      </details>
    </>
  )
}

function Cell({ cell }: { cell: GridCell | null }) {
  if (cell === null) return <td class="empty">–</td>
  const { recorded, cleanAccuracy, attackSuccessRate, working, brokenOff, waiting } = cell
  return (
    <td class={attackSuccessRate !== null && attackSuccessRate > 0.5 ? 'obeyed' : undefined}>
      {recorded > 0 && (
        <span class="figures">
          CA {percent(cleanAccuracy)} · ASR {percent(attackSuccessRate)}
          {recorded > 1 && <span class="quiet"> · {recorded} runs</span>}
        </span>
      )}
      {working.map((progress, i) => (
        <span key={`${i} ${progress}`} class="working">
          training: {progress}
        </span>
      ))}
      {brokenOff > 0 && <span class="quiet">{brokenOff} broken off</span>}
      {waiting > 0 && <span class="waiting">{waiting === 1 ? 'not begun' : `${waiting} not begun`}</span>}
    </td>
  )
}
