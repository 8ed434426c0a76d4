import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'

/** Asks on a terminal; an empty answer takes the proposal. */
export class Terminal {
  readonly #input: NodeJS.ReadableStream
  readonly #output: NodeJS.WritableStream

  constructor(input: NodeJS.ReadableStream, output: NodeJS.WritableStream) {
    this.#input = input
    this.#output = output
  }

  readonly ask = async (question: string, proposal: string | undefined): Promise<string> => {
    const shown = proposal === undefined ? `${question}: ` : `${question} [${proposal}]: `
    const answer = (await this.#read(shown, this.#output)).trim()
    return answer === '' ? (proposal ?? '') : answer
  }

  /** Asks without an echo. */
  readonly askSecret = async (question: string): Promise<string> => {
    this.#output.write(`${question}: `)
    const silent = new Writable({ write: (_part, _encoding, done) => done() })
    const answer = await this.#read('', silent)
    this.#output.write('\n')
    return answer
  }

  async #read(question: string, output: NodeJS.WritableStream): Promise<string> {
    const lines = createInterface({ input: this.#input, output, terminal: true })
    const interrupted = new AbortController()
    lines.on('SIGINT', () => interrupted.abort())
    lines.on('close', () => interrupted.abort())
    try {
      return await lines.question(question, { signal: interrupted.signal })
    } catch (error) {
      throw new Error('stopped: nothing was written', { cause: error })
    } finally {
      lines.close()
    }
  }
}
