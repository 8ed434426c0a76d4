import type { BridgeSettings } from '../../src/bridge/context.js'
import type { DeviceEntry, DeviceState, MailboxEntry } from '../../src/bridge/state.js'

export const service = 'pubsub.example.org'

/** The EID of the member with that number, from 1. */
export function eidOf(number: number): string {
  return `02:00:00:00:00:${number.toString(16).padStart(2, '0')}`
}

/** `pbx-a@example.org` for 1, `pbx-b@…` for 2. */
export function jidOf(number: number): string {
  return `pbx-${String.fromCharCode(96 + number)}@example.org`
}

/** The full JID: the resource is the EID (rule 20). */
export function fullJidOf(number: number): string {
  return `${jidOf(number)}/${eidOf(number)}`
}

/** The defaults of the configuration, for the member with that number. */
export function settings(number = 1, changed: Partial<BridgeSettings> = {}): BridgeSettings {
  const share = { publish: true, subscribe: true, isShared: () => true }
  return {
    jid: jidOf(number),
    eid: eidOf(number),
    name: `pbx-${number}`,
    version: '0.1.0',
    service,
    share: { device_state: share, message_waiting: share },
    sharesUncachable: false,
    isClaimed: () => false,
    inspectors: [],
    isTrusted: (jid) => /^pbx-[a-z]@example\.org$/.test(jid),
    liveness: {
      heartbeatMs: 10_000,
      deadAfterMs: 30_000,
      graceMs: 5_000,
      staleAfterMs: 60_000,
      membersMs: 60_000,
      auditMs: 300_000,
    },
    limits: { namesPerMember: 20_000, names: 200_000 },
    lanes: 4,
    ...changed,
  }
}

export function device(id: string, state: DeviceState, cachable = true): DeviceEntry {
  return { kind: 'device_state', id, state, cachable }
}

export function mailbox(id: string, newMessages: number, oldMessages = 0): MailboxEntry {
  return { kind: 'message_waiting', id, newMessages, oldMessages }
}
