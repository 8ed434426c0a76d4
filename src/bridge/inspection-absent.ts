/** Who might tell of a device or mailbox and does not, or cannot any more: members that are dead, refused or gone. */
import type { DepartedMember } from './departed.js'
import { type Remark, type StateSeen, wordOf } from './inspection-views.js'
import type { Peer } from './peer.js'

export interface Absent {
  readonly seen: StateSeen
  readonly isKnown: boolean
  readonly peers: readonly Peer[]
  readonly departed: readonly DepartedMember[]
  readonly nowMs: number
}

/** What each of them has to do with it. */
export function remarksOnAbsent(absent: Absent): Remark[] {
  const { peers, departed, isKnown, nowMs } = absent
  const gone = isKnown ? [] : departed
  return [
    ...peers.flatMap((peer) => remarkOn(peer, absent)),
    ...gone.map(({ name, jid, reason, atMs }): Remark => {
      const text = `${name} (${jid}) has left ${spellAge(nowMs - atMs)} ago: ${reason}`
      return { severity: 'note', text }
    }),
  ]
}

function remarkOn(peer: Peer, { seen, isKnown, nowMs }: Absent): Remark[] {
  const { jid, item, life, reason, refusal, lastHeardMs } = peer
  const who = `${item.name} (${jid})`
  const severity = isKnown ? 'note' : 'warning'
  if (refusal !== undefined) {
    const text = `${who} is refused, and nothing is taken of it: ${refusal}`
    return [{ severity, text, remedy: 'see hintbridge members' }]
  }
  if (life !== 'dead') return []
  const because = reason === undefined ? '' : ` (${reason})`
  const dead = `dead${because}, not heard for ${spellAge(nowMs - lastHeardMs)}`
  const part = seen.parts.find((each) => each.jid === jid)
  if (part) {
    return [
      {
        severity: 'warning',
        text: `${wordOf(part.entry)} of ${who} stays as it was: that member is ${dead}`,
        remedy:
          'a voicemail does not vanish with a server: start its Asterisk and its bridge; where it is gone for good, ' +
          `hintbridge forget ${jid} drops its counts`,
      },
    ]
  }
  if (seen.kind === 'message_waiting' && isKnown) return []
  const lost =
    seen.kind === 'device_state'
      ? 'what it said of devices is withdrawn'
      : 'it tells of no mailbox now'
  return [
    {
      severity,
      text: `${who} is ${dead}: ${lost}`,
      remedy: 'where it should tell of this, start its Asterisk and its bridge',
    },
  ]
}

/** `45 s`, `12 min`, `3 h`. */
function spellAge(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`
}
