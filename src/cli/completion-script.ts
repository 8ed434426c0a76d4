/**
 * The scripts that make a shell complete: they ask `hintbridge --get-yargs-completions`, as yargs' own scripts do. Those let the
 * shell expand what is proposed, so that a device named `$(…)` would run, and part names at `:` and `@`.
 */
import type { CommandModule } from 'yargs'

const shells = ['bash', 'zsh'] as const
type Shell = (typeof shells)[number]

/** What the scripts put before the words of a line. */
export const completionOption = '--get-yargs-completions'

export const completionCommand: CommandModule<object, { readonly shell: Shell }> = {
  command: 'completion [shell]',
  describe: 'Print a script for the completion of bash or zsh',
  builder: (yargs) =>
    yargs
      .positional('shell', {
        choices: shells,
        default: shellOf(process.env['SHELL']),
        defaultDescription: 'that of $SHELL',
        describe: 'which shell it is for',
      })
      .example('$0 completion bash > /etc/bash_completion.d/hintbridge', 'for all users')
      .example('source <(hintbridge completion)', 'for this shell'),
  handler: ({ shell }) => {
    process.stdout.write(completionScript(shell))
  },
}

function shellOf(path: string | undefined): Shell {
  return path?.endsWith('zsh') === true ? 'zsh' : 'bash'
}

export function completionScript(shell: Shell): string {
  return shell === 'zsh' ? zshScript : bashScript
}

/**
 * bash parts the words of a line at `:` and `@` too (COMP_WORDBREAKS) and replaces only what follows the last of those: the line is
 * parted at white space here, and what stands before is cut off the proposals; an `@` is replaced along. bash inserts them as they are: the command proposes
 * only what means nothing to a shell. SHELL=bash has yargs leave out descriptions.
 */
const bashScript = `# hintbridge: completion for bash
_hintbridge() {
  local IFS=$' \\t\\n' line=\${COMP_LINE:0:COMP_POINT} words current done name
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  current=\${words[\${#words[@]} - 1]}
  COMPREPLY=()
  case \${words[\${#words[@]} - 2]} in --config | -c) return ;; esac
  done=$current
  while [[ -n $done && $COMP_WORDBREAKS != *"\${done: -1}"* ]]; do done=\${done%?}; done
  done=\${done%@}
  while IFS= read -r name; do
    [[ $name == "$current"* ]] && COMPREPLY+=("\${name#"$done"}")
  done < <(SHELL=bash "$1" ${completionOption} "\${words[@]}" 2>/dev/null)
}
complete -o bashdefault -o default -F _hintbridge hintbridge
`

const zshScript = `#compdef hintbridge
# hintbridge: completion for zsh
_hintbridge() {
  local -a names
  if [[ $words[CURRENT-1] == (--config|-c) ]]; then
    _files
    return
  fi
  names=("\${(@f)$(SHELL=bash "\${(Q)words[1]}" ${completionOption} "\${(@)words[1,CURRENT]}" 2>/dev/null)}")
  names=("\${(@)names:#}")
  if (( $#names )); then
    compadd -a names
  else
    _default
  fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _hintbridge "$@"
else
  compdef _hintbridge hintbridge
fi
`
