// What the responder of a listener is given, from the properties of its profile.

import type { AnswerOptions } from './engine-protocol.ts';
import type { ListenerSpec } from './listener-spec.ts';

/** What all listeners of this daemon share. */
export type OwnFacts = {
  /** Of the server's cookies (RFC 9018): as many octets as SipHash has. */
  readonly cookieKey: Uint8Array;
  /** What `version.bind` and `hostname.bind` say. */
  readonly version: string;
  readonly host: string;
};

export function answerOptions({ profile }: ListenerSpec, { cookieKey, version, host }: OwnFacts): AnswerOptions {
  const { properties } = profile;
  const nsid = properties.nsid === undefined ? {} : { nsid: new TextEncoder().encode(properties.nsid) };
  return {
    unhandled: properties['unhandled-query-action'],
    udpOctets: properties['max-udp-size'],
    ...nsid,
    ...(properties.cookies ? { cookieKey } : {}),
    ...(properties['chaos-names'] ? { chaos: { version, host } } : {}),
  };
}
