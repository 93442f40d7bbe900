// The responder of a listener, from options that have come by a message.

import { Cookies } from '../../dns/cookie.ts';
import { Responder } from '../../dns/responder.ts';
import type { ZoneSet } from '../../dns/zone-set.ts';
import type { AnswerOptions } from './engine-protocol.ts';

/** `before`: the one whose counts it goes on with. */
export function makeResponder(zones: ZoneSet, { cookieKey, ...options }: AnswerOptions, before?: Responder): Responder {
  const cookies = cookieKey === undefined ? {} : { cookies: new Cookies(cookieKey) };
  const responder = new Responder(zones, { ...options, ...cookies });
  if (before !== undefined) responder.counts.set(before.counts);
  return responder;
}
