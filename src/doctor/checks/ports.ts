import { createServer } from 'node:net'
import { formatHostPort, type HostPort } from '../../config/host-port.js'
import type { Check } from '../check.js'
import { type Finding, Findings } from '../finding.js'

/** Can the bridge have its HTTP port? Whether it can have its SIP port is seen where Asterisk is spoken to. */
export const portsCheck: Check = {
  name: 'ports',
  async run(context) {
    if ((await context.overview()) !== undefined) return []
    const { listen } = context.config.http
    return [judgeHttpPort(listen, await tryToListen(listen))]
  },
}

/** Listens for a moment; the code of what prevents it. */
function tryToListen({ host, port }: HostPort): Promise<string | undefined> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen(port, host, () => server.close(() => resolve(undefined)))
  })
}

/** The finding on whether `http.listen` can be had; `code` is what prevents it. */
export function judgeHttpPort(listen: HostPort, code: string | undefined): Finding {
  const findings = new Findings('ports')
  const where = formatHostPort(listen)
  if (code === undefined) return findings.ok(`${where} is free for HTTP`)
  return findings.broken(
    `${where} cannot be had for HTTP (${code})`,
    'stop the program that has it (ss -tlnp names it), or set http.listen to a free address',
  )
}
