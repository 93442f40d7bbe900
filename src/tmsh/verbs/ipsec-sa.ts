// `show net ipsec ipsec-sa`, `delete net ipsec ipsec-sa` and `show net ipsec-stat`, in the layout of the manual.

import { formatAddress, parseAddress } from '../../core/address.ts';
import { fullPath } from '../../config/name.ts';
import { ConfigError } from '../../core/errors.ts';
import type { AssociationFilter, AssociationRow, IpsecTotals } from '../../ipc/ipsec-schema.ts';
import { expectEnd } from '../arguments.ts';
import { readOptions } from '../options.ts';
import type { Command, OptionWord, Phrase } from '../verb.ts';

const WORDS = ['net', 'ipsec', 'ipsec-sa'];
const TITLE = 'IPsec::SecurityAssociations';

const FILTERS: readonly OptionWord[] = [
  {
    word: 'dst-addr',
    help: 'Those to this address, or whose traffic selector has it as destination.',
    value: { kind: 'word', help: 'an IP address' },
  },
  {
    word: 'ipsec-policy',
    help: 'Those of this IPsec policy.',
    value: { kind: 'existing', of: 'net ipsec ipsec-policy', help: 'an IPsec policy' },
  },
  {
    word: 'spi',
    help: 'Those with this security parameters index.',
    value: { kind: 'number', help: 'an SPI, in decimal or behind 0x in hexadecimal' },
  },
  {
    word: 'src-addr',
    help: 'Those from this address, or whose traffic selector has it as source.',
    value: { kind: 'word', help: 'an IP address' },
  },
  {
    word: 'traffic-selector',
    help: 'Those of this traffic selector.',
    value: { kind: 'existing', of: 'net ipsec traffic-selector', help: 'a traffic selector' },
  },
];

const ALL_PROPERTIES: OptionWord = {
  word: 'all-properties',
  help: 'State, algorithms, traffic and lifetimes of each association.',
};

export const showIpsecSa: Phrase = {
  words: WORDS,
  help: 'Security associations of IPsec.',
  options: [ALL_PROPERTIES, ...FILTERS],
  async *run(command) {
    const options = readOptions(command.scanner, `show ${WORDS.join(' ')}`, [ALL_PROPERTIES, ...FILTERS]);
    const filter = filterOf(options, command);
    const isFull = options.has(ALL_PROPERTIES.word);
    yield `${TITLE}\n`;
    let count = 0;
    let cursor: string | undefined;
    do {
      const page = await command.backend.associations(filter, cursor);
      for (const row of page.associations) yield isFull ? fullText(row) : shortText(row);
      count += page.associations.length;
      cursor = page.next;
    } while (cursor !== undefined);
    yield `Total records returned: ${count}\n`;
  },
};

export const deleteIpsecSa: Phrase = {
  words: WORDS,
  help: 'End security associations. Key exchange makes new ones when they are needed, the configuration manual ones at once.',
  options: FILTERS,
  async *run(command) {
    const options = readOptions(command.scanner, `delete ${WORDS.join(' ')}`, FILTERS);
    await command.backend.deleteAssociations(filterOf(options, command));
  },
};

export const showIpsecStat: Phrase = {
  words: ['net', 'ipsec-stat'],
  help: 'What was protected, by IPsec policy.',
  async *run({ scanner, backend }) {
    expectEnd(scanner);
    yield statText(await backend.ipsecTotals());
  },
};

function filterOf(options: ReadonlyMap<string, string>, { session }: Command): AssociationFilter {
  const filter: AssociationFilter = {};
  const spi = options.get('spi');
  if (spi !== undefined) {
    filter.spi = /^(?:0x[0-9a-fA-F]{1,8}|[0-9]{1,10})$/.test(spi)
      ? Number(spi)
      : refuse('spi', spi, 'must be a number');
  }
  for (const [word, property] of [
    ['src-addr', 'source'],
    ['dst-addr', 'destination'],
  ] as const) {
    const text = options.get(word);
    if (text === undefined) continue;
    const address = parseAddress(text);
    filter[property] = address === undefined ? refuse(word, text, 'must be an IP address') : formatAddress(address);
  }
  const selector = options.get('traffic-selector');
  if (selector !== undefined) filter.selector = fullPath(selector, session.folder);
  const policy = options.get('ipsec-policy');
  if (policy !== undefined) filter.policy = fullPath(policy, session.folder);
  return filter;
}

function refuse(word: string, text: string, problem: string): never {
  throw new ConfigError('configuration', `${word} ${problem}, not "${text}".`);
}

const hex = (value: number, digits = 1): string => `0x${value.toString(16).padStart(digits, '0')}`;

function shortText({ source, destination, spi, direction, protocol, worker }: AssociationRow): string {
  return `${source} -> ${destination} SPI(${hex(spi, 8)}) ${direction} ${protocol} (tmm: ${worker})\n`;
}

/** What the colours of a BIG-IP's diagnostics say: green, blue, yellow, red. */
const CONDITIONS = {
  mature: 'up (green)',
  larval: 'negotiating (blue)',
  dying: 'valid, but ends soon (yellow)',
  dead: 'down (red)',
} as const;

const RULE = '-'.repeat(77);

function fullText(row: AssociationRow): string {
  const { spi, policyId, authAlgorithm, encryptAlgorithm, selector, udpPorts } = row;
  const isCombined = authAlgorithm.startsWith('aes-g');
  const lines = [
    `tmm: ${row.worker}`,
    `Direction: ${row.direction};  SPI: ${hex(spi, 8)}(${spi});  ReqID: ${hex(policyId)}(${policyId})`,
    `Protocol: ${row.protocol};  Mode: ${row.mode};  State: ${row.state}`,
    isCombined
      ? `Authenticated Encryption : ${authAlgorithm}`
      : `Authentication Algorithm : ${authAlgorithm};  Encryption Algorithm : ${encryptAlgorithm}`,
    `Current Usage: ${row.octets} bytes`,
    lifetimeText('Hard', row.hardLifetime),
    lifetimeText('Soft', row.softLifetime),
    `Replay window size: ${row.replayWindow}`,
    `Last use: ${timeText(row.lastUseMs)}  Create: ${timeText(row.createdMs)}`,
    `Packets: ${row.packets};  Condition: ${CONDITIONS[row.state]}`,
    `IPsec policy: ${row.policy};  Traffic selector: ${selector ?? 'none'}`,
    `Keys: ${row.manual ?? 'key exchange'};  Sequence numbers: ${row.extendedSequence ? 64 : 32} bits`,
  ];
  if (udpPorts !== undefined) lines.push(`UDP encapsulation: ${udpPorts[0]} -> ${udpPorts[1]}`);
  const drops = Object.entries(row.drops ?? {}).map(([name, packets]) => `${packets} ${name}`);
  if (drops.length > 0) lines.push(`Dropped: ${drops.join(', ')}`);
  if (row.reason !== undefined) lines.push(`Reason: ${row.reason}`);
  return `${row.source} -> ${row.destination}\n${RULE}\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

function lifetimeText(which: string, { seconds, octets }: AssociationRow['hardLifetime']): string {
  const time = seconds === undefined ? 'unlimited seconds' : `${Math.floor(seconds)} seconds`;
  return `${which} lifetime: ${time}; ${octets ?? 'unlimited'} bytes`;
}

/** `12/13/2012:10:42`, in the time zone of the daemon. */
function timeText(ms: number | undefined): string {
  if (ms === undefined) return 'never';
  const time = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${two(time.getMonth() + 1)}/${two(time.getDate())}/${time.getFullYear()}`;
  return `${day}:${two(time.getHours())}:${two(time.getMinutes())}`;
}

const COLUMNS = ['Cmd Id', 'Mode', 'Packets In', 'Bytes In', 'Packets Out', 'Bytes Out'];

function statText(totals: readonly IpsecTotals[]): string {
  const rows = totals.map((each) => [
    String(each.policyId),
    each.mode.toUpperCase(),
    shortNumber(each.packetsIn),
    shortNumber(each.octetsIn),
    shortNumber(each.packetsOut),
    shortNumber(each.octetsOut),
  ]);
  const widths = COLUMNS.map((column, index) => Math.max(column.length, ...rows.map((row) => row[index]!.length)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, index) => cell.padStart(widths[index]!)).join('  ');
  const head = line(COLUMNS);
  const rule = '-'.repeat(head.length);
  return `${[rule, 'Net::Ipsec', head, rule, ...rows.map(line)].join('\n')}\n`;
}

/** `353.9K`, `252.4M`: four digits at most, as the device has it. */
export function shortNumber(value: number): string {
  let rest = value;
  for (const unit of ['', 'K', 'M', 'G', 'T', 'P']) {
    // 999.95 would be rounded to a thousand.
    if (rest < (unit === '' ? 1000 : 999.95)) return unit === '' ? String(rest) : `${rest.toFixed(1)}${unit}`;
    rest /= 1000;
  }
  return `${rest.toFixed(1)}E`;
}
