import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { readPlainFile } from '../plain-file.js'
import { writeAtomically } from './write-atomically.js'

/** A file is not read beyond this; a service takes about 100 octets. */
const mostServices = 100

/**
 * By which SASL mechanism each XMPP service let this account in, in `state_dir/mechanisms`: a line `SERVICE MECHANISM` each.
 * Whoever deletes the file accepts a weaker one. It is read each time, so that this needs no restart.
 */
export class Mechanisms {
  private readonly file: string

  constructor(
    private readonly stateDir: string,
    /** Told where it cannot be written; the login goes on. */
    private readonly onTrouble: (error: Error) => void = () => undefined,
  ) {
    this.file = join(stateDir, 'mechanisms')
  }

  recall(service: string): string | undefined {
    return this.read().get(service)
  }

  remember(service: string, mechanism: string): void {
    const known = this.read()
    if (known.get(service) === mechanism) return
    // The one that was used last stands at the end.
    known.delete(service)
    known.set(service, mechanism)
    const lines = [...known].slice(-mostServices).map(([key, name]) => `${key} ${name}\n`)
    try {
      mkdirSync(this.stateDir, { recursive: true, mode: 0o700 })
      writeAtomically(this.file, lines.join(''))
    } catch (error) {
      this.onTrouble(error as Error)
    }
  }

  /** For a login beside the bridge's, which is as strict and writes nothing down. */
  forReading(): Pick<Mechanisms, 'recall' | 'remember'> {
    return { recall: (service) => this.recall(service), remember: () => undefined }
  }

  private read(): Map<string, string> {
    let text: string
    try {
      text = readPlainFile(this.file)
    } catch {
      // Not there, or not readable by this user, who then is no bridge: nothing is known.
      return new Map()
    }
    return new Map(
      text.split('\n').flatMap((line) => {
        const [, service, mechanism] = /^(.+) (\S+)$/.exec(line) ?? []
        return service === undefined || mechanism === undefined ? [] : [[service, mechanism]]
      }),
    )
  }
}
