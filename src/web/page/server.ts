import { useEffect, useRef, useState } from 'preact/hooks'

// What the page asks of its server. Addresses are relative to the page's own, which holds the token.

const silent = 'The server does not answer: is deconfound ui still running?'

/** An answer of the server; an Error with its sentence where it refuses. */
export async function ask<Answer>(path: string, signal?: AbortSignal): Promise<Answer> {
  return read(await fetch(`api/${path}`, signal ? { signal } : {}).catch(unlessAborted))
}

/** Sends a decision. */
export async function send<Answer>(path: string, value: object): Promise<Answer> {
  const headers = { 'content-type': 'application/json', 'x-deconfound': 'decision' }
  return read(await fetch(`api/${path}`, { method: 'POST', headers, body: JSON.stringify(value) }).catch(unlessAborted))
}

function unlessAborted(error: Error): never {
  throw error.name === 'AbortError' ? error : new Error(silent)
}

async function read<Answer>(response: Response): Promise<Answer> {
  const text = await response.text()
  if (response.ok) return JSON.parse(text)
  throw new Error(response.headers.get('content-type')?.includes('json') ? JSON.parse(text).error : text.trim())
}

export interface Asked<Answer> {
  readonly answer: Answer | undefined
  /** why there is none, or no newer one */
  readonly problem: string | undefined
}

/** What the server answers to a path, asked again every so many milliseconds while the page is seen. */
export function useAnswer<Answer>(path: string, every?: number): Asked<Answer> {
  return useRepeated(path, (signal) => ask<Answer>(path, signal), every)
}

/** What `look` gives; anew whenever `key` changes, and every so many milliseconds. */
export function useRepeated<Answer>(
  key: string,
  look: (signal: AbortSignal, before: Answer | undefined) => Promise<Answer>,
  every?: number,
): Asked<Answer> {
  const [asked, setAsked] = useState<Asked<Answer> & { key: string }>({ key, answer: undefined, problem: undefined })
  const latest = useRef(look)
  latest.current = look
  useEffect(() => {
    const stop = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    let before: Answer | undefined
    async function again() {
      if (document.visibilityState === 'visible' || before === undefined) {
        try {
          before = await latest.current(stop.signal, before)
          if (!stop.signal.aborted) setAsked({ key, answer: before, problem: undefined })
        } catch (error) {
          if (!stop.signal.aborted) setAsked({ key, answer: before, problem: (error as Error).message })
        }
      }
      if (every !== undefined && !stop.signal.aborted) timer = setTimeout(again, every)
    }
    again()
    return () => {
      stop.abort()
      clearTimeout(timer)
    }
  }, [key, every])
  return asked.key === key ? asked : { answer: undefined, problem: undefined }
}
