/** Which mechanism of those that a server offers is taken: the strongest, and never a weaker one than before. */
import { StreamFailure } from '../errors.js'
import type { ChannelBinding } from './channel-binding.js'
import type { Credentials, Mechanism } from './mechanism.js'
import { Plain } from './plain.js'
import { Scram, scramHashes, type ScramName } from './scram.js'

/**
 * `scram`: SCRAM only, bound to the TLS channel where the server can. `scram-unbound`: SCRAM only, never bound, for servers
 * behind a proxy that ends TLS. `plain`: as `scram`, and PLAIN where the server offers nothing better.
 */
export type SaslMode = 'scram' | 'scram-unbound' | 'plain'

export interface Offer {
  /** Names of the mechanisms. */
  readonly mechanisms: readonly string[]
  /** The binding that the server and this side have in common, or could have if the server offered it. */
  readonly binding: ChannelBinding | undefined
  /** Could this side bind, if the server offered a type that it has? */
  readonly mayBind: boolean
}

const scramNames = Object.keys(scramHashes) as ScramName[]

/**
 * The strongest mechanism of the offer. Throws `StreamFailure`: `no-mechanism`, `plain-only` where only an explicit word would
 * allow it, `mechanism-downgraded` where a server has offered stronger ones before (`strongest`).
 */
export function chooseMechanism(
  offer: Offer,
  mode: SaslMode,
  credentials: Credentials,
  strongest?: string,
): Mechanism {
  const known = candidates(offer, mode, credentials)
  const chosen = known.find(({ name }) => strongest === undefined || !isWeaker(name, strongest))
  if (chosen !== undefined) return chosen
  const offered = offer.mechanisms.slice(0, 20).join(', ').slice(0, 200)
  if (known.length > 0) {
    throw new StreamFailure(
      'mechanism-downgraded',
      `the server offers ${offered}, and let this account in by ${strongest ?? ''} before`,
    )
  }
  if (offer.mechanisms.includes('PLAIN')) {
    throw new StreamFailure('plain-only', `the server offers no SCRAM, only ${offered}`)
  }
  throw new StreamFailure(
    'no-mechanism',
    `the server offers none of SCRAM, only ${offered || 'nothing'}`,
  )
}

/** Those that both sides have, the strongest first: what is bound goes before what is not. */
function candidates(offer: Offer, mode: SaslMode, credentials: Credentials): Mechanism[] {
  const { mechanisms, binding } = offer
  const isOffered = (name: string): boolean => mechanisms.includes(name)
  const isPlusOffered = scramNames.some((name) => isOffered(`${name}-PLUS`))
  const bound = mode === 'scram-unbound' ? undefined : binding
  // Where only the types differ nothing was taken out of the offer.
  const flag = mode !== 'scram-unbound' && offer.mayBind && !isPlusOffered ? 'y' : 'n'
  return [
    ...(bound === undefined
      ? []
      : scramNames
          .filter((name) => isOffered(`${name}-PLUS`))
          .map((name) => new Scram(name, credentials, bound))),
    ...scramNames.filter(isOffered).map((name) => new Scram(name, credentials, flag)),
    ...(mode === 'plain' && isOffered('PLAIN') ? [new Plain(credentials)] : []),
  ]
}

/** Is the one weaker than the other, by its hash or as it is not bound? */
function isWeaker(name: string, than: string): boolean {
  const [one, other] = [strengthOf(name), strengthOf(than)]
  return one.hash < other.hash || (!one.isBound && other.isBound)
}

function strengthOf(name: string): { readonly hash: number; readonly isBound: boolean } {
  const scram = scramNames.findIndex((each) => name === each || name === `${each}-PLUS`)
  return { hash: scram < 0 ? 0 : scramNames.length - scram, isBound: name.endsWith('-PLUS') }
}
