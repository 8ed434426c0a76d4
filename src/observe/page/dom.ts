/** Makes elements. Every text goes in as text: names come from the network. */

export type Content = Node | string | undefined

type Attributes = Readonly<Record<string, string | undefined>>

/** An element with attributes (an `undefined` one is left out) and content. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...content: readonly Content[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) made.setAttribute(name, value)
  }
  made.append(...content.filter((part) => part !== undefined))
  return made
}

/** The element of `index.html` with that id; throws where it is of another type. */
export function the<Type extends HTMLElement>(id: string, type: new () => Type): Type {
  const found = document.getElementById(id)
  if (!(found instanceof type)) throw new Error(`index.html has no such element: ${id}`)
  return found
}

/** Sets a text only where it differs, so that live regions are not read again. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text
}

/** `<time>` in the clock of who looks: the time of day, with the date where it is not today's. */
export function timeElement(iso: string | undefined): HTMLElement | undefined {
  if (iso === undefined) return undefined
  const at = new Date(iso)
  const isToday = at.toDateString() === new Date().toDateString()
  const text = isToday ? at.toLocaleTimeString('en-GB') : at.toLocaleString('en-GB')
  return element('time', { datetime: iso, title: at.toLocaleString('en-GB') }, text)
}
