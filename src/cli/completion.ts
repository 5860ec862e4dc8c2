import { Command } from 'commander'
import { bashCompletion } from './completion/bash.ts'
import { fishCompletion } from './completion/fish.ts'
import { completedCommands } from './completion/words.ts'
import { zshCompletion } from './completion/zsh.ts'
import { withExamples } from './failure.ts'
import { oneOf } from './options.ts'

const scripts = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const
const shells = Object.keys(scripts) as (keyof typeof scripts)[]

export const completionCommand = withExamples(
  new Command('completion').argument('<shell>', `of ${shells.join(', ')}`, oneOf('complete in', shells)),
  'deconfound completion bash > ~/.local/share/bash-completion/completions/deconfound',
  'deconfound completion zsh > ~/.zfunc/_deconfound',
  'deconfound completion fish > ~/.config/fish/completions/deconfound.fish',
).action(async (shell: keyof typeof scripts) => {
  process.stdout.write(scripts[shell](await completedCommands())) // a program for a shell, which is kept as it is
})
