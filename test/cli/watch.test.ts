import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { watch } from '../../src/cli/watch.js'
import type { Config } from '../../src/config/config.js'
import type { ChangeEvent } from '../../src/observe/api.js'
import { ControlServer } from '../../src/observe/control.js'
import { scratchFolder } from '../config/scratch.js'

const overview = {
  self: { jid: 'pbx-a@example.org', name: 'pbx-a', eid: '02:00:00:00:00:0a' },
  members: [{ jid: 'pbx-b@example.org', name: 'pbx-b', eid: '02:00:00:00:00:0b' }],
}

function change(name: string): ChangeEvent {
  const eid = `02:00:00:00:00:0${name.at(-1) ?? '0'}`
  const origin = { name, jid: `${name}@example.org`, eid, isOwn: false }
  const at = '2026-11-21T12:00:00.000Z'
  return { kind: 'device_state', id: 'PJSIP/1', at, ...origin, after: 'INUSE', sum: 'INUSE' }
}

/** Watches a bridge of which `pbx-a` and `pbx-b` each tell one change, until it ends; gives what was printed and why it ended. */
async function watched(
  from: string,
): Promise<{ printed: string[]; notes: string[]; reason: string }> {
  const stateDir = scratchFolder()
  const path = join(stateDir, 'hintbridge.sock')
  const server = new ControlServer({
    path,
    leave: () => Promise.resolve(),
    status: () => ({}),
    api: {
      '/api/overview': () => ({ status: 200, body: overview }),
      '/api/events': () => ({
        stream: (response) => {
          response.writeHead(200, { 'content-type': 'text/event-stream' })
          for (const name of ['pbx-a', 'pbx-b']) {
            response.write(`event: change\ndata: ${JSON.stringify(change(name))}\n\n`)
          }
          response.end()
        },
      }),
    },
  })
  await server.start()
  onTestFinished(() => server.stop())
  const printed: string[] = []
  const notes: string[] = []
  const reason = await watch({
    config: { controlSocket: path, stateDir } as Config,
    pattern: '',
    from,
    isJson: true,
    output: {
      print: (line) => printed.push((JSON.parse(line) as ChangeEvent).name ?? ''),
      note: (text) => notes.push(text),
      style: { width: 80, hasColour: false },
    },
    signal: new AbortController().signal,
  }).then(
    () => '',
    (error: unknown) => (error instanceof Error ? error.message : ''),
  )
  return { printed, notes, reason }
}

describe('watch --from', () => {
  it.each(['PBX-B', 'pbx-b@example.org', '2:0:0:0:0:B'])('shows what %s tells', async (from) => {
    const { printed, notes } = await watched(from)
    expect(printed).toEqual(['pbx-b'])
    expect(notes).toEqual([])
  })

  it('takes the own member too', async () => {
    expect((await watched('pbx-a')).printed).toEqual(['pbx-a'])
  })

  it('says that nobody is called so, instead of waiting for ever', async () => {
    const { reason } = await watched('pbx-typo')
    expect(reason).toBe("no member is called pbx-typo: 'hintbridge members' names them")
  })

  it('waits for an EID that nobody has yet, and says so', async () => {
    expect(await watched('02:00:00:00:00:0c')).toEqual({
      printed: [],
      notes: ['no member has the EID 02:00:00:00:00:0c yet'],
      reason: 'the bridge has ended',
    })
  })
})
