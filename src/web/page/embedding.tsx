import { useMemo, useRef, useState } from 'preact/hooks'
import type { Embeddings, ImageFacts } from '../answers.ts'
import { Answered, Title } from './parts.tsx'
import { classColors, Plot, viewLine } from './plot.tsx'
import { inside, type Points, whole } from './scatter.ts'
import { useAnswer } from './server.ts'
import { count } from './words.ts'

/** chosen images that are listed */
const listed = 60

/** How a run's networks see a sample of its images. */
export function Embedding({ id }: { id: string }) {
  const asked = useAnswer<Embeddings>(`runs/${id}/embeddings`)
  return (
    <>
      <Title>Embeddings</Title>
      <p>
        <a href={`#/run/${id}`}>Back to the run</a>
      </p>
      <Answered asked={asked}>{(embeddings) => <Explorer id={id} embeddings={embeddings} />}</Answered>
    </>
  )
}

function Explorer({ id, embeddings }: { id: string; embeddings: Embeddings }) {
  const { panels, labels, classes, poisoned } = embeddings
  const [panel, setPanel] = useState(panels.length - 1)
  const [lasso, setLasso] = useState(true)
  const [camera, setCamera] = useState(whole)
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set())
  const [under, setUnder] = useState<number | null>(null)
  const around = useRef<HTMLDivElement>(null)
  const shown = panels[panel]
  const points = useMemo<Points>(
    () => ({
      places: shown?.places ?? [],
      color: labels.map((label) => label % classColors),
      marked: (point) => poisoned?.[point] ?? false,
    }),
    [shown, labels, poisoned],
  )
  if (!shown) return <p>Nothing was portrayed.</p>
  const choose = (found: readonly number[]) => setChosen(new Set(found))
  const chooseBy = (value: string) => {
    const is = value === 'poisoned' ? (i: number) => poisoned?.[i] : (i: number) => String(labels[i]) === value
    choose(labels.flatMap((_, i) => (is(i) ? [i] : [])))
  }
  const show = (panel: number) => {
    setPanel(panel)
    setCamera(whole)
  }
  const startAnew = () => {
    setCamera(whole)
    setChosen(new Set())
  }
  const inView = () => {
    const canvas = around.current?.querySelector('canvas')
    if (canvas) choose(inside(points, viewLine(canvas, camera)))
  }
  return (
    <>
      <form class="tools" onSubmit={(event) => event.preventDefault()}>
        <label>
          Network{' '}
          <select value={panel} onChange={(event) => show(Number(event.currentTarget.value))}>
            {panels.map(({ title }, i) => (
              <option key={title} value={i}>
                {title.replace('/', ', ')}
              </option>
            ))}
          </select>
        </label>
        <fieldset>
          <legend class="hidden">Dragging</legend>
          <label>
            <input type="radio" name="drag" checked={lasso} onChange={() => setLasso(true)} /> choose by lasso
          </label>
          <label>
            <input type="radio" name="drag" checked={!lasso} onChange={() => setLasso(false)} /> move
          </label>
        </fieldset>
        <label>
          Choose{' '}
          <select value="" onChange={(event) => chooseBy(event.currentTarget.value)}>
            <option value="">a class …</option>
            {poisoned && <option value="poisoned">poisoned images</option>}
            {classes.map((name, i) => (
              <option key={name} value={i}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <button type="button" onClick={inView}>
          Choose what is in view
        </button>
        <button type="button" onClick={startAnew}>
          Start anew
        </button>
      </form>
      <p class="quiet">
        {count(labels.length)} images, {shown.method}. The wheel, or plus and minus, zooms.
        {poisoned && ' Poisoned images have a rim.'}
        {classes.length > classColors && ` The classes share ${classColors} colors.`}
      </p>
      <div class="explorer">
        <div ref={around}>
          <Plot
            points={points}
            label={`${count(labels.length)} images as ${shown.title} sees them`}
            chosen={chosen}
            under={under}
            lasso={lasso}
            camera={camera}
            move={setCamera}
            choose={choose}
            point={setUnder}
          />
          <ul class="legend" aria-label="Colors of the classes">
            {classes.slice(0, 43).map((name, i) => (
              <li key={name}>
                <span class={`dot dot-${i % classColors}`} aria-hidden="true" /> {name}
              </li>
            ))}
          </ul>
        </div>
        <aside aria-label="Images">
          <Under id={id} embeddings={embeddings} point={under} />
          <Chosen id={id} embeddings={embeddings} points={[...chosen]} />
        </aside>
      </div>
    </>
  )
}

interface OfEmbeddings {
  readonly id: string
  readonly embeddings: Embeddings
}

const saidOf = ({ labels, classes, poisoned }: Embeddings, point: number) =>
  [classes[labels[point] as number] ?? `class ${labels[point]}`, ...(poisoned?.[point] ? ['poisoned'] : [])].join(', ')

function Under({ id, embeddings, point }: OfEmbeddings & { point: number | null }) {
  return (
    <section aria-labelledby="under" class="under">
      <h2 id="under">Under the pointer</h2>
      {point === null ? (
        <p class="quiet">Point at an image.</p>
      ) : (
        <figure>
          <Thumbnail key={point} source={`api/runs/${id}/sample/${point}`} alt={saidOf(embeddings, point)} />
          <figcaption>{saidOf(embeddings, point)}</figcaption>
        </figure>
      )}
    </section>
  )
}

function Chosen({ id, embeddings, points }: OfEmbeddings & { points: readonly number[] }) {
  const shown = points.slice(0, listed)
  const poisoned = embeddings.poisoned && points.filter((point) => embeddings.poisoned?.[point]).length
  return (
    <section aria-labelledby="chosen">
      <h2 id="chosen">Chosen</h2>
      <p role="status">
        {points.length === 0
          ? 'Draw a line around images, or choose a class.'
          : `${count(points.length)} images${poisoned === null ? '' : `, ${count(poisoned)} of them poisoned`}${points.length > listed ? `; the first ${listed}:` : ''}`}
      </p>
      {shown.length > 0 && <ChosenList id={id} embeddings={embeddings} points={shown} />}
    </section>
  )
}

function ChosenList({ id, embeddings, points }: OfEmbeddings & { points: readonly number[] }) {
  const { answer, problem } = useAnswer<readonly ImageFacts[]>(`runs/${id}/sample?points=${points.join()}`)
  return (
    <>
      {problem !== undefined && <p class="problem">{problem}</p>}
      <ul class="thumbnails">
        {points.map((point, i) => (
          <li key={point}>
            {problem === undefined && (
              <Thumbnail source={`api/runs/${id}/sample/${point}`} alt={saidOf(embeddings, point)} />
            )}
            <span>{saidOf(embeddings, point)}</span>
            {answer && <code>{answer[i]?.name}</code>}
          </li>
        ))}
      </ul>
    </>
  )
}

/** A picture of the run's data, or that it cannot be had. */
export function Thumbnail({ source, alt }: { source: string; alt: string }) {
  const [gone, setGone] = useState(false)
  if (gone) return <span class="gone">no picture: the data are not there any more</span>
  return <img class="thumbnail" src={source} alt={alt} loading="lazy" onError={() => setGone(true)} />
}
