/** Asterisk answers, and refuses what the bridge sends: told once, with what the administrator can do. */
import type { Failure } from '../../bridge/events.js'
import type { Health } from './foreign-entity-id.js'
import { strangeRealm } from './publication.js'

const ask =
  'is pjsip_hintbridge.conf included in pjsip.conf and loaded (module reload)? ' +
  'If so, is asterisk.sip.password the one in it?'

/** By status: what the configuration of Asterisk lacks. Others concern one body, or pass. */
const remedies: ReadonlyMap<string, string> = new Map([
  ['401', ask],
  ['403', `${ask} Does its acl let the bridge in?`],
  ['404', ask],
  ['407', ask],
  [
    strangeRealm,
    'it asks in a realm that is not the one of pjsip_hintbridge.conf: has Asterisk loaded the file that belongs to this ' +
      'configuration (module reload)? If so, another program answers in its place',
  ],
  ['489', 'are res_pjsip_pubsub.so and res_pjsip_publish_asterisk.so loaded?'],
])

/** Sets the health problem `asterisk-refuses` by how a PUBLISH ended. */
export function tellRefusal(health: Health, failure: Failure | undefined): void {
  if (!failure) {
    health('asterisk-refuses')
    return
  }
  const remedy = remedies.get(failure.condition)
  if (remedy === undefined) return
  health('asterisk-refuses', `Asterisk refuses the bridge (${failure.condition}): ${remedy}`)
}
