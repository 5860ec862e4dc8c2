import type { Metrics, RunDetails, ShownFile } from '../answers.ts'
import { Curves } from './curves.tsx'
import { Answered, Facts, Title, Verdict } from './parts.tsx'
import { ask, useAnswer, useRepeated } from './server.ts'
import { moment } from './words.ts'

/** milliseconds between looks at a run that is training, and at one that has ended */
const every = { training: 1000, ended: 5000 }

export function Run({ id }: { id: string }) {
  const asked = useAnswer<RunDetails>(`runs/${id}`, 2000)
  return <Answered asked={asked}>{(run) => <Details run={run} />}</Answered>
}

function Details({ run }: { run: RunDetails }) {
  const { id, name, said, verdict, remarks, figures, settings, files, state, when } = run
  return (
    <article>
      <Title>{name}</Title>
      <p class={`said ${verdict ?? ''}`}>
        {verdict !== null && <Verdict verdict={verdict} />} <strong>{said}</strong>
      </p>
      {remarks.map((remark) => (
        <p key={remark}>{remark}</p>
      ))}
      <p class="quiet">
        {state}, {moment(when)}
      </p>
      <nav class="tools" aria-label="Of this run">
        {run.hasSuspects && (
          <a class="button" href={`#/run/${id}/suspects`}>
            Review suspects
          </a>
        )}
        {run.hasEmbeddings && (
          <a class="button" href={`#/run/${id}/embeddings`}>
            Embeddings
          </a>
        )}
        {files
          .filter(({ form }) => form === 'report')
          .map((file) => (
            <a key={file.id} class="button" href={addressOf(id, file)} target="_blank" rel="noopener noreferrer">
              {file.title}
            </a>
          ))}
      </nav>
      {Object.keys(figures).length > 0 && (
        <section aria-labelledby="figures">
          <h2 id="figures">Figures</h2>
          <Facts facts={figures} />
        </section>
      )}
      <section aria-labelledby="curves">
        <h2 id="curves">Training</h2>
        <LiveCurves id={id} state={state} />
      </section>
      {files
        .filter(({ form }) => form === 'picture')
        .map((file) => (
          <section key={file.id} aria-labelledby={`file-${file.id}`}>
            <h2 id={`file-${file.id}`}>{file.title}</h2>
            <img class="sheet" src={addressOf(id, file)} alt={altOf[file.id] ?? file.title} loading="lazy" />
          </section>
        ))}
      <section aria-labelledby="settings">
        <h2 id="settings">Configuration</h2>
        <Facts facts={settings} />
      </section>
    </article>
  )
}

const addressOf = (id: string, file: ShownFile) => `api/runs/${id}/files/${file.id}`

const altOf: Readonly<Record<string, string>> = {
  suspects: 'The images with the highest scores, best first, row by row',
  preview: 'Eight images, one column each: clean, with the trigger, and the difference times eight',
  figure3: 'Embeddings of training images in two dimensions, a panel for each network and moment',
}

function LiveCurves({ id, state }: { id: string; state: string }) {
  const pause = state === 'training' ? every.training : every.ended
  const asked = useRepeated<Metrics>(
    id,
    async (signal, before) => {
      const more = await ask<Metrics>(`runs/${id}/metrics?from=${before?.next ?? 0}`, signal)
      if (!before || more.anew) return more
      return more.lines.length === 0 ? before : { ...more, lines: [...before.lines, ...more.lines] }
    },
    pause,
  )
  return <Answered asked={asked}>{({ lines }) => <Curves lines={lines} />}</Answered>
}
