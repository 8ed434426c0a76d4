#!/usr/bin/env node
import { hideBin } from 'yargs/helpers'
import { runCommandLine } from './cli/command-line.js'

// `hintbridge devices | head`: nobody reads on.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  process.exit(code === 'EPIPE' ? 0 : 1)
})
process.exit(await runCommandLine(hideBin(process.argv)))
