import { isGlobbed } from '../bridge/glob.js'

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

/**
 * Reads the bare JID of one account as any XMPP server takes it, without a `*`: letters, digits and the signs that no server
 * refuses, so that one bad entry cannot spoil a request that names others too; `undefined` where the text is none.
 */
export function parseAccount(text: string): string | undefined {
  return /^[\p{L}\p{N}!#$%+.=?^_`{|}~-]+@[\p{L}\p{N}.-]+$/u.test(text)
    ? parseBareJid(text)?.jid
    : undefined
}

/** May this text be the domain of an XMPP service such as `pubsub.example.org`? */
export function isXmppDomain(text: string): boolean {
  return /^[^@/\s"&'<>]+$/.test(text) && octets(text) <= maxPartOctets
}

/**
 * Compiles JID globs to a predicate on bare JIDs. `*` stands for any run of characters within the local part or the
 * domain and never for `@` or `/`. Globs are brought to lower case; a JID is compared as it stands, since servers
 * deliver JIDs in lower case and a claim that is not must not match. Strangers choose the JIDs: one that is longer than a JID
 * may be is not looked at, and `isGlobbed` bounds what the rest costs.
 */
export function compileTrust(globs: readonly string[]): (bareJid: string) => boolean {
  const wanted = globs.flatMap((glob) => parts(glob.toLowerCase()) ?? [])
  return (bareJid) => {
    const given = parts(bareJid)
    if (given === undefined) return false
    return wanted.some(
      ({ local, domain }) =>
        isGlobbed(given.domain, domain, false) && isGlobbed(given.local, local, false),
    )
  }
}

/** What stands before and behind the one `@` of a bare JID, or of a glob of such; `undefined` where it is none. */
function parts(jid: string): { readonly local: string; readonly domain: string } | undefined {
  const sign = jid.indexOf('@')
  const local = jid.slice(0, sign)
  const domain = jid.slice(sign + 1)
  // A text has at least as many octets as UTF-16 units.
  const isLong = Math.max(local.length, domain.length) > maxPartOctets
  if (sign < 0 || isLong || domain.includes('@') || jid.includes('/')) return undefined
  return { local, domain }
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
