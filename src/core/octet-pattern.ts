// Finds a regular expression in octets that come bit by bit, in time linear in their number whatever pattern and text are: a
// person writes the pattern, and a stranger the text, so there must be nothing to backtrack over.
//
// A deterministic automaton that is made as far as texts lead into it. Its states are objects: whoever is in the midst of a text
// holds one, and those that are forgotten because there are too many go on working for him.

import { parsePattern, type PatternNode } from './octet-pattern-parser.ts';

/** Where one is in a text. */
export type PatternState = {
  /** It has been found; nothing that follows changes that. */
  readonly isFound: boolean;
  /** It is found if the text ends here. */
  readonly isFoundAtEnd: boolean;
  /** Nodes of the automaton in which one may be, ascending. */
  readonly members: readonly number[];
  /** By class of octets: what comes next; undefined: not known yet. */
  readonly next: (PatternState | undefined)[];
};

/** States remembered, at most. */
const MAX_STATES = 500;

export class OctetPattern {
  readonly #nodes: readonly PatternNode[];
  readonly #first: number;
  /** Octets between which no node makes a difference have the same class. */
  readonly #classOf: Uint8Array;
  /** An octet of each class. */
  readonly #octetOf: readonly number[];
  #states = new Map<string, PatternState>();
  #start: PatternState;

  /** A `PatternError` for a text that is not a pattern. */
  constructor(text: string) {
    const { nodes, first } = parsePattern(text);
    this.#nodes = nodes;
    this.#first = first;
    const { classOf, octetOf } = classify(nodes);
    this.#classOf = classOf;
    this.#octetOf = octetOf;
    this.#start = this.#stateOf([first], true);
  }

  /** Where a text begins. */
  get start(): PatternState {
    return this.#start;
  }

  /** Where one is `octets[from..to)` further. */
  advance(state: PatternState, octets: Uint8Array, from: number, to: number): PatternState {
    const classOf = this.#classOf;
    let here = state;
    for (let at = from; at < to && !here.isFound; at++) {
      const group = classOf[octets[at]!]!;
      here = here.next[group] ?? this.#step(here, group);
    }
    return here;
  }

  /** Whether it is in a text that is there as a whole. */
  isIn(octets: Uint8Array): boolean {
    return this.advance(this.#start, octets, 0, octets.length).isFoundAtEnd;
  }

  #step(state: PatternState, group: number): PatternState {
    const octet = this.#octetOf[group]!;
    const reached: number[] = [];
    for (const member of state.members) {
      const node = this.#nodes[member]!;
      if (node.kind === 'set' && node.octets[octet] === 1) reached.push(node.next);
    }
    // It may begin anywhere.
    reached.push(this.#first);
    const next = this.#stateOf(reached, false);
    state.next[group] = next;
    return next;
  }

  #stateOf(entries: readonly number[], isStart: boolean): PatternState {
    const members = this.#closure(entries, isStart, false).sort((one, other) => one - other);
    const key = `${isStart ? '^' : ''}${members.join(' ')}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const isFound = this.#isFound(members);
    const atEnd = isFound || this.#isFound(this.#closure(members, isStart, true));
    const next = new Array<PatternState | undefined>(this.#octetOf.length).fill(undefined);
    const state = { isFound, isFoundAtEnd: atEnd, members, next };
    if (this.#states.size === MAX_STATES) {
      this.#states = new Map();
      // What leads from it keeps alive what is forgotten.
      this.#start = this.#stateOf([this.#first], true);
    }
    this.#states.set(key, state);
    return state;
  }

  #isFound(members: readonly number[]): boolean {
    return members.some((member) => this.#nodes[member]!.kind === 'found');
  }

  /** All nodes to which no octet has to come. */
  #closure(entries: readonly number[], isStart: boolean, isEnd: boolean): number[] {
    const seen = new Set<number>();
    const pending = [...entries];
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      const node = this.#nodes[at]!;
      if (node.kind === 'fork') pending.push(...node.to);
      else if ((node.kind === 'start' && isStart) || (node.kind === 'end' && isEnd)) pending.push(node.next);
    }
    // Forks, and where a text begins, lead nowhere from here on.
    return [...seen].filter((member) => !['fork', 'start'].includes(this.#nodes[member]!.kind));
  }
}

function classify(nodes: readonly PatternNode[]): { classOf: Uint8Array; octetOf: number[] } {
  const sets = new Set(nodes.flatMap((node) => (node.kind === 'set' ? [node.octets] : [])));
  const classOf = new Uint8Array(256);
  const octetOf: number[] = [];
  const known = new Map<string, number>();
  for (let octet = 0; octet < 256; octet++) {
    let key = '';
    for (const set of sets) key += set[octet] === 1 ? '1' : '0';
    const group = known.get(key) ?? octetOf.push(octet) - 1;
    known.set(key, group);
    classOf[octet] = group;
  }
  return { classOf, octetOf };
}
