// Who says what: what was said by hand lies over what was measured, field by field, and what counts is what is seen from above. A
// status goes with its reason. When the hand is taken away what is measured shows again.

import {
  type FactLayer,
  type Facts,
  type MemberFacts,
  newFactLayer,
  type PathFacts,
  type ServerFacts,
  type ThingChange,
} from './facts.ts';

/** All that is known: what a daemon keeps over a restart. */
export type KnownFacts = {
  readonly hand: FactLayer;
  readonly measured: FactLayer;
  /** As `Facts` has them. */
  readonly paths: Map<string, PathFacts>;
  readonly held: Set<string>;
  /** Milliseconds since 1970 when whoever measures was last heard of; 0: never. */
  heard: number;
};

export function newKnownFacts(): KnownFacts {
  return { hand: newFactLayer(), measured: newFactLayer(), paths: new Map(), held: new Set(), heard: 0 };
}

export class FactLayers {
  readonly known: KnownFacts;
  /** What counts: `paths` and `held` are those that are known. */
  readonly facts: Facts;

  constructor(known: KnownFacts) {
    this.known = known;
    const { hand, measured, paths, held } = known;
    this.facts = { ...newFactLayer(), paths, held };
    for (const change of [...changesOf(measured), ...changesOf(hand)]) this.take(this.seen(change));
  }

  /** Puts it into a layer; returns what follows for what counts, which is not done yet. */
  say(layer: 'hand' | 'measured', change: ThingChange): ThingChange {
    put(this.known[layer], change);
    return this.seen(change);
  }

  /** Whether a layer says of how the thing is just that. */
  isSaid(layer: 'hand' | 'measured', change: ThingChange): boolean {
    const before = factsIn(this.known[layer], change);
    const after = change.facts;
    if (before === undefined || after === undefined) return before === after;
    const same = ['status', 'reason', 'since', 'goodFor', 'sparesVirtualServers'] as const;
    const [said, says]: readonly [ServerFacts, ServerFacts] = [before, after];
    return same.every((field) => said[field] === says[field]);
  }

  /** As it is seen from above. */
  seen(change: ThingChange): ThingChange {
    const { hand, measured } = this.known;
    switch (change.kind) {
      case 'virtual-server': {
        const { key } = change;
        return { ...change, facts: merged(hand.virtualServers.get(key), measured.virtualServers.get(key)) };
      }
      case 'server': {
        const { name } = change;
        return { ...change, facts: merged(hand.servers.get(name), measured.servers.get(name)) };
      }
      case 'member':
        return { ...change, facts: merged(hand.members.get(change.key), measured.members.get(change.key)) };
    }
  }

  /** Does to what counts what nobody else does. */
  take(change: ThingChange): void {
    put(this.facts, change);
  }
}

/** Everything that a layer says. */
export function* changesOf({ servers, virtualServers, members }: FactLayer): Generator<ThingChange, void> {
  for (const [name, facts] of servers) yield { kind: 'server', name, facts };
  for (const [key, facts] of virtualServers) yield { kind: 'virtual-server', key, facts };
  for (const [key, facts] of members) yield { kind: 'member', key, facts };
}

function factsIn({ servers, virtualServers, members }: FactLayer, change: ThingChange): MemberFacts | undefined {
  switch (change.kind) {
    case 'virtual-server':
      return virtualServers.get(change.key);
    case 'server':
      return servers.get(change.name);
    case 'member':
      return members.get(change.key);
  }
}

/** What a change is about. */
export const subjectOf = (change: ThingChange): string => (change.kind === 'server' ? change.name : change.key);

function put(layer: FactLayer, change: ThingChange): void {
  switch (change.kind) {
    case 'virtual-server':
      putOne(layer.virtualServers, change.key, change.facts);
      break;
    case 'server':
      putOne(layer.servers, change.name, change.facts);
      break;
    case 'member':
      putOne(layer.members, change.key, change.facts);
      break;
  }
}

function putOne<T>(map: Map<string, T>, key: string, facts: T | undefined): void {
  if (facts === undefined) map.delete(key);
  else map.set(key, facts);
}

function merged<T extends MemberFacts>(hand: T | undefined, measured: T | undefined): T | undefined {
  if (hand === undefined || measured === undefined) return hand ?? measured;
  if (hand.status === undefined) return { ...measured, ...hand };
  const { reason, since, goodFor } = hand;
  // What is said by hand of a server takes its virtual servers along, as ever.
  return { ...measured, ...hand, reason, since, goodFor, sparesVirtualServers: undefined };
}
