import type { Reporter } from 'vitest/node'

/** Ends a test run with one line for people and programs alike: `12 passed, 0 failed`, and what was skipped. */
export const closingLine: Reporter = {
  onTestRunEnd(modules, unhandledErrors) {
    const count = (state: 'passed' | 'failed' | 'skipped') =>
      modules.reduce((sum, module) => sum + [...module.children.allTests(state)].length, 0)
    // A file that does not load has no tests to fail, and an error that no test caught failed something all the same.
    const beyondTests = modules.reduce((sum, module) => sum + module.errors().length, unhandledErrors.length)
    const skipped = count('skipped')
    const line = `${count('passed')} passed, ${count('failed') + beyondTests} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
    process.stdout.write(`${line}\n`)
  },
}
