/** Both XMPP servers by name, for tests that run on each. */
import { startEjabberd } from './ejabberd.js'
import { startProsody } from './prosody.js'

export const xmppServers = [
  { kind: 'Prosody', start: startProsody },
  { kind: 'ejabberd', start: startEjabberd },
] as const
