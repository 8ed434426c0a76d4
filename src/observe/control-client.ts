import { request } from 'node:http'

export interface ControlAnswer {
  readonly status: number
  readonly body: unknown
}

/**
 * Asks the bridge that listens on a control socket; `undefined` where none does. Rejects where one does but cannot be asked
 * (permission, no answer in `timeoutMs`).
 */
export async function askControl(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  timeoutMs = 5000,
): Promise<ControlAnswer | undefined> {
  try {
    return await ask(socketPath, method, path, timeoutMs)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined
    throw socketError(socketPath, error as NodeJS.ErrnoException)
  }
}

/** Why the bridge could not be asked, and what to do where that is known. */
export function socketError(socketPath: string, cause: NodeJS.ErrnoException): Error {
  const { code, message } = cause
  const remedy =
    code === 'EACCES'
      ? "; run this as root or as the bridge's user (runuser -u hintbridge -- hintbridge …)"
      : ''
  return new Error(`failed to ask the bridge on ${socketPath}: ${code ?? message}${remedy}`, {
    cause,
  })
}

function ask(
  socketPath: string,
  method: string,
  path: string,
  timeoutMs: number,
): Promise<ControlAnswer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const asked = request({ socketPath, method, path, signal, agent: false }, (response) => {
      response.setEncoding('utf8')
      let text = ''
      response.on('data', (part: string) => (text += part))
      response.on('error', reject)
      response.on('end', () => {
        try {
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as unknown })
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)))
        }
      })
    })
    asked.on('error', (error) =>
      reject(signal.aborted ? new Error(`no answer in ${timeoutMs} ms`, { cause: error }) : error),
    )
    asked.end()
  })
}
