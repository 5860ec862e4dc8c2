#!/usr/bin/env node
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// Before all else: unheard, SIGUSR1 would open Node's debugger, and the others would end a run unsaved.
const signals = {
  stop() {
    process.stderr.write('Stopped on request, before anything was begun\n')
    process.exit(75)
  },
}
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2']) process.on(name, () => signals.stop())
// Who read the output may have enough, as in `| head`, and the terminal may be gone.
const goneReader = ['EPIPE', 'EIO']
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error) => {
    if (!goneReader.includes(error.code)) throw error
  })

const root = new URL('..', import.meta.url)
const compiled = new URL('dist/src/cli/main.js', root)
if (!existsSync(compiled)) {
  // A fresh checkout: the first call sets everything up, as `make setup` does.
  const { status } = spawnSync('make', ['setup'], { cwd: fileURLToPath(root), stdio: ['ignore', 2, 'inherit'] })
  if (status !== 0) {
    process.stderr.write("Cannot start: the set-up failed, for the reason above; 'make setup' tries again\n")
    process.exit(2)
  }
}
const { main } = await import(compiled)
await main(process.argv.slice(2), signals)
if (process.exitCode === 75) process.exit() // what was cut off may still be at work
