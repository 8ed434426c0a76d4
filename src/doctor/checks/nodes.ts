import type { Check } from '../check.js'
import { type Finding, Findings } from '../finding.js'
import { StanzaError } from '../../xmpp/errors.js'
import { overviewIfAny, requestTimeoutMs } from '../context.js'
import { type NodeTrial, scratchNodeOf, tryNode } from '../node-trial.js'

/** May this account make nodes, and how do they do? Tried on a node of its own, which nobody else looks at. */
export const nodesCheck: Check = {
  name: 'nodes',
  async run(context) {
    const { cluster, xmpp } = context.config
    const session = await context.session()
    const service = { iq: session, service: xmpp.pubsub, timeoutMs: requestTimeoutMs }
    const overview = await overviewIfAny(context)
    const devices = Math.max(overview?.self.ownDevices ?? 0, overview?.self.ownMailboxes ?? 0)
    try {
      const trial = await tryNode(session, service, scratchNodeOf(cluster, xmpp.jid))
      return judgeTrial(trial, overview === undefined ? undefined : devices)
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error
      return [judgeRefusal(error, xmpp.jid)]
    }
  },
}

const findings = new Findings('nodes')

/** A publish into a retained node that takes longer, ms, holds up the server's other work: Prosody writes in one thread. */
const slowStoreMs = 50
/** A feed that takes longer is felt at a lamp, ms. */
const slowTripMs = 250

/** The finding where the service does not let this account make or use a node. */
export function judgeRefusal({ condition, message }: StanzaError, jid: string): Finding {
  const isBarred = ['forbidden', 'not-allowed', 'not-authorized'].includes(condition)
  return findings.broken(
    `this account may not make or use pubsub nodes: ${message}`,
    isBarred
      ? `let ${jid} create nodes: Prosody, 'admins' of the pubsub component, and restart it; ejabberd, access_createnode of mod_pubsub`
      : 'see the log of the XMPP server',
  )
}

/** The findings on a node that could be made; `devices` is how many the larger own window has, where that is known. */
export function judgeTrial(trial: NodeTrial, devices: number | undefined): Finding[] {
  return [
    findings.ok('this account may make pubsub nodes'),
    judgeCap(trial.mostItems, devices),
    judgePublisher(trial.publisher),
    judgeStore(trial.writesMs),
    judgeTrip(trial.tripMs),
  ]
}

function judgeCap(mostItems: number, devices: number | undefined): Finding {
  const cap = `a node keeps ${mostItems} items at most`
  if (devices === undefined) return findings.note(`${cap}; how many devices there are is not known`)
  if (devices <= mostItems) return findings.ok(`${cap}, for ${devices} devices here`)
  return findings.warning(
    `${cap}, and there are ${devices} devices here: the others cannot be inspected on the server. No lamp depends on it`,
    'raise pubsub_max_items of the component (Prosody) or max_items_node of mod_pubsub (ejabberd)',
  )
}

function judgePublisher(publisher: string | undefined): Finding {
  if (publisher !== undefined) return findings.ok('the service shows who published an item')
  return findings.warning(
    'the service does not show who published an item: any account can claim to be a member until it is asked',
    "set expose_publisher = true in Prosody's pubsub component, and restart it",
  )
}

function judgeStore(writesMs: readonly number[]): Finding {
  const middle = median(writesMs)
  if (middle <= slowStoreMs) return findings.ok(`an item is stored in ${middle.toFixed(1)} ms`)
  return findings.warning(
    `the service takes ${Math.round(middle)} ms to store an item, and holds up what else it does`,
    'give its pubsub service a faster store (Prosody: storage = "sql" with SQLite for the component), or the server a faster disk',
  )
}

function judgeTrip(tripMs: number | undefined): Finding {
  if (tripMs === undefined) {
    return findings.broken(
      'what was published was not passed on to a subscriber within 5 s',
      'see the log of the XMPP server',
    )
  }
  if (tripMs <= slowTripMs)
    return findings.ok(`a notification is here ${tripMs.toFixed(1)} ms later`)
  return findings.warning(
    `a notification takes ${Math.round(tripMs)} ms: that much later lamps of other servers follow`,
    'see whether the XMPP server, or the way to it, is overloaded',
  )
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
