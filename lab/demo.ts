/**
 * `npm run demo`: a real Prosody, two real Asterisks and a bridge beside each; a device and a mailbox change on one, the
 * other shows it. Keeps going until ^C; with `--once` it ends after the show, non-zero if something did not follow.
 */
import { once } from 'node:events'
import { relative } from 'node:path'
import { parseArgs } from 'node:util'
import type { DeviceState } from '../src/bridge/state.js'
import { startCluster, type Cluster } from './cluster.js'
import type { Notify } from './phone.js'
import { Phone } from './phone.js'
import { startProsody } from './prosody.js'

const { values: options } = parseArgs({ options: { once: { type: 'boolean', default: false } } })

const night = 'Custom:night'
const mailbox = '1000@default'
const phone = { user: '2000', password: 'phone', mailbox }
/** What Asterisk calls these device states as the state of a hint. */
const show: readonly (readonly [DeviceState, string])[] = [
  ['INUSE', 'InUse'],
  ['RINGING', 'Ringing'],
  ['NOT_INUSE', 'Idle'],
]

const say = (text: string): void => void process.stdout.write(`${text}\n`)

async function start(): Promise<Cluster> {
  say('Starting Prosody, two Asterisks and two bridges …')
  const hints = { night }
  const cluster = await startCluster({
    label: 'demo',
    startServer: startProsody,
    members: { a: { hints, mailboxes: [mailbox] }, b: { hints, phones: [phone] } },
  })
  say(`  Prosody  ${cluster.server.service}, pubsub at ${cluster.server.pubsub}`)
  for (const { asterisk, http } of cluster.members) {
    say(`  ${asterisk.name}    Asterisk at ${asterisk.sipAddress}, its bridge's metrics at ${http}`)
  }
  return cluster
}

/** Sets the device on pbx-a and shows the hint on pbx-b before and after; throws where it does not follow. */
async function showHint(cluster: Cluster): Promise<void> {
  const [a, b] = [cluster.member('a').asterisk, cluster.member('b').asterisk]
  say(`\nA device on pbx-a, its hint on pbx-b (${night})`)
  for (const [state, hint] of show) {
    const before = await b.hint('night')
    const sinceMs = performance.now()
    await a.setDevice(night, state)
    await b.awaitHint('night', hint)
    const tookMs = performance.now() - sinceMs
    const line = `  pbx-a sets ${state.padEnd(9)}  pbx-b's hint: ${before} -> ${await b.hint('night')}`
    say(`${line.padEnd(62)} ${tookMs.toFixed(0)} ms`)
  }
}

/** Lays voicemail on pbx-a and shows the lamp of a phone at pbx-b; throws where it does not follow. */
async function showLamp(cluster: Cluster): Promise<void> {
  const [a, b] = [cluster.member('a').asterisk, cluster.member('b').asterisk]
  say(`\nA mailbox on pbx-a, the message lamp of a phone at pbx-b (${mailbox})`)
  const lamp = await new Phone(cluster.scratch, phone, b.sipPort).subscribeMailbox()
  for (const count of [2, 0]) {
    const before = lampOf(lamp.notifies)
    a.layVoicemail(mailbox, count)
    const wanted = `Voice-Message: ${count}/0`
    const notifies = await lamp.awaitNotifies((all) => all.at(-1)?.body.includes(wanted) === true)
    say(`  pbx-a has ${count} new messages    pbx-b's phone: ${before} -> ${lampOf(notifies)}`)
  }
  await lamp.stop()
}

/** What the last message summary says (RFC 3842). */
function lampOf(notifies: readonly Notify[]): string {
  const body = notifies.at(-1)?.body ?? ''
  const isLit = /^Messages-Waiting: yes/m.test(body)
  const counts = /^Voice-Message: (\d+)\/(\d+)/m.exec(body)
  return `${isLit ? 'lit' : 'dark'} (${counts?.[1] ?? 0} new, ${counts?.[2] ?? 0} old)`
}

function explain(cluster: Cluster): void {
  const console = (letter: string): string =>
    relative(process.cwd(), cluster.member(letter).asterisk.consoleFile)
  say(`
All keeps running. Play with it from another terminal, in this folder:
  ${console('a')} -rx 'devstate change ${night} BUSY'
  ${console('b')} -rx 'core show hint night'
  ${console('a')} -r${' '.repeat(28)}the console of pbx-a
  curl -s ${cluster.member('b').http}/ready         is the bridge of pbx-b in sync?
  tail -f ${relative(process.cwd(), cluster.member('b').logFile)}
^C ends it.`)
}

const cluster = await start()
try {
  await showHint(cluster)
  await showLamp(cluster)
  if (!options.once) {
    explain(cluster)
    await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
    say('\nStopping …')
  }
} catch (error) {
  process.exitCode = 1
  say(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`)
} finally {
  await cluster.stop()
}
if (process.exitCode === undefined) say('\nAll followed.')
// The lab's claims on ports would keep the process.
process.exit()
