import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import type { Asked } from './server.ts'
import { verdictWord } from './words.ts'

/** A view's heading; the window's title follows. */
export function Title({ children }: { children: string }) {
  useEffect(() => {
    document.title = `${children} – Deconfound`
  }, [children])
  return <h1>{children}</h1>
}

/** What an answer shows; until it is there, that it is awaited, and in its place why it cannot be had. */
export function Answered<Answer>({
  asked: { answer, problem },
  children,
}: {
  asked: Asked<Answer>
  children: (answer: Answer) => ComponentChildren
}) {
  return (
    <>
      {problem !== undefined && (
        <p role="alert" class="problem">
          {problem}
        </p>
      )}
      {answer === undefined ? problem === undefined && <p role="status">Reading …</p> : children(answer)}
    </>
  )
}

export function Verdict({ verdict }: { verdict: string | null }) {
  return <span class={`verdict ${verdict ?? ''}`}>{verdictWord(verdict)}</span>
}

/** Names and values, a line each. */
export function Facts({ facts }: { facts: Readonly<Record<string, string>> }) {
  return (
    <dl class="facts">
      {Object.entries(facts).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

/** A wide table scrolls by itself, also by keys. */
export function Scrolling({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
    <section class="scrolling" aria-label={label} tabIndex={0}>
      {children}
    </section>
  )
}
