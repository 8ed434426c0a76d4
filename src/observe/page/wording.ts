/** How values are written. */
import type { MemberView, OverviewAnswer, MailboxPart, DevicePart, StateView } from '../api.js'
import type { Kind } from '../../bridge/state.js'

/** How a lamp looks: `busy` and `ringing` catch the eye, the others do not. */
export type Tone = 'idle' | 'busy' | 'ringing' | 'hold' | 'off' | 'waiting'

const tones: Readonly<Record<string, Tone>> = {
  NOT_INUSE: 'idle',
  INUSE: 'busy',
  BUSY: 'busy',
  RINGING: 'ringing',
  RINGINUSE: 'ringing',
  ONHOLD: 'hold',
}

/** Of a device state, or of message counts (`2/0`). */
export function toneOf(state: string): Tone {
  const [, unheard] = /^(\d+)\/\d+$/.exec(state) ?? []
  if (unheard !== undefined) return unheard === '0' ? 'idle' : 'waiting'
  return tones[state] ?? 'off'
}

/** A sum or part as one word: `INUSE`, or `2/0` for new and old messages. */
export function stateWord(view: StateView | DevicePart | MailboxPart): string {
  if ('state' in view) return view.state
  const counts = 'sum' in view ? view.sum : view
  return typeof counts === 'string' ? counts : `${counts.newMessages}/${counts.oldMessages}`
}

/** Does a part wait for the own Asterisk? */
export function isPending({ parts }: Pick<StateView, 'parts'>): boolean {
  return parts.some(({ standing }) => standing === 'pending')
}

export interface Badge {
  /** `unknown` catches no eye. */
  readonly tone: 'good' | 'fair' | 'bad' | 'unknown'
  readonly word: string
}

type Condition = Pick<MemberView, 'life' | 'refusal' | 'isStale' | 'isSynced'>

/** How a member stands, in a word. */
export function lifeBadge({ life, refusal, isStale, isSynced }: Condition): Badge {
  if (refusal !== undefined) return { tone: 'bad', word: 'refused' }
  if (life === 'gone') return { tone: 'unknown', word: life }
  if (life !== 'alive') return { tone: life === 'suspected' ? 'fair' : 'bad', word: life }
  if (isStale) return { tone: 'fair', word: 'stale' }
  return isSynced ? { tone: 'good', word: life } : { tone: 'fair', word: 'syncing' }
}

/** `20,000 devices`, `12 of 20,000 mailboxes`. */
export function countWords(kind: Kind, matched: number, total: number): string {
  const [one, many] = kind === 'device_state' ? ['device', 'devices'] : ['mailbox', 'mailboxes']
  const noun = total === 1 ? one : many
  const all = `${number(total)} ${noun}`
  return matched === total ? all : `${number(matched)} of ${all}`
}

/** `22.5.2` of `Asterisk PBX 22.5.2+dfsg…`: without what a distribution adds. */
export function asteriskVersion(server: string): string {
  return server.replace(/^Asterisk PBX /, '').replace(/\+.*$/, '')
}

export function number(value: number): string {
  return value.toLocaleString('en-GB')
}

/** Milliseconds as a short text; a dash where there are none. */
export function duration(ms: number | undefined): string {
  if (ms === undefined) return '–'
  if (ms < 1) return '<1 ms'
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`
}

/** JIDs as short as they can be: without the domain where all members have the same one. */
export class Names {
  #domain: string | undefined

  /** Learns from the members which domain goes without saying; says whether that is news. */
  learn({ self, members }: Pick<OverviewAnswer, 'self' | 'members'>): boolean {
    const domains = new Set([self, ...members].map(({ jid }) => jid.split('@')[1]))
    const domain = domains.size === 1 ? [...domains][0] : undefined
    const isNews = domain !== this.#domain
    this.#domain = domain
    return isNews
  }

  /** The account of a member, else its EID. */
  of({ jid, eid }: { readonly jid?: string; readonly eid?: string }): string {
    if (jid === undefined) return eid ?? 'unknown'
    const [account, domain] = jid.split('@')
    return account !== undefined && account !== '' && domain === this.#domain ? account : jid
  }
}
