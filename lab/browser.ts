/** A real browser without a screen: Debian's Chromium, driven by playwright-core, in an empty profile of its own. */
import { type Browser, chromium } from 'playwright-core'

/** Nothing but what a test asks for leaves it. */
const quiet = [
  '--disable-gpu',
  '--disable-lcd-text', // pictures are the same everywhere, and smaller
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Starts it; `close` ends it, and its profile goes with it. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    chromiumSandbox: false, // root, in a container
    args: quiet,
  })
}
