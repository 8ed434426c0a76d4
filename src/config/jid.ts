/** Longest part of a JID in UTF-8 octets (RFC 7622 section 3.1). */
const maxPartOctets = 1023

/** Reads a bare JID, `user@domain`, in lower case as servers normalise it (RFC 7622); `undefined` where the text is none. */
export function parseBareJid(
  text: string,
): { readonly jid: string; readonly local: string; readonly domain: string } | undefined {
  const match = /^([^@/\s"&'<>:]+)@([^@/\s"&'<>]+)$/.exec(text)
  const [, local = '', domain = ''] = match ?? []
  if (match === null || Math.max(octets(local), octets(domain)) > maxPartOctets) return undefined
  return {
    jid: text.toLowerCase(),
    local: local.toLowerCase(),
    domain: domain.toLowerCase(),
  }
}

/** May this text be the domain of an XMPP service such as `pubsub.example.org`? */
export function isXmppDomain(text: string): boolean {
  return /^[^@/\s"&'<>]+$/.test(text) && octets(text) <= maxPartOctets
}

/**
 * Compiles JID globs to a predicate on bare JIDs. `*` stands for any run of characters within the local part or the
 * domain and never for `@` or `/`. Globs are brought to lower case; a JID is compared as it stands, since servers
 * deliver JIDs in lower case and a claim that is not must not match.
 */
export function compileTrust(globs: readonly string[]): (bareJid: string) => boolean {
  const patterns = globs.map(
    (glob) =>
      new RegExp(
        `^${glob
          .toLowerCase()
          .split(/\*+/)
          .map((literal) => literal.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'))
          .join('[^@/]*')}$`,
        'u',
      ),
  )
  return (bareJid) => patterns.some((pattern) => pattern.test(bareJid))
}

/**
 * Proposes the glob that trusts the sister accounts of a JID: `pbx-a@example.org` gives `pbx-*@example.org`, `pbx1`
 * gives `pbx*`; a name without such an ending gives the JID alone, so that nobody is trusted by accident.
 */
export function proposeTrust(bareJid: string): string {
  const { local, domain, jid } = parseBareJid(bareJid) ?? { local: '', domain: '', jid: bareJid }
  const stem = /^(.+[-_.])[^-_.]+$/.exec(local)?.[1] ?? /^(.*[^\d])\d+$/.exec(local)?.[1]
  return stem === undefined ? jid : `${stem}*@${domain}`
}

function octets(text: string): number {
  return Buffer.byteLength(text)
}
