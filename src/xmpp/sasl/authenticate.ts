/** The SASL exchange of a stream (RFC 6120 §6.4), from the server's offer to its proof. */
import type { TLSSocket } from 'node:tls'
import type { StreamFeatures } from '@xmpp/stream-features'
import xml, { type Element } from '@xmpp/xml'
import type { StreamClient } from '../client.js'
import { StreamFailure } from '../errors.js'
import { channelBindingOf } from './channel-binding.js'
import { chooseMechanism, type Offer, type SaslMode } from './choice.js'
import type { Credentials, Mechanism } from './mechanism.js'

const namespace = 'urn:ietf:params:xml:ns:xmpp-sasl'
const bindingNamespace = 'urn:xmpp:sasl-cb:0'

/** What is remembered of each service, so that nobody can talk this side into a weaker mechanism, a restart included. */
export interface MechanismMemory {
  /** The mechanism by which this account was let in last. */
  recall(service: string): string | undefined
  remember(service: string, mechanism: string): void
}

export interface SaslPolicy {
  readonly mode: SaslMode
  readonly memory?: MechanismMemory
}

export const scramOnly: SaslPolicy = { mode: 'scram' }

export interface Authentication extends SaslPolicy {
  readonly client: StreamClient
  readonly credentials: Credentials
  /** Where it happens, for the memory. */
  readonly service: string
}

/** Authenticates the account once the server offers it, and starts the stream anew (RFC 6120 §6.4.6). */
export function authenticate(
  features: StreamFeatures,
  { client, credentials, service, mode, memory }: Authentication,
): void {
  let hasBegun = false
  features.use('mechanisms', namespace, async ({ stanza }, _next, feature) => {
    if (hasBegun)
      throw new StreamFailure('negotiation-too-big', 'the server asks for a second login')
    hasBegun = true
    // Who changes the mode on purpose may begin with less.
    const key = `${service} ${mode}`
    const offer = readOffer(stanza, feature, client.tlsSocket)
    const mechanism = chooseMechanism(offer, mode, credentials, memory?.recall(key))
    await exchange(client, mechanism)
    memory?.remember(key, mechanism.name)
    client.loggedIn()
    await client.restart()
    // Whatever is returned would be sent as an answer.
    return undefined
  })
}

function readOffer(features: Element, feature: Element, socket: TLSSocket | undefined): Offer {
  const mechanisms = feature.getChildren('mechanism', namespace).map((each) => each.getText())
  const named = features
    .getChild('sasl-channel-binding', bindingNamespace)
    ?.getChildren('channel-binding', bindingNamespace)
    .flatMap(({ attrs }) => attrs['type'] ?? [])
  return {
    mechanisms,
    mayBind: socket !== undefined,
    binding: socket && channelBindingOf(socket, named),
  }
}

/** One exchange; throws `StreamFailure` where the server refuses, or does not prove that it knows the password. */
async function exchange(client: StreamClient, mechanism: Mechanism): Promise<void> {
  const { name } = mechanism
  let answer = await client.sendReceive(
    xml('auth', { xmlns: namespace, mechanism: name }, encode(mechanism.initial())),
  )
  // SCRAM has one challenge, or two where the signature comes in the second.
  for (let rounds = 0; answer.is('challenge', namespace) && rounds < 2; rounds += 1) {
    const response = await mechanism.respond(decode(answer.getText()))
    answer = await client.sendReceive(xml('response', { xmlns: namespace }, encode(response)))
  }
  if (answer.is('failure', namespace)) throw refusal(answer, mechanism)
  if (!answer.is('success', namespace)) {
    throw new StreamFailure('server-signature', `the server answered ${name} with what is no SASL`)
  }
  mechanism.verify(decode(answer.getText()))
}

/**
 * RFC 6120 §6.5. Prosody answers `malformed-request` where the binding does not fit, or where its offer of one was taken out
 * (`y`); the messages are formed well here.
 */
function refusal(failure: Element, { name }: Mechanism): StreamFailure {
  const named = failure.getChildElements().find((child) => !child.is('text'))
  const condition = named?.getName() ?? 'not-authorized'
  const text = failure.getChildText('text')?.slice(0, 200)
  const reason = [`the server refused ${name}`, condition, text].filter((part) => part).join(': ')
  const isBinding = condition === 'malformed-request' && name !== 'PLAIN'
  return new StreamFailure(isBinding ? 'channel-binding' : condition, reason)
}

function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64')
}

function decode(text: string): string {
  return Buffer.from(text, 'base64').toString('utf8')
}
