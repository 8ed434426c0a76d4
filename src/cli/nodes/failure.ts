import { Disconnected, XmppError } from '../../xmpp/errors.js'

/** Why one of several questions has no answer; the others are answered all the same. */
export interface Failure {
  readonly failure: string
}

/** The answer, or why the server gave none; rejects where nothing more can be asked. */
export async function orFailure<Answer>(answer: Promise<Answer>): Promise<Answer | Failure> {
  try {
    return await answer
  } catch (error) {
    return failureOf(error)
  }
}

/** What the server refused or did not answer; rethrows any other error, and that of a stream that has ended. */
function failureOf(error: unknown): Failure {
  if (!(error instanceof XmppError) || error instanceof Disconnected) throw error
  const isForbidden = error.condition === 'forbidden'
  return { failure: isForbidden ? 'only its owners may read that' : error.message }
}
