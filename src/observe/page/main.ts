/** The status page: puts its parts together. */
import type { OverviewAnswer } from '../api.js'
import type { Kind } from '../../bridge/state.js'
import { ask } from './api.js'
import { setText, the } from './dom.js'
import { Explain } from './explain.js'
import { StateList } from './list.js'
import { Live } from './live.js'
import { showOverview, showRefused } from './overview.js'
import { throttled } from './throttle.js'
import { formatView, parseView, type View } from './view.js'
import { Names } from './wording.js'

const names = new Names()
const search = the('search', HTMLFormElement)
const match = the('match', HTMLInputElement)
const order = the('order', HTMLSelectElement)
let view = parseView(location.hash)
let disconnectedSince: Date | undefined

const list = new StateList({ names, chosen: (id) => explain.open({ kind: view.kind, id }) }, view)
const explain = new Explain({
  names,
  moved: (id) => {
    const { kind, match, order } = view
    keep({ kind, match, order, ...(id !== undefined && { explained: id }) })
  },
})

/** Keeps what is shown in the address. */
function keep(next: View): void {
  view = next
  history.replaceState(null, '', `${location.pathname}${location.search}${formatView(view)}`)
}

/** Sets the form to what is shown, and shows it. */
function show(next: View): void {
  keep(next)
  for (const input of search.querySelectorAll<HTMLInputElement>('input[name=kind]')) {
    input.checked = input.value === view.kind
  }
  if (match.value.trim() !== view.match) match.value = view.match
  order.value = view.order
  const [id, sum] = view.kind === 'device_state' ? ['Device', 'Sum'] : ['Mailbox', 'New/old']
  setText(the('column-id', HTMLElement), id)
  setText(the('column-sum', HTMLElement), sum)
  list.show(view)
}

/** Nothing tells when something is refused; it is asked now and then. */
const refusedMs = 10_000

const readRefused = throttled(() => {
  ask.refused().then(showRefused, () => undefined)
}, refusedMs / 2)

function take(overview: OverviewAnswer): void {
  if (names.learn(overview)) list.redraw()
  showOverview(overview, names)
}

function readAll(): void {
  ask.overview().then(take, () => undefined) // the connection's own line tells
  list.refresh()
  explain.refresh()
  readRefused()
}

function showConnection(isConnected: boolean): void {
  disconnectedSince = isConnected ? undefined : (disconnectedSince ?? new Date())
  const badge = the('connection', HTMLElement)
  badge.dataset['tone'] = isConnected ? 'good' : 'bad'
  setText(badge, isConnected ? 'Live' : 'Disconnected')
  document.body.classList.toggle('is-disconnected', !isConnected)
  const notice = the('disconnected', HTMLElement)
  notice.hidden = isConnected
  if (disconnectedSince === undefined) return
  const since = disconnectedSince.toLocaleTimeString('en-GB')
  setText(notice, `Disconnected since ${since}. What you see is of then; trying again.`)
}

search.addEventListener('submit', (event) => event.preventDefault())
search.addEventListener('input', () => {
  const given = new FormData(search)
  const kind: Kind = given.get('kind') === 'message_waiting' ? 'message_waiting' : 'device_state'
  show({ kind, match: match.value.trim(), order: order.value === 'name' ? 'name' : 'busy' })
})
match.addEventListener('keydown', (event) => {
  if (event.key === 'ArrowDown' || event.key === 'Enter') {
    event.preventDefault()
    list.focus()
  }
})
window.addEventListener('hashchange', () => open(parseView(location.hash)))

function open(next: View): void {
  show(next)
  if (next.explained === undefined) explain.close()
  else explain.open({ kind: next.kind, id: next.explained })
}

open(view)
setInterval(() => {
  if (!document.hidden && disconnectedSince === undefined) readRefused()
}, refusedMs)
new Live({
  connected: () => {
    showConnection(true)
    readAll()
  },
  disconnected: () => showConnection(false),
  changed: ({ kind, id }) => {
    if (kind === view.kind) list.mark(id)
    if (kind === view.kind) list.refresh()
    if (explain.shows(kind, id)) explain.refresh()
  },
  overview: (overview) => {
    take(overview)
    readRefused()
  },
}).start()
