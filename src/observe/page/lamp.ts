/** A state as it is shown: a lamp, whose shape tells as much as its colour, and the word. */
import { element } from './dom.js'
import { toneOf } from './wording.js'

export function lamp(state: string): HTMLElement {
  const glyph = element('span', { class: 'lamp', 'aria-hidden': 'true' })
  return element('span', { class: 'state', 'data-tone': toneOf(state) }, glyph, state)
}
