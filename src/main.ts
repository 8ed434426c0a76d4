#!/usr/bin/env node
import { hearSignals } from './early-signals.js'

// Only the service: a command that asks ends as its terminal wants. This one word may stand anywhere on the line.
if (process.argv.includes('run')) hearSignals()

// Only now: what is imported above is loaded before anything runs, and that takes some 300 ms.
const [{ hideBin }, { runCommandLine }] = await Promise.all([
  import('yargs/helpers'),
  import('./cli/command-line.js'),
])

// `hintbridge devices | head`: nobody reads on.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  process.exit(code === 'EPIPE' ? 0 : 1)
})
process.exit(await runCommandLine(hideBin(process.argv)))
