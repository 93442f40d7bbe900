// What happened while a wide IP was answered, in words: a line for each step.

import { rcodeName } from '../dns/rcode-names.ts';
import { MEMBER_MODES, type MemberMode, type PoolMode } from './description.ts';
import { PoolsAmong } from './pool-selector.ts';
import { REFERENCE_NUMBERS, ReferenceField, type GtmIndex, type WideIpTables } from './tables.ts';
import { AliasEnd, TraceEvent } from './trace.ts';

const STAGES = ['preferred', 'alternate', 'fallback'] as const;

/** What the number is that a mode goes by. */
const POOL_VALUES: Record<PoolMode, string> = {
  'round-robin': 'place',
  'global-availability': 'place',
  ratio: 'ratio',
  topology: 'score',
};
const MEMBER_VALUES: Partial<Record<MemberMode, string>> = {
  'completion-rate': 'of 1000 packets answered',
  cpu: '% of CPU',
  'fewest-hops': 'hops',
  'global-availability': 'place',
  'kilobytes-per-second': 'kilobytes/s',
  'least-connections': 'connections',
  'lowest-round-trip-time': 'microseconds',
  'packet-rate': 'packets/s',
  'quality-of-service': 'quality',
  ratio: 'ratio',
  'round-robin': 'place',
  'static-persistence': 'hash with the client',
  topology: 'score',
  'virtual-server-capacity': 'capacity',
  'virtual-server-score': 'score',
};

const ALIAS_ENDS: Record<AliasEnd, string> = {
  [AliasEnd.wanted]: 'is what was asked for',
  [AliasEnd.elsewhere]: 'is followed by whoever asks: no wide IP answers such a question for it, or it is static',
  [AliasEnd.loop]: 'was answered already: the aliases are a loop',
  [AliasEnd.tooLong]: 'is followed by whoever asks: the chain is as long as one may be',
};

/** Tells one answer; which mode is being told about is remembered from step to step. */
export class TraceText {
  readonly #index: GtmIndex;
  readonly #tables: WideIpTables;
  #wideIp = -1;
  #mode: MemberMode = 'none';

  constructor(index: GtmIndex, tables: WideIpTables) {
    this.#index = index;
    this.#tables = tables;
  }

  /** The line of a step, with what `Trace.note` was told. */
  lineOf(event: TraceEvent, a: number, b: number, c: number): string {
    switch (event) {
      case TraceEvent.asked:
        this.#wideIp = a;
        return `wide IP ${this.#wideIpName(a)}: ${b === 0 ? 'has the name' : `is asked, behind ${b} aliases`}`;
      case TraceEvent.disabled:
        return `wide IP ${this.#wideIpName(a)}: is disabled and has no answer`;
      case TraceEvent.unavailable:
        return `wide IP ${this.#wideIpName(a)}: is not available: none of its pools is, or its application is not as a whole`;
      case TraceEvent.persisted:
        return `persistence: the client was sent to ${this.#memberName(b)} before, and is again`;
      case TraceEvent.persistedLost:
        return `persistence: the client cannot be sent to ${b < 0 ? 'where it was sent before' : this.#memberName(b)} any more`;
      case TraceEvent.poolCandidate:
        return `${this.#referenceName(a)}: could be chosen, ${POOL_VALUES[this.#poolMode()]} ${b}`;
      case TraceEvent.poolChosen:
        return `${this.#referenceName(a)}: ${this.#poolMode()} chooses it ${AMONG[c as PoolsAmong]}`;
      case TraceEvent.poolsExhausted:
        return b === PoolsAmong.available ? 'pools: no other is available' : 'pools: none is enabled';
      case TraceEvent.poolEmpty:
        return `${this.#poolName(a)}: none of its modes has an answer`;
      case TraceEvent.lastResort:
        return `${this.#poolName(b)}: is asked as the last resort`;
      case TraceEvent.lastResortUnavailable:
        return `${this.#poolName(b)}: is the last resort, and not available`;
      default:
        return this.#lineOfPool(event, a, b, c);
    }
  }

  #lineOfPool(event: TraceEvent, a: number, b: number, c: number): string {
    switch (event) {
      case TraceEvent.mode:
        this.#mode = MEMBER_MODES[c]!;
        return `${this.#poolName(a)}: by its ${STAGES[b]} mode, ${this.#mode}`;
      case TraceEvent.modeFailed:
        return `${this.#poolName(a)}: ${MEMBER_MODES[c]} has nobody to choose`;
      case TraceEvent.memberCandidate:
        return `member ${this.#memberName(a)}: could be chosen, ${MEMBER_VALUES[this.#mode] ?? 'value'} ${b}`;
      case TraceEvent.memberUnknown:
        return `member ${this.#memberName(a)}: nobody knows what ${this.#mode} goes by`;
      case TraceEvent.memberChosen:
        return `member ${this.#memberName(a)}: ${this.#mode} chooses it`;
      case TraceEvent.fallbackIp:
        return `${this.#poolName(a)}: its fallback-ip is answered, which nobody watches`;
      case TraceEvent.returnedToDns:
        return `${this.#poolName(a)}: return-to-dns gives the question back`;
      case TraceEvent.dropped:
        return `${this.#poolName(a)}: drop-packet, there is no reply`;
      case TraceEvent.failed:
        return `wide IP ${this.#wideIpName(a)}: replies with its failure-rcode, ${rcodeName(b)}`;
      case TraceEvent.passed:
        return `wide IP ${this.#wideIpName(a)}: has no answer, and the next source is asked`;
      case TraceEvent.aliasFollowed:
        return `alias ${this.#memberName(a)}: is wide IP ${this.#wideIpName(b)}, which is answered too`;
      case TraceEvent.aliasLeft:
        return `alias ${this.#memberName(a)}: ${ALIAS_ENDS[b as AliasEnd]}`;
      default:
        return '';
    }
  }

  #poolMode(): PoolMode {
    return this.#index.wideIps[this.#wideIp]!.wideIp.poolMode;
  }

  #wideIpName(number: number): string {
    const { type, name } = this.#index.wideIps[number]!.wideIp;
    return `${type} ${name}`;
  }

  #poolName(number: number): string {
    const { pool, application } = this.#index.pools[number]!;
    const of = application === undefined ? '' : ` of ${application.name}`;
    return `pool ${pool.type} ${pool.name}${of}`;
  }

  #referenceName(reference: number): string {
    return this.#poolName(this.#tables.references[reference * REFERENCE_NUMBERS + ReferenceField.pool]!);
  }

  #memberName(number: number): string {
    return this.#index.members[number]!.member.name;
  }
}

const AMONG: Record<PoolsAmong, string> = {
  [PoolsAmong.available]: 'among those that are available',
  [PoolsAmong.enabled]:
    'among those that are enabled: none is available, and its fallback mode does not look at health',
};
