// Keeps from the kernel what dnsd takes straight from a device, so that nothing is answered twice: an nft rule at the ingress of
// the device, behind the packet sockets, that drops the same frames as their filter takes (src/net/query-filter.ts).
//
// All that is wanted comes in one message. Each device has a table of its own, which stands in the device journal before it is
// made; the rules go with the daemon that wanted them, for then the kernel's own path has to answer.

import { randomBytes } from 'node:crypto';
import { errorText } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { ParamsOf, ResultOf } from '../ipc/schema.ts';
import { MAX_QUERY_OCTETS } from '../net/query-filter.ts';
import { NO_SUCH_PROGRAM, runCommand, type CommandResult } from '../net/helper-program.ts';
import type { DeviceJournal, QueryTable } from './device-journal.ts';

export type QueryRule = ParamsOf<'set-query-rules'>['rules'][number];
export type QueryRuleResult = ResultOf<'set-query-rules'>['rules'][number];

/** Behind the rule of a device that was taken over (device-takeover.ts), before any other. */
const NFT_PRIORITY = -490;

/** The rules of one device. */
type Place = { readonly device: string; readonly namespace: string | undefined; readonly rules: QueryRule[] };
type Made = { readonly table: QueryTable; readonly device: string; readonly text: string };

export class QueryRuleKeeper {
  readonly #journal: DeviceJournal;
  readonly #log: Log;
  /** Names of tables begin with it: another supervisor has others. */
  readonly #prefix = `wideplane_queries_${randomBytes(4).toString('hex')}`;
  #number = 0;
  /** What there is, by the place. */
  readonly #made = new Map<string, Made>();
  #owner = '';

  constructor(journal: DeviceJournal, log: Log) {
    this.#journal = journal;
    this.#log = log;
  }

  /** Brings the rules to what a daemon wants; they are its own from now on. */
  async set(daemon: string, rules: readonly QueryRule[]): Promise<QueryRuleResult[]> {
    this.#owner = daemon;
    const places = groupByPlace(rules);
    for (const [key, { table }] of [...this.#made]) {
      if (!places.has(key)) await this.#remove(key, table);
    }
    const results: QueryRuleResult[] = [];
    for (const [key, place] of places) results.push(await this.#apply(key, place));
    return results;
  }

  /** Takes the rules away whose daemon has ended. */
  async daemonEnded(daemon: string): Promise<void> {
    if (daemon === this.#owner && this.#made.size > 0) await this.set(daemon, []);
  }

  /** Takes away what the journal knows of, also of a predecessor; resolves to whether all went well. */
  async removeAll(): Promise<boolean> {
    this.#made.clear();
    let isComplete = true;
    for (const table of this.#journal.queryTables) isComplete = (await this.#delete(table)) && isComplete;
    return isComplete;
  }

  /** Makes rules again that somebody has flushed with his own. */
  async audit(): Promise<void> {
    for (const [key, made] of this.#made) {
      if (await isThere(made)) continue;
      const { name, namespace } = made.table;
      const { status } = await nft(namespace, ['-f', '-'], made.text);
      if (status === 0) this.#log.warn(`somebody removed the nft table ${name}; it is there again`);
      else this.#made.delete(key);
    }
  }

  async #apply(key: string, place: Place): Promise<QueryRuleResult> {
    const { device, namespace } = place;
    const where = namespace === undefined ? { device } : { device, namespace };
    try {
      const known = this.#made.get(key);
      const name = known?.table.name ?? `${this.#prefix}_${this.#number++}`;
      const table = known?.table ?? { name, namespace: namespace ?? null };
      const text = rulesetOf(name, place);
      if (known?.text === text && (await isThere(known))) return where;
      this.#journal.putQueryTable(table);
      const { status, stderr } = await nft(table.namespace, ['-f', '-'], text);
      if (status !== 0) {
        await this.#remove(key, table);
        throw new Error(stderr.split('\n')[0]);
      }
      this.#made.set(key, { table, device, text });
      return where;
    } catch (error) {
      return { ...where, failure: `no nft rule on ${device}: ${errorText(error)}` };
    }
  }

  async #remove(key: string, table: QueryTable): Promise<void> {
    this.#made.delete(key);
    await this.#delete(table);
  }

  async #delete(table: QueryTable): Promise<boolean> {
    // `add` first: it may never have been made, or may have gone with its device.
    const text = `add table netdev ${table.name}\ndelete table netdev ${table.name}\n`;
    const { status, stderr } = await nft(table.namespace, ['-f', '-'], text);
    // A namespace that has gone took its tables along.
    const isGone = status === 0 || status === NO_SUCH_PROGRAM || stderr.includes('Cannot open network namespace');
    if (isGone) this.#journal.removeQueryTable(table);
    else this.#log.error(`the nft table ${table.name} could not be removed: ${stderr.split('\n')[0] ?? ''}`);
    return isGone;
  }
}

/** Whether a table is there, and its chain hangs on the device: it leaves a device that goes, and does not come back with it. */
async function isThere({ table, device }: Made): Promise<boolean> {
  const { status, stdout } = await nft(table.namespace, ['list', 'table', 'netdev', table.name]);
  return status === NO_SUCH_PROGRAM || (status === 0 && stdout.includes(`"${device}"`));
}

function groupByPlace(rules: readonly QueryRule[]): Map<string, Place> {
  const places = new Map<string, Place>();
  for (const rule of rules) {
    const { device, namespace } = rule;
    const key = `${namespace ?? ''}/${device}`;
    const place = places.get(key) ?? { device, namespace, rules: [] };
    place.rules.push(rule);
    places.set(key, place);
  }
  return places;
}

/** Replaces the table in one transaction. */
function rulesetOf(table: string, { device, rules }: Place): string {
  return [
    `add table netdev ${table}`,
    `delete table netdev ${table}`,
    `table netdev ${table} {`,
    `  chain ingress {`,
    `    type filter hook ingress device "${device}" priority ${NFT_PRIORITY}; policy accept;`,
    ...rules.flatMap(dropLines).map((line) => `    ${line}`),
    '  }',
    '}',
    '',
  ].join('\n');
}

function dropLines({ port, addresses }: QueryRule): string[] {
  // The type as it is on the wire: a tag is in front of it, also one that the card has taken out.
  const line = (etherType: string, header: string, protocol: string, of: readonly string[]): string =>
    `meta pkttype host @ll,96,16 ${etherType} ${header} ${protocol} daddr { ${of.join(', ')} } ` +
    `udp dport ${port} udp length <= ${MAX_QUERY_OCTETS} drop`;
  const ipv4 = addresses.filter((address) => !address.includes(':'));
  const ipv6 = addresses.filter((address) => address.includes(':'));
  return [
    ...(ipv4.length === 0
      ? []
      : [line('0x0800', 'ip version 4 ip hdrlength 5 ip frag-off & 0x3fff == 0 ip protocol udp', 'ip', ipv4)]),
    ...(ipv6.length === 0 ? [] : [line('0x86dd', 'ip6 nexthdr udp', 'ip6', ipv6)]),
  ];
}

function nft(namespace: string | null, args: readonly string[], input = ''): Promise<CommandResult> {
  return namespace === null
    ? runCommand('nft', args, input)
    : runCommand('ip', ['netns', 'exec', namespace, 'nft', ...args], input);
}
