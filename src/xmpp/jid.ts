import { parse } from '@xmpp/jid'

/** The bare form of a JID, as it is spelled. */
export function bareJid(jid: string): string {
  const slash = jid.indexOf('/')
  return slash < 0 ? jid : jid.slice(0, slash)
}

/** The domain of a JID, as it is spelled. */
export function domainOf(jid: string): string {
  const bare = bareJid(jid)
  return bare.slice(bare.indexOf('@') + 1)
}

/** The local part of a JID, as it is spelled; empty where it has none. */
export function localOf(jid: string): string {
  return jid.slice(0, Math.max(0, bareJid(jid).indexOf('@')))
}

/** Do two texts name the same address? Case counts in the resource only (RFC 7622). */
export function isSameJid(a: string, b: string): boolean {
  if (a === b) return true
  try {
    return parse(a).equals(parse(b))
  } catch {
    return false
  }
}
