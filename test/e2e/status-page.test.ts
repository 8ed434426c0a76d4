/** The status page in a real Chromium: on real bridges, Asterisks and Prosody, and with as many devices as nobody has. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startBrowser } from '../../lab/browser.js'
import { type Cluster, startCluster } from '../../lab/cluster.js'
import { changeSettings, type Member } from '../../lab/member.js'
import { Onlooker } from '../../lab/onlooker.js'
import { startProsody } from '../../lab/prosody.js'
import { namespace } from '../../src/nodes/strict.js'
import { FixtureServer } from './status-page/fixture.js'
import { StatusPage } from './status-page/looking.js'

const night = 'Custom:night'
const mailbox = '1000@default'
const stranger = { user: 'eve', password: 'secret' }
/** Names that Asterisk takes, and that would run or show as more than text where a page believed them. */
const markup = [
  'Custom:<script>window.hacked=1</script>',
  'Custom:<img/src=x/onerror=window.hacked=2>',
]

let browser: Browser
const opened: StatusPage[] = []

beforeAll(async () => {
  browser = await startBrowser()
})
afterAll(() => browser.close())
afterEach(async () => {
  const pages = opened.splice(0)
  await Promise.all(pages.map((page) => page.close()))
  expect(pages.flatMap(({ errors }) => errors)).toEqual([])
})

async function open(
  address: string,
  options?: Parameters<typeof StatusPage.open>[2],
): Promise<StatusPage> {
  const page = await StatusPage.open(browser, address, options)
  opened.push(page)
  return page
}

describe('the status page of B', () => {
  let cluster: Cluster
  let a: Member
  let b: Member

  beforeAll(async () => {
    cluster = await startCluster({
      label: 'status-page',
      startServer: (options) =>
        startProsody({ ...options, accounts: [...(options.accounts ?? []), stranger] }),
      members: { a: { mailboxes: [mailbox], hints: { night } }, b: { hints: { night } } },
    })
    ;[a, b] = [cluster.member('a'), cluster.member('b')]
    await a.asterisk.setDevice(night, 'NOT_INUSE')
  })

  afterAll(() => cluster.stop())

  test('shows what changes on A without a reload', async () => {
    const status = await open(b.http)
    await status.row(night, 'NOT_INUSE').waitFor()
    await status.page.evaluate('window.isStillThere = true')
    for (const state of ['INUSE', 'RINGING', 'NOT_INUSE'] as const) {
      await a.asterisk.setDevice(night, state)
      await status.row(night, state).getByText('pbx-a').waitFor()
    }
    expect(await status.page.evaluate('window.isStillThere')).toBe(true)
  })

  test('shows the sum of both, and each part', async () => {
    const status = await open(b.http)
    await b.asterisk.setDevice(night, 'INUSE')
    await a.asterisk.setDevice(night, 'RINGING')
    const parts = status.row(night, 'RINGINUSE').getByRole('gridcell').nth(2)
    await parts.filter({ hasText: /^pbx-b\s+INUSE\s+pbx-a\s+RINGING\s*$/ }).waitFor()
    for (const { asterisk } of [a, b]) await asterisk.setDevice(night, 'NOT_INUSE')
    await status.row(night, 'NOT_INUSE').waitFor()
  })

  test('shows message counts', async () => {
    const status = await open(b.http)
    await status.page.getByRole('radio', { name: 'Mailboxes' }).check()
    a.asterisk.layVoicemail(mailbox, 2)
    await status.row(mailbox, '2/0').waitFor()
    a.asterisk.clearVoicemail(mailbox)
    await status.row(mailbox, '0/0').waitFor()
  })

  test('finds what is searched for, says how many, and keeps the search over a reload', async () => {
    await a.asterisk.setDevice('Custom:day', 'INUSE')
    const status = await open(b.http)
    await status.row('Custom:day', 'INUSE').waitFor()
    await status.search.fill('*:NIGHT')
    await status.row('Custom:day').waitFor({ state: 'detached' })
    await status.row(night).waitFor()
    const told = status.page.getByRole('status').filter({ hasText: /^1 of \d+ devices$/ })
    await told.waitFor()
    await status.page.reload()
    await status.row(night).waitFor()
    expect(await status.search.inputValue()).toBe('*:NIGHT')
    expect(await status.row('Custom:day').count()).toBe(0)
    await status.search.fill('nobody has this')
    await status.page
      .getByRole('status')
      .filter({ hasText: /^0 of \d+ devices$/ })
      .waitFor()
  })

  test('explains a device on a click, and keeps up with it', async () => {
    await a.asterisk.setDevice(night, 'INUSE')
    const status = await open(b.http)
    await status.row(night, 'INUSE').click()
    const { dialog } = status
    await dialog.getByRole('heading', { name: night }).waitFor()
    const addition = dialog.getByRole('table').first()
    await addition
      .getByRole('row')
      .filter({ hasText: /pbx-a.*INUSE/ })
      .waitFor()
    await dialog
      .getByRole('row')
      .filter({ hasText: /pbx-a.*given.*200 at/ })
      .waitFor()
    await a.asterisk.setDevice(night, 'ONHOLD')
    await addition
      .getByRole('row')
      .filter({ hasText: /pbx-a.*ONHOLD/ })
      .waitFor()
    await dialog.getByRole('button', { name: 'Close' }).click()
    await dialog.waitFor({ state: 'hidden' })
  })

  test('explains a device by keyboard alone, and gives the focus back', async () => {
    const status = await open(b.http)
    const { page, dialog, grid } = status
    await status.row(night).waitFor()
    await status.search.fill(night)
    await status.page.getByRole('status').filter({ hasText: /^1 of/ }).waitFor()
    await status.search.press('ArrowDown')
    await status.row(night).and(page.locator('[aria-selected=true]')).waitFor()
    const active = await grid.getAttribute('aria-activedescendant')
    expect(active).toBe(await status.row(night).getAttribute('id'))
    await page.keyboard.press('Enter')
    await dialog.getByRole('heading', { name: night }).waitFor()
    await dialog.getByRole('heading', { name: 'How it adds up' }).waitFor()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'hidden' })
    await grid.and(page.locator(':focus')).waitFor()
  })

  test('shows a device called <script> as that', async () => {
    for (const device of markup) await a.asterisk.setDevice(device, 'INUSE')
    const status = await open(b.http)
    for (const device of markup) {
      await status.row(device, 'INUSE').click()
      await status.dialog.getByRole('heading', { name: device, exact: true }).waitFor()
      await status.dialog.getByRole('heading', { name: 'How it adds up' }).waitFor()
      await status.page.keyboard.press('Escape')
    }
    expect(await status.page.evaluate('window.hacked')).toBeUndefined()
    expect(await status.page.locator('script').count()).toBe(1)
    expect(await status.page.locator('img').count()).toBe(1)
  })

  test('names what was refused, and from whom', async () => {
    const eve = await Onlooker.connect(cluster.server, stranger)
    const to = `pbx-b@${cluster.server.domain}/${b.asterisk.eid}`
    await expect(eve.ask(to, `<status xmlns='${namespace}'/>`)).rejects.toThrow('forbidden')
    await eve.stop()
    const status = await open(b.http)
    await status.page.getByText(/^\d+ items?, the last at/).click()
    await status.page.getByRole('listitem').filter({ hasText: 'eve@' }).first().waitFor()
  })

  test('shows the members, and who of them is gone', async () => {
    const status = await open(b.http)
    const member = status.page.getByRole('rowheader', { name: /^pbx-a/ })
    await member.getByText('alive', { exact: true }).waitFor()
    await a.killBridge()
    await member.getByText('dead', { exact: true }).waitFor()
    await status.row(night).waitFor()
    await a.startBridge()
    await member.getByText('alive', { exact: true }).waitFor()
    await cluster.awaitReady()
  })

  test('says when it is disconnected, and goes on by itself when the bridge is back', async () => {
    const status = await open(b.http)
    await b.stopBridge()
    await status.awaitConnection('Disconnected')
    await status.page
      .getByRole('alert')
      .filter({ hasText: /^Disconnected since/ })
      .waitFor()
    await a.asterisk.setDevice(night, 'BUSY')
    await b.startBridge()
    await status.awaitConnection('Live')
    await status.row(night, 'BUSY').waitFor()
    expect(await status.page.getByRole('alert').isVisible()).toBe(false)
    status.errors.length = 0 // that nobody answered while the bridge was away
    await cluster.awaitReady()
  })

  test.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 320],
    ['dark', 320],
  ] as const)(
    'in %s at a width of %i is accessible, as axe-core judges',
    async (colorScheme, width) => {
      const status = await open(b.http, { colorScheme, viewport: { width, height: 720 } })
      await status.row(night).waitFor()
      expect(await status.violations()).toEqual([])
      expect(await status.page.evaluate('document.documentElement.scrollWidth')).toBe(width)
      await status.row(night).click()
      await status.dialog.getByRole('heading', { name: 'How it adds up' }).waitFor()
      expect(await status.violations()).toEqual([])
      expect(await status.page.evaluate('document.documentElement.scrollWidth')).toBe(width)
    },
  )

  test('with a password is shown to who has it, and to nobody else', async () => {
    const httpCredentials = { username: 'anybody', password: 'of-http' }
    changeSettings(b.configFile, { 'http.password': httpCredentials.password })
    await b.stopBridge()
    await b.startBridge()
    for (const path of ['/', '/api/states', '/metrics', '/ready']) {
      expect((await fetch(b.http + path)).status, path).toBe(401)
    }
    const status = await open(b.http, { httpCredentials })
    await status.row(night).waitFor()
    changeSettings(b.configFile, { 'http.password': undefined })
    await b.stopBridge()
    await b.startBridge()
    await cluster.awaitReady()
    status.errors.length = 0 // that nobody answered while the bridge was away
  })

  test('is not opened to the network without a password: the bridge says what to do and ends with 78', async () => {
    const { port } = new URL(b.http)
    changeSettings(b.configFile, { 'http.listen': `0.0.0.0:${port}` })
    const main = join(import.meta.dirname, '../../dist/main.js')
    const run = promisify(execFile)(process.execPath, [main, 'run', '--config', b.configFile])
    await expect(run).rejects.toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/http\.listen.*set http\.password_file/) as string,
    })
    changeSettings(b.configFile, { 'http.listen': `127.0.0.1:${port}` })
  })
})

describe('with 20,000 devices the status page', () => {
  /** Rows in sight, a few around them, and all else on the page. */
  const mostElements = 900
  const fixture = new FixtureServer(20_000)
  let address: string

  beforeAll(async () => {
    address = await fixture.start()
  })
  afterAll(() => fixture.stop())

  test('holds only the rows in sight, wherever it is scrolled to', async () => {
    const status = await open(address)
    await status.page.getByRole('combobox', { name: 'Order' }).selectOption('name')
    await status.row('PJSIP/1000').waitFor()
    expect(await status.elements()).toBeLessThan(mostElements)
    expect(await status.grid.getAttribute('aria-rowcount')).toBe('20001')
    await status.page.evaluate("document.getElementById('list').scrollTop = 10_000 * 32")
    await status.row('PJSIP/11000').waitFor()
    expect(await status.row('PJSIP/11000').getAttribute('aria-rowindex')).toBe('10002')
    expect(await status.elements()).toBeLessThan(mostElements)
    await status.grid.press('End')
    await status.row('PJSIP/20999').and(status.page.locator('[aria-selected=true]')).waitFor()
    expect(await status.elements()).toBeLessThan(mostElements)
    await status.grid.press('Home')
    await status.row('PJSIP/1000').waitFor()
    const limits = fixture.asked.map((asked) => Number(asked.get('limit')))
    expect(Math.max(...limits)).toBeLessThanOrEqual(200)
  })

  test('lets the bridge search, and holds what it found', async () => {
    const status = await open(address)
    await status.search.fill('PJSIP/2099')
    await status.page.getByRole('status').getByText('11 of 20,000 devices').waitFor()
    await status.row('PJSIP/20990').waitFor()
    expect(await status.grid.getByRole('row').count()).toBe(12)
  })

  test('puts a device that becomes busy first, and asks no more than four times a second', async () => {
    const status = await open(address)
    await status.row('PJSIP/1000').waitFor()
    expect(await status.row('PJSIP/1001').count()).toBe(0)
    const before = fixture.asked.length
    const startedMs = performance.now()
    for (let change = 0; change < 500; change += 1) fixture.change('PJSIP/1001', 'RINGING')
    fixture.change('PJSIP/1001', 'INUSE')
    const row = status.row('PJSIP/1001', 'INUSE')
    await row.waitFor()
    expect(await row.getAttribute('aria-rowindex')).toBe('3')
    const seconds = (performance.now() - startedMs) / 1_000
    expect(fixture.asked.length - before).toBeLessThanOrEqual(Math.ceil(seconds * 4) + 2)
  })

  test('connects again when its stream of events ends', async () => {
    const status = await open(address)
    fixture.disconnect()
    await status.awaitConnection('Disconnected')
    await status.awaitConnection('Live')
    status.errors.length = 0 // that the stream ended
  })
})
