import { asteriskEndpointCheck } from './checks/asterisk-endpoint.js'
import { asteriskModulesCheck } from './checks/asterisk-modules.js'
import { asteriskPublicationsCheck } from './checks/asterisk-publications.js'
import { asteriskSecretsCheck } from './checks/asterisk-secrets.js'
import { asteriskSipCheck } from './checks/asterisk-sip.js'
import { asteriskStatesCheck } from './checks/asterisk-states.js'
import { bridgeCheck } from './checks/bridge.js'
import { clockCheck } from './checks/clock.js'
import { entityIdCheck } from './checks/entity-id.js'
import { certificateCheck, dnsCheck, loginCheck } from './checks/login.js'
import { mailboxesCheck } from './checks/mailboxes.js'
import { membersCheck } from './checks/members.js'
import { nodesCheck } from './checks/nodes.js'
import { portsCheck } from './checks/ports.js'
import { pubsubServiceCheck } from './checks/pubsub-service.js'
import { rateCheck } from './checks/rate.js'
import { readersCheck } from './checks/readers.js'
import { registrationCheck } from './checks/registration.js'
import type { Check } from './check.js'

/** All that `doctor` looks at once the configuration can be used, from Asterisk outwards. */
export const checks: readonly Check[] = [
  bridgeCheck,
  portsCheck,
  // Before what the console says: it may be another Asterisk's.
  entityIdCheck,
  asteriskModulesCheck,
  asteriskEndpointCheck,
  asteriskSecretsCheck,
  asteriskPublicationsCheck,
  asteriskSipCheck,
  asteriskStatesCheck,
  mailboxesCheck,
  dnsCheck,
  loginCheck,
  certificateCheck,
  clockCheck,
  pubsubServiceCheck,
  membersCheck,
  readersCheck,
  registrationCheck,
  nodesCheck,
  rateCheck,
]
