import { type Completed, type CompletedOption, quoted } from './words.ts'

/** A script for fish. */
export function fishCompletion(commands: readonly Completed[]): string {
  const lines = commands.flatMap(({ name, description, options, places }) => {
    const given = `-n '__fish_seen_subcommand_from ${name}'`
    const words = places.flat()
    return [
      `complete -c deconfound -n __fish_use_subcommand -f -a ${name} -d ${quoted(description)}`,
      ...(words.length > 0 ? [`complete -c deconfound ${given} -f -a ${quoted(words.join(' '))}`] : []),
      ...options.map((option) => `complete -c deconfound ${given} ${optionWords(option)}`),
    ]
  })
  return `# Completes deconfound in fish: save this as ~/.config/fish/completions/deconfound.fish\n${lines.join('\n')}\n`
}

/** `-x` is for values that are no files, `-r` for those that are. */
function optionWords({ flag, description, valued, values }: CompletedOption): string {
  const value = values.length > 0 ? ` -x -a ${quoted(values.join(' '))}` : valued ? ' -r' : ''
  return `-l ${flag.slice(2)}${value} -d ${quoted(description)}`
}
