// Decisions of wide IPs that shall be logged (`load-balancing-decision-log-verbosity`): their steps
// as numbers, handed on with the question when the decision is made. Wide IPs that ask for none cost a look at one number.

import type { Query } from '../dns/query.ts';
import type { Sender } from '../dns/sender.ts';
import { type Decision, DECISIONS } from './description.ts';
import { type Trace, TraceEvent } from './trace.ts';

export type LoggedDecision = {
  /** Number of the wide IP that was asked. */
  readonly wideIp: number;
  readonly type: number;
  /** The name that was asked for, as it came. */
  readonly name: Uint8Array;
  /** 4 or 16 octets of the client's address. */
  readonly client: Uint8Array;
  /** All steps, an event and three numbers each (`trace.ts`): of which kind a step is, `isOfKinds` says. */
  readonly steps: readonly number[];
  /** The kinds that are logged: a bit for each of DECISIONS. */
  readonly kinds: number;
};

/** Of which kind each step is. */
const KINDS: Record<TraceEvent, readonly Decision[]> = {
  [TraceEvent.asked]: [],
  [TraceEvent.disabled]: ['pool-selection'],
  [TraceEvent.persisted]: ['pool-selection', 'pool-member-selection'],
  [TraceEvent.persistedLost]: ['pool-selection', 'pool-member-selection'],
  [TraceEvent.poolCandidate]: ['pool-traversal'],
  [TraceEvent.poolChosen]: ['pool-selection'],
  [TraceEvent.poolsExhausted]: ['pool-selection'],
  [TraceEvent.poolEmpty]: ['pool-traversal'],
  [TraceEvent.lastResort]: ['pool-selection'],
  [TraceEvent.lastResortUnavailable]: ['pool-traversal'],
  [TraceEvent.mode]: ['pool-member-traversal'],
  [TraceEvent.modeFailed]: ['pool-member-traversal'],
  [TraceEvent.memberCandidate]: ['pool-member-traversal'],
  [TraceEvent.memberUnknown]: ['pool-member-traversal'],
  [TraceEvent.memberChosen]: ['pool-member-selection'],
  [TraceEvent.fallbackIp]: ['pool-member-selection'],
  [TraceEvent.returnedToDns]: ['pool-member-selection'],
  [TraceEvent.dropped]: ['pool-member-selection'],
  [TraceEvent.failed]: ['pool-selection'],
  [TraceEvent.passed]: ['pool-selection'],
  [TraceEvent.aliasFollowed]: ['pool-member-selection'],
  [TraceEvent.aliasLeft]: ['pool-member-selection'],
  [TraceEvent.unavailable]: ['pool-selection'],
};

/** Kinds by event. */
const BITS = Int32Array.from(Object.values(TraceEvent), (event) =>
  KINDS[event].reduce((bits, kind) => bits | (1 << DECISIONS.indexOf(kind)), 0),
);

/** Whether a step is of one of these kinds. */
export function isOfKinds(event: TraceEvent, kinds: number): boolean {
  return (BITS[event]! & kinds) !== 0;
}

export class DecisionLog implements Trace {
  readonly #deliver: (decision: LoggedDecision) => void;
  #steps: number[] = [];

  constructor(deliver: (decision: LoggedDecision) => void) {
    this.#deliver = deliver;
  }

  note(event: TraceEvent, a: number, b: number, c: number): void {
    this.#steps.push(event, a, b, c);
  }

  /** The decision is made: that of this wide IP, which has these kinds logged. */
  end(wideIp: number, kinds: number, query: Query, { addresses, addressAt, addressOctets }: Sender): void {
    const steps = this.#steps;
    this.#steps = [];
    const { octets, nameStart, nameOctets, type } = query;
    const name = octets.slice(nameStart, nameStart + nameOctets);
    const client = addresses.slice(addressAt, addressAt + addressOctets);
    this.#deliver({ wideIp, type, name, client, steps, kinds });
  }
}
