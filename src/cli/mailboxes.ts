import { statesCommand } from './states.js'

export const mailboxesCommand = statesCommand({
  kind: 'message_waiting',
  command: 'mailboxes',
  one: 'mailbox',
  many: 'mailboxes',
  describe: 'Show the mailboxes: new and old messages of each, and who says so',
  example: '*@default',
  busy: 'those with new messages first',
})
