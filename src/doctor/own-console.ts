/** Of two Asterisks on one machine the console is easily that of the other: what it says must not be taken for the bridge's own. */
import { type EntityId, parseEntityId } from '../bridge/state.js'
import { type DoctorContext, overviewIfAny } from './context.js'
import { Unchecked } from './finding.js'

export interface OtherConsole {
  /** The entity ID of the console's Asterisk … */
  readonly eid: EntityId
  /** … and the one that the bridge goes by. */
  readonly expected: EntityId
  /** Asterisk has given a running bridge its fence back, which it does under its own entity ID only (rule 1). */
  readonly isSure: boolean
}

/** The entity ID in `core show settings`; `undefined` where there is none, with what stands there as `text`. */
export function entityIdIn(settings: string): { eid: EntityId | undefined; text: string } {
  const text = /^\s*Entity ID:\s*(\S+)/m.exec(settings)?.[1] ?? ''
  return { eid: parseEntityId(text), text }
}

/** `undefined` where the console is that of the bridge's Asterisk, as far as entity IDs tell. */
export async function otherConsole(context: DoctorContext): Promise<OtherConsole | undefined> {
  const { eid } = entityIdIn(await context.console('core show settings'))
  const self = (await overviewIfAny(context))?.self
  const expected = parseEntityId(self?.eid ?? '') ?? context.eid()
  if (eid === undefined || expected === undefined || eid === expected) return undefined
  return { eid, expected, isSure: self?.isAsteriskFound === true && self.isFenced }
}

/** Output of a command on the console; throws `ConsoleUnusable`, and `Unchecked` where it may be another Asterisk's. */
export async function askOwnConsole(context: DoctorContext, command: string): Promise<string> {
  const other = await otherConsole(context)
  if (other === undefined) return context.console(command)
  const { eid, expected, isSure } = other
  throw new Unchecked(
    `the console ${isSure ? 'is' : 'may be'} that of another Asterisk: it says ${eid}, not ${expected}`,
    'see entity-id',
  )
}
