/** Data forms with single values, as node configurations are. Source: XEP-0004. */
import xml, { type Element } from '@xmpp/xml'

const formNamespace = 'jabber:x:data'

/** Form fields by name, such as `pubsub#persist_items`; booleans as `1` and `0`. */
export type FormFields = Readonly<Record<string, string>>

/** A form to submit. */
export function encodeForm(formType: string, fields: FormFields): Element {
  const field = (name: string, value: string): Element =>
    xml('field', { var: name }, xml('value', {}, value))
  return xml(
    'x',
    { xmlns: formNamespace, type: 'submit' },
    xml('field', { var: 'FORM_TYPE', type: 'hidden' }, xml('value', {}, formType)),
    ...Object.entries(fields).map(([name, value]) => field(name, value)),
  )
}

/** The first value of each field of the form within `parent`; booleans are brought to `1` and `0`. */
export function decodeForm(parent: Element | undefined): Map<string, string> {
  const fields = parent?.getChild('x', formNamespace)?.getChildren('field') ?? []
  return new Map(
    fields.flatMap((field) => {
      const name = field.attrs['var']
      const value = field.getChildText('value')
      return name === undefined || value === null ? [] : [[name, normalise(value)]]
    }),
  )
}

/** XML Schema's booleans have two spellings each (XEP-0004 §3.3). */
function normalise(value: string): string {
  if (value === 'true') return '1'
  return value === 'false' ? '0' : value
}
