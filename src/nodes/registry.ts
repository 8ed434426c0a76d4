import { feedCodec } from './feed.js'
import { membersCodec } from './members.js'
import { deviceStateCodec, messageWaitingCodec } from './window.js'

/** The codec of each kind of node, by the last part of the node's name. */
export const codecs = {
  device_state: deviceStateCodec,
  message_waiting: messageWaitingCodec,
  members: membersCodec,
  feed: feedCodec,
} as const
