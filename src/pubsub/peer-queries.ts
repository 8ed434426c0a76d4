import type { Element } from '@xmpp/xml'
import type { ClusterCommand } from '../bridge/commands.js'
import type { ClusterEvent } from '../bridge/events.js'
import { decodePage, decodePageQuery, encodePage, encodePageQuery } from '../nodes/snapshot.js'
import { decodeStatus, encodeStatus, encodeStatusQuery } from '../nodes/status.js'
import { namespace } from '../nodes/strict.js'
import type { IqRequest, XmppConnection } from '../xmpp/connection.js'
import { StanzaError } from '../xmpp/errors.js'
import { attempt } from './failure.js'
import { PendingAnswers } from './pending-answers.js'
import type { Refusals } from './refusals.js'

/** The command of that name. */
export type CommandOf<Do extends ClusterCommand['do']> = Extract<ClusterCommand, { do: Do }>

/** The part of the connection that the cluster's edge uses. */
export type ClusterConnection = Pick<
  XmppConnection,
  'jid' | 'handle' | 'on' | 'request' | 'send' | 'endStream'
>

export interface PeerQueriesOptions {
  readonly connection: ClusterConnection
  readonly requestTimeoutMs: number
  readonly post: (event: ClusterEvent) => void
  readonly refusals: Refusals
}

/** What bridges ask each other by IQ, full JID to full JID: status (rules 18, 21) and pages of a snapshot (rule 14). */
export class PeerQueries {
  private readonly answers = new PendingAnswers()

  constructor(private readonly options: PeerQueriesOptions) {}

  start(): void {
    const { connection } = this.options
    connection.handle('get', namespace, 'status', (request) => this.onStatusQuery(request))
    connection.handle('get', namespace, 'snapshot', (request) => this.onPageQuery(request))
  }

  /** The stream has ended: nothing can be answered any more. */
  clear(): void {
    this.answers.clear()
  }

  pull({ jid, query, token }: CommandOf<'pull'>): void {
    attempt(
      this.options.post,
      `read a snapshot from ${jid}`,
      async () => {
        const { from, value } = await this.query(jid, encodePageQuery(query), decodePage)
        return { type: 'PageReceived', token, from, page: value }
      },
      (failure) => ({ type: 'PullFailed', token, failure }),
    )
  }

  ask({ jid, token }: CommandOf<'ask'>): void {
    attempt(
      this.options.post,
      `ask ${jid} for its status`,
      async () => {
        const { from, value } = await this.query(jid, encodeStatusQuery(), decodeStatus)
        return { type: 'StatusReceived', token, from, status: value }
      },
      (failure) => ({ type: 'AskFailed', token, failure }),
    )
  }

  answerPage({ request, page }: CommandOf<'answerPage'>): void {
    this.answers.answer(request, encodePage(page))
  }

  answerStatus({ request, status }: CommandOf<'answerStatus'>): void {
    this.answers.answer(request, encodeStatus(status))
  }

  refuse({ request, condition }: CommandOf<'refuse'>): void {
    this.answers.refuse(request, condition)
  }

  disregard({ request }: CommandOf<'disregard'>): void {
    this.answers.disregard(request)
  }

  private async query<Value>(
    jid: string,
    payload: Element,
    decode: (payload: Element | undefined) => Value,
  ): Promise<{ from: string; value: Value }> {
    const { connection, requestTimeoutMs, refusals } = this.options
    const answer = await connection.request(jid, 'get', payload, requestTimeoutMs)
    const from = answer.attrs['from'] ?? jid
    try {
      return { from, value: decode(answer.getChildElements()[0]) }
    } catch (error) {
      refusals.note(from, error)
      throw error
    }
  }

  private onStatusQuery({ from }: IqRequest): Promise<Element> {
    return this.answers.open((request) =>
      this.options.post({ type: 'StatusRequested', request, from }),
    )
  }

  private async onPageQuery({ from, payload }: IqRequest): Promise<Element> {
    const query = this.options.refusals.decode(from, () => decodePageQuery(payload))
    if (query === undefined) throw new StanzaError('bad-request', 'modify')
    return this.answers.open((request) =>
      this.options.post({ type: 'PageRequested', request, from, query }),
    )
  }
}
