/** How a test looks at the status page: by role and text, as a screen reader does. */
import axe, { type AxeResults } from 'axe-core'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'

/** An open page, and what went wrong in it. */
export class StatusPage {
  /** Errors of scripts, of loading, and what the content security policy forbade. */
  readonly errors: string[] = []
  readonly grid: Locator
  readonly dialog: Locator
  readonly search: Locator

  private constructor(readonly page: Page) {
    this.grid = page.getByRole('grid', { name: 'Devices and mailboxes' })
    this.dialog = page.getByRole('dialog')
    this.search = page.getByRole('searchbox')
    page.on('pageerror', (error) => this.errors.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(message.text())
    })
  }

  /** Opens the page, waits until it is live. */
  static async open(
    browser: Browser,
    address: string,
    options: BrowserContextOptions = {},
  ): Promise<StatusPage> {
    const context = await browser.newContext(options)
    context.setDefaultTimeout(15_000)
    const status = new StatusPage(await context.newPage())
    await status.page.goto(address)
    await status.awaitConnection('Live')
    return status
  }

  close(): Promise<void> {
    return this.page.context().close()
  }

  async awaitConnection(word: 'Live' | 'Disconnected'): Promise<void> {
    await this.page.getByRole('status').getByText(word, { exact: true }).waitFor()
  }

  /** The row of a device or mailbox whose sum is, or becomes, the one given. */
  row(id: string, sum?: string): Locator {
    const cell = (text: string): Locator =>
      this.page.getByRole('gridcell', { name: text, exact: true })
    const row = this.grid.getByRole('row').filter({ has: cell(id) })
    return sum === undefined ? row : row.filter({ has: cell(sum) })
  }

  /** How many elements there are in the document. */
  elements(): Promise<number> {
    return this.page.locator('*').count()
  }

  /** What axe-core finds against the page as it stands, as `rule: elements`. */
  async violations(): Promise<string[]> {
    await this.page.evaluate(axe.source)
    const { violations } = await this.page.evaluate<AxeResults>('axe.run()')
    return violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' ')}`,
    )
  }
}
