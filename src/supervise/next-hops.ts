// Has packets with a mark go by a next hop, whatever the routes of the host say: a rule and a routing table of its own for each next
// hop. Probes of transparent monitors are marked so; nothing else of the host is touched.
//
// All that is wanted comes in one message. It stands in the device journal before it is made, and goes with the daemon that wanted it.

import { randomInt } from 'node:crypto';
import type { Log } from '../core/log.ts';
import { MOST_NEXT_HOPS } from '../ipc/healthd-schema.ts';
import type { ResultOf } from '../ipc/schema.ts';
import { runCommand, type CommandResult } from '../net/helper-program.ts';
import type { DeviceJournal, MarkedHop } from './device-journal.ts';

export type MarkedHopResult = ResultOf<'set-next-hops'>['hops'][number];

/** Of marks and tables: above what people use, and another one for each supervisor. */
const MARKS = 0x5750_0000;
/** Before `main`, behind what people put first. */
const PRIORITY = 5750;

export class NextHopKeeper {
  readonly #journal: DeviceJournal;
  readonly #log: Log;
  readonly #firstMark = MARKS + randomInt(0x100) * MOST_NEXT_HOPS;
  #owner = '';

  constructor(journal: DeviceJournal, log: Log) {
    this.#journal = journal;
    this.#log = log;
  }

  /** Brings the next hops to what a daemon wants; those that cannot be reached now may be asked for again. */
  async set(daemon: string, hops: readonly string[]): Promise<MarkedHopResult[]> {
    this.#owner = daemon;
    for (const made of this.#journal.markedHops) if (!hops.includes(made.hop)) await this.#remove(made);
    const results: MarkedHopResult[] = [];
    for (const hop of hops) results.push(await this.#make(hop));
    return results;
  }

  async daemonEnded(daemon: string): Promise<void> {
    if (daemon === this.#owner) await this.removeAll();
  }

  /** Takes away what the journal knows of, also of a predecessor; resolves to whether all went well. */
  async removeAll(): Promise<boolean> {
    let isComplete = true;
    for (const made of this.#journal.markedHops) isComplete = (await this.#remove(made)) && isComplete;
    return isComplete;
  }

  /** Makes routes again that went with their device. */
  async audit(): Promise<void> {
    for (const { hop, mark } of this.#journal.markedHops) await route(hop, mark);
  }

  async #make(hop: string): Promise<MarkedHopResult> {
    const known = this.#journal.markedHops.find((made) => made.hop === hop);
    if (known !== undefined) return withFailure({ hop, mark: known.mark }, await route(hop, known.mark));
    const used = new Set(this.#journal.markedHops.map(({ mark }) => mark));
    const mark = Array.from({ length: MOST_NEXT_HOPS }, (_, index) => this.#firstMark + index).find(
      (each) => !used.has(each),
    );
    if (mark === undefined) return { hop, failure: `there are ${MOST_NEXT_HOPS} next hops already` };
    const made = { hop, mark };
    this.#journal.setMarkedHops([...this.#journal.markedHops, made]);
    const routed = await route(hop, mark);
    const result = routed.status === 0 ? await ip(hop, ['rule', 'add', ...ruleOf(mark)]) : routed;
    if (result.status !== 0) await this.#remove(made);
    return withFailure(made, result);
  }

  async #remove(made: MarkedHop): Promise<boolean> {
    const { hop, mark } = made;
    const rule = await ip(hop, ['rule', 'delete', ...ruleOf(mark)]);
    const table = await ip(hop, ['route', 'flush', 'table', String(mark)]);
    // Neither need ever have been made.
    const isGone = [rule, table].every(({ status, stderr }) => status === 0 || /No such|does not exist/.test(stderr));
    if (isGone) {
      this.#journal.setMarkedHops(this.#journal.markedHops.filter((other) => other.mark !== mark));
    } else {
      this.#log.error(`the rule for packets by ${hop} could not be removed: ${firstLine(rule) || firstLine(table)}`);
    }
    return isGone;
  }
}

const ruleOf = (mark: number): string[] => [
  ...['fwmark', String(mark), 'lookup', String(mark)],
  ...['priority', String(PRIORITY)],
];

const route = (hop: string, mark: number): Promise<CommandResult> =>
  ip(hop, ['route', 'replace', 'default', 'via', hop, 'table', String(mark)]);

const ip = (hop: string, args: readonly string[]): Promise<CommandResult> =>
  runCommand('ip', [hop.includes(':') ? '-6' : '-4', ...args]);

const firstLine = ({ stderr }: CommandResult): string => stderr.split('\n')[0]!;

function withFailure({ hop, mark }: MarkedHop, result: CommandResult): MarkedHopResult {
  if (result.status === 0) return { hop, mark };
  return { hop, failure: `no route by ${hop}: ${firstLine(result).replace(/^(?:RTNETLINK answers|Error): /, '')}` };
}
