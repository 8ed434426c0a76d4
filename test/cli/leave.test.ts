import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { leave } from '../../src/cli/leave.js'
import { parseConfig } from '../../src/config/load.js'
import { ControlServer } from '../../src/observe/control.js'
import { scratchFolder } from '../config/scratch.js'

function configOn(stateDir: string) {
  const text = `
trust: ['pbx-*@example.org']
state_dir: ${stateDir}
xmpp: { service: 'xmpp://127.0.0.1:5222', jid: pbx-a@example.org, password: a }
asterisk: { sip: { password: b } }
`
  return parseConfig(text, { environment: {} }).config
}

describe('leave', () => {
  it('asks the running bridge and waits until it has left and ended', async () => {
    const folder = scratchFolder()
    const steps: string[] = []
    const server = new ControlServer({
      path: join(folder, 'hintbridge.sock'),
      leave: () => {
        steps.push('left')
        // As the service does: it ends its streams first, and this socket last.
        void delay(150).then(() => {
          steps.push('ended')
          return server.stop()
        })
        return Promise.resolve()
      },
      status: () => ({}),
    })
    await server.start()
    onTestFinished(() => server.stop())
    const config = configOn(folder)
    const leaveInPlace = () => Promise.reject(new Error('a second bridge'))
    await leave({ config, print: (line) => steps.push(line), leaveInPlace })
    expect(steps).toEqual([
      'pbx-a@example.org: leaving …',
      'left',
      'ended',
      expect.stringMatching(/^pbx-a@example.org has left the cluster/),
    ])
  })

  it('leaves in its place where no bridge runs', async () => {
    const steps: string[] = []
    await leave({
      config: configOn(scratchFolder()),
      print: (line) => steps.push(line),
      leaveInPlace: () => {
        steps.push('in place')
        return Promise.resolve()
      },
    })
    expect(steps[1]).toMatch(/^no bridge runs on /)
    expect(steps[2]).toBe('in place')
  })

  it("fails with the bridge's own reason, and does not claim to have left", async () => {
    const folder = scratchFolder()
    const server = new ControlServer({
      path: join(folder, 'hintbridge.sock'),
      leave: () => {
        setImmediate(() => void server.stop())
        return Promise.reject(new Error('the nodes are still there'))
      },
      status: () => ({}),
    })
    await server.start()
    onTestFinished(() => server.stop())
    const lines: string[] = []
    await expect(
      leave({
        config: configOn(folder),
        print: (line) => lines.push(line),
        leaveInPlace: () => Promise.resolve(),
      }),
    ).rejects.toThrow('failed to leave: the nodes are still there')
    expect(lines).toHaveLength(1)
  })
})
