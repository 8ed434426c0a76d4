import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { InitOptions } from '../../src/cli/init/initialise.js'
import { scratchFolder } from '../config/scratch.js'

/** Two folders as on a real machine, and options that point there. */
export function place() {
  const folder = scratchFolder()
  const asterisk = join(folder, 'asterisk')
  mkdirSync(asterisk)
  const config = join(folder, 'etc', 'hintbridge', 'hintbridge.yaml')
  const printed: string[] = []
  const options = {
    given: {
      jid: 'pbx-a@example.org',
      config,
      'asterisk-conf': join(asterisk, 'pjsip_hintbridge.conf'),
      'state-dir': join(folder, 'state'),
    },
    environment: { HINTBRIDGE_XMPP_PASSWORD: 'of xmpp' },
    print: (line) => printed.push(line),
    isPresent: existsSync,
  } satisfies InitOptions
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  return { folder, config, options, printed, read }
}

export const inFolder = (name: string): string => `etc/hintbridge/${name}`
