/** A cluster on one machine: an XMPP server and members that share it, for the demo and the e2e tests. */
import { createCa } from './ca.js'
import { createMember, type Member, type MemberOptions } from './member.js'
import { createScratch, type Scratch } from './scratch.js'
import type { Account, XmppServer, XmppServerOptions } from './xmpp-server.js'

export interface MemberPlan extends Omit<
  MemberOptions,
  'scratch' | 'server' | 'account' | 'name' | 'eid'
> {
  /** Instead of the one that the letter gives. */
  readonly eid?: string
}

export interface ClusterOptions {
  /** Of the scratch folder. */
  readonly label: string
  readonly startServer: (options: XmppServerOptions) => Promise<XmppServer>
  readonly server?: Partial<XmppServerOptions>
  /** The members by letter: `a` becomes `pbx-a` with the EID `02:00:00:00:00:0a`. */
  readonly members: Readonly<Record<string, MemberPlan>>
}

export class Cluster {
  constructor(
    readonly scratch: Scratch,
    readonly server: XmppServer,
    readonly members: readonly Member[],
  ) {}

  /** The member of that letter. */
  member(letter: string): Member {
    const member = this.members.find(({ asterisk }) => asterisk.name === `pbx-${letter}`)
    if (!member) throw new Error(`there is no member '${letter}'`)
    return member
  }

  /** Starts all members, and waits until each is in sync with all others. */
  async start(): Promise<void> {
    await Promise.all(
      this.members.map((member) => Promise.all([member.asterisk.start(), member.startBridge()])),
    )
    await this.awaitReady()
  }

  async awaitReady(): Promise<void> {
    await Promise.all(this.members.map((member) => member.awaitReady(this.members.length - 1)))
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()))
    await this.server.stop()
    this.scratch.remove()
  }
}

/** Starts the server and writes the members, none of which is started. */
export async function createCluster(options: ClusterOptions): Promise<Cluster> {
  const scratch = createScratch(options.label)
  const ca = await createCa(scratch)
  const letters = Object.keys(options.members)
  const accounts = letters.map(accountOf)
  const server = await options.startServer({ scratch, ca, accounts, ...options.server })
  const members = await Promise.all(
    Object.entries(options.members).map(([letter, plan]) =>
      createMember({
        ...plan,
        scratch,
        server,
        account: accountOf(letter),
        name: `pbx-${letter}`,
        eid: plan.eid ?? `02:00:00:00:00:0${letter}`,
      }),
    ),
  )
  return new Cluster(scratch, server, members)
}

/** Starts server and members, and waits until each is in sync with all others. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const cluster = await createCluster(options)
  await cluster.start()
  return cluster
}

/** The account of the member of that letter. */
export function accountOf(letter: string): Account {
  return { user: `pbx-${letter}`, password: `secret-${letter}` }
}
