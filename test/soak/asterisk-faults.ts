/** What may befall an Asterisk: it dies, ends, stands still, or is starved of time. */
import { asteriskMs, type Fault, pause } from './fault.js'
import { type Letter, memberOf } from './rig.js'

export function asteriskFaults(letter: Letter): Fault[] {
  const common = { parts: [`asterisk ${letter}`] as const, settleMs: asteriskMs }
  const down = (name: string, end: 'kill' | 'stop'): Fault => ({
    ...{ ...common, name: `Asterisk ${letter} ${name}`, lastsMs: [100, 5_000] },
    run: async (rig, over) => {
      const { asterisk } = memberOf(rig, letter)
      await asterisk[end]()
      await over()
      await asterisk.start()
    },
  })
  return [
    down('killed', 'kill'),
    down('stopped', 'stop'),
    {
      // Silence to OPTIONS is death after 12 s: some of these it survives.
      ...{ ...common, name: `Asterisk ${letter} stands still`, lastsMs: [500, 18_000] },
      run: async (rig, over) => {
        const { running } = memberOf(rig, letter).asterisk
        running.signal('SIGSTOP')
        await over()
        running.signal('SIGCONT')
      },
    },
    {
      ...{ ...common, name: `Asterisk ${letter} overloaded`, lastsMs: [3_000, 10_000] },
      run: async (rig, over) => {
        const { running } = memberOf(rig, letter).asterisk
        const ended = new AbortController()
        void over().then(() => ended.abort())
        while (!ended.signal.aborted) {
          running.signal('SIGSTOP')
          await pause(700, ended.signal)
          running.signal('SIGCONT')
          await pause(100, ended.signal)
        }
      },
    },
  ]
}
