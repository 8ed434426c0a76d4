import { type DiscoInfo, discoInfo, discoItems } from '../../pubsub/disco.js'
import { pubsubNamespace } from '../../pubsub/service.js'
import { StanzaError, XmppError } from '../../xmpp/errors.js'
import { domainOf } from '../../xmpp/jid.js'
import type { Check } from '../check.js'
import { requestTimeoutMs } from '../context.js'
import { type Finding, Findings } from '../finding.js'

/** Is `xmpp.pubsub` a pubsub service? If not, which is? */
export const pubsubServiceCheck: Check = {
  name: 'pubsub-service',
  async run(context) {
    const { jid, pubsub } = context.config.xmpp
    const session = await context.session()
    const ask = (entity: string): Promise<DiscoInfo> => discoInfo(session, entity, requestTimeoutMs)
    try {
      const info = await ask(pubsub)
      if (isPubsub(info)) return [judgePubsub(pubsub, info, [])]
      return [judgePubsub(pubsub, info, await candidates())]
    } catch (error) {
      if (!(error instanceof XmppError)) throw error
      return [judgePubsub(pubsub, error, await candidates())]
    }

    /** The pubsub services that the server of the account names. */
    async function candidates(): Promise<string[]> {
      const listed = await discoItems(session, domainOf(jid), requestTimeoutMs).catch(() => [])
      const found = await Promise.allSettled(listed.map((item) => ask(item.jid)))
      return found.flatMap((answer, index) =>
        answer.status === 'fulfilled' && isPubsub(answer.value) ? (listed[index]?.jid ?? []) : [],
      )
    }
  },
}

function isPubsub({ identities, features }: DiscoInfo): boolean {
  return (
    identities.some(({ type }) => type === 'pubsub/service') || features.includes(pubsubNamespace)
  )
}

/** The finding on what `xmpp.pubsub` answered, or failed with; `candidates` are services that would do. */
export function judgePubsub(
  pubsub: string,
  answer: DiscoInfo | XmppError,
  candidates: readonly string[],
): Finding {
  const findings = new Findings('pubsub-service')
  if (!(answer instanceof Error) && isPubsub(answer)) {
    const name = answer.identities.find(({ type }) => type === 'pubsub/service')?.name
    return findings.ok(`${pubsub} is one${name ? ` (${name})` : ''}`)
  }
  const reason =
    answer instanceof StanzaError || answer instanceof XmppError
      ? `does not answer for itself (${answer.message})`
      : 'is no pubsub service'
  return findings.broken(`${pubsub} ${reason}`, remedyFor(answer, candidates))
}

function remedyFor(answer: DiscoInfo | XmppError, candidates: readonly string[]): string {
  if (candidates.length > 0) return `set xmpp.pubsub to ${candidates.join(' or ')}`
  const addOne =
    'let the server have one (Prosody: Component "pubsub.DOMAIN" "pubsub"; ejabberd: mod_pubsub), and name it in xmpp.pubsub'
  // COMPAT Prosody: a component whose module did not load answers, and is nothing.
  if (answer instanceof Error || answer.identities.length > 0) return addOne
  return `if the server has a component of that name, its log says since the start why pubsub was not loaded (Prosody with SQLite needs lua-dbi-sqlite3); else ${addOne}`
}
