import { constants } from 'node:crypto'
import { isIP } from 'node:net'
import { checkServerIdentity, type ConnectionOptions } from 'node:tls'
import type { Client } from '@xmpp/client-core'
import type { StreamFeatures } from '@xmpp/stream-features'
import TlsSocket from '@xmpp/tls/lib/Socket.js'
import xml from '@xmpp/xml'
import { readPlainFile, reasonUnread } from '../plain-file.js'
import { isOutOfFiles } from './conditions.js'
import { StreamFailure } from './errors.js'

export interface TlsPolicy {
  /**
   * `required`: nothing is said in clear text and the server's certificate must be good for the domain of the JID.
   * `insecure`: clear text is allowed; where the server offers TLS it is used, with any certificate.
   */
  readonly mode: 'required' | 'insecure'
  /** A PEM file of CAs to trust instead of Node's; read at every connect, so that it can be renewed. */
  readonly caFile?: string
}

const namespace = 'urn:ietf:params:xml:ns:xmpp-tls'

/** Options of `tls.connect`: SNI and verification against the domain of the JID, wherever it connects to (RFC 6125). */
export function tlsOptions(policy: TlsPolicy, domain: string): ConnectionOptions {
  return {
    host: domain,
    servername: isIP(domain) === 0 ? domain : '',
    minVersion: 'TLSv1.2',
    // A server could ask for handshakes without end, and what a login is bound to must not change.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    rejectUnauthorized: policy.mode === 'required',
    checkServerIdentity: (_host, certificate) => checkServerIdentity(domain, certificate),
    ...(policy.caFile === undefined ? {} : { ca: readCa(policy.caFile) }),
  }
}

function readCa(file: string): string {
  try {
    return readPlainFile(file)
  } catch (cause) {
    const reason = reasonUnread(cause)
    // It is not the file's fault that this process may open no more of them.
    const condition = isOutOfFiles(reason) ? reason : 'certificate'
    throw new StreamFailure(condition, `failed to read the CA file ${file} (${reason})`, { cause })
  }
}

/**
 * Negotiates STARTTLS (RFC 6120 §5) where the stream is still clear. Nothing else is negotiated before it under
 * `required`. The stock feature is not used: it knows no CA and no SNI, and drops its error listener too early.
 */
export function startTls(streamFeatures: StreamFeatures, policy: TlsPolicy, domain: string): void {
  streamFeatures.use('starttls', namespace, async ({ entity }, next) => {
    if (entity.isSecure()) return await next()
    const answer = await entity.sendReceive(xml('starttls', { xmlns: namespace }))
    if (!answer.is('proceed', namespace)) {
      throw new StreamFailure('tls-unavailable', 'the server refused STARTTLS')
    }
    entity._attachSocket(await upgrade(entity, tlsOptions(policy, domain)))
    await entity.restart()
    // Whatever is returned would be sent as an answer.
    return undefined
  })
}

function upgrade(entity: Client, options: ConnectionOptions): Promise<TlsSocket> {
  const tlsSocket = new TlsSocket()
  const raw = entity.socket
  return new Promise((resolve, reject) => {
    // Kept for good: an error that comes after the promise is settled has to find a listener.
    tlsSocket.on('error', reject)
    tlsSocket.once('connect', () => resolve(tlsSocket))
    if (raw !== null && !('secure' in raw && raw.secure)) {
      tlsSocket.connect({ socket: raw as import('node:net').Socket, ...options })
    } else {
      reject(new StreamFailure('undefined-condition', 'the socket closed before STARTTLS'))
    }
  })
}
