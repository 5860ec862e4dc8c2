import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Decision, Suspect, Suspects } from '../answers.ts'
import { Thumbnail } from './embedding.tsx'
import { Answered, Title } from './parts.tsx'
import { ask, send, useRepeated } from './server.ts'
import { count } from './words.ts'

/** images that the server gives at once */
const together = 200

const keys: Readonly<Record<string, Decision>> = { k: 'keep', d: 'drop', u: 'unsure' }

/** The suspects of a run, one after another, judged by keys. */
export function Review({ id }: { id: string }) {
  const asked = useRepeated<Suspects>(id, (signal) => ask<Suspects>(`runs/${id}/suspects`, signal))
  return (
    <>
      <Title>Review suspects</Title>
      <p>
        <a href={`#/run/${id}`}>Back to the run</a>
      </p>
      <Answered asked={asked}>{(first) => <Desk id={id} first={first} />}</Answered>
    </>
  )
}

function Desk({ id, first }: { id: string; first: Suspects }) {
  const [suspects, setSuspects] = useState(first.suspects)
  const [decided, setDecided] = useState(first.decided)
  const [at, setAt] = useState(0)
  const [problem, setProblem] = useState<string>()
  const reading = useRef(false)

  async function readMore() {
    if (reading.current || suspects.length >= first.total) return
    reading.current = true
    try {
      const more = await ask<Suspects>(`runs/${id}/suspects?from=${suspects.length}`)
      setSuspects((before) => [...before, ...more.suspects])
    } catch (error) {
      setProblem((error as Error).message)
    }
    reading.current = false
  }

  function go(to: number) {
    setAt(Math.min(suspects.length - 1, Math.max(0, to)))
    if (to > suspects.length - together / 2) readMore()
  }

  /** Decisions are sent in the order of the keys; the next image does not wait for the server. */
  const sent = useRef(Promise.resolve())
  function decide(decision: Decision | null) {
    const { rank } = suspects[at] as Suspect
    sent.current = sent.current.then(() => record(rank, decision))
    if (decision !== null) go(at + 1)
  }

  async function record(rank: number, decision: Decision | null) {
    try {
      const answer = await send<Pick<Suspects, 'decided'>>(`runs/${id}/decisions`, { rank, decision })
      setDecided(answer.decided)
      setSuspects((before) => before.map((each) => (each.rank === rank ? { ...each, decision } : each)))
      setProblem(undefined)
    } catch (error) {
      setProblem(`The decision on rank ${rank} was not recorded. ${(error as Error).message}`)
    }
  }

  const act = useRef((_: KeyboardEvent) => {})
  act.current = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLInputElement) return
    const steps: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }
    const decision = keys[event.key.toLowerCase()]
    const step = steps[event.key]
    if (!decision && step === undefined) return
    event.preventDefault()
    if (decision) decide(decision)
    else go(at + (step as number))
  }
  // Before the image is painted: a key that answers the picture must not be lost.
  useLayoutEffect(() => {
    const listen = (event: KeyboardEvent) => act.current(event)
    addEventListener('keydown', listen)
    return () => removeEventListener('keydown', listen)
  }, [])

  const suspect = suspects[at]
  if (!suspect) return <p>The list of suspects is empty.</p>
  return (
    <>
      <p>
        {first.flagged === 0
          ? `No image was flagged. All ${count(first.total)} are ranked, the most suspicious first.`
          : `${count(first.flagged)} of ${count(first.total)} images are flagged, the most suspicious first.`}
      </p>
      <p role="status">
        {count(decided.keep)} to keep, {count(decided.drop)} to drop, {count(decided.unsure)} unsure
      </p>
      {problem !== undefined && (
        <p role="alert" class="problem">
          {problem}
        </p>
      )}
      <div class="desk">
        <section aria-label="The image" class="suspect">
          <Thumbnail
            key={suspect.rank}
            source={`api/runs/${id}/suspects/${suspect.rank}`}
            alt={`Labelled ${suspect.label}`}
          />
          <p aria-live="polite">
            <strong>{suspect.label}</strong>
            <br />
            Rank {count(suspect.rank)} of {count(first.total)}, score {suspect.score}
            {suspect.flagged ? ', flagged' : ', not flagged'}
            <br />
            <code>{suspect.file}</code>
            <br />
            {suspect.decision === null ? 'Not decided' : `Decided: ${suspect.decision}`}
          </p>
          <div class="tools">
            {Object.entries(keys).map(([key, decision]) => (
              <button
                key={key}
                type="button"
                class={decision}
                aria-pressed={suspect.decision === decision}
                aria-keyshortcuts={key}
                onClick={() => decide(decision)}
              >
                {decision} <kbd>{key}</kbd>
              </button>
            ))}
            <button type="button" disabled={suspect.decision === null} onClick={() => decide(null)}>
              Take back
            </button>
          </div>
          <div class="tools">
            <button type="button" disabled={at === 0} aria-keyshortcuts="ArrowLeft" onClick={() => go(at - 1)}>
              Previous <kbd>←</kbd>
            </button>
            <button
              type="button"
              disabled={at === suspects.length - 1}
              aria-keyshortcuts="ArrowRight"
              onClick={() => go(at + 1)}
            >
              Next <kbd>→</kbd>
            </button>
          </div>
        </section>
        <section aria-labelledby="around">
          <h2 id="around">Around it</h2>
          <ol class="thumbnails" start={Math.max(0, at - 4) + 1}>
            {suspects.slice(Math.max(0, at - 4), at + 20).map((each) => (
              <li key={each.rank} class={each.rank === suspect.rank ? 'current' : undefined}>
                <button
                  type="button"
                  aria-label={`Rank ${each.rank}, ${each.label}, ${each.decision ?? 'not decided'}`}
                  aria-current={each.rank === suspect.rank}
                  onClick={() => go(suspects.indexOf(each))}
                >
                  <Thumbnail source={`api/runs/${id}/suspects/${each.rank}`} alt="" />
                  <span>{each.decision ?? each.label}</span>
                </button>
              </li>
            ))}
          </ol>
        </section>
      </div>
    </>
  )
}
