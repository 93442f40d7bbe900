// What monitors send and want to receive: properties of the types tcp, udp, http and https.

import { MAX_PATTERN } from '../../core/octet-pattern-parser.ts';
import { integer, pattern } from '../kinds.ts';
import { destination, receiveText } from '../monitor-kinds.ts';
import { REVERSE, TRANSPARENT } from './monitor-type.ts';

/** Where types with ports probe. */
export const PORT = {
  destination: destination('port', {
    default: '*:*',
    help: 'The address and the port that are probed; *: those of what is watched.',
  }),
};

export const IP_DSCP = {
  'ip-dscp': integer(
    { min: 0, max: 63 },
    { default: 0, help: 'The DSCP of packets that are sent (RFC 2474).', inert: true },
  ),
};

const sendKind = {
  name: 'string',
  expects: 'a text',
  read: (text: string) =>
    text.length > MAX_PATTERN ? { problem: `is longer than ${MAX_PATTERN} characters` } : { value: text },
};

/** What is sent, with the value that it has at first; absent: nothing is. */
export const send = (value?: string) => ({
  send: pattern(sendKind, {
    ...(value === undefined ? {} : { default: value }),
    help: 'What is sent. \\r, \\n, \\t, \\\\ and \\x and two hexadecimal digits stand for octets.',
  }),
});

const RECV = {
  recv: receiveText({
    help: 'A regular expression, found in what is received by a target that is up; none: any answer will do.',
  }),
};

const RECV_DISABLE = {
  'recv-disable': receiveText({
    help: 'A regular expression, looked for where recv is not found: the target is up, and gets no new clients.',
  }),
};

export const GTM_EXCHANGE = { ...PORT, ...RECV, ...REVERSE, ...TRANSPARENT };
export const LTM_EXCHANGE = { ...GTM_EXCHANGE, ...RECV_DISABLE };
