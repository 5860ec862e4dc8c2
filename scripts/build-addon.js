// Compiles the addon where it is missing: node scripts/build-addon.js
import { existsSync } from 'node:fs'

const compiled = new URL('../dist/src/tensor/build.js', import.meta.url)
if (!existsSync(compiled)) {
  process.stderr.write("Cannot compile the addon before the TypeScript: run 'make setup'\n")
  process.exit(2)
}
const { buildAddon } = await import(compiled)
await buildAddon((line) => process.stderr.write(`${line}\n`)).catch((error) => {
  const known = typeof error.code === 'number'
  process.stderr.write(`${known ? error.message : error.stack}\n`)
  process.exit(known ? error.code : 1)
})
