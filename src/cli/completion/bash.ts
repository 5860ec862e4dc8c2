import { type Completed, quoted } from './words.ts'

/** A script for bash. Where it offers no words, bash completes files. */
export function bashCompletion(commands: readonly Completed[]): string {
  return `# Completes deconfound in bash: save this as ~/.local/share/bash-completion/completions/deconfound
_deconfound() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} place=$((COMP_CWORD-2)) words=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W ${quoted(commands.map(({ name }) => name).join(' '))} -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${commands.map(commandCase).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _deconfound deconfound
`
}

/** Of one command: what may follow the word before, else options after a dash, else the words of the argument there. */
function commandCase({ name, options, places }: Completed): string {
  const files = options.filter(({ valued, values }) => valued && values.length === 0)
  const afterOption = options
    .filter(({ values }) => values.length > 0)
    .map(({ flag, values }) => `${flag}) words=${quoted(values.join(' '))} ;;`)
  const atPlace = places.flatMap((words, i) =>
    words.length > 0 ? [`      elif [ $place -eq ${i} ]; then words=${quoted(words.join(' '))}`] : [],
  )
  return [
    `    ${name}) case "$before" in`,
    ...afterOption.map((line) => `      ${line}`),
    ...(files.length > 0 ? [`      ${files.map(({ flag }) => flag).join('|')}) ;;`] : []),
    `      *) if [ "\${word#-}" != "$word" ]; then words=${quoted(options.map(({ flag }) => flag).join(' '))}`,
    ...atPlace,
    '      fi ;;',
    '      esac ;;',
  ].join('\n')
}
