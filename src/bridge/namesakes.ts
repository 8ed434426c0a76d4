/** Members of one name: tables, logs and the page cannot tell them apart. */
import { type Context, health } from './context.js'
import type { Peer } from './peer.js'

export class Namesakes {
  /** Names that a problem stands for. */
  #told = new Set<string>()

  constructor(private readonly context: Context) {}

  /** The members are these, beside the own one. */
  judge(peers: Iterable<Peer>): void {
    const { jid, name } = this.context.settings
    const bearers = new Map<string, string[]>([[name, [jid]]])
    for (const { item } of peers) {
      bearers.set(item.name, [...(bearers.get(item.name) ?? []), item.id])
    }
    const shared = [...bearers].filter(([, jids]) => jids.length > 1)
    for (const [each, jids] of shared) {
      const text = `several members are called ${each} (${jids.sort().join(', ')}): give each a 'name' of its own in its configuration`
      health(this.context, keyOf(each), 'warning', text)
    }
    const now = new Set(shared.map(([each]) => each))
    for (const each of this.#told) if (!now.has(each)) health(this.context, keyOf(each), 'warning')
    this.#told = now
  }
}

function keyOf(name: string): string {
  return `name:${name}`
}
