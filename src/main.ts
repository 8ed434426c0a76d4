#!/usr/bin/env node
import { hideBin } from 'yargs/helpers'
import { runCommandLine } from './cli/command-line.js'

process.exit(await runCommandLine(hideBin(process.argv)))
