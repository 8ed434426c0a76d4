/** Everything that may befall the cluster, each with its own end: a fault strikes, lasts, and is healed. */
import { asteriskFaults } from './asterisk-faults.js'
import { bridgeFaults } from './bridge-faults.js'
import type { Fault } from './fault.js'
import { membersMischief, mischief } from './mischief.js'
import { letters, witness } from './rig.js'
import { linkFaults, serverFaults } from './server-faults.js'

export const faults: readonly Fault[] = [
  ...letters.filter((letter) => letter !== witness).flatMap(bridgeFaults),
  ...letters.flatMap(asteriskFaults),
  ...letters.flatMap(linkFaults),
  ...serverFaults(),
  ...letters.flatMap(mischief),
  ...membersMischief(),
]
