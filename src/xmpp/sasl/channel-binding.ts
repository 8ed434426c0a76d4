/** What binds a login to the TLS channel that it goes through. Sources: RFC 5929, RFC 9266, XEP-0440. */
import type { TLSSocket } from 'node:tls'

export interface ChannelBinding {
  readonly type: 'tls-exporter' | 'tls-unique'
  readonly data: Buffer
}

/**
 * The binding of a TLS channel, of the types that the server names; `undefined` where it names none that can be had. Without
 * names (a server from before XEP-0440) it is the default of RFC 5802 §6, `tls-unique`.
 */
export function channelBindingOf(
  socket: TLSSocket,
  named: readonly string[] | undefined,
): ChannelBinding | undefined {
  if (named?.includes('tls-exporter')) {
    // RFC 9266 §4: 32 octets, no context. Node takes an empty context for one that is there, which TLS 1.2 tells apart.
    const data = socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
    return { type: 'tls-exporter', data }
  }
  if (named === undefined || named.includes('tls-unique')) return tlsUnique(socket)
  return undefined
}

/** RFC 5929 §3: the first Finished message of the handshake, which is ours where no session is resumed. */
function tlsUnique(socket: TLSSocket): ChannelBinding | undefined {
  const data = socket.isSessionReused() ? socket.getPeerFinished() : socket.getFinished()
  return data === undefined ? undefined : { type: 'tls-unique', data }
}
