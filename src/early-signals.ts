/** Signals from the first moment on, long before the modules of the service are loaded. Imports nothing: `main.ts` imports it first. */

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
export type SignalName = (typeof signals)[number]
export type SignalHandler = (signal: string) => void

const handlers = new Map<SignalName, SignalHandler>()

/**
 * Until somebody else hears them, SIGTERM and SIGINT end the process with 0, for nothing was begun, and SIGHUP does nothing, for no
 * configuration was read. Else the kernel would end the process. Node.js itself takes some 30 ms before it runs any module.
 */
export function hearSignals(): void {
  for (const name of signals) {
    process.on(name, (signal) => (handlers.get(name) ?? hearEarly)(signal))
  }
}

function hearEarly(signal: string): void {
  if (signal !== 'SIGHUP') process.exit(0)
}

/** Where the service hears them from then on; without a handler they are heard as before. */
export const heardSignals = {
  on: (name: SignalName, handler: SignalHandler): unknown => handlers.set(name, handler),
  off: (name: SignalName): unknown => handlers.delete(name),
}
