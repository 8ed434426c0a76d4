/** Where a connection stands. */
export type ConnectionStatus =
  | { readonly state: 'offline' }
  | { readonly state: 'connecting'; readonly service: string }
  | { readonly state: 'online'; readonly service: string; readonly jid: string }
  | { readonly state: 'waiting'; readonly delayMs: number; readonly reason: string }
  | { readonly state: 'stopped' }

type State = ConnectionStatus['state']

const moves: Readonly<Record<State, readonly State[]>> = {
  offline: ['connecting', 'stopped'],
  connecting: ['online', 'waiting', 'stopped'],
  online: ['waiting', 'stopped'],
  waiting: ['connecting', 'stopped'],
  stopped: [],
}

/** The status after a move; throws where the table has no such move. */
export function moveStatus(from: ConnectionStatus, to: ConnectionStatus): ConnectionStatus {
  if (!moves[from.state].includes(to.state)) {
    throw new Error(`a connection that is ${from.state} cannot become ${to.state}`)
  }
  return to
}
