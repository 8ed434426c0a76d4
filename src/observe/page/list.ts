/**
 * The devices or mailboxes, however many: only the rows in sight are in the document, and only what is around them is asked of
 * the bridge. An ARIA grid (WAI-ARIA 1.2) with one tab stop: the focus stays on the grid, `aria-activedescendant` names the row.
 */
import type { StateView, StatesAnswer } from '../api.js'
import { ask } from './api.js'
import { setText, the } from './dom.js'
import { Reading } from './reading.js'
import { rowElement } from './row.js'
import { covers, type Range, rowsInSight, scrollTo, type Sight } from './rows.js'
import { throttled } from './throttle.js'
import { countWords, isPending, type Names } from './wording.js'
import type { View } from './view.js'

export interface StateListOptions {
  readonly names: Names
  /** Somebody wants one explained. */
  readonly chosen: (id: string) => void
}

/** How many rows beyond those in sight are asked for, so that a little scrolling needs no asking. */
const askedBeyond = 60
/** How often the rows in sight are read while they are scrolled. */
const scrollMs = 100
export class StateList {
  readonly #options: StateListOptions
  readonly #grid = the('list', HTMLElement)
  readonly #body = the('list-body', HTMLElement)
  #view: View
  #total = 0
  #matched = 0
  /** The first of the rows that were read, and those. */
  #from = 0
  #states: readonly StateView[] = []
  /** The rows in the document, by id of what they show. */
  #rows = new Map<string, { readonly state: StateView; readonly row: HTMLElement }>()
  readonly #changed = new Set<string>()
  #active = -1
  /** Said once, when the answer to a new search is there. */
  #mustTell = false

  readonly #reading = new Reading<{ readonly answer: StatesAnswer; readonly from: number }>({
    ask: (signal) => this.#ask(signal),
    take: ({ answer, from }) => this.#take(answer, from),
    fail: () => undefined, // the connection's own line tells
    isUnsettled: ({ answer }) => answer.states.some(isPending),
  })
  readonly #fetch = throttled(() => this.#reading.again(), scrollMs)

  constructor(options: StateListOptions, view: View) {
    this.#options = options
    this.#view = view
    this.#grid.addEventListener('scroll', () => this.#look())
    this.#grid.addEventListener('keydown', (event) => this.#press(event))
    this.#grid.addEventListener('focus', () => {
      if (this.#active < 0) this.#activate(0)
    })
    this.#body.addEventListener('click', ({ target }) => this.#click(target))
    new ResizeObserver(() => this.#look()).observe(this.#grid)
  }

  /** Shows another kind, search or order, from its beginning. */
  show(view: View): void {
    this.#view = view
    this.#active = -1
    this.#mustTell = true
    this.#grid.scrollTop = 0
    this.#reading.anew()
  }

  /** Reads again what is in sight; to be called when devices change. */
  refresh(): void {
    this.#reading.refresh()
  }

  /** Marks what has just changed, where it is in sight. */
  mark(id: string): void {
    this.#changed.add(id)
  }

  /** Makes all rows anew: the members are called otherwise. */
  redraw(): void {
    this.#rows.clear()
    this.#render()
  }

  focus(): void {
    this.#grid.focus()
  }

  get #sight(): Sight {
    const style = getComputedStyle(this.#grid)
    return {
      scrollTop: this.#grid.scrollTop,
      height: this.#grid.clientHeight - parseFloat(style.getPropertyValue('--head-height')),
      rowHeight: parseFloat(style.getPropertyValue('--row-height')),
      count: this.#matched,
    }
  }

  get #loaded(): Range {
    return { from: this.#from, to: this.#from + this.#states.length }
  }

  /** What is in sight has changed. */
  #look(): void {
    this.#render()
    if (!covers(this.#loaded, rowsInSight(this.#sight, 0))) this.#fetch()
  }

  async #ask(signal: AbortSignal): Promise<{ answer: StatesAnswer; from: number }> {
    const { from, to } = rowsInSight({ ...this.#sight, count: Infinity }, askedBeyond)
    const { kind, match, order } = this.#view
    const query = { kind, match, order, offset: from, limit: to - from }
    return { answer: await ask.states(query, signal), from }
  }

  #take({ total, matched, states }: StatesAnswer, from: number): void {
    const activeId = this.#stateAt(this.#active)?.id
    this.#total = total
    this.#matched = matched
    this.#from = from
    this.#states = states
    if (activeId !== undefined) this.#follow(activeId)
    this.#body.style.height = `${matched * this.#sight.rowHeight}px`
    this.#grid.setAttribute('aria-rowcount', String(matched + 1))
    this.#tell()
    this.#render()
    if (!covers(this.#loaded, rowsInSight(this.#sight, 0))) this.#fetch()
  }

  /** The active row stays with what it shows, where that is still near. */
  #follow(id: string): void {
    const found = this.#states.findIndex((state) => state.id === id)
    this.#active = found >= 0 ? this.#from + found : Math.min(this.#active, this.#matched - 1)
  }

  #tell(): void {
    const words = countWords(this.#view.kind, this.#matched, this.#total)
    setText(the('count', HTMLElement), words)
    if (this.#mustTell) setText(the('found', HTMLElement), words)
    this.#mustTell = false
  }

  #stateAt(index: number): StateView | undefined {
    return this.#states[index - this.#from]
  }

  #render(): void {
    const { from, to } = rowsInSight(this.#sight)
    const rowHeight = this.#sight.rowHeight
    const rows = new Map<string, { readonly state: StateView; readonly row: HTMLElement }>()
    for (let index = from; index < to; index += 1) {
      const state = this.#stateAt(index)
      if (state === undefined) continue
      const row = this.#rowOf(state)
      row.id = `row-${index}`
      row.setAttribute('aria-rowindex', String(index + 2))
      row.setAttribute('aria-selected', String(index === this.#active))
      row.style.transform = `translateY(${index * rowHeight}px)`
      rows.set(state.id, { state, row })
    }
    const isSame =
      rows.size === this.#body.childElementCount &&
      [...rows.values()].every(({ row }, at) => this.#body.children[at] === row)
    if (!isSame) this.#body.replaceChildren(...[...rows.values()].map(({ row }) => row))
    this.#rows = rows
    this.#flash()
    if (this.#active >= from && this.#active < to) {
      this.#grid.setAttribute('aria-activedescendant', `row-${this.#active}`)
    } else this.#grid.removeAttribute('aria-activedescendant')
  }

  /** The row that shows this already, else a new one. */
  #rowOf(state: StateView): HTMLElement {
    const shown = this.#rows.get(state.id)
    const isShown =
      shown !== undefined &&
      (shown.state === state || JSON.stringify(shown.state) === JSON.stringify(state))
    return isShown ? shown.row : rowElement(state, this.#options.names)
  }

  #flash(): void {
    const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches
    for (const id of this.#changed) {
      const row = this.#rows.get(id)?.row
      if (row && !isCalm) {
        const color = getComputedStyle(row).getPropertyValue('--flash')
        row.animate([{ backgroundColor: color }, {}], { duration: 1_500, easing: 'ease-out' })
      }
    }
    this.#changed.clear()
  }

  #activate(index: number): void {
    if (this.#matched === 0) return
    this.#active = Math.max(0, Math.min(index, this.#matched - 1))
    this.#grid.scrollTop = scrollTo(this.#active, this.#sight)
    this.#look()
  }

  #press(event: KeyboardEvent): void {
    const { height, rowHeight } = this.#sight
    const page = Math.max(1, Math.floor(height / rowHeight) - 1)
    const moves: Readonly<Record<string, number>> = {
      ArrowDown: this.#active + 1,
      ArrowUp: this.#active - 1,
      PageDown: this.#active + page,
      PageUp: this.#active - page,
      Home: 0,
      End: this.#matched - 1,
    }
    const index = moves[event.key]
    const state = this.#stateAt(this.#active)
    if (event.altKey || event.ctrlKey || event.metaKey) return
    if (index !== undefined) this.#activate(index)
    else if ((event.key === 'Enter' || event.key === ' ') && state) this.#options.chosen(state.id)
    else return
    event.preventDefault()
  }

  #click(target: EventTarget | null): void {
    const row = target instanceof Element ? target.closest('[role=row]') : null
    const entry = [...this.#rows].find(([, shown]) => shown.row === row)
    if (!entry) return
    this.#active = this.#from + this.#states.findIndex(({ id }) => id === entry[0])
    this.#render()
    this.#options.chosen(entry[0])
  }
}
