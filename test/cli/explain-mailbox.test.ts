import { describe, expect, it } from 'vitest'
import { askAboutMailbox, judgeMailbox } from '../../src/cli/explain-mailbox.js'
import { renderExplanation } from '../../src/cli/explain-render.js'
import type { ExplainAnswer, MailboxPart } from '../../src/observe/api.js'

type MailboxAnswer = Extract<ExplainAnswer, { readonly kind: 'message_waiting' }>

const at = '2026-11-21T12:00:00.000Z'
const plain = { width: 80, hasColour: false }
const eid = '02:00:00:00:00:0a'

const part = (changed: Partial<MailboxPart> = {}): MailboxPart => ({
  ...{ eid, name: 'pbx-a', isOwn: false, newMessages: 2, oldMessages: 0 },
  ...{ changedAt: at, standing: 'injected', ...changed },
})

const answer = (newMessages: number, changed: Partial<MailboxAnswer> = {}): MailboxAnswer => ({
  ...{ kind: 'message_waiting', id: '1000@default', isKnown: true, changedAt: at },
  ...{ sum: { newMessages, oldMessages: 0 }, parts: [part()], steps: [] },
  ...{ injections: [], leftovers: [], remarks: [], ...changed },
})

const header =
  'Module                         Description              Use Count  Status      Support Level'
const loaded = `${header}
res_mwi_devstate.so            MWI Device State Subscriptions           0          Running              core
1 modules loaded`

/** An Asterisk's console with that module list and that state of MWI:1000@default. */
const asked = (modules: string, state: string) => {
  const commands: string[] = []
  const local = askAboutMailbox('1000@default', (command) => {
    commands.push(command)
    const isList = command.startsWith('module')
    return Promise.resolve(isList ? modules : `Return Value: Success (0)\nResult: ${state}`)
  })
  return local.then((found) => ({ found, commands }))
}

describe('explain of a mailbox', () => {
  it('asks Asterisk whether it shows new messages', async () => {
    const { found, commands } = await asked(loaded, 'INUSE')
    expect(found).toEqual({ hasNewMessages: true })
    expect(commands.at(-1)).toBe('dialplan eval function DEVICE_STATE(MWI:1000@default)')
    expect((await asked(loaded, 'NOT_INUSE')).found).toEqual({ hasNewMessages: false })
  })

  it('takes a mailbox that Asterisk was never given a count of for one without messages', async () => {
    expect((await asked(loaded, 'INVALID')).found).toEqual({ hasNewMessages: false })
  })

  it('says that it was not asked, and why, without res_mwi_devstate, a console or a harmless name', async () => {
    const without = await asked(`${header}\n0 modules loaded`, 'INVALID')
    expect(without.commands).toHaveLength(1)
    expect(judgeMailbox(answer(2), without.found).remarks).toEqual([
      {
        severity: 'note',
        text: "what this Asterisk shows was not asked: its module res_mwi_devstate is not loaded ('module load res_mwi_devstate' on its console changes that)",
      },
    ])
    const stopped = loaded.replace('Running', 'Not Running')
    expect((await asked(stopped, 'INUSE')).found.failure).toContain('is not loaded')
    expect(
      await askAboutMailbox('1000@default', () => Promise.reject(new Error('no console'))),
    ).toEqual({ failure: 'no console' })
    expect(await askAboutMailbox('1) b', () => Promise.resolve(loaded))).toEqual({
      failure: 'its name cannot be asked for on the console',
    })
  })

  it('compares that with the count that counts', () => {
    expect(judgeMailbox(answer(2), { hasNewMessages: true })).toEqual({
      local: { hasNewMessages: true, isAsExpected: true },
      remarks: [],
    })
    expect(judgeMailbox(answer(0), { hasNewMessages: false }).local.isAsExpected).toBe(true)
    const { local, remarks } = judgeMailbox(answer(0), { hasNewMessages: true })
    expect(local.isAsExpected).toBe(false)
    expect(remarks).toMatchObject([
      {
        severity: 'warning',
        text: expect.stringMatching(
          /^this Asterisk shows new messages, and 0 is the count that counts: it was given another/,
        ) as unknown,
      },
    ])
  })

  it('names what waits or is left over where that is the difference', () => {
    const textOf = (changed: Partial<MailboxAnswer>) =>
      judgeMailbox(answer(2, changed), { hasNewMessages: false }).remarks[0]?.text
    expect(textOf({ parts: [part({ standing: 'pending' })] })).toMatch(
      /pbx-a says is not there yet$/,
    )
    expect(textOf({ leftovers: [{ eid, isInherited: true }] })).toMatch(/is not confirmed yet$/)
  })

  it('says it in a line', () => {
    const said = (local: Parameters<typeof judgeMailbox>[1]) =>
      renderExplanation({ ...answer(2), ...judgeMailbox(answer(2), local) }, [], plain)
    expect(said({ hasNewMessages: true })).toContain(
      'This Asterisk shows new messages: as it should',
    )
    expect(said({ hasNewMessages: false })).toContain(
      'This Asterisk shows no new messages: not what the count says',
    )
    expect(said({ failure: 'no console' })).not.toContain('This Asterisk')
  })
})
