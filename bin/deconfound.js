#!/usr/bin/env node
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

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
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error // else whoever read it has enough, as in `| head`
})
const { main } = await import(compiled)
await main(process.argv.slice(2))
