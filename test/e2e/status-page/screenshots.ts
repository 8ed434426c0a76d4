/** Takes the pictures of docs/images: `npx tsx test/e2e/status-page/screenshots.ts [FOLDER]`, after `npm run build`. */
import { join } from 'node:path'
import { startBrowser } from '../../../lab/browser.js'
import { FixtureServer } from './fixture.js'

const folder = process.argv[2] ?? join(import.meta.dirname, '../../../docs/images')
const pictures = [
  { name: 'status-page', colorScheme: 'light', width: 1200, height: 720, explain: false },
  { name: 'status-page-dark', colorScheme: 'dark', width: 1200, height: 720, explain: true },
  { name: 'status-page-phone', colorScheme: 'light', width: 320, height: 640, explain: false },
] as const

const fixture = new FixtureServer(20_000)
const address = await fixture.start()
const browser = await startBrowser()
for (const { name, colorScheme, width, height, explain } of pictures) {
  const page = await browser.newPage({
    colorScheme,
    viewport: { width, height },
    timezoneId: 'UTC',
  })
  await page.clock.setFixedTime('2026-11-21T11:00:00Z')
  await page.goto(address)
  const row = page.getByRole('grid').getByRole('row').nth(2)
  await row.waitFor()
  if (explain) {
    await page.getByRole('row').filter({ hasText: 'PJSIP/1255' }).click()
    await page.getByRole('dialog').getByRole('heading', { name: 'How it adds up' }).waitFor()
  }
  await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' })
  await page.close()
}
await browser.close()
await fixture.stop()
