/**
 * The parts of the untyped modules that hintbridge uses, as their 0.14 sources have them. Only `src/xmpp` imports these
 * modules, but for `@xmpp/xml`.
 */

declare module '@xmpp/xml' {
  export interface Attributes {
    [name: string]: string | undefined
  }

  /** An XML element of `ltx`; text is a string among its children. */
  export class Element {
    constructor(name: string, attributes?: Attributes)
    name: string
    attrs: Attributes
    children: (Element | string)[]
    parent: Element | null
    is(name: string, namespace?: string): boolean
    getName(): string
    getNS(): string | undefined
    getChild(name: string, namespace?: string): Element | undefined
    getChildren(name: string, namespace?: string): Element[]
    getChildText(name: string, namespace?: string): string | null
    getChildElements(): Element[]
    getText(): string
    text(): string
    append(...nodes: (Element | string)[]): void
    toString(): string
  }

  export class Parser {
    /** The element of the stream, once its header was read. */
    root: Element | null
    on(event: 'start' | 'element' | 'end', listener: (element: Element) => void): this
    on(event: 'error', listener: (error: Error) => void): this
    write(text: string): void
  }

  export default function xml(
    name: string,
    attributes?: Attributes | null,
    ...children: (Element | string | undefined)[]
  ): Element
}

declare module '@xmpp/jid' {
  export interface Jid {
    bare(): Jid
    equals(other: Jid): boolean
    toString(): string
    readonly local: string
    readonly domain: string
    readonly resource: string
  }
  /** Throws TypeError where the text has no domain. */
  export function parse(text: string): Jid
}

declare module '@xmpp/client-core' {
  import type { EventEmitter } from 'node:events'
  import type { Socket } from 'node:net'
  import type { Element, Parser } from '@xmpp/xml'
  import type { Jid } from '@xmpp/jid'

  /** `net.Socket`, or `@xmpp/tls`'s wrapper around one. */
  export type TransportSocket = Socket | (EventEmitter & { socket: Socket | null; secure: boolean })

  export class Client extends EventEmitter {
    constructor(options: { domain: string; service: string; timeout?: number })
    jid: Jid | null
    timeout: number
    socket: TransportSocket | null
    parser: Parser | null
    transports: unknown[]
    isSecure(): boolean
    connect(service: string): Promise<unknown>
    open(options: { domain: string }): Promise<unknown>
    restart(): Promise<unknown>
    send(element: Element): Promise<void>
    sendReceive(element: Element, timeoutMs?: number): Promise<Element>
    write(text: string): Promise<void>
    socketParameters(service: string): object | undefined
    _attachSocket(socket: TransportSocket): void
    _attachParser(parser: Parser): void
    _detachParser(): void
    _onData(chunk: Buffer): void
    _onElement(element: Element): void
    _onStreamError(element: Element): void
  }
}

declare module '@xmpp/tcp' {
  import type { Client } from '@xmpp/client-core'
  export default function tcp(parts: { entity: Client }): void
}

declare module '@xmpp/tls' {
  import type { Client } from '@xmpp/client-core'
  export default function tls(parts: { entity: Client }): void
}

declare module '@xmpp/tls/lib/Socket.js' {
  import type { EventEmitter } from 'node:events'
  import type { Socket } from 'node:net'
  import type { ConnectionOptions } from 'node:tls'
  export default class TlsSocket extends EventEmitter {
    socket: Socket | null
    secure: boolean
    connect(options: ConnectionOptions): void
  }
}

declare module '@xmpp/middleware' {
  import type { Client } from '@xmpp/client-core'
  import type { Element } from '@xmpp/xml'
  export interface Context {
    readonly stanza: Element
    readonly entity: Client
    /** Of an IQ get or set: its one payload. */
    readonly element?: Element
  }
  export type Next = () => Promise<unknown>
  export interface Middleware {
    use(handler: (context: Context, next: Next) => unknown): void
  }
  export default function middleware(parts: { entity: Client }): Middleware
}

declare module '@xmpp/stream-features' {
  import type { Context, Middleware, Next } from '@xmpp/middleware'
  import type { Element } from '@xmpp/xml'
  export interface StreamFeatures {
    use(
      name: string,
      namespace: string,
      handler: (context: Context, next: Next, feature: Element) => unknown,
    ): void
  }
  export default function streamFeatures(parts: { middleware: Middleware }): StreamFeatures
}

declare module '@xmpp/iq/caller.js' {
  import type { Client } from '@xmpp/client-core'
  import type { Middleware } from '@xmpp/middleware'
  export interface IqCaller {
    set(payload: import('@xmpp/xml').Element): Promise<import('@xmpp/xml').Element | undefined>
  }
  export default function iqCaller(parts: { entity: Client; middleware: Middleware }): IqCaller
}

declare module '@xmpp/iq/callee.js' {
  import type { Client } from '@xmpp/client-core'
  import type { Context, Middleware } from '@xmpp/middleware'
  import type { Element } from '@xmpp/xml'
  /** What a handler returns: the payload of the result, an `<error/>`, or `true` for an empty result. */
  export type IqHandler = (context: Context) => Promise<Element | true> | Element | true
  export interface IqCallee {
    get(namespace: string, name: string, handler: IqHandler): void
    set(namespace: string, name: string, handler: IqHandler): void
  }
  export default function iqCallee(parts: { entity: Client; middleware: Middleware }): IqCallee
}

declare module '@xmpp/resource-binding' {
  import type { IqCaller } from '@xmpp/iq/caller.js'
  import type { StreamFeatures } from '@xmpp/stream-features'
  export default function resourceBinding(
    parts: { iqCaller: IqCaller; streamFeatures: StreamFeatures },
    resource: string,
  ): void
}

declare module 'ltx' {
  /** Throws where the text is not one whole element. */
  export function parse(text: string): import('@xmpp/xml').Element
}
