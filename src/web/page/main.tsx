import { render } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Compare } from './compare.tsx'
import { Embedding } from './embedding.tsx'
import { Grid } from './grid.tsx'
import { Review } from './review.tsx'
import { Run } from './run.tsx'
import { RunList } from './run-list.tsx'
import './style.css'

/** The view that an address names, after its `#`: words between slashes. */
function View({ words }: { words: readonly string[] }) {
  const [name = '', id = '', part = ''] = words
  if (name === 'run' && part === 'embeddings') return <Embedding key={id} id={id} />
  if (name === 'run' && part === 'suspects') return <Review key={id} id={id} />
  if (name === 'run') return <Run key={id} id={id} />
  if (name === 'compare') return <Compare key={id} ids={id} />
  if (name === 'grid') return <Grid />
  return <RunList />
}

const wordsOf = () => location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent)

function Page() {
  const [words, setWords] = useState(wordsOf)
  const main = useRef<HTMLElement>(null)
  useEffect(() => {
    const follow = () => {
      setWords(wordsOf())
      main.current?.focus() // who listens hears where the page went
      scrollTo(0, 0)
    }
    addEventListener('hashchange', follow)
    return () => removeEventListener('hashchange', follow)
  }, [])
  const here = (name: string) => ((words[0] ?? '') === name ? 'page' : undefined)
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <header>
        <strong>Deconfound</strong>
        <nav aria-label="Views">
          <a href="#/" aria-current={here('')}>
            Runs
          </a>
          <a href="#/grid" aria-current={here('grid')}>
            Grid
          </a>
        </nav>
      </header>
      <main ref={main} id="content" tabIndex={-1}>
        <View words={words} />
      </main>
    </>
  )
}

render(<Page />, document.getElementById('page') as HTMLElement)
