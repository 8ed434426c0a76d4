import { writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { questions } from '../../src/cli/init/answers.js'
import { initialise } from '../../src/cli/init/initialise.js'
import { Terminal } from '../../src/cli/init/terminal.js'
import { loadConfig } from '../../src/config/load.js'
import { inFolder, place } from './init-place.js'

/** Answers a question by its text; takes what is proposed where it has no reply, and keeps what was asked. */
function typist(replies: Partial<Record<string, string[]>>) {
  const asked: string[] = []
  const proposed: Record<string, string | undefined> = {}
  const ask = (question: string, proposal: string | undefined) => {
    asked.push(question)
    proposed[question] = proposal
    return Promise.resolve(replies[question]?.shift() ?? proposal ?? '')
  }
  const askSecret = () => Promise.reject(new Error('the environment has it'))
  return { asked, proposed, terminal: { ask, askSecret } }
}

describe('init on a terminal', () => {
  it('asks what was not given, and proposes what fits the account', async () => {
    const { config, options } = place()
    const { jid, ...given } = options.given
    const { terminal, proposed } = typist({ [questions.jid.text]: ['site-1@example.net'] })
    await initialise({ ...options, given, terminal })
    expect(proposed).toMatchObject({
      [questions.service.text]: 'xmpp://example.net:5222',
      [questions.pubsub.text]: 'pubsub.example.net',
      [questions.trust.text]: 'site-*@example.net',
      [questions.name.text]: hostname(),
    })
    expect(loadConfig(config, {}).config.xmpp.jid).not.toBe(jid)
  })

  it.each([
    ['jid', 'pbx', "'pbx' must be the bridge's own account as a bare JID"],
    ['service', 'secret-a', "'secret-a' must be a URI such as"],
    ['service', 'xmpp://a, b', "'b' must be a URI such as"],
    ['pubsub', 'a@b', "'a@b' must be the JID of the pubsub service"],
    ['trust', 'pbx-a@b, pbx', "'pbx' must be a bare JID such as"],
    ['trust', ',', 'is required: a list of bare JIDs'],
    ['asterisk', '5060', "'5060' must be host:port"],
    ['listen', '127.0.0.1:5060', "'127.0.0.1:5060' is where Asterisk itself listens"],
    ['http', '0.0.0.0:80', "'0.0.0.0:80' must be a loopback address; for another, set http.listen"],
    ['resource', 'a b', "'a b' must be a name of letters"],
    ['cluster', '/', "'/' must be the root of the pubsub node names"],
    ['name', 'x'.repeat(65), 'must be a name of 1 to 64 characters'],
    ['state-dir', `/${'x'.repeat(100)}`, 'is too long for the control socket in it'],
  ] as const)('asks for %s again after %j, and says why', async (key, wrong, reason) => {
    const { config, options, printed } = place()
    const given = { ...options.given, [key]: undefined }
    const replies = key === 'jid' ? [wrong, 'pbx-a@example.org'] : [wrong]
    const { terminal, asked } = typist({ [questions[key].text]: replies })
    await initialise({ ...options, given, terminal })
    expect(printed.join('\n')).toContain(reason)
    expect(asked.filter((question) => question === questions[key].text)).toHaveLength(2)
    expect(loadConfig(config, {}).config.xmpp.jid).toBe('pbx-a@example.org')
  })

  it('asks for what an option gave wrong, and says why', async () => {
    const { config, options, printed } = place()
    const { terminal, asked } = typist({})
    await initialise({ ...options, given: { ...options.given, service: 'secret-a' }, terminal })
    expect(printed.join('\n')).toContain("'secret-a' must be a URI such as")
    expect(asked[0]).toBe(questions.service.text)
    expect(loadConfig(config, {}).config.xmpp.services).toEqual(['xmpp://example.org:5222'])
  })

  it('asks nothing before the files that the options name are good', async () => {
    const { options } = place()
    const { terminal, asked } = typist({})
    const given = { ...options.given, ca: '/nope', eid: '0' }
    await expect(initialise({ ...options, given, terminal })).rejects.toThrow(
      /--ca: '\/nope' cannot be read \(ENOENT\)\n {2}--eid: '0' must be an entity ID/,
    )
    expect(asked).toEqual([])
  })

  it('first says which files are there, and takes others or replaces them', async () => {
    const { config, folder, options, printed, read } = place()
    await initialise(options)
    const secret = read(inFolder('sip.secret'))
    const other = join(folder, 'etc', 'hintbridge', 'b.yaml')
    const given = { ...options.given, jid: undefined, config: undefined }
    const { terminal, asked } = typist({
      [questions.config.text]: [config, other],
      [questions.jid.text]: ['pbx-b@example.org'],
      'Replace what is there (yes or no)': ['no', 'yes'],
    })
    await initialise({ ...options, given, terminal })
    expect(printed.join('\n')).toContain(`${config} is there already`)
    expect(asked.slice(0, 5)).toEqual([
      questions.config.text,
      'Replace what is there (yes or no)',
      questions.config.text,
      'Replace what is there (yes or no)',
      questions.jid.text,
    ])
    expect(loadConfig(other, {}).config.xmpp.jid).toBe('pbx-b@example.org')
    expect(read(inFolder('sip.secret'))).toBe(secret)
    expect(read('asterisk/pjsip_hintbridge.conf')).toContain(read(inFolder('b.sip.secret')))
  })

  it('lets SIP leave the loopback after a yes, and asks for another address after a no', async () => {
    const { config, options } = place()
    const { terminal, asked } = typist({
      [questions.asterisk.text]: ['10.1.1.1:5060', '10.1.1.2:5060'],
      'Accept that (yes or no)': ['no', 'yes'],
    })
    await initialise({ ...options, terminal })
    expect(asked.filter((question) => question.startsWith('Accept'))).toHaveLength(2)
    const { sip } = loadConfig(config, {}).config.asterisk
    expect([sip.asterisk.host, sip.insecure]).toEqual(['10.1.1.2', true])
  })

  it('takes a yes for the file that was named then, and asks for the next one that is there', async () => {
    const { folder, options, printed, read } = place()
    await initialise(options)
    const ours = join(folder, 'asterisk', 'pjsip.conf')
    writeFileSync(ours, 'ours')
    const { terminal, asked } = typist({
      [questions['asterisk-conf'].text]: [ours, join(folder, 'asterisk', 'bridge.conf')],
      'Replace what is there (yes or no)': ['yes', 'no'],
    })
    const given = { ...options.given, 'asterisk-conf': undefined }
    await initialise({ ...options, given, terminal })
    expect(asked.filter((question) => question.startsWith('Replace'))).toHaveLength(2)
    expect(printed.join('\n')).toContain(`${ours} is there already`)
    expect(read('asterisk/pjsip.conf')).toBe('ours')
    expect(read('asterisk/bridge.conf')).toContain(read(inFolder('sip.secret')))
  })

  it('takes a yes for the address that was given then, and asks for each other one', async () => {
    const { config, options } = place()
    const { terminal, asked } = typist({
      [questions.asterisk.text]: ['10.1.1.1:5060'],
      // The first is where Asterisk itself listens, and so is asked for again after the yes.
      [questions.listen.text]: ['10.1.1.1:5060', '10.1.1.2:5070', '127.0.0.1:5070'],
      'Accept that (yes or no)': ['yes', 'yes', 'no'],
    })
    await initialise({ ...options, terminal })
    expect(asked.filter((question) => question.startsWith('Accept'))).toHaveLength(3)
    const { sip } = loadConfig(config, {}).config.asterisk
    expect([sip.listen.host, sip.insecure]).toEqual(['127.0.0.1', true])
  })

  it('asks again for a password that is empty or cannot be one', async () => {
    const { config, options, printed } = place()
    const replies = ['', 'ty\tped', 'typed']
    await initialise({
      ...options,
      environment: {},
      terminal: {
        ask: (_question, proposal) => Promise.resolve(proposal ?? ''),
        askSecret: () => Promise.resolve(replies.shift() ?? ''),
      },
    })
    expect(loadConfig(config, {}).config.xmpp.password.reveal()).toBe('typed')
    expect(printed.join('\n')).toMatch(/must not be empty[^]*the password must hold .* one line/)
  })

  it('takes the proposal for an empty line, and does not echo a password', async () => {
    const input = new PassThrough()
    const output = new PassThrough()
    let shown = ''
    output.on('data', (part: Buffer) => (shown += part.toString()))
    const terminal = new Terminal(input, output)
    const answer = terminal.ask('Where', 'here')
    input.write('\n')
    expect(await answer).toBe('here')
    const secret = terminal.askSecret('Password')
    input.write('s3cret\n')
    expect(await secret).toBe('s3cret')
    expect(shown).toContain('Where [here]: ')
    expect(shown).toContain('Password: ')
    expect(shown).not.toContain('s3cret')
  })
})
