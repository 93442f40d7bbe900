// What happens while a wide IP is answered, told step by step as numbers to whoever listens: the explanation of an answer, and the
// log of decisions. Which object a number is, is known by GtmIndex. Nothing is told, and nothing costs, while nobody listens.

/** What happened; behind each what the three numbers are. */
export const TraceEvent = {
  /** A wide IP is asked: its number, and the link of the chain of aliases that led there (0: the question itself). */
  asked: 0,
  /** It is switched off: wide IP. */
  disabled: 1,
  /** The client is sent where it was sent before: wide IP, member. */
  persisted: 2,
  /** It cannot be sent there any more: wide IP, member (-1: it is no member of this wide IP now). */
  persistedLost: 3,
  /** A pool that could be chosen: reference, what the mode goes by (a score, a ratio, a place). */
  poolCandidate: 4,
  /** The mode of the wide IP chose a pool: reference, pool, a value of `Among`. */
  poolChosen: 5,
  /** There is no other pool: wide IP, a value of `Among`. */
  poolsExhausted: 6,
  /** No mode of the pool chose anybody, and the next pool is looked for: pool. */
  poolEmpty: 7,
  /** The pool of last resort is asked: wide IP, pool. */
  lastResort: 8,
  /** It is not available: wide IP, pool. */
  lastResortUnavailable: 9,
  /** A mode is tried: pool, stage, mode. */
  mode: 10,
  /** It could choose nobody: pool, stage, mode. */
  modeFailed: 11,
  /** A member that could be chosen: member, what the mode goes by (a metric, a weight, a score, a place). */
  memberCandidate: 12,
  /** A member that the mode passes over for what is not known of it: member. */
  memberUnknown: 13,
  /** A member is answered: member, pool, stage. */
  memberChosen: 14,
  /** The address that `fallback-ip` has is answered: pool, stage. */
  fallbackIp: 15,
  /** The question is given back: pool, stage. */
  returnedToDns: 16,
  /** There is no reply: pool, stage. */
  dropped: 17,
  /** The wide IP's failure reply: wide IP, rcode. */
  failed: 18,
  /** The wide IP has no answer, and the next source is asked: wide IP. */
  passed: 19,
  /** What an alias stands for is a wide IP, and answered too: member, wide IP. */
  aliasFollowed: 20,
  /** What an alias stands for is left to who asks: member, a value of `AliasEnd`. */
  aliasLeft: 21,
  /** None of its pools is available, or its application takes it down with others: wide IP. */
  unavailable: 22,
} as const;
export type TraceEvent = (typeof TraceEvent)[keyof typeof TraceEvent];

/** Why an alias is not followed. */
export const AliasEnd = {
  /** It is what was asked for. */
  wanted: 0,
  /** No wide IP of the type has the name, or the member is static. */
  elsewhere: 1,
  /** The name was answered already in this reply. */
  loop: 2,
  /** The chain is as long as one may be. */
  tooLong: 3,
} as const;
export type AliasEnd = (typeof AliasEnd)[keyof typeof AliasEnd];

export type Trace = {
  note(event: TraceEvent, a: number, b: number, c: number): void;
};

/** Numbers of a step: the event, and what is told of it. */
export const TRACE_NUMBERS = 4;

/** Keeps everything that is told. */
export class TraceLog implements Trace {
  readonly numbers: number[] = [];

  note(event: TraceEvent, a: number, b: number, c: number): void {
    this.numbers.push(event, a, b, c);
  }
}
