import type { EntityId } from '../../bridge/state.js'

/** The PBX's own EID: configured, or learnt from the first authenticated body and then kept. */
export class Identity {
  private own: EntityId | undefined

  constructor(
    configured: EntityId | undefined,
    private readonly onLearnt: (eid: EntityId) => void,
  ) {
    this.own = configured
  }

  get eid(): EntityId | undefined {
    return this.own
  }

  /** Is that the PBX's own EID? The first one asked about is learnt, where none was configured. */
  isOwn(eid: EntityId): boolean {
    if (this.own === undefined) {
      this.own = eid
      this.onLearnt(eid)
    }
    return this.own === eid
  }
}
