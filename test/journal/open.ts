import { onTestFinished } from 'vitest'
import { StateDir } from '../../src/journal/state-dir.js'

export interface Opened {
  readonly stateDir: StateDir
  /** Every change of the problem, `over` where there is none any more, and what was warned of. */
  readonly said: string[]
}

/** Opens a `state_dir` as a bridge does; closed at the end of the test. */
export async function open(folder: string): Promise<Opened> {
  const said: string[] = []
  const stateDir = await StateDir.open(folder, {
    warn: (message) => said.push(message),
    problem: (text = 'over') => said.push(text),
  })
  onTestFinished(() => stateDir.close())
  return { stateDir, said }
}

export const eid = '02:00:00:00:00:0b'

/** Notes that a device of a peer is about to be injected. */
export function add({ stateDir }: Pick<Opened, 'stateDir'>, id: string): void {
  stateDir.perform({ to: 'journal', do: 'add', eid, kind: 'device_state', id })
}

export function idsOf({ stateDir }: Pick<Opened, 'stateDir'>): string[] {
  return stateDir.injected().map(({ id }) => id)
}
