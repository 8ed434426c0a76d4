import { statesCommand } from './states.js'

export const devicesCommand = statesCommand({
  kind: 'device_state',
  command: 'devices',
  one: 'device',
  many: 'devices',
  describe: "Show the devices: the sum of each, and each member's part",
  example: 'PJSIP/10*',
  busy: 'the busy ones first',
})
