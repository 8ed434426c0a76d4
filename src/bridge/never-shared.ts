/** Names that no member shares, whatever its filters say (rule 4), each with the reason, and what can be done instead. */
import type { Kind } from './state.js'

export interface NeverShared {
  /** Follows the name: `Queue:sales_avail …`. */
  readonly reason: string
  readonly remedy?: string
}

interface Row extends NeverShared {
  readonly form: RegExp
}

const rows: Readonly<Record<Kind, readonly Row[]>> = {
  device_state: [
    {
      // Of a queue's own devices it alone is computed from sums; callers who wait, and pauses, are this server's own. A queue
      // whose name ends so is taken for one.
      form: /^Queue:(?!.*_pause_).*_avail$/,
      reason:
        "is computed by each Asterisk from the states of the queue's members, which are shared",
      remedy:
        'give this server the queue with the same members (queues.conf), and it follows them here too',
    },
    {
      form: /^MWI:/,
      reason: 'is derived by each Asterisk from the message counts, which are shared',
      remedy: 'load res_mwi_devstate here, and see hintbridge explain MAILBOX@CONTEXT',
    },
    {
      form: /^hintbridge:/,
      reason: "is the bridge's own, by which it sees that Asterisk still publishes",
    },
    {
      form: /^CLIEval\//,
      reason: 'is no device: dialplan eval leaves it behind on the console, another each time',
    },
  ],
  message_waiting: [
    {
      form: /^hintbridge@fence$/,
      reason: "is the bridge's own, by which it sees that Asterisk still publishes",
    },
  ],
}

/** Why a device or mailbox of that name is never shared; `undefined` where the filters decide. */
export function whyNeverShared(kind: Kind, id: string): NeverShared | undefined {
  return rows[kind].find(({ form }) => form.test(id))
}
