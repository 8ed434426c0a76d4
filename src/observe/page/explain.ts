/** Why a lamp is as it is: the addition, what Asterisk was given, and what is to be said about it. */
import type { ExplainAnswer, InjectionView } from '../api.js'
import type { Kind } from '../../bridge/state.js'
import { ask } from './api.js'
import { element, setText, the, timeElement, type Content } from './dom.js'
import { lamp } from './lamp.js'
import { Reading } from './reading.js'
import { isPending, type Names, stateWord } from './wording.js'

interface Subject {
  readonly kind: Kind
  readonly id: string
}

export interface ExplainOptions {
  readonly names: Names
  /** It shows something else, or nothing. */
  readonly moved: (id: string | undefined) => void
}

const standings = {
  own: 'own',
  injected: 'given',
  pending: 'waits',
  refused: 'refused',
  held: 'not given',
} as const

export class Explain {
  readonly #options: ExplainOptions
  readonly #dialog = the('explain', HTMLDialogElement)
  readonly #body = the('explain-body', HTMLElement)
  #subject: Subject | undefined
  readonly #reading = new Reading<ExplainAnswer | undefined>({
    ask: async (signal) =>
      this.#subject && ask.explain(this.#subject.kind, this.#subject.id, signal),
    take: (answer) => answer && this.#body.replaceChildren(...this.#content(answer)),
    fail: (error) => {
      const text = `It could not be asked: ${error instanceof Error ? error.message : 'no answer'}`
      this.#body.replaceChildren(element('p', {}, text))
    },
    isUnsettled: (answer) => answer !== undefined && isPending(answer),
  })

  constructor(options: ExplainOptions) {
    this.#options = options
    this.#dialog.addEventListener('close', () => {
      this.#subject = undefined
      this.#reading.stop()
      this.#options.moved(undefined)
    })
    // A click beside the dialog hits the dialog itself, one in it something within.
    this.#dialog.addEventListener('click', ({ target }) => {
      if (target === this.#dialog) this.#dialog.close()
    })
    the('explain-close', HTMLButtonElement).addEventListener('click', () => this.#dialog.close())
  }

  /** Opens on a device or mailbox, modal; closing gives the focus back. */
  open(subject: Subject): void {
    const isOther = subject.id !== this.#subject?.id || subject.kind !== this.#subject.kind
    this.#subject = subject
    if (isOther) this.#body.replaceChildren(element('p', { class: 'muted' }, 'Asking …'))
    setText(the('explain-heading', HTMLElement), subject.id)
    if (!this.#dialog.open) this.#dialog.showModal()
    the('explain-heading', HTMLElement).focus()
    this.#options.moved(subject.id)
    this.#reading.anew()
  }

  /** Reads again what it shows; to be called when that changes. */
  refresh(): void {
    if (this.#subject) this.#reading.refresh()
  }

  close(): void {
    this.#dialog.close()
  }

  shows(kind: Kind, id: string): boolean {
    return this.#subject?.kind === kind && this.#subject.id === id
  }

  #content(answer: ExplainAnswer): Node[] {
    if (!answer.isKnown) {
      return [element('p', {}, 'No member has told of it.'), ...remarks(answer)]
    }
    const sum = stateWord(answer)
    return [
      element(
        'p',
        { class: 'sum' },
        lamp(sum),
        ' ',
        element('span', { class: 'muted' }, 'since ', timeElement(answer.changedAt)),
      ),
      ...remarks(answer),
      element('h3', {}, 'How it adds up'),
      this.#addition(answer),
      element('h3', {}, 'What Asterisk was given'),
      this.#given(answer),
    ]
  }

  #addition({ steps, parts }: ExplainAnswer): HTMLElement {
    const jids = new Map(parts.map(({ eid, jid }) => [eid, jid]))
    return table(
      ['Member', 'Says', 'Sum so far'],
      steps.map(({ eid, state, sumSoFar, why }) => {
        const jid = jids.get(eid)
        const member = this.#options.names.of({ eid, ...(jid !== undefined && { jid }) })
        return { cells: [member, lamp(state), lamp(sumSoFar)], details: why }
      }),
    )
  }

  #given({ parts, injections }: ExplainAnswer): HTMLElement {
    const byOrigin = new Map(injections.map((injection) => [injection.eid, injection]))
    const rows = parts.map((part): Row => {
      const sent = byOrigin.get(part.eid)
      const notes = [part.note, sent?.failure].filter((note) => note !== undefined)
      const cells = [
        this.#options.names.of(part),
        standings[part.standing],
        timeElement(sent?.sentAt) ?? '–',
        answered(part.isOwn, sent),
      ]
      return { cells, details: [...new Set(notes)].join('; ') }
    })
    return table(['Member', 'Standing', 'Sent', 'Answer'], rows)
  }
}

function answered(isOwn: boolean, sent: InjectionView | undefined): Content {
  if (isOwn) return 'its own'
  if (sent === undefined) return '–'
  const { acknowledgedAt, status } = sent
  const at = timeElement(acknowledgedAt)
  return element('span', {}, status ?? 'none yet', at && ' at ', at)
}

function remarks({ remarks: said }: ExplainAnswer): Node[] {
  if (said.length === 0) return []
  const words = { note: 'Note', warning: 'Warning', error: 'Error' } as const
  return [
    element(
      'ul',
      { class: 'remarks' },
      ...said.map(({ severity, text, remedy }) =>
        element(
          'li',
          { class: 'remark', 'data-severity': severity },
          element('strong', {}, words[severity]),
          element('p', {}, text),
          remedy === undefined
            ? undefined
            : element('p', {}, element('em', {}, 'What to do: '), remedy),
        ),
      ),
    ),
  ]
}

interface Row {
  readonly cells: readonly Content[]
  /** What is to be said of it over its whole width. */
  readonly details: string
}

function table(heads: readonly string[], rows: readonly Row[]): HTMLElement {
  const columns = String(heads.length)
  const body = rows.flatMap(({ cells: [first, ...others], details }) => [
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, first),
      ...others.map((content) => element('td', {}, content)),
    ),
    ...(details === ''
      ? []
      : [element('tr', { class: 'details' }, element('td', { colspan: columns }, details))]),
  ])
  const head = element('tr', {}, ...heads.map((name) => element('th', { scope: 'col' }, name)))
  return element('table', {}, element('thead', {}, head), element('tbody', {}, ...body))
}
