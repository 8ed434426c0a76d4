/**
 * States that nothing in an Asterisk can be brought to have, such as UNKNOWN: whoever may publish under the EID of the
 * Asterisk itself gives it a state of its own, as the bridge does with its fence.
 */
import type { DeviceState } from '../src/bridge/state.js'
import type { Asterisk, PhoneAccount } from './asterisk.js'
import { Phone } from './phone.js'
import type { Scratch } from './scratch.js'

/** Who may publish; one of the Asterisk's `phones`. */
export const publisher: PhoneAccount = { user: 'own-states', password: 'secret-own-states' }

/** Lines for the Asterisk's `pjsip`. */
export const publication = `
[own-states]
type = inbound-publication
endpoint = ${publisher.user}
event_asterisk-devicestate = own-states
[own-states]
type = asterisk-publication
device_state = yes
`

/** Gives an Asterisk a cachable device state of its own; resolves when it is accepted. */
export async function publishOwnState(
  scratch: Scratch,
  pbx: Asterisk,
  device: string,
  state: DeviceState,
): Promise<void> {
  const body = { type: 'devicestate', eid: pbx.eid, device, state, cachable: 1 }
  const phone = new Phone(scratch, publisher, pbx.sipPort)
  await phone.publish('own-states', 'asterisk-devicestate', body)
}
