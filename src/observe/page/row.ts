/** One line of the list. */
import type { DevicePart, MailboxPart, StateView } from '../api.js'
import { element, timeElement } from './dom.js'
import { lamp } from './lamp.js'
import { type Names, stateWord, toneOf } from './wording.js'

export function rowElement(state: StateView, names: Names): HTMLElement {
  const sum = stateWord(state)
  return element(
    'div',
    { role: 'row', class: 'line', 'data-tone': toneOf(sum) },
    element('span', { role: 'gridcell', class: 'id', title: state.id }, state.id),
    element('span', { role: 'gridcell', class: 'sum' }, lamp(sum)),
    element(
      'span',
      { role: 'gridcell', class: 'parts' },
      ...state.parts.flatMap((part) => [partElement(part, names), ' ']),
    ),
    element('span', { role: 'gridcell', class: 'changed' }, timeElement(state.changedAt)),
  )
}

/** Waiting, refused and held parts are marked; those count for less than what they say. */
function partElement(part: DevicePart | MailboxPart, names: Names): HTMLElement {
  const { standing, isOwn, note } = part
  const isGiven = standing === 'own' || standing === 'injected'
  return element(
    'span',
    { class: isOwn ? 'part own' : 'part', title: note },
    element('span', { class: 'origin' }, names.of(part)),
    ' ',
    lamp(stateWord(part)),
    isGiven ? undefined : element('span', { class: 'standing' }, ` ${standing}`),
  )
}
