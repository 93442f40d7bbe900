// Pages of what is listed in one table of the code: drop reasons, counters, log codes, codes of messages.

import { COUNTERS } from '../core/counters.ts';
import { DROP_HELP, DROP_NAMES, Drop, type DropKey } from '../core/drop-reason.ts';
import { CONFIG_CODE, CONFIG_CODE_HELP, type ConfigCode } from '../core/errors.ts';
import { LOG_CODES } from '../core/log-codes.ts';
import { FAMILIES } from '../core/metrics.ts';
import { code, fenced, page, plain, table } from './markdown.ts';

export function dropReasonsPage(): string {
  const rows = (Object.keys(Drop) as DropKey[]).map((key) => [
    String(Drop[key]),
    code(DROP_NAMES[Drop[key]]!),
    plain(DROP_HELP[key]),
  ]);
  return page(
    '# Drop reasons',
    'Every frame that is dropped is counted under one of these names, at the object where it was dropped. ' +
      '`show` prints them under *Drops*, and a capture of dropped frames has them as comments:',
    fenced('sh', 'wideplane tcpdump --dropped -w dropped.pcapng'),
    table(['Number', 'Reason', 'The frame was …'], rows),
  );
}

export function countersPage(): string {
  return page(
    '# Counters',
    '`show net interface`, `show net vlan`, `show net vlan-group` and `show net tunnels tunnel` print them for each object; ' +
      'those of a VLAN are the sum of its interfaces, those of a VLAN group the sum of its members. `reset-stats` sets ' +
      'them to 0. Dropped frames are counted by [reason](drop-reasons.md).',
    table(
      ['Counter', 'What it counts'],
      COUNTERS.map(({ label, help }) => [label, plain(help)]),
    ),
  );
}

export function logCodesPage(): string {
  return page(
    '# Log codes',
    'A line of the log has one of these codes in its field `code`; the sentence of the line may change, the code does not.',
    table(
      ['Code', 'Level', 'Meaning'],
      Object.entries(LOG_CODES).map(([name, { level, help }]) => [code(name), level, plain(help)]),
    ),
  );
}

export function metricsPage(): string {
  return page(
    '# Metrics',
    '`metricsd` serves them to Prometheus where `sys db metricsd.listen` says (docs/monitoring says how). What an object has ' +
      'not, or a daemon that does not answer would say, is absent.',
    fenced(
      'sh',
      'wideplane tmsh -c "modify sys db metricsd.listen value 127.0.0.1:9353"\ncurl http://127.0.0.1:9353/metrics',
    ),
    table(
      ['Metric', 'Kind', 'Labels', 'What it says'],
      Object.entries(FAMILIES).map(([name, { kind, labels, help }]) => [
        code(name),
        kind,
        labels.map(code).join(', '),
        plain(help),
      ]),
    ),
  );
}

export function messageCodesPage(): string {
  return page(
    '# Codes of messages',
    'A configuration that is refused is refused as a whole. The message starts with the code that a BIG-IP has for it, names ' +
      'the object, the property and the value, and says in another sentence what to do:',
    fenced(
      'text',
      '01070265:3: The VLAN (/Common/wan) cannot be deleted because it is in use by a Self IP (/Common/wan-self).\n' +
        '  Change vlan of the Self IP (/Common/wan-self) first, or delete it.',
    ),
    table(
      ['Code', 'Said when'],
      (Object.keys(CONFIG_CODE) as ConfigCode[]).map((key) => [
        code(`${CONFIG_CODE[key]}:3`),
        plain(CONFIG_CODE_HELP[key]),
      ]),
    ),
    'A command that is not in the language has no code: its message starts with `Syntax Error:`.',
  );
}
