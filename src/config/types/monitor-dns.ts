// `gtm monitor dns`, `ltm monitor dns`: whether a name server answers a question (RFC 1035). A BIG-IP has the one of ltm.

import { parseAddress, formatBareAddress } from '../../core/address.ts';
import { choice, pattern } from '../kinds.ts';
import type { AnyConfigObject } from '../object-type.ts';
import type { ObjectContext } from '../remembered.ts';
import { PORT } from './monitor-exchange.ts';
import {
  ADAPTIVE,
  MANUAL_RESUME,
  PROBE_ATTEMPTS,
  REVERSE,
  TRANSPARENT,
  monitorType,
  refuseValue,
} from './monitor-type.ts';
import { domainNameProblem } from '../gtm-kinds.ts';

const HELP = 'Asks a name server for a record.';

const QUESTION = {
  'accept-rcode': choice(['anything', 'no-error'], {
    default: 'no-error',
    help: 'Which answers count: those without an error, or all.',
  }),
  'answer-contains': choice(['any-type', 'anything', 'query-type'], {
    default: 'query-type',
    help: 'What an answer must hold: a record of the type that was asked for, one of any type, or nothing.',
  }),
  qname: pattern(
    {
      name: 'domain-name',
      expects: 'a domain name, as in www.example.com',
      read(text) {
        const problem = text === '.' ? undefined : domainNameProblem(text);
        return problem === undefined ? { value: text } : { problem: `must be a domain name: ${problem}` };
      },
    },
    { help: 'The name that is asked for. Every monitor but those that are shipped must have one.' },
  ),
  qtype: choice(['a', 'aaaa'], { default: 'a', help: 'The type of the record that is asked for.' }),
  recv: pattern(
    {
      name: 'ip-address',
      expects: 'an IP address without a route domain',
      read(text) {
        const address = text.includes('%') ? undefined : parseAddress(text);
        return address === undefined
          ? { problem: 'must be an IP address without a route domain' }
          : { value: formatBareAddress(address) };
      },
    },
    { help: 'An address that an answer of a target which is up holds; none: any.' },
  ),
};

function checkQuestion(monitor: AnyConfigObject, context: ObjectContext): void {
  const { qname, qtype, recv } = monitor.properties;
  if (qname === undefined && monitor.name !== '/Common/dns') {
    const text = `Monitor (${monitor.name}) must have a value for qname.`;
    context.error(monitor, text, { code: 'missingProperty', property: 'qname', hint: 'Add qname: a domain name.' });
  }
  const address = typeof recv === 'string' ? parseAddress(recv) : undefined;
  if (address === undefined || (address.family === 6) === (qtype === 'aaaa')) return;
  const wanted = address.family === 6 ? 'aaaa' : 'a';
  refuseValue(
    monitor,
    context,
    'recv',
    `recv is no address that qtype ${wanted === 'a' ? 'aaaa' : 'a'} asks for`,
    `Write qtype ${wanted}.`,
  );
}

const example = (path: string) => `
${path} resolver {
    qname www.example.com
    recv 192.0.2.80
}
`;

export const gtmMonitorDns = monitorType(
  {
    module: 'gtm',
    type: 'dns',
    builtIn: { dns: {} },
    help: HELP,
    example: example('gtm monitor dns'),
    extension: true,
    check: checkQuestion,
  },
  { ...PROBE_ATTEMPTS, ...QUESTION, ...PORT, ...REVERSE, ...TRANSPARENT },
);

export const ltmMonitorDns = monitorType(
  {
    module: 'ltm',
    type: 'dns',
    builtIn: { dns: {} },
    help: HELP,
    example: example('ltm monitor dns'),
    check: checkQuestion,
  },
  { ...ADAPTIVE, ...MANUAL_RESUME, ...QUESTION, ...PORT, ...REVERSE, ...TRANSPARENT },
);
