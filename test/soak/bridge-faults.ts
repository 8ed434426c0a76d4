/** What may befall a bridge: it dies, ends, or leaves the cluster for good, whatever else fails meanwhile. */
import type { Member } from '../../lab/member.js'
import { type Fault, reconnectMs } from './fault.js'
import { type Letter, memberOf } from './rig.js'

/** The longest storm and the longest fault in it, and a while: then nothing is in the way of a leave any more. */
const leaveAgainMs = 90_000

export function bridgeFaults(letter: Letter): Fault[] {
  const parts = [`bridge ${letter}`] as const
  const [lastsMs, settleMs] = [[100, 5_000] as const, reconnectMs]
  const down = (name: string, end: 'killBridge' | 'stopBridge'): Fault => ({
    ...{ name: `bridge ${letter} ${name}`, parts, lastsMs, settleMs },
    run: async (rig, over) => {
      await memberOf(rig, letter)[end]()
      await over()
      await memberOf(rig, letter).startBridge()
    },
  })
  return [
    down('killed', 'killBridge'),
    down('stopped', 'stopBridge'),
    {
      // Where it has its Asterisk and its server, leaving works at once.
      ...{ name: `member ${letter} leaves`, lastsMs, settleMs },
      parts: [...parts, `asterisk ${letter}`, `link ${letter}`, 'server'],
      run: async (rig, over) => {
        if (!(await isReady(memberOf(rig, letter)))) return
        await memberOf(rig, letter).leave()
        await over()
        await memberOf(rig, letter).startBridge()
      },
    },
    {
      ...{ name: `member ${letter} leaves amid other faults`, parts, lastsMs, settleMs },
      run: async (rig, over) => {
        const member = memberOf(rig, letter)
        const hasLeft = await mayLeave(member)
        await over()
        if (!hasLeft) await leaveAgain(member)
        await member.startBridge()
      },
    },
  ]
}

const isReady = async ({ http }: Member): Promise<boolean> => (await fetch(`${http}/ready`)).ok

/** Leaves; `false` where that fails, as it may, for want of its server or its Asterisk, and says what is to be done. */
async function mayLeave(member: Member): Promise<boolean> {
  try {
    await member.leave()
    return true
  } catch (error) {
    if (!/: run leave again when it answers/.test(String(error))) throw error
    await member.bridge.exited
    return false
  }
}

/** Does what it was told to do; throws where that never works. */
async function leaveAgain(member: Member): Promise<void> {
  const deadline = performance.now() + leaveAgainMs
  while (!(await mayLeave(member))) {
    if (performance.now() > deadline) {
      throw new Error(`${member.asterisk.name} cannot leave, though nothing is in its way`)
    }
  }
}
