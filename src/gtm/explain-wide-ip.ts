// Why a question for a wide IP is answered as it is, for a person: the answer path itself answers it once more, on a copy of the state
// and with turns and chance of its own, and is listened to. So what is said is what is done.

import { MessageWriter } from '../dns/message-writer.ts';
import { formatName } from '../dns/name.ts';
import type { Query } from '../dns/query.ts';
import { rcodeName } from '../dns/rcode-names.ts';
import { Reply } from '../dns/reply.ts';
import type { Sender } from '../dns/sender.ts';
import { WideIpVerdict } from '../dns/wide-ip-source.ts';
import type { CompiledWideIps } from './compile-wide-ips.ts';
import { newGtmCounts } from './counts.ts';
import type { Facts } from './facts.ts';
import type { GeoDatabase } from './geo-database.ts';
import type { RandomSource } from './random.ts';
import { recordLines } from './record-lines.ts';
import { newStateMemory, type StateMemory, StateReader } from './state-journal.ts';
import { isUp, MEMBER_STATUS_SHIFT, MemberBit, POOL_WORDS, PoolWord, type Status } from './state-layout.ts';
import { StateWithout } from './state-without.ts';
import type { StatusReports } from './status-report.ts';
import { TRACE_NUMBERS, TraceEvent, TraceLog } from './trace.ts';
import { TraceText } from './trace-text.ts';
import { WideIpAnswerer } from './wide-ip-answerer.ts';
import type { Persistence } from './wide-ip-flow.ts';
import { columnOf, NameFinding, PATTERN_NUMBERS, PatternField, WideIpFinder } from './wide-ip-names.ts';

/** Members of an answer of which is said what would be without them. */
const MAX_WITHOUT = 16;
const MESSAGE_OCTETS = 65_535;

/** What is answered from, besides what was compiled. */
export type WideIpPresent = {
  readonly memory: StateMemory;
  readonly facts: Facts;
  /** It is looked at only. */
  readonly persistence: Persistence;
  /** A source of chance that gives the same each time that it is made. */
  readonly newRandom: () => RandomSource;
  /** Why members are as they are, at this moment. */
  readonly reports?: StatusReports;
  /** Of places, for topology. */
  readonly databases?: readonly GeoDatabase[];
};

export type WideIpExplanation = {
  /** What a person reads, a line each. */
  readonly steps: readonly string[];
  readonly verdict: WideIpVerdict;
  /** Of an answer: the code and the records. */
  readonly rcode: number;
  readonly answers: readonly string[];
};

/** `query`: a question of class IN that was read. */
export function explainWideIp(
  compiled: CompiledWideIps,
  present: WideIpPresent,
  query: Query,
  sender: Sender,
): WideIpExplanation {
  return new Explainer(compiled, present, query, sender).explain();
}

/** An answerer that changes nothing: on a copy of the state, and what clients are sent to is not remembered. */
export function explainingAnswerer(
  { tables }: CompiledWideIps,
  memory: StateMemory,
  { persistence, newRandom, databases = [] }: Pick<WideIpPresent, 'persistence' | 'newRandom' | 'databases'>,
): WideIpAnswerer {
  return new WideIpAnswerer(tables, memory, {
    random: newRandom(),
    persistence: new ReadOnlyPersistence(persistence),
    counts: newGtmCounts(tables.layout),
    geo: databases,
  });
}

/** Remembers nobody. */
class ReadOnlyPersistence implements Persistence {
  readonly #persistence: Persistence;

  constructor(persistence: Persistence) {
    this.#persistence = persistence;
  }

  get memberKey(): number {
    return this.#persistence.memberKey;
  }

  get memberKeyMore(): number {
    return this.#persistence.memberKeyMore;
  }

  find(key: number, keyMore: number, address: Int32Array, family: number, now: number): boolean {
    return this.#persistence.find(key, keyMore, address, family, now);
  }

  put(): void {
    // Whoever asks for an explanation is no client.
  }
}

type Answered = { readonly verdict: WideIpVerdict; readonly reply: Reply; readonly trace: TraceLog };

class Explainer {
  readonly #compiled: CompiledWideIps;
  readonly #present: WideIpPresent;
  readonly #query: Query;
  readonly #sender: Sender;
  readonly #memory: StateMemory;
  readonly #steps: string[] = [];
  /** Pools whose members were listed. */
  readonly #listed = new Set<number>();

  constructor(compiled: CompiledWideIps, present: WideIpPresent, query: Query, sender: Sender) {
    this.#compiled = compiled;
    this.#present = present;
    this.#query = query;
    this.#sender = sender;
    // As it is at this moment: nothing changes between the lines.
    this.#memory = newStateMemory(compiled.tables.layout, 2);
    this.#memory.words.set(new StateReader(present.memory).words);
  }

  explain(): WideIpExplanation {
    this.#tellName();
    const answered = this.#answer(this.#memory);
    const { verdict, reply, trace } = answered;
    this.#tellTrace(trace);
    const answers = verdict === WideIpVerdict.answered ? recordLines(this.#query, reply) : [];
    if (verdict === WideIpVerdict.answered) this.#tellWithout(trace, endOf(this.#query, answered));
    return { steps: this.#steps, verdict, rcode: reply.rcode, answers };
  }

  #answer(memory: StateMemory): Answered {
    const answerer = explainingAnswerer(this.#compiled, memory, this.#present);
    const trace = new TraceLog();
    const reply = new Reply();
    const means = { writer: new MessageWriter(), limit: MESSAGE_OCTETS, isStream: this.#sender.isStream };
    answerer.trace = trace;
    const verdict = answerer.answer(this.#query, reply, means, this.#sender);
    return { verdict, reply, trace };
  }

  #tellName(): void {
    const { index, tables } = this.#compiled;
    const query = this.#query;
    const name = formatName(query.octets, query.nameStart);
    const finder = new WideIpFinder(tables);
    const found = finder.find(query, columnOf(query.type));
    if (found === NameFinding.nothing) {
      this.#steps.push(`wide IPs: none of ${index.wideIps.length} has ${name}, or a name below it`);
    } else if (found < 0) {
      this.#steps.push(`wide IPs: ${name} exists, but none answers such a question for it: the next source is asked`);
    } else {
      const { type, name: path, domain } = index.wideIps[found]!.wideIp;
      this.#steps.push(`wide IPs: ${type} ${path} answers: ${this.#howFound(finder.pattern, name, domain)}`);
    }
  }

  #howFound(pattern: number, name: string, domain: string): string {
    const { names, octets } = this.#compiled.tables;
    if (pattern < 0) return name.toLowerCase() === `${domain}.` ? 'it is called so' : `${name} is an alias of it`;
    const base = pattern * PATTERN_NUMBERS;
    const at = names.patterns[base + PatternField.at]!;
    const text = String.fromCharCode(...octets.subarray(at, at + names.patterns[base + PatternField.octets]!));
    return `${name} is like ${text}, the most specific pattern of those that it is like`;
  }

  #tellTrace({ numbers }: TraceLog): void {
    const { index, tables } = this.#compiled;
    const text = new TraceText(index, tables);
    for (let at = 0; at < numbers.length; at += TRACE_NUMBERS) {
      const event = numbers[at] as TraceEvent;
      this.#steps.push(text.lineOf(event, numbers[at + 1]!, numbers[at + 2]!, numbers[at + 3]!));
      if (event === TraceEvent.asked) this.#tellPools(numbers[at + 1]!);
      if (event === TraceEvent.mode) this.#tellMembers(numbers[at + 1]!);
    }
  }

  #tellPools(wideIp: number): void {
    const { index } = this.#compiled;
    for (const pool of index.wideIps[wideIp]!.pools) {
      const { type, name } = index.pools[pool]!.pool;
      this.#steps.push(`pool ${type} ${name}: ${this.#poolState(pool)}`);
    }
  }

  #poolState(pool: number): string {
    const { words, layout } = this.#memory;
    const at = layout.poolsAt + pool * POOL_WORDS;
    const { members } = this.#compiled.index.pools[pool]!;
    if (words[at + PoolWord.enabled] === 0) return 'is disabled';
    const usable = words[at + PoolWord.usable]!;
    return usable > 0
      ? `is available: ${usable} of its ${members} members may be chosen`
      : `is not available: of its ${members} members none may be chosen, or too few`;
  }

  #tellMembers(pool: number): void {
    if (this.#listed.has(pool)) return;
    this.#listed.add(pool);
    const { index } = this.#compiled;
    const { firstMember, members } = index.pools[pool]!;
    for (let member = firstMember; member < firstMember + members; member++) {
      this.#steps.push(`member ${index.members[member]!.member.name}: ${this.#memberState(member)}`);
    }
  }

  #memberState(member: number): string {
    const { words, layout } = this.#memory;
    const word = words[layout.membersAt + member]!;
    const status = STATUSES[(word >>> MEMBER_STATUS_SHIFT) as Status];
    const isUsable = (word & MemberBit.usable) !== 0;
    const may = (word & MemberBit.fallback) === 0 ? ', and not to be chosen' : ': only a fallback mode may choose it';
    const why = this.#why(member, (word >>> MEMBER_STATUS_SHIFT) as Status);
    return `is ${status}${isUsable ? '' : may}${why}${this.#present.reports?.origin(member) ?? ''}`;
  }

  /** Of a member that is down the reason; of one that is up, whether that is old. */
  #why(member: number, status: Status): string {
    const { reports } = this.#present;
    if (reports === undefined) return '';
    return isUp(status)
      ? reports.staleness(member)
      : `: ${reports.statusOf({ kind: 'member', number: member }).reason}`;
  }

  /** What would be answered without each of the members that are. */
  #tellWithout({ numbers }: TraceLog, now: string): void {
    const { index, tables } = this.#compiled;
    const chosen = new Set<number>();
    for (let at = 0; at < numbers.length; at += TRACE_NUMBERS) {
      if (numbers[at] === TraceEvent.memberChosen) chosen.add(numbers[at + 1]!);
      if (numbers[at] === TraceEvent.persisted) chosen.add(numbers[at + 2]!);
    }
    if (chosen.size === 0) return;
    const state = new StateWithout(index, tables, this.#present.facts);
    for (const member of [...chosen].slice(0, MAX_WITHOUT)) {
      state.during(member, () => {
        const then = endOf(this.#query, this.#answer(state.memory));
        const { name } = index.members[member]!.member;
        this.#steps.push(`if ${name} went down: ${then === now ? 'the same' : then}`);
      });
    }
  }
}

const STATUSES: Record<Status, string> = {
  0: 'available',
  1: 'unknown, which counts as available',
  2: 'offline',
  3: 'unavailable, by a limit or by what it depends on',
  4: 'disabled',
};

/** What an answer comes to, in one line. */
function endOf(query: Query, { verdict, reply }: Answered): string {
  if (verdict === WideIpVerdict.dropped) return 'no reply';
  if (verdict !== WideIpVerdict.answered) return 'the next source would be asked';
  const lines = recordLines(query, reply);
  return lines.length === 0 ? rcodeName(reply.rcode) : lines.join(', ');
}
