import { randomBytes } from 'node:crypto'
import type { Config } from '../config/config.js'
import { Mechanisms } from '../journal/mechanisms.js'
import { toStreamFailure } from '../xmpp/errors.js'
import { XmppSession } from '../xmpp/session.js'

/** How long an answer of the XMPP server may take, ms. */
export const requestTimeoutMs = 10_000

/**
 * Logs in with the bridge's account beside it, at the first of `xmpp.service` that lets it in; throws an Error with the
 * reason of each and what can be done.
 */
export async function openSession({
  xmpp,
  stateDir,
}: Pick<Config, 'xmpp' | 'stateDir'>): Promise<XmppSession> {
  const { jid, password, tls } = xmpp
  const sasl = { mode: xmpp.sasl, memory: new Mechanisms(stateDir).forReading() }
  const resource = `look-${randomBytes(4).toString('hex')}`
  const reasons: string[] = []
  for (const service of xmpp.services) {
    try {
      return await XmppSession.open({
        service,
        jid,
        resource,
        password: password.reveal(),
        tls,
        sasl,
      })
    } catch (error) {
      const { message, remedy } = toStreamFailure(error)
      reasons.push(`${service}: ${message}; ${remedy}`)
    }
  }
  throw new Error(`failed to log in as ${jid}: ${reasons.join('; ')}`)
}
