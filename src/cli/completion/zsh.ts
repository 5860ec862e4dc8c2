import { type Completed, type CompletedOption, quoted } from './words.ts'

/** A script for zsh, to be saved as `_deconfound` in a folder of fpath, or sourced after compinit. */
export function zshCompletion(commands: readonly Completed[]): string {
  return `#compdef deconfound
# Completes deconfound in zsh: save this as _deconfound in a folder of $fpath
_deconfound() {
  local -a found
  local before=$words[CURRENT-1] place=$((CURRENT-3))
  if (( CURRENT == 2 )); then
    found=(
      ${commands.map(({ name, description }) => described(name, description)).join('\n      ')}
    )
    _describe command found
    return
  fi
  case $words[2] in
${commands.map(commandCase).join('\n')}
  esac
}
if [ "$funcstack[1]" = _deconfound ]; then _deconfound "$@"; else compdef _deconfound deconfound; fi
`
}

function commandCase({ name, options, places }: Completed): string {
  const files = options.filter(({ valued, values }) => valued && values.length === 0)
  const afterOption = [
    ...options.filter(({ values }) => values.length > 0).map(valuesCase),
    ...(files.length > 0 ? [`${files.map(({ flag }) => flag).join('|')}) _files; return ;;`] : []),
  ]
  return `    ${name})
      case $before in
        ${afterOption.join('\n        ')}
      esac
      if [[ $words[CURRENT] == -* ]]; then
        found=(
          ${options.map(({ flag, description }) => described(flag, description)).join('\n          ')}
        )
        _describe option found
        return
      fi
      case $place in
        ${places.flatMap((words, i) => (words.length > 0 ? [`${i}) compadd -- ${words.join(' ')}; return ;;`] : [])).join('\n        ')}
        *) _files ;;
      esac ;;`
}

const valuesCase = ({ flag, values }: CompletedOption) => `${flag}) compadd -- ${values.join(' ')}; return ;;`

/** A word and what it is, for _describe, which parts them at the first colon. */
const described = (word: string, description: string) => quoted(`${word.replaceAll(':', '\\:')}:${description}`)
