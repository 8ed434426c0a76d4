import { dirname } from 'node:path'
import type { Config } from '../../config/config.js'
import { readSections } from '../asterisk-files.js'
import type { Check } from '../check.js'
import { type Finding, Findings } from '../finding.js'
import { entityIdIn, otherConsole, type OtherConsole } from '../own-console.js'

/** Has Asterisk an entity ID, and is it the one that the bridge goes by? */
export const entityIdCheck: Check = {
  name: 'entity-id',
  async run(context) {
    const settings = await context.console('core show settings')
    const other = await otherConsole(context)
    const { asterisk } = context.config
    return [other ? judgeOther(other, asterisk) : judgeEntityId(settings, isSet(settings))]
  },
}

/** Does asterisk.conf name one? `undefined` where the file cannot be read here. */
function isSet(settings: string): boolean | undefined {
  const file = /^\s*Configuration file:\s*(\S.*?)\s*$/m.exec(settings)?.[1]
  if (file === undefined) return undefined
  try {
    const options = readSections(dirname(file), file).filter(({ name }) => name === 'options')
    return options.some((section) => section.settings.has('entityid'))
  } catch {
    return undefined
  }
}

const findings = new Findings('entity-id')

/** The finding on a console that says another entity ID than the bridge goes by. */
export function judgeOther(
  { eid, expected, isSure }: OtherConsole,
  { eid: configured, console }: Pick<Config['asterisk'], 'eid' | 'console'>,
): Finding {
  const program = console.join(' ')
  const name =
    "name that of the bridge's own in asterisk.console, such as [asterisk, -C, /etc/asterisk-b/asterisk.conf]"
  if (isSure) {
    return findings.warning(
      `'${program}' is the console of another Asterisk: it says ${eid}, and the bridge speaks to ${expected}. doctor and explain ask it in vain`,
      name,
    )
  }
  const ifSeveral = `if several Asterisks run here that may be the console of another: ${name}; else`
  const text = `the console ('${program}') says ${eid}`
  if (configured !== undefined) {
    return findings.broken(
      `${text}, and asterisk.eid ${configured}: what another publishes is refused`,
      `${ifSeveral} correct asterisk.eid and restart the bridge, or entityid in asterisk.conf and restart Asterisk`,
    )
  }
  return findings.warning(
    `${text}, and the bridge has learnt ${expected}`,
    `${ifSeveral} start the bridge: it takes the new one; set asterisk.eid to have it fixed`,
  )
}

/** The finding on `core show settings`; `isSetInFile`: does asterisk.conf name an entity ID? */
export function judgeEntityId(settings: string, isSetInFile: boolean | undefined): Finding {
  const { eid, text } = entityIdIn(settings)
  const giveOne =
    'set entityid in the [options] of asterisk.conf to one of its own, such as 02:00:00:00:00:0a, and restart Asterisk'
  if (eid === undefined) {
    return findings.broken(`Asterisk has no entity ID ('${text}')`, giveOne)
  }
  if (isSetInFile === false) {
    return findings.note(
      `Asterisk's is ${eid}, by its network card: a copied or changed machine gets another, or the same as its original`,
      giveOne,
    )
  }
  return findings.ok(`Asterisk's is ${eid}`)
}
