import { dirname } from 'node:path'
import { type EntityId, parseEntityId } from '../../bridge/state.js'
import type { Config } from '../../config/config.js'
import { readSections } from '../asterisk-files.js'
import type { Check } from '../check.js'
import { type Finding, Findings } from '../finding.js'

/** Has Asterisk an entity ID, and is it the one that the bridge goes by? */
export const entityIdCheck: Check = {
  name: 'entity-id',
  async run(context) {
    const settings = await context.console('core show settings')
    const known = context.eid()
    return [judgeEntityId(settings, context.config.asterisk, known, isSet(settings))]
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

/** The finding on `core show settings`; `known` is the configured or learnt one, `isSetInFile` whether asterisk.conf names one. */
export function judgeEntityId(
  settings: string,
  { eid: configured }: Pick<Config['asterisk'], 'eid'>,
  known: EntityId | undefined,
  isSetInFile: boolean | undefined,
): Finding {
  const findings = new Findings('entity-id')
  const text = /^\s*Entity ID:\s*(\S+)/m.exec(settings)?.[1] ?? ''
  const eid = parseEntityId(text)
  const giveOne =
    'set entityid in the [options] of asterisk.conf to one of its own, such as 02:00:00:00:00:0a, and restart Asterisk'
  if (eid === undefined) {
    return findings.broken(`Asterisk has no entity ID ('${text}')`, giveOne)
  }
  if (configured !== undefined && configured !== eid) {
    return findings.broken(
      `Asterisk's is ${eid}, and asterisk.eid says ${configured}: what it publishes is refused`,
      'correct asterisk.eid and restart the bridge, or entityid in asterisk.conf and restart Asterisk',
    )
  }
  if (known !== undefined && known !== eid) {
    return findings.warning(
      `Asterisk's is ${eid}, and the bridge has learnt ${known}`,
      'the bridge takes it when both run; set asterisk.eid to have it fixed',
    )
  }
  if (isSetInFile === false) {
    return findings.note(
      `Asterisk's is ${eid}, by its network card: a copied or changed machine gets another, or the same as its original`,
      giveOne,
    )
  }
  return findings.ok(`Asterisk's is ${eid}`)
}
