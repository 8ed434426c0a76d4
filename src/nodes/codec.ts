import type { Element } from '@xmpp/xml'
import type { EntityId } from '../bridge/state.js'

/** Where an item was found: the facts that its payload must not contradict. */
export interface ItemSource {
  /** The entity ID in the node's name; none for `members`. */
  readonly eid?: EntityId
  /** The item id. */
  readonly id: string
  /** Who published it, where the server shows that. */
  readonly publisher?: string
}

/** How one kind of node writes its items. */
export interface Codec<Value, Decoded = Value> {
  readonly name: string
  encode(value: Value): Element
  /** Throws `DecodeError` for anything but a well-formed payload that fits its source. */
  decode(payload: Element | undefined, source: ItemSource): Decoded
}
