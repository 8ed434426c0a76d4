/** What the page shows, as it stands in its address after `#`, so that a reload or a bookmark shows it again. */
import type { Kind } from '../../bridge/state.js'

export type Order = 'busy' | 'name'

export interface View {
  readonly kind: Kind
  readonly match: string
  readonly order: Order
  /** Which device or mailbox is explained. */
  readonly explained?: string
}

/** Reads the part of an address after `#`; what it does not understand is as at first. */
export function parseView(hash: string): View {
  const given = new URLSearchParams(hash.replace(/^#/, ''))
  const explained = given.get('explain')
  return {
    kind: given.get('kind') === 'message_waiting' ? 'message_waiting' : 'device_state',
    match: given.get('match') ?? '',
    order: given.get('order') === 'name' ? 'name' : 'busy',
    ...(explained !== null && explained !== '' && { explained }),
  }
}

/** The reverse, without what is as at first. */
export function formatView({ kind, match, order, explained }: View): string {
  const told = new URLSearchParams()
  if (kind !== 'device_state') told.set('kind', kind)
  if (match !== '') told.set('match', match)
  if (order !== 'busy') told.set('order', order)
  if (explained !== undefined) told.set('explain', explained)
  const text = told.toString()
  return text === '' ? '' : `#${text}`
}
