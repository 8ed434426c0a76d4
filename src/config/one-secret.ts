/** What is said of an older configuration, in which one secret serves both directions, by health and by `doctor`. */

/** The key of the problem in `/health`. */
export const oneSecretKey = 'asterisk-secrets'

export const oneSecretText =
  'one SIP secret serves both directions: while the bridge is down, any local user who takes its port can set lamps in this Asterisk'

export const oneSecretRemedy =
  "hintbridge init --renew-sip makes one for each; then 'module reload res_pjsip.so res_pjsip_outbound_publish.so res_pjsip_publish_asterisk.so' on Asterisk's console, and restart the bridge"
